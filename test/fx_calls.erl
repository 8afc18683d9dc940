%%% How calls behave: see fixtures/fx_calls.c.
-module(fx_calls).

-export([badarg/0, raise/1, raise_and_return/1, pending/1, thread/0, thread_cpu/0,
         thread_io/0, step/2, countdown/2, raise_later/1, timeslice/2, sleep_ms/1,
         sleep_io/1, self_pid/0, send/2, send_copy/2, send_many/2, send_from_thread/2,
         alive/1, whereis_name/1, refs/1, unique/0, now_ns/0, os_pid/0, wait/0,
         release/0]).

-include("fx.hrl").

badarg() -> ?NIF.
raise(_) -> ?NIF.
raise_and_return(_) -> ?NIF.
pending(_) -> ?NIF.
thread() -> ?NIF.
thread_cpu() -> ?NIF.
thread_io() -> ?NIF.
step(_, _) -> ?NIF.
countdown(_, _) -> ?NIF.
raise_later(_) -> ?NIF.
timeslice(_, _) -> ?NIF.
sleep_ms(_) -> ?NIF.
sleep_io(_) -> ?NIF.
self_pid() -> ?NIF.
send(_, _) -> ?NIF.
send_copy(_, _) -> ?NIF.
send_many(_, _) -> ?NIF.
send_from_thread(_, _) -> ?NIF.
alive(_) -> ?NIF.
whereis_name(_) -> ?NIF.
refs(_) -> ?NIF.
unique() -> ?NIF.
now_ns() -> ?NIF.
os_pid() -> ?NIF.
wait() -> ?NIF.
release() -> ?NIF.
