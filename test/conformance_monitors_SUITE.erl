%%% Monitors of processes by resources (enif_monitor_process), natively and isolated: what the calls
%%% return, what the callback gets and does, what Erlang sees.
-module(conformance_monitors_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(monitored, [in_process/1, monitored_by/1, nothing/1, process/0, receive_down/2, stop/1]).

%% What a down callback does besides telling; as in the fixture.
-define(MONITOR_AGAIN, 1).
-define(DEMONITOR_ALL, 2).
-define(RELEASE, 3).

-define(CASES,
        [down, not_alive, undefined_process, no_down_callback, no_monitor_wanted, monitors_itself,
         twice, terms, demonitor, demonitor_after_down, demonitor_of_another_resource,
         seen_after_each_step, seen_by_process_info, resource_destroyed_first,
         monitor_in_callback, demonitor_in_callback, release_in_callback, in_a_dirty_call,
         during_a_call, in_threads]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_monitors]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_monitors]).

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
