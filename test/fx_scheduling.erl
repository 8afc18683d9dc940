%%% Chains, timeslices, callers that die: see fixtures/fx_scheduling.c.
-module(fx_scheduling).

-export([count/4, with_arguments/2, with_arguments_cpu/2, refused/3, witnessed/0,
         steps/2, steps_cpu/2, steps_io/2, grow/2, raise_in_step/2, raise_in_step_io/2,
         badarg_in_step/2, consume/1, consume_cpu/1, cooperate/2, alive/3, alive_cpu/3,
         alive_io/3, sleepy/3]).

-include("fx.hrl").

count(_, _, _, _) -> ?NIF.
with_arguments(_, _) -> ?NIF.
with_arguments_cpu(_, _) -> ?NIF.
refused(_, _, _) -> ?NIF.
witnessed() -> ?NIF.
steps(_, _) -> ?NIF.
steps_cpu(_, _) -> ?NIF.
steps_io(_, _) -> ?NIF.
grow(_, _) -> ?NIF.
raise_in_step(_, _) -> ?NIF.
raise_in_step_io(_, _) -> ?NIF.
badarg_in_step(_, _) -> ?NIF.
consume(_) -> ?NIF.
consume_cpu(_) -> ?NIF.
cooperate(_, _) -> ?NIF.
alive(_, _, _) -> ?NIF.
alive_cpu(_, _, _) -> ?NIF.
alive_io(_, _, _) -> ?NIF.
sleepy(_, _, _) -> ?NIF.
