%%% See fixtures/fx_details_threads.c.
-module(fx_details_threads).

-export([run/2, run_cpu/2, run_io/2]).

-include("fx.hrl").

run(_, _) -> ?NIF.
run_cpu(_, _) -> ?NIF.
run_io(_, _) -> ?NIF.
