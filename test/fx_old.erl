%%% Its libraries are of early versions of the API: see fixtures/old_api/fx_old.c.
-module(fx_old).

-export([version/0, sum/2, kinds/1, make/0, reverse/1, take_apart/1, new_cell/1, read_cell/1,
         destroyed_sum/0, tell/2, threads/0, system_info/0, additions/1, scheduled/1,
         normal/0, dirty_cpu/0, dirty_io/0]).

-include("fx.hrl").

version() -> ?NIF.
sum(_, _) -> ?NIF.
kinds(_) -> ?NIF.
make() -> ?NIF.
reverse(_) -> ?NIF.
take_apart(_) -> ?NIF.
new_cell(_) -> ?NIF.
read_cell(_) -> ?NIF.
destroyed_sum() -> ?NIF.
tell(_, _) -> ?NIF.
threads() -> ?NIF.
system_info() -> ?NIF.
additions(_) -> ?NIF.
scheduled(_) -> ?NIF.
normal() -> ?NIF.
dirty_cpu() -> ?NIF.
dirty_io() -> ?NIF.
