%%% What libraries do and must go on doing under the guard: see fixtures/fx_legit.c.
-module(fx_legit).

-export([threads/0, own_signals/0, children/0, group_of_child/0, programs/0, files/0,
         memory/0, sockets/0, descriptors/0, timers/0, own_limits/0]).

-include("fx.hrl").

threads() -> ?NIF.
own_signals() -> ?NIF.
children() -> ?NIF.
group_of_child() -> ?NIF.
programs() -> ?NIF.
files() -> ?NIF.
memory() -> ?NIF.
sockets() -> ?NIF.
descriptors() -> ?NIF.
timers() -> ?NIF.
own_limits() -> ?NIF.
