%%% Functions of later APIs: see fixtures/fx_newest.c.
-module(fx_newest).

-export([has/0, string_length/2, string/3, atom_text/3, atom_length/2, new_atom/2,
         new_atom_of_string/2, existing_atom/2, make_text/2, term_size/1, cache_index/1]).

-include("fx.hrl").

has() -> ?NIF.
string_length(_, _) -> ?NIF.
string(_, _, _) -> ?NIF.
atom_text(_, _, _) -> ?NIF.
atom_length(_, _) -> ?NIF.
new_atom(_, _) -> ?NIF.
new_atom_of_string(_, _) -> ?NIF.
existing_atom(_, _) -> ?NIF.
make_text(_, _) -> ?NIF.
term_size(_) -> ?NIF.
cache_index(_) -> ?NIF.
