%% The functions of fixtures/fx_group.h.
-export([os_pid/0, set/1, get/1, private_data/0, give/1, take/1, make_mutex/0, destroy_mutex/0,
         with_mutex/2, keep_term/1, take_term/1, make_resource/1, read_resource/1, wait_ms/1,
         crash/0]).

-include("fx.hrl").

os_pid() -> ?NIF.
set(_Value) -> ?NIF.
get(_Address) -> ?NIF.
private_data() -> ?NIF.
give(_Value) -> ?NIF.
take(_Address) -> ?NIF.
make_mutex() -> ?NIF.
destroy_mutex() -> ?NIF.
with_mutex(_What, _Mutex) -> ?NIF.
keep_term(_Term) -> ?NIF.
take_term(_Address) -> ?NIF.
make_resource(_Value) -> ?NIF.
read_resource(_Resource) -> ?NIF.
wait_ms(_Ms) -> ?NIF.
crash() -> ?NIF.
