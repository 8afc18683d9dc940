%%% The system around a library: see fixtures/fx_system.c.
-module(fx_system).

-export([system_info/0, system_info_part/1, system_info_ends/0, get_long_env/2,
         unique_together/0, unique/1, process_alive/1, get_env/2, convert_time/3, time_offset/1, monotonic/1,
         erlang_now/0, cpu_time/0, internal_hash/2, vformat/1, threads/1, locks/0,
         queue/2, vectors/2, undefined_pid/0, caller_alive/0, port_alive/1,
         whereis_a_port/1, port_send/2, port_send_cpu/2,
         port_send_io/2, hold/1, let_go/0]).

-include("fx.hrl").

system_info() -> ?NIF.
system_info_part(_) -> ?NIF.
system_info_ends() -> ?NIF.
get_long_env(_, _) -> ?NIF.
unique_together() -> ?NIF.
unique(_) -> ?NIF.
process_alive(_) -> ?NIF.
get_env(_, _) -> ?NIF.
convert_time(_, _, _) -> ?NIF.
time_offset(_) -> ?NIF.
monotonic(_) -> ?NIF.
erlang_now() -> ?NIF.
cpu_time() -> ?NIF.
internal_hash(_, _) -> ?NIF.
vformat(_) -> ?NIF.
threads(_) -> ?NIF.
locks() -> ?NIF.
queue(_, _) -> ?NIF.
vectors(_, _) -> ?NIF.
undefined_pid() -> ?NIF.
caller_alive() -> ?NIF.
port_alive(_) -> ?NIF.
whereis_a_port(_) -> ?NIF.
port_send(_, _) -> ?NIF.
port_send_cpu(_, _) -> ?NIF.
port_send_io(_, _) -> ?NIF.
hold(_) -> ?NIF.
let_go() -> ?NIF.
