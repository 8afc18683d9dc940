%%% Its library may hang or end before it has said what it is: see fixtures/fx_life_init.c.
-module(fx_life_init).

-export([value/0]).

-include("fx.hrl").

value() -> ?NIF.
