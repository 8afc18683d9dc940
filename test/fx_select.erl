%%% enif_select: see fixtures/fx_select.c.
-module(fx_select).

-export([source/3, watched_by/2, helper/3, monitor/3, select/5, select_dirty/5, select_x/6,
         select_in_thread/4, pass_on/3, pipe/0, socket_pair/0, event/1, timer/1, child/1,
         reap/1, open/1, close/1, duplicate/2, write/2, fill/1, read/1,
         descriptors/1]).

-include("fx.hrl").

source(_, _, _) -> ?NIF.
watched_by(_, _) -> ?NIF.
helper(_, _, _) -> ?NIF.
monitor(_, _, _) -> ?NIF.
select(_, _, _, _, _) -> ?NIF.
select_dirty(_, _, _, _, _) -> ?NIF.
select_x(_, _, _, _, _, _) -> ?NIF.
select_in_thread(_, _, _, _) -> ?NIF.
pass_on(_, _, _) -> ?NIF.
pipe() -> ?NIF.
socket_pair() -> ?NIF.
event(_) -> ?NIF.
timer(_) -> ?NIF.
child(_) -> ?NIF.
reap(_) -> ?NIF.
open(_) -> ?NIF.
close(_) -> ?NIF.
duplicate(_, _) -> ?NIF.
write(_, _) -> ?NIF.
fill(_) -> ?NIF.
read(_) -> ?NIF.
descriptors(_) -> ?NIF.
