%%% A library that abuses its host's memory: see fixtures/fx_hostile.c.
-module(fx_hostile).

-export([returns_raw/1, forged_copy/1, cyclic_list/0, cyclic_tuple/0, cyclic_heads/0, object/3,
         misaligned/0, cyclic_map/0, duplicate_keys/0, not_a_number/0, forged_external/1,
         external_of_other_type/1, sharing/0, shared_keys/0, encodes_shared/0, overlapping/0, foreign_memory/1,
         prints_raw/1, prints/1, encodes_many/2, prints_forged/1, iterates_forged/0,
         writes_argument/1, unprotects_argument/1, scribbles/1, lets_memory_vanish/0,
         endless_upcalls/0, endless_upcalls_dirty/0, sleeps/1, endless_monitors/1, endless_anchors/0,
         monitors_of_nothing/0, forged_monitors/0]).

-include("fx.hrl").

returns_raw(_) -> ?NIF.
forged_copy(_) -> ?NIF.
cyclic_list() -> ?NIF.
cyclic_tuple() -> ?NIF.
cyclic_heads() -> ?NIF.
object(_, _, _) -> ?NIF.
misaligned() -> ?NIF.
cyclic_map() -> ?NIF.
duplicate_keys() -> ?NIF.
not_a_number() -> ?NIF.
forged_external(_) -> ?NIF.
external_of_other_type(_) -> ?NIF.
sharing() -> ?NIF.
shared_keys() -> ?NIF.
encodes_shared() -> ?NIF.
overlapping() -> ?NIF.
foreign_memory(_) -> ?NIF.
prints_raw(_) -> ?NIF.
prints(_) -> ?NIF.
encodes_many(_, _) -> ?NIF.
prints_forged(_) -> ?NIF.
iterates_forged() -> ?NIF.
writes_argument(_) -> ?NIF.
unprotects_argument(_) -> ?NIF.
scribbles(_) -> ?NIF.
lets_memory_vanish() -> ?NIF.
endless_upcalls() -> ?NIF.
endless_upcalls_dirty() -> ?NIF.
sleeps(_) -> ?NIF.
endless_monitors(_) -> ?NIF.
endless_anchors() -> ?NIF.
monitors_of_nothing() -> ?NIF.
forged_monitors() -> ?NIF.
