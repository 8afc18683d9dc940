%%% What a library's end costs: an error for each caller in flight, and nothing else.
-module(crash_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    [segv, segv_dirty, fpe, bus, aborts, exits, exits_at_once, kills_itself,
     overflows_stack, library_thread_faults, killed_from_outside, killed_while_idle,
     every_caller_once, call_timeout, call_timeout_of_dirty, spinning_call_timeout,
     load_runs_again, load_fails_in_new_host, stale_resource, stale_in_data,
     stale_resource_collected, loaded_beside_stale, others_do_not_notice, crash_again_and_again,
     crash_under_load, caller_killed_during_call, killed_keeper, keeper_killed_under_load,
     stop_host, one_log_event, host_output, observed, killed_vm, killed_vm_with_calls,
     stopped_vm, out_of_descriptors, descendants_end, information].

suite() -> [{timetrap, {seconds, 60}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_testcase(_Case, Config) ->
    ok = fx:load(isolated, fx_crash),
    ok = fx:load(isolated, fx_bystander),
    Config.

end_per_testcase(_Case, _Config) ->
    fx:unload(fx_crash),
    fx:unload(fx_bystander).

%%% Each way to end

segv(_) -> crash(segv, [], {signal, sigsegv}).
segv_dirty(_) -> crash(segv_dirty, [], {signal, sigsegv}).
fpe(_) -> crash(fpe, [], {signal, sigfpe}).
bus(_) -> crash(bus, [], {signal, sigbus}).
aborts(_) -> crash(aborts, [], {signal, sigabrt}).
exits(_) -> crash(exits, [3], {exit, 3}).
exits_at_once(_) -> crash(exits_at_once, [4], {exit, 4}), crash(exits_at_once, [0], {exit, 0}).
kills_itself(_) -> crash(kills_itself, [], {signal, sigkill}).
overflows_stack(_) -> crash(overflows_stack, [], {signal, sigsegv}).
library_thread_faults(_) -> crash(thread_faults, [], {signal, sigsegv}).

%% The caller is told all of it, the next call gets a new host.
crash(Function, Args, Reason) ->
    Before = fx_crash:os_pid(),
    #{generation := Generation} = fx:host(fx_crash),
    Expected = #{module => fx_crash, function => Function, arity => length(Args),
                 reason => Reason, generation => Generation},
    ?assertEqual({error, {nif_host_down, Expected}}, outcome(Function, Args)),
    After = fx_crash:os_pid(),
    ?assertNotEqual(Before, After),
    ?assertMatch(#{os_pid := After}, fx:host(fx_crash)),
    ?assertEqual(Generation + 1, maps:get(generation, fx:host(fx_crash))),
    ?assertEqual(1, fx_crash:load_count()),
    ?assert(is_gone(Before)).

killed_from_outside(_) ->
    {_, Monitor} = spawn_outcome(hangs_dirty, []),
    wait_calls(1),
    kill(fx_crash:os_pid()),
    ?assertMatch({error, {nif_host_down, #{function := hangs_dirty, reason := {signal, sigkill}}}},
                 outcome_of(Monitor)),
    ?assertEqual(1, fx_crash:load_count()).

%% Nobody was calling: the next call just works.
killed_while_idle(_) ->
    Before = fx_crash:os_pid(),
    kill(Before),
    fx:wait_until(fun() -> is_gone(Before) end),
    timer:sleep(50),
    ?assertNotEqual(Before, fx_crash:os_pid()).

every_caller_once(_) ->
    Self = self(),
    Callers = [spawn_link(fun() ->
                                  Self ! {self(), outcome(hangs_dirty, [])},
                                  Self ! {self(), next, outcome(load_count, [])}
                          end) || _ <- lists:seq(1, 6)],
    wait_calls(6),
    kill(maps:get(os_pid, fx:host(fx_crash))),
    [receive {Pid, Outcome} ->
             ?assertMatch({error, {nif_host_down, #{module := fx_crash, function := hangs_dirty,
                                                    arity := 0, reason := {signal, sigkill}}}},
                          Outcome)
     end || Pid <- Callers],
    [receive {Pid, next, Outcome} -> ?assertEqual({ok, 1}, Outcome) end || Pid <- Callers],
    ?assertEqual([], drain()).

%%% Calls that don't return

call_timeout(_) -> timeout(hangs).
call_timeout_of_dirty(_) -> timeout(hangs_dirty).
spinning_call_timeout(_) -> timeout(spins).

timeout(Function) ->
    ok = fx:load(isolated, fx_crash, #{options => #{call_timeout => 300}}),
    Before = fx_crash:os_pid(),
    {Us, Outcome} = timer:tc(fun() -> outcome(Function, []) end),
    ?assertMatch({error, {nif_host_down, #{function := Function, reason := {timeout, 300}}}},
                 Outcome),
    ?assert(Us >= 300000),
    ?assert(Us < 1500000),
    ?assertNotEqual(Before, fx_crash:os_pid()),
    ?assert(is_gone(Before)).

%%% The next generation

load_runs_again(_) ->
    ?assertEqual(1, fx_crash:load_count()),
    {error, _} = outcome(segv, []),
    ?assertEqual(1, fx_crash:load_count()),
    ?assertEqual(1, fx_crash:load_count()).

%% The library is gone by the time that its host has to be started again.
load_fails_in_new_host(Config) ->
    Copy = filename:join(proplists:get_value(priv_dir, Config), "fx_crash"),
    {ok, _} = file:copy(fx:library(fx_crash) ++ ".so", Copy ++ ".so"),
    ok = fx:load(isolated, fx_crash, #{path => Copy}),
    ok = file:delete(Copy ++ ".so"),
    {error, {nif_host_down, _}} = outcome(segv, []),
    ?assertMatch({error, {nif_host_down, #{function := load_count, reason := {start_failed, _}}}},
                 outcome(load_count, [])),
    {ok, _} = file:copy(fx:library(fx_crash) ++ ".so", Copy ++ ".so"),
    fx:wait_until(fun() -> outcome(load_count, []) =:= {ok, 1} end).

stale_resource(_) ->
    Thing = fx_crash:new_thing(),
    ?assertEqual(true, fx_crash:is_thing(Thing)),
    #{generation := Generation} = fx:host(fx_crash),
    {error, _} = outcome(segv, []),
    ?assertEqual({error, {stale_resource, #{module => fx_crash, function => is_thing, arity => 1,
                                            generation => Generation, current => Generation + 1}}},
                 outcome(is_thing, [Thing])),
    ?assertEqual(true, fx_crash:is_thing(fx_crash:new_thing())).

%% What Erlang still holds keeps an old instance, which the new host has not loaded: the library is
%% closed there with the last instance that it has, and opened for the next.
loaded_beside_stale(_) ->
    Resource = fx_crash:new_thing(),
    fx:unload(fx_crash),
    ok = fx:load(isolated, fx_crash),
    {error, {nif_host_down, _}} = outcome(segv, []),
    [begin
         fx:unload(fx_crash),
         ok = fx:load(isolated, fx_crash),
         1 = fx_crash:load_count()
     end || _ <- [1, 2, 3]],
    true = is_reference(Resource).

stale_in_data(_) ->
    Thing = fx_crash:new_thing(),
    {error, _} = outcome(aborts, []),
    [?assertMatch({error, {stale_resource, _}}, outcome(is_thing, [T]))
     || T <- [[Thing], {a, Thing}, #{a => Thing}, [1, 2 | Thing], #{Thing => a}]].

stale_resource_collected(_) ->
    {_, Monitor} = spawn_monitor(fun() ->
                                         Things = [fx_crash:new_thing() || _ <- lists:seq(1, 1000)],
                                         {error, _} = outcome(segv, []),
                                         exit({length(Things)})
                                 end),
    receive {'DOWN', Monitor, process, _, Reason} -> ?assertEqual({1000}, Reason) end,
    ?assertEqual(1, fx_crash:load_count()).

%%% Everybody else

others_do_not_notice(_) ->
    First = fx_bystander:count(),
    Pid = fx_bystander:os_pid(),
    [{error, _} = outcome(Function, []) || Function <- [segv, aborts, kills_itself]],
    ?assertEqual(First + 1, fx_bystander:count()),
    ?assertEqual(Pid, fx_bystander:os_pid()),
    ?assertNotEqual(Pid, fx_crash:os_pid()).

crash_again_and_again(_) ->
    [begin
         ?assertMatch({error, {nif_host_down, #{reason := {signal, sigsegv}}}}, outcome(segv, [])),
         ?assertEqual(1, fx_crash:load_count())
     end || _ <- lists:seq(1, 20)].

%% Processes that go on calling while the host dies again and again get results or
%% the error, and nothing else.
crash_under_load(_) ->
    Self = self(),
    Callers = [spawn_link(fun() -> Self ! {self(), call_until_stopped(0, 0)} end)
               || _ <- lists:seq(1, 8)],
    [begin
         timer:sleep(50),
         [kill(OsPid) || #{os_pid := OsPid} <- fx:hosts(fx_crash)]
     end || _ <- lists:seq(1, 10)],
    [Pid ! stop || Pid <- Callers],
    Counts = [receive {Pid, Count} -> Count end || Pid <- Callers],
    ?assert(lists:all(fun({Good, _}) -> Good > 0 end, Counts)),
    ?assertEqual(1, fx_crash:load_count()).

call_until_stopped(Good, Down) ->
    receive stop -> {Good, Down}
    after 0 ->
            case outcome(load_count, []) of
                {ok, 1} -> call_until_stopped(Good + 1, Down);
                {error, {nif_host_down, #{function := load_count}}} ->
                    call_until_stopped(Good, Down + 1)
            end
    end.

caller_killed_during_call(_) ->
    {Pid, _} = spawn_monitor(fun() -> fx_crash:hangs_dirty() end),
    wait_calls(1),
    exit(Pid, kill),
    receive {'DOWN', _, process, Pid, killed} -> ok after 2000 -> error(still_alive) end,
    ?assertEqual(1, fx_crash:load_count()).

%%% The keeper

killed_keeper(_) ->
    Keeper = cordon_nif:keeper(),
    Host = fx_crash:os_pid(),
    Other = fx_bystander:os_pid(),
    kill(Keeper),
    fx:wait_until(fun() -> is_gone(Host) andalso is_gone(Other) end, 2000),
    fx:wait_until(fun() -> outcome(load_count, []) =:= {ok, 1} end, 5000),
    ?assertNotEqual(Keeper, cordon_nif:keeper()),
    ?assertEqual(1, fx_bystander:count()).

keeper_killed_under_load(_) ->
    {_, Monitor} = spawn_outcome(hangs_dirty, []),
    wait_calls(1),
    kill(cordon_nif:keeper()),
    ?assertMatch({error, {nif_host_down, #{function := hangs_dirty}}}, outcome_of(Monitor)),
    fx:wait_until(fun() -> outcome(load_count, []) =:= {ok, 1} end, 5000).

stop_host(_) ->
    #{host := Id, os_pid := OsPid} = fx:host(fx_crash),
    ok = cordon_nif:stop_host(Id),
    fx:wait_until(fun() -> is_gone(OsPid) end),
    ?assertEqual(1, fx_crash:load_count()),
    ?assertEqual({error, not_found}, cordon_nif:stop_host(1 bsl 40)).

%%% What is told of it

%% One event, which names what ran, how it ended and where it faulted.
one_log_event(_) ->
    fx_log:install(),
    {error, _} = outcome(segv, []),
    [#{msg := {report, Report}, level := error} = Event] =
        fx_log:wait(fun(#{msg := {report, #{label := {cordon, host_down}}}}) -> true;
                       (_) -> false
                    end),
    fx_log:remove(),
    ?assertMatch(#{module := fx_crash, reason := {signal, sigsegv}, generation := _, age_ms := _,
                   os_pid := _, calls := [{fx_crash, segv, 0}], fault_address := 0}, Report),
    Text = fx_log:text(Event),
    [?assertMatch({Part, [_ | _]}, {Part, string:find(Text, Part)})
     || Part <- ["fx_crash:segv/0", "sigsegv", "generation"]].

%% What a library writes to its standard error appears on the VM's.
host_output(_) ->
    {ok, Node} = test_node:start([]),
    Line = "fx_crash says \x{e9} " ++ integer_to_list(erlang:unique_integer([positive])),
    ok = test_node:call(Node, ?MODULE, print_in_node, [unicode:characters_to_binary(Line)]),
    test_node:stop(Node).

print_in_node(Line) ->
    ok = fx_log:capture_standard_error(),
    ok = fx:load(isolated, fx_crash),
    ok = fx_crash:prints(<<Line/binary, "\n">>),
    fx:wait_until(fun() -> binary:match(fx_log:captured(), Line) =/= nomatch end),
    ok = fx_crash:prints(binary:copy(<<"0123456789\n">>, 20000)),
    fx:wait_until(fun() -> byte_size(fx_log:captured()) >= 220000 end).

observed(_) ->
    #{generation := Generation} = fx:host(fx_crash),
    Key = {module, fx_crash},
    fx:wait_until(fun() -> maps:is_key(Key, cordon_events:hosts()) end),
    Observer = maps:get(Key, cordon_events:hosts()),
    {error, _} = outcome(segv, []),
    1 = fx_crash:load_count(),
    fx:wait_until(fun() -> maps:get(generation, cordon_host:info(Observer)) =:= Generation + 1 end),
    ?assertMatch(#{state := running, last_down := #{reason := {signal, sigsegv}}},
                 cordon_host:info(Observer)),
    Monitor = monitor(process, Observer),
    fx:unload(fx_crash),
    receive {'DOWN', Monitor, process, Observer, normal} -> ok after 5000 -> error(stays) end.

%% The VM has so many descriptors left when a host is to be started. Whatever can't be had
%% then, the next start has it.
out_of_descriptors(_) ->
    {ok, Node} = test_node:start(#{exec => {"/bin/sh", ["-c", "ulimit -n 150; exec erl \"$@\"", "erl"]}}),
    try
        ok = test_node:call(Node, fx, isolate, [[]]),
        ok = test_node:call(Node, fx, load, [isolated, fx_crash]),
        Outcomes = [test_node:call(Node, ?MODULE, start_with_descriptors, [Left])
                    || Left <- lists:seq(0, 20)],
        ?assertMatch({error, {nif_host_down, #{reason := {start_failed, _}}}}, hd(Outcomes)),
        ?assertMatch({ok, _}, lists:last(Outcomes))
    after
        test_node:stop(Node)
    end.

start_with_descriptors(Left) ->
    {error, {nif_host_down, _}} = outcome(segv, []),
    fx:wait_until(fun() -> fx:hosts(fx_crash) =:= [] end),
    Open = open_files([]),
    {Some, Rest} = lists:split(Left, Open),
    _ = [file:close(File) || File <- Some],
    Outcome = outcome(os_pid, []),
    _ = [file:close(File) || File <- Rest],
    true = is_integer(fx_crash:os_pid()),
    Outcome.

open_files(Open) ->
    case file:open("/dev/null", [read, raw]) of
        {ok, File} -> open_files([File | Open]);
        {error, emfile} -> Open
    end.

%% What a library has started goes with its host, and only with that.
descendants_end(_) ->
    Ours = fx_crash:descendants(),
    Others = fx_bystander:descendants(),
    ?assertEqual([], [P || P <- Ours ++ Others, is_gone(P)]),
    crash(segv, [], {signal, sigsegv}),
    fx:wait_until(fun() -> lists:all(fun is_gone/1, Ours) end),
    timer:sleep(100),
    ?assertEqual([], [P || P <- Others, is_gone(P)]),
    fx:unload(fx_bystander),
    fx:wait_until(fun() -> lists:all(fun is_gone/1, Others) end).

information(_) ->
    ?assertMatch(#{keeper := Keeper, version := [_ | _], isolated := [], cache_dir := {ok, _}}
                   when is_integer(Keeper), cordon:info()),
    ?assertEqual(lists:sort([fx_bystander, fx_crash]),
                 lists:sort([M || #{module := M, state := running} <- cordon:which_hosts(),
                                  M =:= fx_crash orelse M =:= fx_bystander])).

%%% The VM's own end

killed_vm(_) ->
    vm_ends(fun(Node) -> kill(test_node:os_pid(Node)) end, false).

killed_vm_with_calls(_) ->
    vm_ends(fun(Node) -> kill(test_node:os_pid(Node)) end, true).

stopped_vm(_) ->
    vm_ends(fun(Node) -> test_node:stop(Node) end, false).

%% One second after the VM none of its processes is left, and so none of its memory.
vm_ends(End, WithCalls) ->
    {ok, Node} = test_node:start([]),
    OsPids = [Keeper | _] = test_node:call(Node, ?MODULE, in_node, [WithCalls]),
    ?assert(is_integer(Keeper)),
    ?assertNot(lists:any(fun is_gone/1, OsPids)),
    Session = [_ | _] = segments(OsPids),
    End(Node),
    timer:sleep(1000),
    ?assertEqual([], [P || P <- OsPids, not is_gone(P)]),
    ?assertEqual([], [P || P <- os_pids(), Segment <- segments([P]),
                           lists:member(Segment, Session)]),
    test_node:stop(Node).

in_node(WithCalls) ->
    ok = fx:load(isolated, fx_crash),
    ok = fx:load(isolated, fx_bystander),
    1 = fx_bystander:count(),
    OsPid = fx_crash:os_pid(),
    _ = [spawn(fun() -> fx_crash:hangs_dirty() end) || WithCalls, _ <- lists:seq(1, 3)],
    timer:sleep(100),
    [cordon_nif:keeper(), OsPid, fx_bystander:os_pid()].

%% cordon's memory as seen in /proc: device, inode and name of each segment.
segments(OsPids) ->
    lists:usort([{Inode, Name}
                 || OsPid <- OsPids, {ok, Maps} <- [file:read_file(maps_file(OsPid))],
                    Line <- binary:split(Maps, <<"\n">>, [global]),
                    [_, _, _, _, Inode, Name | _] <- [string:lexemes(Line, " ")],
                    string:find(Name, "memfd:cordon") =/= nomatch]).

maps_file(OsPid) ->
    lists:concat(["/proc/", OsPid, "/maps"]).

os_pids() ->
    {ok, Names} = file:list_dir("/proc"),
    [list_to_integer(N) || N <- Names, lists:all(fun(C) -> C >= $0 andalso C =< $9 end, N)].

%%% Helpers

outcome(Function, Args) ->
    try {ok, apply(fx_crash, Function, Args)}
    catch Class:Reason -> {Class, Reason}
    end.

spawn_outcome(Function, Args) ->
    spawn_monitor(fun() -> exit({outcome, outcome(Function, Args)}) end).

outcome_of(Monitor) ->
    receive {'DOWN', Monitor, process, _, {outcome, Outcome}} -> Outcome
    after 5000 -> error(no_outcome)
    end.

wait_calls(N) ->
    fx:wait_until(fun() -> maps:get(calls, fx:host(fx_crash)) >= N end).

kill(OsPid) ->
    "" = os:cmd(lists:concat(["kill -9 ", OsPid])),
    ok.

%% Gone, or dead and waiting for its parent.
is_gone(OsPid) ->
    case file:read_file(lists:concat(["/proc/", OsPid, "/stat"])) of
        {ok, Stat} ->
            [_, After] = string:split(Stat, ") ", trailing),
            binary:first(After) =:= $Z;
        {error, _} ->
            true
    end.

drain() ->
    receive Message -> [Message | drain()] after 50 -> [] end.
