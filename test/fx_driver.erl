%%% The driver API from a NIF library: see fixtures/fx_driver.c.
-module(fx_driver).

-export([memory/0, binaries/0, vector/1, threads/0, nameless/0, exit_thread/0, many_keys/0, errno_ids/0,
         system_info/0, times/0, environment/2, terms/0, nil/0, monitors/0, libraries/1]).

-include("fx.hrl").

memory() -> ?NIF.
binaries() -> ?NIF.
vector(_) -> ?NIF.
threads() -> ?NIF.
nameless() -> ?NIF.
exit_thread() -> ?NIF.
many_keys() -> ?NIF.
errno_ids() -> ?NIF.
system_info() -> ?NIF.
times() -> ?NIF.
environment(_, _) -> ?NIF.
terms() -> ?NIF.
nil() -> ?NIF.
monitors() -> ?NIF.
libraries(_) -> ?NIF.
