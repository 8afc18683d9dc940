%%% Its library has a function that is not here.
-module(fx_missing).

-export([answer/0]).

-include("fx.hrl").

answer() -> ?NIF.
