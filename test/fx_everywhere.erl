%%% All that asks the VM, from everywhere: see fixtures/fx_everywhere.c.
-module(fx_everywhere).

-export([in_call/1, in_cpu_call/1, in_io_call/1, after_a_while/1, in_a_step/1, in_thread/1,
         resource/1, short_lived/1]).

-include("fx.hrl").

in_call(_) -> ?NIF.
in_cpu_call(_) -> ?NIF.
in_io_call(_) -> ?NIF.
after_a_while(_) -> ?NIF.
in_a_step(_) -> ?NIF.
in_thread(_) -> ?NIF.
resource(_) -> ?NIF.
short_lived(_) -> ?NIF.
