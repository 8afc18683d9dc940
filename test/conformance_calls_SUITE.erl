%%% How calls behave, natively and isolated: exceptions, steps, time, schedulers,
%%% messages, concurrency.
-module(conformance_calls_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [badarg, raise, raise_and_return, pending_exception, stack_trace,
         stack_trace_of_step, stack_trace_of_badarg,
         thread_types, steps_stay, steps_change_scheduler, many_steps, growing_steps,
         raise_in_a_step, timeslice, sleep, sleep_dirty, slow_calls_together,
         call_releases_call, self_of_caller, self_in_many_processes,
         send_to_self, send_to_other, send_to_dead, send_without_environment,
         send_before_result, send_from_thread, send_large, is_alive, whereis_name,
         refs_are_unique, refs_made_together, unique_integers, monotonic_time,
         caller_killed, many_callers]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES, [scheduler_goes_on, others_get_turns, other_process]).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_calls]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_calls]).

%%% Exceptions

badarg(_) ->
    ?assertError(badarg, fx_calls:badarg()).

raise(_) ->
    [?assertError(T, fx_calls:raise(T))
     || T <- [reason, {a, "tuple"}, #{a => map}, lists:seq(1, 1000), self(), <<"bin">>, 1 bsl 70]].

raise_and_return(_) ->
    ?assertError({some, reason}, fx_calls:raise_and_return({some, reason})).

pending_exception(_) ->
    ?assertError({false, why}, fx_calls:pending(why)).

stack_trace(Config) ->
    Stack = stack(fun() -> fx_calls:raise(x) end),
    ?assertMatch([{fx_calls, raise, _} | _], Stack),
    fx:same(Config, stack_trace, hd(Stack)).

stack_trace_of_badarg(Config) ->
    Stack = stack(fun() -> fx_calls:badarg() end),
    fx:same(Config, stack_trace_of_badarg, hd(Stack)).

stack_trace_of_step(Config) ->
    Stack = stack(fun() -> fx_calls:raise_later(1) end),
    fx:same(Config, stack_trace_of_step, hd(Stack)).

%% Function, arity or arguments.
stack(Fun) ->
    try Fun() of
        Result -> error({no_exception, Result})
    catch
        error:_:Stack -> [{M, F, A} || {M, F, A, _} <- Stack]
    end.

%%% Schedulers and steps

thread_types(_) ->
    ?assertEqual([normal, dirty_cpu, dirty_io],
                 [fx_calls:thread(), fx_calls:thread_cpu(), fx_calls:thread_io()]).

steps_stay(_) ->
    ?assertEqual([normal, normal, normal], fx_calls:step([normal, normal], [])).

steps_change_scheduler(_) ->
    Flags = [dirty_cpu, normal, dirty_io, dirty_cpu, normal, normal, dirty_io],
    ?assertEqual([normal | Flags], lists:reverse(fx_calls:step(Flags, []))),
    ?assertEqual(lists:duplicate(50, dirty_io) ++ [normal],
                 fx_calls:step(lists:duplicate(50, dirty_io), [])).

many_steps(_) ->
    ?assertEqual({done, [kept, {"term"}]}, fx_calls:countdown(20000, [kept, {"term"}])).

%% Each step passes on a longer list.
growing_steps(_) ->
    ?assertEqual(lists:duplicate(5001, normal),
                 fx_calls:step(lists:duplicate(5000, normal), [])).

raise_in_a_step(_) ->
    ?assertError(later, fx_calls:raise_later(1)),
    ?assertError(later, fx_calls:raise_later(0)).

timeslice(_) ->
    ?assertEqual([1, 1, 1], fx_calls:timeslice(3, 100)),
    erlang:yield(),
    Used = lists:reverse(fx_calls:timeslice(50, 5)),
    ?assertEqual(0, hd(Used)),
    ?assertEqual(1, lists:last(Used)),
    ?assertEqual(Used, lists:sort(Used)).

sleep(_) ->
    {Us, Result} = timer:tc(fun() -> fx_calls:sleep_ms(100) end),
    ?assertEqual({normal, 100}, Result),
    ?assert(Us >= 100000).

sleep_dirty(_) ->
    ?assertEqual({dirty_io, 50}, fx_calls:sleep_io(50)).

slow_calls_together(_) ->
    {Us, _} = timer:tc(fun() -> together(8, fun(_) -> fx_calls:sleep_io(300) end) end),
    ?assert(Us < 8 * 300000 / 2).

%% A call that waits for another one of the same library.
call_releases_call(_) ->
    {_, Monitor} = spawn_monitor(fun() -> exit(fx_calls:wait()) end),
    timer:sleep(50),
    ok = fx_calls:release(),
    receive {'DOWN', Monitor, process, _, Reason} -> ?assertEqual(released, Reason) end.

%% A library call that takes long doesn't stop the only scheduler: it does natively.
scheduler_goes_on(_) ->
    {ok, Node} = test_node:start(["+S", "1", "+SDio", "10"]),
    Ticks = test_node:call(Node, ?MODULE, ticks_while_sleeping, []),
    test_node:stop(Node),
    ?assert(Ticks >= 30).

ticks_while_sleeping() ->
    ok = fx:load(isolated, fx_calls),
    Self = self(),
    Ticker = spawn_link(fun() -> tick(Self, 0) end),
    {normal, 300} = fx_calls:sleep_ms(300),
    Ticker ! {stop, Self},
    receive {ticks, Ticks} -> Ticks end.

tick(Parent, Ticks) ->
    receive {stop, Parent} -> Parent ! {ticks, Ticks}
    after 5 -> tick(Parent, Ticks + 1)
    end.

%% On one CPU each call wakes a worker and waits for it. That costs the caller its turn as work
%% would: a timeslice for 0.4 ms.
others_get_turns(_) ->
    {ok, Node} = test_node:start(#{exec => {os:find_executable("taskset"),
                                            ["-c", first_cpu(), os:find_executable("erl")]},
                                   args => ["+S", "1"]}),
    {Turns, Timeslices} = test_node:call(Node, ?MODULE, turns_beside_callers, [1000]),
    test_node:stop(Node),
    ct:log("~p turns, ~p timeslices of the callers in a second", [Turns, Timeslices]),
    %% When it is busy, calls may begin on dirty schedulers: then the others have many turns.
    ?assert(Timeslices >= 1750 orelse Turns >= 1000, {Turns, Timeslices}).

first_cpu() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Cpu]} = re:run(Status, "^Cpus_allowed_list:\\s*(\\d+)",
                            [multiline, {capture, all_but_first, list}]),
    Cpu.

turns_beside_callers(Ms) ->
    ok = fx:load(isolated, fx_calls),
    Callers = [spawn_link(fun call_again/0) || _ <- [1, 2, 3]],
    Before = reductions(Callers),
    Turns = yields_until(erlang:monotonic_time(millisecond) + Ms, 0),
    After = reductions(Callers),
    [begin unlink(Caller), exit(Caller, kill) end || Caller <- Callers],
    {Turns, (After - Before) div 4000}.

call_again() ->
    normal = fx_calls:thread(),
    call_again().

reductions(Processes) ->
    lists:sum([element(2, process_info(Process, reductions)) || Process <- Processes]).

yields_until(End, Yields) ->
    erlang:yield(),
    case erlang:monotonic_time(millisecond) >= End of
        true -> Yields + 1;
        false -> yields_until(End, Yields + 1)
    end.

other_process(_) ->
    ?assertNotEqual(list_to_integer(os:getpid()), fx_calls:os_pid()),
    ?assertEqual(fx_calls:os_pid(), maps:get(os_pid, fx:host(fx_calls))).

%%% Processes and messages

self_of_caller(_) ->
    ?assertEqual(self(), fx_calls:self_pid()).

self_in_many_processes(_) ->
    Pairs = together(50, fun(_) -> {self(), fx_calls:self_pid()} end),
    [?assertEqual(A, B) || {A, B} <- Pairs].

send_to_self(_) ->
    [begin
         ?assertEqual(true, fx_calls:send(self(), Message)),
         receive Got -> ?assertEqual(Message, Got) after 0 -> error(late) end
     end || Message <- [hello, {a, [b], #{c => <<"d">>}}, self(), make_ref(), 1 bsl 70,
                        binary:copy(<<"x">>, 100000), lists:seq(1, 10000)]].

send_to_other(_) ->
    Self = self(),
    Other = spawn_link(fun() -> receive M -> Self ! {got, M} end end),
    ?assertEqual(true, fx_calls:send(Other, {to, other})),
    receive {got, M} -> ?assertEqual({to, other}, M) after 1000 -> error(lost) end.

send_to_dead(_) ->
    ?assertEqual(false, fx_calls:send(dead_pid(), hello)),
    ?assertEqual(false, fx_calls:send_copy(dead_pid(), hello)).

send_without_environment(_) ->
    ?assertEqual(true, fx_calls:send_copy(self(), {copied, "term"})),
    receive M -> ?assertEqual({copied, "term"}, M) after 0 -> error(late) end.

%% What a call sends is in the mailbox before its result is there, and in order.
send_before_result(_) ->
    ?assertEqual(sent, fx_calls:send_many(self(), 1000)),
    {messages, Messages} = process_info(self(), messages),
    ?assertEqual(lists:seq(1000, 1, -1), [M || M <- Messages, is_integer(M)]),
    flush().

send_from_thread(_) ->
    ?assertEqual(1, fx_calls:send_from_thread(self(), {from, thread})),
    receive M -> ?assertEqual({from, thread}, M) after 1000 -> error(lost) end,
    ?assertEqual(0, fx_calls:send_from_thread(dead_pid(), x)).

send_large(_) ->
    Message = [lists:seq(1, 100000), binary:copy(<<"y">>, 5000000)],
    ?assertEqual(true, fx_calls:send(self(), Message)),
    receive Got -> ?assertEqual(Message, Got) after 1000 -> error(lost) end.

is_alive(_) ->
    ?assertEqual(true, fx_calls:alive(self())),
    ?assertEqual(false, fx_calls:alive(dead_pid())).

whereis_name(_) ->
    ?assertEqual(whereis(code_server), fx_calls:whereis_name(code_server)),
    ?assertEqual(undefined, fx_calls:whereis_name(no_such_name_here)).

refs_are_unique(_) ->
    Refs = fx_calls:refs(5000) ++ fx_calls:refs(5000),
    ?assertEqual(10000, length(lists:usort(Refs))),
    [?assert(is_reference(R) andalso node(R) =:= node()) || R <- Refs].

refs_made_together(_) ->
    Refs = lists:append(together(10, fun(_) -> fx_calls:refs(1000) end)),
    ?assertEqual(10000, length(lists:usort(Refs))).

unique_integers(_) ->
    A = erlang:unique_integer([monotonic]),
    B = fx_calls:unique(),
    C = erlang:unique_integer([monotonic]),
    ?assert(A < B andalso B < C).

monotonic_time(_) ->
    A = erlang:monotonic_time(nanosecond),
    B = fx_calls:now_ns(),
    C = erlang:monotonic_time(nanosecond),
    ?assert(A =< B andalso B =< C).

%%% Many processes

%% A process may die during its call; nobody else notices.
caller_killed(_) ->
    {Pid, Monitor} = spawn_monitor(fun() -> fx_calls:sleep_io(300) end),
    timer:sleep(50),
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, _, killed} -> ok after 2000 -> error(alive) end,
    ?assertEqual({dirty_io, 1}, fx_calls:sleep_io(1)),
    timer:sleep(300),
    ?assertEqual(self(), fx_calls:self_pid()).

many_callers(_) ->
    Results = together(100, fun(N) ->
                                    [fx_calls:step([normal], [{N, K}]) || K <- lists:seq(1, 50)]
                            end),
    ?assertEqual([[[normal, normal, {N, K}] || K <- lists:seq(1, 50)]
                  || N <- lists:seq(1, 100)], Results).

%%% Helpers

together(N, Fun) ->
    Self = self(),
    Pids = [spawn_link(fun() -> Self ! {self(), Fun(K)} end) || K <- lists:seq(1, N)],
    [receive {Pid, Result} -> Result end || Pid <- Pids].

dead_pid() ->
    {Pid, Monitor} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Monitor, process, _, _} -> Pid end.

flush() ->
    receive _ -> flush() after 0 -> ok end.
