%%% Resources that other libraries may call: see fixtures/fx_dyncall_owner.c.
-module(fx_dyncall_owner).

-export([new_callable/1, new_deaf/1]).

-include("fx.hrl").

new_callable(_) -> ?NIF.
new_deaf(_) -> ?NIF.
