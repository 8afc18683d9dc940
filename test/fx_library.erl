%%% A library and what is around it: see fixtures/fx_library.c.
-module(fx_library).

-export([print_to_file/2, broadcast/1, names/0, other_library/2, wide_integers/1]).

-include("fx.hrl").

print_to_file(_, _) -> ?NIF.
broadcast(_) -> ?NIF.
names() -> ?NIF.
other_library(_, _) -> ?NIF.
wide_integers(_) -> ?NIF.
