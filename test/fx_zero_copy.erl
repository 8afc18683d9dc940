%%% Large binaries: see fixtures/fx_zero_copy.c.
-module(fx_zero_copy).

-export([make/1, make_owned/1, poke/1, address/1, same/1, part/3, several/1, sum_later/3, keep/1,
         send/2, crash/0]).

-include("fx.hrl").

make(_) -> ?NIF.
make_owned(_) -> ?NIF.
poke(_) -> ?NIF.
address(_) -> ?NIF.
same(_) -> ?NIF.
part(_, _, _) -> ?NIF.
several(_) -> ?NIF.
sum_later(_, _, _) -> ?NIF.
keep(_) -> ?NIF.
send(_, _) -> ?NIF.
crash() -> ?NIF.
