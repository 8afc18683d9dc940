%%% The system around a library: see fixtures/fx_system.c.
-module(fx_system).

-export([system_info/0, get_env/2, convert_time/3, time_offset/1, monotonic/1,
         erlang_now/0, cpu_time/0, internal_hash/2, vformat/1, threads/1, locks/0,
         queue/2, vectors/2, undefined_pid/0, caller_alive/0, port_alive/1,
         whereis_a_port/1, port_send/2, hold/1, let_go/0]).

-include("fx.hrl").

system_info() -> ?NIF.
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
hold(_) -> ?NIF.
let_go() -> ?NIF.
