%%% What a library sees of the process that it runs in: see fixtures/fx_surroundings.c.
-module(fx_surroundings).

-export([cwd/0, cwd_dirty/0, read_file/1, environment/0, variable/1, locale/0,
         file_mask/0, open_files/0, os_pid/0, cpus/0]).

-include("fx.hrl").

cwd() -> ?NIF.
cwd_dirty() -> ?NIF.
read_file(_Path) -> ?NIF.
environment() -> ?NIF.
variable(_Name) -> ?NIF.
locale() -> ?NIF.
file_mask() -> ?NIF.
open_files() -> ?NIF.
os_pid() -> ?NIF.
cpus() -> ?NIF.
