%% The functions of fixtures/fx_property.h.
-export([facts/1, echo/1, order/1, hashes/2, run/2]).

-include("fx.hrl").

facts(_Terms) -> ?NIF.
echo(_Term) -> ?NIF.
order(_Terms) -> ?NIF.
hashes(_Terms, _Salt) -> ?NIF.
run(_Terms, _Operations) -> ?NIF.
