%%% Resource types of old and new code: see fixtures/fx_takeover.c.
-module(fx_takeover).

-export([tag/0, opened/0, new/3, number/2]).

-include("fx.hrl").

tag() -> ?NIF.
opened() -> ?NIF.
new(_, _, _) -> ?NIF.
number(_, _) -> ?NIF.
