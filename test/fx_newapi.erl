%%% Its library is for a later API.
-module(fx_newapi).

-export([answer/0]).

-include("fx.hrl").

answer() -> ?NIF.
