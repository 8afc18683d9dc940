%%% Monitors of processes by resources: see fixtures/fx_monitors.c.
-module(fx_monitors).

-export([new/2, new_monitoring/3, new_kept/3, number/1, number_dirty/1, downs/1, keep/1, kept_term/1,
         release_kept/1, monitor_process/2, monitor_dirty/2, monitor_null/2, monitor_undefined/1,
         monitor_plain/1, monitor_in_threads/3, monitor_and_stop/2, demonitor_process/2,
         demonitor_of_other/3, monitor_term/2, equal/3, on_down/3, race/3]).

-include("fx.hrl").

new(_, _) -> ?NIF.
new_monitoring(_, _, _) -> ?NIF.
new_kept(_, _, _) -> ?NIF.
number(_) -> ?NIF.
number_dirty(_) -> ?NIF.
downs(_) -> ?NIF.
keep(_) -> ?NIF.
kept_term(_) -> ?NIF.
release_kept(_) -> ?NIF.
monitor_process(_, _) -> ?NIF.
monitor_dirty(_, _) -> ?NIF.
monitor_null(_, _) -> ?NIF.
monitor_undefined(_) -> ?NIF.
monitor_plain(_) -> ?NIF.
monitor_in_threads(_, _, _) -> ?NIF.
monitor_and_stop(_, _) -> ?NIF.
demonitor_process(_, _) -> ?NIF.
demonitor_of_other(_, _, _) -> ?NIF.
monitor_term(_, _) -> ?NIF.
equal(_, _, _) -> ?NIF.
on_down(_, _, _) -> ?NIF.
race(_, _, _) -> ?NIF.
