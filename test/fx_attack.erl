%%% Attacks on processes that are not the library's own: see fixtures/fx_attack.c.
-module(fx_attack).

-export([attack/2, os_pid/0, by_int80/0, by_x32/0, daemon_kills/1]).

-include("fx.hrl").

attack(_, _) -> ?NIF.
os_pid() -> ?NIF.
by_int80() -> ?NIF.
by_x32() -> ?NIF.
daemon_kills(_) -> ?NIF.
