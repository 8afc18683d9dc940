%%% Who holds a resource that monitors processes, natively and isolated: Erlang, the library alone,
%%% or nobody any more; many of them, and a host that goes.
-module(conformance_monitor_holders_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(monitored, [in_process/1, monitored_by/1, nothing/1, process/0, receive_down/2, stop/1,
                    wait_gone/1]).

-define(CASES,
        [monitor_before_term, monitor_before_term_dropped, kept_by_library, kept_monitor_fires,
         kept_then_returned, kept_and_seen, kept_after_collection, kept_of_many_monitors,
         dropped_after_collection, down_keeps_resource, many_on_one_process,
         dirty_calls_beside_many, many_resources, race]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES, [host_dies, host_dies_with_many]).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_monitors]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_monitors]).

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
    keep_monitoring(5, [Pid]),
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
    keep_monitoring(6, Pids),
    [Pid ! stop || Pid <- Pids],
    Fired = [receive {down, 6, Pid, _, Index, _, _} -> {Pid, Index} after 5000 -> error(no_down) end
             || _ <- Pids],
    ?assertEqual(lists:sort(lists:zip(Pids, lists:seq(0, 499))), lists:sort(Fired)),
    nothing(50),
    ok = fx_monitors:release_kept(6),
    receive {destroyed, 6} -> ok after 5000 -> error(not_destroyed) end.

dropped_after_collection(_) ->
    Pid = process(),
    keep_monitoring(7, [Pid]),
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

%% A dirty call keeps its resources in a host until it ends; that is no business of their monitors.
dirty_calls_beside_many(_) ->
    Pid = process(),
    Thing = fx_monitors:new(7, self()),
    [0 = fx_monitors:monitor_process(Thing, Pid) || _ <- lists:seq(1, 5000)],
    {Us, _} = timer:tc(fun() -> [7 = fx_monitors:number_dirty(Thing) || _ <- lists:seq(1, 200)] end),
    ct:log("~p us a call", [Us div 200]),
    ?assert(Us < 5_000_000),
    ?assertEqual(5000, length(monitored_by(Pid))).

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

%% A resource that monitors these processes, and of which the library alone has a reference.
keep_monitoring(Number, Pids) ->
    in_process(fun(Parent) ->
                       Thing = fx_monitors:new(Number, Parent),
                       [0 = fx_monitors:monitor_process(Thing, Pid) || Pid <- Pids],
                       ok = fx_monitors:keep(Thing)
               end).
