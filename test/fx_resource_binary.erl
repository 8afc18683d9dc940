%%% Binaries over the memory of resources: see fixtures/fx_resource_binary.c.
-module(fx_resource_binary).

-export([new/3, new_binary/3, part/3, all_of_it/3, number/1, of_other_type/1, position/1,
         write_byte/3, read_byte/2, echo/1, reference/1, sub/3, sub_of_new/3, keep/1, kept_term/0,
         kept_number/0, forget/0, send/2, encoded_and_back/1, decoded/1, encoded/1, seen/2]).

-include("fx.hrl").

new(_, _, _) -> ?NIF.
new_binary(_, _, _) -> ?NIF.
part(_, _, _) -> ?NIF.
all_of_it(_, _, _) -> ?NIF.
number(_) -> ?NIF.
of_other_type(_) -> ?NIF.
position(_) -> ?NIF.
write_byte(_, _, _) -> ?NIF.
read_byte(_, _) -> ?NIF.
echo(_) -> ?NIF.
reference(_) -> ?NIF.
sub(_, _, _) -> ?NIF.
sub_of_new(_, _, _) -> ?NIF.
keep(_) -> ?NIF.
kept_term() -> ?NIF.
kept_number() -> ?NIF.
forget() -> ?NIF.
send(_, _) -> ?NIF.
encoded_and_back(_) -> ?NIF.
decoded(_) -> ?NIF.
encoded(_) -> ?NIF.
seen(_, _) -> ?NIF.
