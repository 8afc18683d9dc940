%%% The other member of a group.
-module(fx_group_b).

-export([os_pid/0, set/1, get/1, make_resource/1, read_resource/1, wait_ms/1, crash/0]).

-include("fx.hrl").

os_pid() -> ?NIF.
set(_Value) -> ?NIF.
get(_Address) -> ?NIF.
make_resource(_Value) -> ?NIF.
read_resource(_Resource) -> ?NIF.
wait_ms(_Ms) -> ?NIF.
crash() -> ?NIF.
