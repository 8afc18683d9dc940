%%% Its library is a shared library, but no NIF library.
-module(fx_noinit).

-export([answer/0]).

-include("fx.hrl").

answer() -> ?NIF.
