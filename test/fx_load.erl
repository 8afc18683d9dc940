%%% load, upgrade, unload: see fixtures/fx_load.c.
-module(fx_load).

-export([info/0, upgrades/0]).

-include("fx.hrl").

info() -> ?NIF.
upgrades() -> ?NIF.
