%%% Its library ends the process that opens it.
-module(fx_constructor).

-export([answer/0]).

-include("fx.hrl").

answer() -> ?NIF.
