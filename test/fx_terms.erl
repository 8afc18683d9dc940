%%% Terms: see fixtures/fx_terms.c.
-module(fx_terms).

-export([echo/1, echo_two/2, copy/1, store/1, fetch/0, type/1, tests/1, numbers/1,
         not_finite/1, make_atom/1, existing_atom/1, atom_text/2, string_text/2,
         make_string/1, tuple_to_list/1, list_to_tuple/1, rebuild_list/1, cells/1,
         cons/2, list_length/1, reverse/1, nest/2, share/2, descend/1, count_to/1, many/1,
         repeat/2, repeat_made/2, tails/1,
         compare/2, same_word/2, phash2/1, format/2]).

-include("fx.hrl").

echo(_) -> ?NIF.
echo_two(_, _) -> ?NIF.
copy(_) -> ?NIF.
store(_) -> ?NIF.
fetch() -> ?NIF.
type(_) -> ?NIF.
tests(_) -> ?NIF.
numbers(_) -> ?NIF.
not_finite(_) -> ?NIF.
make_atom(_) -> ?NIF.
existing_atom(_) -> ?NIF.
atom_text(_, _) -> ?NIF.
string_text(_, _) -> ?NIF.
make_string(_) -> ?NIF.
tuple_to_list(_) -> ?NIF.
list_to_tuple(_) -> ?NIF.
rebuild_list(_) -> ?NIF.
cells(_) -> ?NIF.
cons(_, _) -> ?NIF.
list_length(_) -> ?NIF.
reverse(_) -> ?NIF.
nest(_, _) -> ?NIF.
share(_, _) -> ?NIF.
repeat(_, _) -> ?NIF.
repeat_made(_, _) -> ?NIF.
tails(_) -> ?NIF.
descend(_) -> ?NIF.
count_to(_) -> ?NIF.
many(_) -> ?NIF.
compare(_, _) -> ?NIF.
same_word(_, _) -> ?NIF.
phash2(_) -> ?NIF.
format(_, _) -> ?NIF.
