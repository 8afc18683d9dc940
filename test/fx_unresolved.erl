%%% Its library needs a function that nobody has.
-module(fx_unresolved).

-export([answer/0]).

-include("fx.hrl").

answer() -> ?NIF.
