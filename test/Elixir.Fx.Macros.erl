%%% Macros of erl_nif.h, and a name as modules of Elixir have it: see fixtures/fx_macros.c.
-module('Elixir.Fx.Macros').

-export([tuples/9, lists/9, pid/1, compare_pids/2, undefined_pid/0, int64/1, constants/0]).

-include("fx.hrl").

tuples(_, _, _, _, _, _, _, _, _) -> ?NIF.
lists(_, _, _, _, _, _, _, _, _) -> ?NIF.
pid(_) -> ?NIF.
compare_pids(_, _) -> ?NIF.
undefined_pid() -> ?NIF.
int64(_) -> ?NIF.
constants() -> ?NIF.
