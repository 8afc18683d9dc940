%%% Has a function twice: see fixtures/fx_life_twice.c.
-module(fx_life_twice).

-export([one/0, two/0]).

-include("fx.hrl").

one() -> ?NIF.
two() -> ?NIF.
