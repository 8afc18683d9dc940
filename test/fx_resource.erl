%%% Resources: see fixtures/fx_resource.c.
-module(fx_resource).

-export([new_thing/1, new_thing/2, number/1, set_number/2, again/1, keep/1,
         kept_thing/0, drop_kept/0, sleep_with/2, sleep_with_dirty/2, slept_with/0, short_lived/1, destroyed_count/0, size_of/1,
         text/1, is_ref/1, counter/0]).

-include("fx.hrl").

new_thing(_) -> ?NIF.
new_thing(_, _) -> ?NIF.
number(_) -> ?NIF.
set_number(_, _) -> ?NIF.
again(_) -> ?NIF.
keep(_) -> ?NIF.
kept_thing() -> ?NIF.
drop_kept() -> ?NIF.
short_lived(_) -> ?NIF.
destroyed_count() -> ?NIF.
sleep_with(_, _) -> ?NIF.
sleep_with_dirty(_, _) -> ?NIF.
slept_with() -> ?NIF.
size_of(_) -> ?NIF.
text(_) -> ?NIF.
is_ref(_) -> ?NIF.
counter() -> ?NIF.
