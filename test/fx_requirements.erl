%%% Its library carries a requirements record.
-module(fx_requirements).

-export([stack_size/0, sleep_ms/1]).

-include("fx.hrl").

stack_size() -> ?NIF.
sleep_ms(_Ms) -> ?NIF.
