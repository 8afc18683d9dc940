%%% What the suites of enif_monitor_process share: processes to monitor, and what fx_monitors tells.
-module(monitored).

-export([process/0, stop/1, wait_gone/1, monitored_by/1]).
-export([receive_down/2, nothing/1, in_process/1]).

-include_lib("stdlib/include/assert.hrl").

process() ->
    spawn(fun() -> receive stop -> ok end end).

stop(Pid) ->
    Pid ! stop,
    wait_gone(Pid).

wait_gone(Pid) ->
    Ref = erlang:monitor(process, Pid),
    receive {'DOWN', Ref, process, Pid, _} -> ok end.

monitored_by(Pid) ->
    {monitored_by, By} = process_info(Pid, monitored_by),
    By.

%% The monitor's term, its index in the fixture, and what its callback's action gave.
receive_down(Number, Pid) ->
    receive
        {down, Number, Pid, Term, Index, AsItShould, Result} ->
            ?assert(is_reference(Term)),
            ?assertEqual([true, 1, true], AsItShould),
            {Term, Index, Result}
    after 5000 ->
        error({no_down, Number, process_info(self(), messages)})
    end.

nothing(Ms) ->
    receive Message -> error({unexpected, Message}) after Ms -> ok end.

%% In a process of its own, which is gone with all its terms when this returns.
in_process(Fun) ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Self ! {self(), Fun(Self)} end),
    receive {'DOWN', Monitor, process, Pid, Reason} -> ?assertEqual(normal, Reason) end,
    receive {Pid, Result} -> Result end.
