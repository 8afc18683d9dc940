%%% Its library gives no entry: see fixtures/fx_life_null.c.
-module(fx_life_null).

-include("fx.hrl").
