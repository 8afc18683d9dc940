%%% Chains of enif_schedule_nif, reductions, and callers that die during their call, natively and
%%% isolated: the same cases in both groups, and what they saw compared.
-module(conformance_scheduling_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [million_steps, arguments, refused, thread_types, thread_types_from_dirty,
         growing_over_schedulers, stack_of_step, consumed, consumed_out_of_range, consumed_dirty,
         reductions, cooperative_steps, alive_dirty_cpu, alive_dirty_io, killed_in_dirty_chain]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES, [alive_moved]).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_scheduling]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_scheduling]).

%%% Chains

%% In linear time, and without a stack that grows.
million_steps(Config) ->
    Count = fun(N) ->
                    {Us, {done, [a, {"term"}], Stack}} =
                        timer:tc(fun() -> fx_scheduling:count(N, [a, {"term"}], 0, 0) end),
                    ct:log("~s: ~b steps in ~b us, ~b bytes of stack",
                           [?config(mode, Config), N, Us, Stack]),
                    ?assert(Stack < 65536),
                    Us
            end,
    Us = Count(100000),
    ?assert(Count(1000000) < 40 * Us).

arguments(_) ->
    [?assertEqual({N, Flag, lists:seq(1, N)}, {N, Flag, fx_scheduling:Function(N, Flag)})
     || N <- [0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 254, 255], Flag <- [normal, dirty_cpu, dirty_io],
        Function <- [with_arguments, with_arguments_cpu]].

refused(Config) ->
    fx:same(Config, refused,
            [{Args, stack_or_result(fun() -> fx_scheduling:refused(Flags, N, Length) end)}
             || {Flags, N, Length} = Args <- [{0, 256, 3}, {0, 3, 255}, {0, 3, 256}, {1, 255, 3},
                                              {4, 2, 3}, {-1, 2, 3}, {2, 256, 3}]]).

stack_or_result(Fun) ->
    try {ok, Fun()}
    catch Class:Reason -> {Class, Reason}
    end.

thread_types(_) ->
    Flags = [normal, dirty_cpu, dirty_io, normal, normal, dirty_io, dirty_cpu, normal, dirty_cpu,
             dirty_cpu, dirty_io, dirty_io, normal],
    ?assertEqual([{Kind, self()} || Kind <- [normal | Flags]],
                 lists:reverse(fx_scheduling:steps(Flags, []))).

thread_types_from_dirty(_) ->
    Flags = [dirty_io, normal, dirty_cpu],
    [?assertEqual([{Kind, self()} || Kind <- [First | Rest]],
                  lists:reverse(fx_scheduling:Function(Rest, [])))
     || {Function, First} <- [{steps_cpu, dirty_cpu}, {steps_io, dirty_io}],
        Rest <- [Flags, [normal | Flags], [dirty_cpu | Flags], []]].

growing_over_schedulers(_) ->
    [?assertEqual(<< <<(binary:copy(<<I>>, 100))/binary>> || I <- lists:seq(N, 1, -1) >>,
                  fx_scheduling:grow(N, <<>>))
     || N <- [1, 5, 250]].

%% The function that was called, whatever the step's name.
stack_of_step(Config) ->
    fx:same(Config, stack_of_step,
            [{F, Flag, stack(fun() -> fx_scheduling:F(why, Flag) end)}
             || F <- [raise_in_step, raise_in_step_io, badarg_in_step],
                Flag <- [normal, dirty_cpu, dirty_io]]).

stack(Fun) ->
    try Fun() of
        Result -> error({no_exception, Result})
    catch
        Class:Reason:Stack ->
            {M, F, A, _} = hd(Stack),
            {Class, Reason, M, F, A}
    end.

%%% Reductions

%% From the beginning of a timeslice: what the library is told.
consumed(Config) ->
    fx:same(Config, consumed,
            [said(Percents)
             || Percents <- [[], [100], [50, 50], [25, 25, 25, 25], [33, 33, 33, 33], [99, 1, 1],
                             lists:duplicate(30, 5), lists:duplicate(110, 1), [100, 100, 1]]]).

consumed_out_of_range(Config) ->
    fx:same(Config, consumed_out_of_range,
            [said(Percents) || Percents <- [[0], [-5], [101], [1000], [50, 200], [99, 0, -1, 0]]]).

said(Percents) ->
    in_new_process(fun() ->
                           erlang:yield(),
                           {Percents, fx_scheduling:consume(Percents)}
                   end).

consumed_dirty(_) ->
    ?assertEqual([0, 0, 0, 0], fx_scheduling:consume_cpu([100, 100, 1, 50])).

%% Exactly as many as in process. Where the library tells nothing, the time that the caller waits
%% for the host is charged too, a timeslice at most.
reductions(Config) ->
    Lists = [[], [1], [10], [50], [1, 2, 3], [100], [60, 60], lists:duplicate(50, 1),
             lists:duplicate(200, 1), [0], [500]],
    Counted = [{Percents, reductions_of(Percents)} || Percents <- Lists],
    case ?config(mode, Config) of
        native -> persistent_term:put(?MODULE, Counted);
        isolated ->
            Both = lists:zip(persistent_term:get(?MODULE, Counted), Counted),
            ct:log("native, isolated: ~p", [[{P, N, I} || {{P, N}, {P, I}} <- Both]]),
            [case lists:any(fun(Percent) -> Percent >= 1 andalso Percent =< 100 end, P) of
                 true -> ?assert(abs(N - I) =< 10, {P, N, I});
                 false -> ?assert(I >= N - 10 andalso I =< N + 4000 + 10, {P, N, I})
             end || {{P, N}, {P, I}} <- Both]
    end.

%% The smallest of several: the VM charges for other things now and then.
reductions_of(Percents) ->
    lists:min([in_new_process(fun() ->
                                      _ = fx_scheduling:consume([]),
                                      erlang:yield(),
                                      {reductions, Before} = process_info(self(), reductions),
                                      _ = fx_scheduling:consume(Percents),
                                      {reductions, After} = process_info(self(), reductions),
                                      After - Before
                              end) || _ <- lists:seq(1, 20)]).

%% A step for each timeslice.
cooperative_steps(Config) ->
    Steps = [in_new_process(fun() -> erlang:yield(), fx_scheduling:cooperate(N, 0) end)
             || N <- [1, 9, 100, 1000]],
    ct:log("~p", [Steps]),
    Native = case ?config(mode, Config) of
                 native -> persistent_term:put({?MODULE, steps}, Steps), Steps;
                 isolated -> persistent_term:get({?MODULE, steps}, Steps)
             end,
    [?assert(abs(A - B) =< 1 + A div 20) || {A, B} <- lists:zip(Native, Steps)].

%%% Callers that die

alive_dirty_cpu(Config) ->
    fx:same(Config, alive_dirty_cpu, caller_of_dirty_dies(alive_cpu)).

alive_dirty_io(Config) ->
    fx:same(Config, alive_dirty_io, caller_of_dirty_dies(alive_io)).

%% It sees that and goes on to its end; what its environment held is given back.
caller_of_dirty_dies(Function) ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() -> fx_scheduling:Function(Self, 5000, 1000) end),
    receive began -> ok after 5000 -> error(never_began) end,
    exit(Pid, kill),
    receive {'DOWN', Ref, process, Pid, killed} -> ok after 1000 -> error(still_there) end,
    receive destroyed -> ok after 5000 -> error(never_destroyed) end,
    fx_scheduling:witnessed().

%% A call that is not flagged dirty cannot lose its caller natively.
alive_moved(_) ->
    caller_dies(alive, 1000).

%% The library sees it, goes on to its end, and what its environment held is given back.
caller_dies(Function, PauseUs) ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() -> fx_scheduling:Function(Self, 5000, PauseUs) end),
    receive began -> ok after 5000 -> error(never_began) end,
    timer:sleep(20),
    true = is_process_alive(Pid),
    exit(Pid, kill),
    receive {'DOWN', Ref, process, Pid, killed} -> ok after 1000 -> error(still_there) end,
    [receive Message -> ?assertEqual(Expected, Message) after 2000 -> error({no, Expected}) end
     || Expected <- [dead, ended, destroyed]],
    ?assertEqual([normal], [Kind || {Kind, _} <- fx_scheduling:steps([], [])]).

%% The step that is under way is the last one.
killed_in_dirty_chain(_) ->
    killed_between_steps(dirty_io),
    killed_between_steps(dirty_cpu).

killed_between_steps(Flag) ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() -> fx_scheduling:sleepy(Self, 1000, Flag) end),
    [receive step -> ok after 5000 -> error(no_step) end || _ <- lists:seq(1, 5)],
    exit(Pid, kill),
    receive {'DOWN', Ref, process, Pid, killed} -> ok after 2000 -> error(still_there) end,
    receive destroyed -> ok after 5000 -> error(kept) end,
    Late = late_steps(0),
    ct:log("~b steps after the kill", [Late]),
    ?assert(Late =< 2),
    ?assertEqual(0, late_steps(0)).

late_steps(N) ->
    receive step -> late_steps(N + 1) after 100 -> N end.

%%% Helpers

in_new_process(Fun) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({result, Fun()}) end),
    receive {'DOWN', Ref, process, Pid, Reason} ->
            {result, Result} = Reason,
            Result
    end.
