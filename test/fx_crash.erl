%%% Ways to end the host: see fixtures/fx_crash.c.
-module(fx_crash).

-export([segv/0, segv_dirty/0, fpe/0, bus/0, aborts/0, exits/1, exits_at_once/1,
         kills_itself/0, overflows_stack/0, thread_faults/0, hangs/0, hangs_dirty/0,
         spins/0, prints/1, os_pid/0, descendants/0, load_count/0, new_thing/0, is_thing/1]).

-include("fx.hrl").

segv() -> ?NIF.
segv_dirty() -> ?NIF.
fpe() -> ?NIF.
bus() -> ?NIF.
aborts() -> ?NIF.
exits(_) -> ?NIF.
exits_at_once(_) -> ?NIF.
kills_itself() -> ?NIF.
overflows_stack() -> ?NIF.
thread_faults() -> ?NIF.
hangs() -> ?NIF.
hangs_dirty() -> ?NIF.
spins() -> ?NIF.
prints(_) -> ?NIF.
os_pid() -> ?NIF.
descendants() -> ?NIF.
load_count() -> ?NIF.
new_thing() -> ?NIF.
is_thing(_) -> ?NIF.
