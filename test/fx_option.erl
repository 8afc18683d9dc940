%%% enif_set_option: see fixtures/fx_option.c.
-module(fx_option).

-export([results/0, set_now/1, until_halt/0, mark/0, new_resource/0]).

-include("fx.hrl").

results() -> ?NIF.
set_now(_) -> ?NIF.
until_halt() -> ?NIF.
mark() -> ?NIF.
new_resource() -> ?NIF.
