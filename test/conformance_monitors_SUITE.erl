%%% Monitors of processes by resources (enif_monitor_process), natively and isolated.
-module(conformance_monitors_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

%% What a down callback does besides telling; as in the fixture.
-define(MONITOR_AGAIN, 1).
-define(DEMONITOR_ALL, 2).
-define(RELEASE, 3).

-define(CASES,
        [down, not_alive, undefined_process, no_down_callback, no_monitor_wanted, monitors_itself,
         twice, terms, demonitor, demonitor_after_down, demonitor_of_another_resource,
         seen_after_each_step, seen_by_process_info, resource_destroyed_first,
         monitor_before_term, monitor_before_term_dropped, kept_by_library, kept_monitor_fires,
         kept_then_returned, kept_and_seen, kept_after_collection, kept_of_many_monitors,
         dropped_after_collection, down_keeps_resource, monitor_in_callback, demonitor_in_callback,
         release_in_callback, in_a_dirty_call, during_a_call, in_threads, many_on_one_process,
         many_resources, race]).

all() ->
    [{group, native}, {group, isolated}].

groups() ->
    [{native, [], ?CASES},
     {isolated, [], ?CASES ++ [host_dies, host_dies_with_many]}].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_group(Mode, Config) ->
    ok = fx:load(Mode, fx_monitors),
    [{mode, Mode} | Config].

end_per_group(_Mode, _Config) ->
    fx:unload(fx_monitors).

%%% Return values and the callback's arguments

down(_) ->
    Thing = fx_monitors:new(1, self()),
    Pid = process(),
    ?assertEqual(0, fx_monitors:monitor_process(Thing, Pid)),
    nothing(50),
    stop(Pid),
    {Term, 0, 0} = receive_down(1, Pid),
    ?assertEqual(Term, fx_monitors:monitor_term(Thing, 0)),
    nothing(50),
    ?assertEqual(1, fx_monitors:downs(Thing)).

not_alive(_) ->
    Thing = fx_monitors:new(1, self()),
    Pid = process(),
    stop(Pid),
    ?assertEqual(1, fx_monitors:monitor_process(Thing, Pid)),
    ?assertEqual(1, fx_monitors:monitor_process(Thing, list_to_pid("<0.12345.67>"))),
    nothing(50).

undefined_process(_) ->
    ?assertEqual(1, fx_monitors:monitor_undefined(fx_monitors:new(1, self()))).

no_down_callback(_) ->
    ?assertEqual(-1, fx_monitors:monitor_plain(self())).

no_monitor_wanted(_) ->
    Thing = fx_monitors:new(2, self()),
    Pid = process(),
    ?assertEqual(0, fx_monitors:monitor_null(Thing, Pid)),
    stop(Pid),
    {Term, -1, 0} = receive_down(2, Pid),
    ?assert(is_reference(Term)),
    ?assertEqual(2, fx_monitors:number(Thing)).

monitors_itself(_) ->
    Self = self(),
    Pid = spawn(fun() ->
                        Thing = fx_monitors:new(3, Self),
                        Self ! fx_monitors:monitor_process(Thing, self()),
                        Self ! {thing, Thing},
                        receive stop -> ok end
                end),
    receive Code -> ?assertEqual(0, Code) end,
    Thing = receive {thing, Sent} -> Sent end,
    ?assertEqual([Thing], monitored_by(Pid)),
    stop(Pid),
    {_, 0, 0} = receive_down(3, Pid),
    ?assertEqual(3, fx_monitors:number(Thing)).

twice(_) ->
    Thing = fx_monitors:new(4, self()),
    Pid = process(),
    ?assertEqual([0, 0], [fx_monitors:monitor_process(Thing, Pid) || _ <- [1, 2]]),
    ?assertEqual([Thing, Thing], monitored_by(Pid)),
    ?assertEqual([true, false, true], [fx_monitors:equal(Thing, I, J) || {I, J} <- [{0, 0}, {0, 1}, {1, 1}]]),
    stop(Pid),
    Fired = [receive_down(4, Pid) || _ <- [1, 2]],
    ?assertEqual([0, 1], lists:sort([Index || {_, Index, 0} <- Fired])),
    ?assertEqual(2, length(lists:usort([Term || {Term, _, _} <- Fired]))),
    nothing(50).

%% The reference of a monitor: the same each time, also after it has fired.
terms(_) ->
    Thing = fx_monitors:new(5, self()),
    Pid = process(),
    [0 = fx_monitors:monitor_process(Thing, Pid) || _ <- lists:seq(1, 10)],
    Terms = [fx_monitors:monitor_term(Thing, I) || I <- lists:seq(0, 9)],
    ?assertEqual(Terms, [fx_monitors:monitor_term(Thing, I) || I <- lists:seq(0, 9)]),
    ?assertEqual(10, length(lists:usort(Terms))),
    ?assert(lists:all(fun(T) -> is_reference(T) andalso node(T) =:= node() end, Terms)),
    stop(Pid),
    Fired = [receive_down(5, Pid) || _ <- Terms],
    ?assertEqual(lists:sort(Terms), lists:sort([Term || {Term, _, _} <- Fired])),
    ?assertEqual([lists:nth(I + 1, Terms) || {_, I, _} <- Fired], [T || {T, _, _} <- Fired]),
    ?assertEqual(Terms, [fx_monitors:monitor_term(Thing, I) || I <- lists:seq(0, 9)]),
    ?assertEqual(Terms, [binary_to_term(term_to_binary(T)) || T <- Terms]).

%%% Removing

demonitor(_) ->
    Thing = fx_monitors:new(6, self()),
    Pid = process(),
    [0, 0] = [fx_monitors:monitor_process(Thing, Pid) || _ <- [1, 2]],
    ?assertEqual(0, fx_monitors:demonitor_process(Thing, 0)),
    ?assertNotEqual(0, fx_monitors:demonitor_process(Thing, 0)),
    ?assertEqual([Thing], monitored_by(Pid)),
    ?assertEqual(0, fx_monitors:demonitor_process(Thing, 1)),
    ?assertEqual([], monitored_by(Pid)),
    stop(Pid),
    nothing(100),
    ?assertEqual(0, fx_monitors:downs(Thing)).

demonitor_after_down(_) ->
    Thing = fx_monitors:new(7, self()),
    Pid = process(),
    0 = fx_monitors:monitor_process(Thing, Pid),
    stop(Pid),
    receive_down(7, Pid),
    ?assertNotEqual(0, fx_monitors:demonitor_process(Thing, 0)).

demonitor_of_another_resource(_) ->
    [Thing, Other] = [fx_monitors:new(N, self()) || N <- [8, 9]],
    Pid = process(),
    [0, 0] = [fx_monitors:monitor_process(T, Pid) || T <- [Thing, Other]],
    ?assertNotEqual(0, fx_monitors:demonitor_of_other(Thing, Other, 0)),
    ?assertEqual(lists:sort([Thing, Other]), lists:sort(monitored_by(Pid))),
    stop(Pid),
    {_, 0, 0} = receive_down(8, Pid),
    {_, 0, 0} = receive_down(9, Pid).

%%% What Erlang sees

seen_after_each_step(_) ->
    Pid = process(),
    ?assertEqual([], monitored_by(Pid)),
    Things = [fx_monitors:new(N, self()) || N <- [1, 2, 3]],
    [0, 0, 0] = [fx_monitors:monitor_process(T, Pid) || T <- Things],
    ?assertEqual(lists:sort(Things), lists:sort(monitored_by(Pid))),
    [0, 0, 0] = [fx_monitors:demonitor_process(T, 0) || T <- Things],
    ?assertEqual([], monitored_by(Pid)),
    stop(Pid).

%% It maps back, and it is a term of the resource: it keeps it.
seen_by_process_info(_) ->
    Pid = process(),
    Seen = in_process(fun(Parent) ->
                              0 = fx_monitors:monitor_process(fx_monitors:new(10, Parent), Pid),
                              hd(monitored_by(Pid))
                      end),
    ?assertEqual(10, fx_monitors:number(Seen)),
    erlang:garbage_collect(),
    nothing(100),
    ?assertEqual([Seen], monitored_by(Pid)),
    stop(Pid),
    {_, 0, 0} = receive_down(10, Pid).

%% A resource takes its monitors along.
resource_destroyed_first(_) ->
    Pid = process(),
    in_process(fun(Parent) ->
                       Thing = fx_monitors:new(11, Parent),
                       [0 = fx_monitors:monitor_process(Thing, Pid) || _ <- lists:seq(1, 100)]
               end),
    receive {destroyed, 11} -> ok after 5000 -> error(not_destroyed) end,
    ?assertEqual([], monitored_by(Pid)),
    stop(Pid),
    nothing(100).

%%% Who holds the resource

monitor_before_term(_) ->
    Pid = process(),
    {0, Thing} = fx_monitors:new_monitoring(12, self(), Pid),
    ?assertEqual([Thing], monitored_by(Pid)),
    ?assertEqual(12, fx_monitors:number(hd(monitored_by(Pid)))),
    stop(Pid),
    {_, 0, 0} = receive_down(12, Pid),
    ?assertMatch({1, _}, fx_monitors:new_monitoring(13, self(), Pid)).

monitor_before_term_dropped(_) ->
    Pid = process(),
    in_process(fun(Parent) -> {0, _} = fx_monitors:new_monitoring(12, Parent, Pid), ok end),
    receive {destroyed, 12} -> ok after 5000 -> error(not_destroyed) end,
    ?assertEqual([], monitored_by(Pid)),
    stop(Pid),
    nothing(50).

%% No term of it was ever in Erlang.
kept_by_library(_) ->
    Pid = process(),
    ?assertEqual(0, fx_monitors:new_kept(1, self(), Pid)),
    in_process(fun(_) -> ?assertMatch([_], monitored_by(Pid)), ok end),
    ok = fx_monitors:release_kept(1),
    receive {destroyed, 1} -> ok after 5000 -> error(not_destroyed) end,
    ?assertEqual([], monitored_by(Pid)),
    stop(Pid),
    nothing(50).

kept_monitor_fires(_) ->
    Pid = process(),
    ?assertEqual(0, fx_monitors:new_kept(2, self(), Pid)),
    stop(Pid),
    {_, 0, 0} = receive_down(2, Pid),
    nothing(50),
    ok = fx_monitors:release_kept(2),
    receive {destroyed, 2} -> ok after 5000 -> error(not_destroyed) end.

kept_then_returned(_) ->
    Pid = process(),
    0 = fx_monitors:new_kept(3, self(), Pid),
    Thing = fx_monitors:kept_term(3),
    ?assertEqual([Thing], monitored_by(Pid)),
    ?assert(Thing =:= fx_monitors:kept_term(3)),
    ok = fx_monitors:release_kept(3),
    ?assertEqual([Thing], monitored_by(Pid)),
    ?assertEqual(3, fx_monitors:number(Thing)),
    stop(Pid),
    {_, 0, 0} = receive_down(3, Pid),
    ?assertEqual(3, fx_monitors:number(Thing)).

%% The term that process_info makes keeps the resource when the library lets go of it.
kept_and_seen(_) ->
    Pid = process(),
    0 = fx_monitors:new_kept(4, self(), Pid),
    [Thing] = monitored_by(Pid),
    ok = fx_monitors:release_kept(4),
    nothing(100),
    ?assertEqual(4, fx_monitors:number(Thing)),
    ?assertEqual([Thing], monitored_by(Pid)),
    stop(Pid),
    {_, 0, 0} = receive_down(4, Pid).

%% Erlang has had terms of it and has none any more; the library has it still.
kept_after_collection(_) ->
    Pid = process(),
    in_process(fun(Parent) ->
                       Thing = fx_monitors:new(5, Parent),
                       0 = fx_monitors:monitor_process(Thing, Pid),
                       ok = fx_monitors:keep(Thing)
               end),
    fx:wait_until(fun() -> in_process(fun(_) -> length(monitored_by(Pid)) end) =:= 1 end),
    timer:sleep(50),
    fx:wait_until(fun() -> in_process(fun(_) -> length(monitored_by(Pid)) end) =:= 1 end),
    Thing = fx_monitors:kept_term(5),
    ?assertEqual([Thing], monitored_by(Pid)),
    ?assertEqual(0, fx_monitors:monitor_process(Thing, Pid)),
    ?assertEqual([Thing, Thing], monitored_by(Pid)),
    ?assertEqual(0, fx_monitors:demonitor_process(Thing, 0)),
    stop(Pid),
    {_, 1, 0} = receive_down(5, Pid),
    nothing(50),
    ok = fx_monitors:release_kept(5).

%% The processes die while nothing in Erlang refers to the resource: none is forgotten.
kept_of_many_monitors(_) ->
    Pids = [process() || _ <- lists:seq(1, 500)],
    in_process(fun(Parent) ->
                       Thing = fx_monitors:new(6, Parent),
                       [0 = fx_monitors:monitor_process(Thing, Pid) || Pid <- Pids],
                       ok = fx_monitors:keep(Thing)
               end),
    [Pid ! stop || Pid <- Pids],
    Fired = [receive {down, 6, Pid, _, Index, _, _} -> {Pid, Index} after 5000 -> error(no_down) end
             || _ <- Pids],
    ?assertEqual(lists:sort(lists:zip(Pids, lists:seq(0, 499))), lists:sort(Fired)),
    nothing(50),
    ok = fx_monitors:release_kept(6),
    receive {destroyed, 6} -> ok after 5000 -> error(not_destroyed) end.

dropped_after_collection(_) ->
    Pid = process(),
    in_process(fun(Parent) ->
                       Thing = fx_monitors:new(7, Parent),
                       0 = fx_monitors:monitor_process(Thing, Pid),
                       ok = fx_monitors:keep(Thing)
               end),
    timer:sleep(50),
    ok = fx_monitors:release_kept(7),
    receive {destroyed, 7} -> ok after 5000 -> error(not_destroyed) end,
    ?assertEqual([], monitored_by(Pid)),
    stop(Pid),
    nothing(50).

%% Each down comes before the destructor, or not at all.
down_keeps_resource(_) ->
    [begin
         Pid = process(),
         in_process(fun(Parent) ->
                            0 = fx_monitors:monitor_process(fx_monitors:new(8, Parent), Pid),
                            Pid ! stop
                    end),
         receive {destroyed, 8} -> ok after 5000 -> error(not_destroyed) end,
         receive
             {down, 8, _, _, _, _, _} -> ok
         after 0 -> ok
         end,
         nothing(1)
     end || _ <- lists:seq(1, 200)].

%%% In the callback

monitor_in_callback(_) ->
    Thing = fx_monitors:new(1, self()),
    [First, Second] = [process(), process()],
    0 = fx_monitors:monitor_process(Thing, First),
    ok = fx_monitors:on_down(Thing, ?MONITOR_AGAIN, Second),
    stop(First),
    {_, 0, 0} = receive_down(1, First),
    ?assertEqual([Thing], monitored_by(Second)),
    stop(Second),
    {_, 1, 1} = receive_down(1, Second).

demonitor_in_callback(_) ->
    Thing = fx_monitors:new(2, self()),
    [First, Second] = [process(), process()],
    [0, 0] = [fx_monitors:monitor_process(Thing, Pid) || Pid <- [First, Second]],
    ok = fx_monitors:on_down(Thing, ?DEMONITOR_ALL, self()),
    stop(First),
    {_, 0, Result} = receive_down(2, First),
    ?assertEqual(10, Result),
    ?assertEqual([], monitored_by(Second)),
    stop(Second),
    nothing(50).

release_in_callback(_) ->
    Pid = process(),
    0 = fx_monitors:new_kept(3, self(), Pid),
    ok = fx_monitors:on_down(fx_monitors:kept_term(3), ?RELEASE, self()),
    erlang:garbage_collect(),
    stop(Pid),
    {_, 0, 0} = receive_down(3, Pid),
    receive {destroyed, 3} -> ok after 5000 -> error(not_destroyed) end.

%%% From where it is called

in_a_dirty_call(_) ->
    Thing = fx_monitors:new(4, self()),
    Pid = process(),
    ?assertEqual(0, fx_monitors:monitor_dirty(Thing, Pid)),
    ?assertEqual([Thing], monitored_by(Pid)),
    stop(Pid),
    {_, 0, 0} = receive_down(4, Pid),
    ?assertEqual(1, fx_monitors:monitor_dirty(Thing, Pid)).

during_a_call(_) ->
    Thing = fx_monitors:new(5, self()),
    Pid = process(),
    ?assertEqual({0, down}, fx_monitors:monitor_and_stop(Thing, Pid)),
    {_, 0, 0} = receive_down(5, Pid).

in_threads(_) ->
    Thing = fx_monitors:new(6, self()),
    Pid = process(),
    ?assertEqual(0, fx_monitors:monitor_in_threads(Thing, Pid, 50)),
    ?assertEqual(lists:duplicate(100, Thing), monitored_by(Pid)),
    stop(Pid),
    Indices = [begin {_, I, 0} = receive_down(6, Pid), I end || _ <- lists:seq(1, 100)],
    ?assertEqual(lists:seq(0, 99), lists:sort(Indices)),
    ?assertEqual(100, fx_monitors:monitor_in_threads(Thing, Pid, 50)).

%%% Many

many_on_one_process(_) ->
    Pid = process(),
    Thing = fx_monitors:new(7, self()),
    ?assertEqual(0, lists:sum([fx_monitors:monitor_process(Thing, Pid) || _ <- lists:seq(1, 10000)])),
    ?assertEqual(10000, length(monitored_by(Pid))),
    stop(Pid),
    Fired = [receive {down, 7, Pid, Term, _, _, _} -> Term after 5000 -> error(no_down) end
             || _ <- lists:seq(1, 10000)],
    ?assertEqual(10000, length(lists:usort(Fired))),
    nothing(50),
    ?assertEqual(10000, fx_monitors:downs(Thing)).

many_resources(_) ->
    Pid = process(),
    in_process(fun(Parent) ->
                       Things = [element(2, fx_monitors:new_monitoring(8, Parent, Pid))
                                 || _ <- lists:seq(1, 5000)],
                       ?assertEqual(lists:sort(Things), lists:sort(monitored_by(Pid))),
                       ok
               end),
    [receive {destroyed, 8} -> ok after 10000 -> error(not_destroyed) end || _ <- lists:seq(1, 5000)],
    ?assertEqual([], monitored_by(Pid)),
    stop(Pid),
    nothing(50).

%% The process dies while monitors of it are made and removed: each that was made is either
%% removed or fires.
race(_) ->
    [begin
         Thing = fx_monitors:new(9, self()),
         Pid = process(),
         spawn(fun() -> timer:sleep(N rem 4), stop(Pid) end),
         {Made, Removed} = fx_monitors:race(Thing, Pid, 300),
         wait_gone(Pid),
         [receive {down, 9, Pid, _, _, _, _} -> ok after 5000 -> error({no_down, Made, Removed}) end
          || _ <- lists:seq(1, Made - Removed)],
         nothing(5),
         ?assertEqual(Made - Removed, fx_monitors:downs(Thing)),
         erlang:garbage_collect(),
         receive {destroyed, 9} -> ok after 5000 -> error(not_destroyed) end
     end || N <- lists:seq(1, 50)].

%%% The host

%% Its monitors are gone with it, nobody is told.
host_dies(_) ->
    Pid = process(),
    Thing = fx_monitors:new(1, self()),
    0 = fx_monitors:monitor_process(Thing, Pid),
    0 = fx_monitors:new_kept(2, self(), Pid),
    ?assertEqual(2, length(monitored_by(Pid))),
    end_host(),
    fx:wait_until(fun() -> monitored_by(Pid) =:= [] end),
    New = fx_monitors:new(3, self()),
    0 = fx_monitors:monitor_process(New, Pid),
    ?assertEqual([New], monitored_by(Pid)),
    ?assertError({stale_resource, _}, fx_monitors:monitor_process(Thing, Pid)),
    stop(Pid),
    {_, 0, 0} = receive_down(3, Pid),
    nothing(100),
    ?assertEqual(1, fx_monitors:downs(New)).

host_dies_with_many(_) ->
    Pid = process(),
    Things = [fx_monitors:new(1, self()) || _ <- lists:seq(1, 3000)],
    [0 = fx_monitors:monitor_process(T, Pid) || T <- Things],
    [0 = fx_monitors:new_kept(N, self(), Pid) || N <- lists:seq(1, 10)],
    end_host(),
    fx:wait_until(fun() -> monitored_by(Pid) =:= [] end),
    %% Until then none of them may be collected: the VM crashes when it looks at a resource with
    %% monitors that a dirty scheduler has collected.
    3000 = length(Things),
    stop(Pid),
    nothing(50).

end_host() ->
    #{host := Host} = fx:host(fx_monitors),
    ok = cordon_nif:stop_host(Host).

%%% Helpers

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
