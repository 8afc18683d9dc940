%%% Purge and unload, natively and isolated: when the library is called, who is waited for, and
%%% what is left afterwards.
-module(conformance_unload_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(life, [all_functions/0, ask/2, dropped/1, load/3, load_from/3, logged/2, reload/3,
               reload/4, spawn_server/0, stop/1]).

-define(CREATE, 1).
-define(TAKEOVER, 2).

-define(CASES,
        [unload_waits_for_resource, unload_waits_for_dirty_call, unload_waits_for_scheduled_call,
         unload_does_not_wait_for_new_code, unloads_wait_together, soft_purge_refused,
         purge_kills_users, funs, delete_and_call, threads_joined_in_unload,
         calls_while_others_load, purged_under_calls, many_rounds]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> ok.
init_per_testcase(Case, Config) -> life:init(Case, Config).
end_per_testcase(_Case, _Config) -> fx:unload(fx_life).

%%% The moment of unload

unload_waits_for_resource(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, 5),
    fx:unload(fx_life),
    timer:sleep(100),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1"]),
    dropped(Thing),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1", "destroy 5 by 1 of 1",
                    "unload 1 by 1", "destructor 1"]).

%% The caller is gone at once, its call is not.
unload_waits_for_dirty_call(Config) ->
    Flag = filename:join(proplists:get_value(priv_dir, Config), "unload_waits"),
    _ = file:delete(Flag),
    ok = load(Config, 1, []),
    {Caller, Monitor} = spawn_monitor(fun() -> fx_life:wait_for_file(list_to_binary(Flag)) end),
    fx:wait_until(fun() -> lists:member("wait begins", case_log:lines(Config)) end),
    exit(Caller, kill),
    receive {'DOWN', Monitor, process, Caller, killed} -> ok end,
    fx:unload(fx_life),
    timer:sleep(100),
    logged(Config, ["load 1 by 1, init 1", "wait begins"]),
    ok = file:write_file(Flag, <<>>),
    logged(Config, ["load 1 by 1, init 1", "wait begins", "wait ends 1", "unload 1 by 1",
                    "destructor 1"]).

%% It has returned once; the next step will not be done, or is done to its end.
unload_waits_for_scheduled_call(Config) ->
    ok = load(Config, 1, []),
    Callers = [spawn_monitor(fun() -> fx_life:wait_later(20, N rem 5) end) || N <- lists:seq(1, 30)],
    fx:wait_until(fun() -> lists:member("wait begins", case_log:lines(Config)) end),
    [exit(Caller, kill) || {Caller, _} <- Callers],
    [receive {'DOWN', Monitor, process, Caller, _} -> ok end || {Caller, Monitor} <- Callers],
    fx:unload(fx_life),
    fx:wait_until(fun() -> lists:last(case_log:lines(Config)) =:= "destructor 1" end),
    Log = case_log:lines(Config),
    ?assertEqual(length([L || "wait begins" = L <- Log]), length([L || "wait ends 1" = L <- Log])),
    ?assertEqual(["unload 1 by 1", "destructor 1"], lists:nthtail(length(Log) - 2, Log)).

%% A call of the new code does not keep the old one.
unload_does_not_wait_for_new_code(Config) ->
    Flag = filename:join(proplists:get_value(priv_dir, Config), "unload_does_not_wait"),
    _ = file:delete(Flag),
    ok = load(Config, 1, []),
    ok = reload(Config, 2, []),
    {_, Monitor} = spawn_monitor(fun() -> exit(fx_life:wait_for_file(list_to_binary(Flag))) end),
    fx:wait_until(fun() -> lists:member("wait begins", case_log:lines(Config)) end),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 1, init 2, old 1", "wait begins",
                    "unload 1 by 1"]),
    ok = file:write_file(Flag, <<>>),
    receive {'DOWN', Monitor, process, _, Result} -> ?assertEqual(2, Result) end.

%% Resources of many old instances are alive. None is unloaded before its own is gone.
unloads_wait_together(Config) ->
    ok = load(Config, 0, []),
    Threads = entries("/proc/self/task"),
    Things = [begin
                  Type = list_to_atom("type_" ++ integer_to_list(N)),
                  ok = reload(Config, N, [{open, Type, ?CREATE, true}]),
                  {N, fx_life:new_resource(Type, N)}
              end || N <- lists:seq(1, 20)],
    ok = reload(Config, 21, []),
    true = code:soft_purge(fx_life),
    timer:sleep(300),
    ?assertEqual(["unload 0 by 1"], unloads(Config)),
    ?assert(entries("/proc/self/task") =< Threads + 2),
    {Kept, Dropped} = lists:split(5, Things),
    dropped(Dropped),
    fx:wait_until(fun() -> length(unloads(Config)) =:= 16 end),
    ?assertEqual([], [L || {N, _} <- Kept, L <- unloads(Config), lists:prefix(lists:concat(["unload ", N, " "]), L)]),
    dropped(Kept),
    fx:wait_until(fun() -> length(unloads(Config)) =:= 21 end),
    ?assertEqual(21, fx_life:value()).

unloads(Config) ->
    [Line || "unload" ++ _ = Line <- case_log:lines(Config)].

soft_purge_refused(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    ok = reload(Config, 2, []),
    ?assertEqual(false, code:soft_purge(fx_life)),
    ?assertEqual({2, 1}, {fx_life:value(), ask(Server, value)}),
    stop(Server),
    ?assertEqual(true, code:soft_purge(fx_life)),
    fx:wait_until(fun() -> lists:member("unload 1 by 1", case_log:lines(Config)) end).

purge_kills_users(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    Monitor = monitor(process, Server),
    ok = reload(Config, 2, []),
    ?assertEqual(true, code:purge(fx_life)),
    receive {'DOWN', Monitor, process, Server, Reason} -> ?assertEqual(killed, Reason) end,
    fx:wait_until(fun() -> lists:member("unload 1 by 1", case_log:lines(Config)) end),
    ?assertEqual(2, fx_life:value()).

%% A fun of the old code calls the old library. (Were both codes equal, it would be a fun of
%% the new one.)
funs(Config) ->
    ok = load_from(Config, fx_life, "-export([fun_of_value/0]). " ++ all_functions() ++
                       "fun_of_value() -> Self = self(), fun() -> {Self, value()} end. "),
    Self = self(),
    Holder = spawn(fun() ->
                           Old = fx_life:fun_of_value(),
                           Self ! ready,
                           apply_loop(Old)
                   end),
    receive ready -> ok end,
    ok = reload(Config, 2, []),
    ?assertEqual({{Holder, 1}, {Self, 2}}, {ask(Holder, value), (fx_life:fun_of_value())()}),
    ?assertEqual(true, code:soft_purge(fx_life)), % to have a fun is not to use the code
    fx:wait_until(fun() -> lists:member("unload 1 by 1", case_log:lines(Config)) end),
    ?assertError({{badfun, _}, _}, ask(Holder, value)).

apply_loop(Fun) ->
    receive {From, value} -> From ! {self(), Fun()} end,
    apply_loop(Fun).

delete_and_call(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    true = code:delete(fx_life),
    ?assertEqual(1, ask(Server, value)),
    stop(Server),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "unload 1 by 1", "destructor 1"]),
    ok = load(Config, 2, []),
    ?assertEqual(2, fx_life:value()).

%%% Threads

threads_joined_in_unload(Config) ->
    ok = load(Config, 1, [thread]),
    ?assertEqual(1, fx_life:value()),
    ok = reload(Config, 2, [thread]),
    fx:unload(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 1, init 2, old 1", "unload 1 by 1",
                    "joined 0 101", "unload 2 by 1", "joined 0 101", "destructor 1"]).

%%% Others

calls_while_others_load(Config) ->
    Mode = proplists:get_value(mode, Config),
    ok = fx:load(Mode, fx_calls),
    Self = self(),
    Callers = [spawn_link(fun() -> Self ! {self(), call_until_stopped(0)} end)
               || _ <- lists:seq(1, 4)],
    [begin
         ok = load(Config, N, []),
         ok = reload(Config, N + 1, [], b),
         fx:unload(fx_life)
     end || N <- lists:seq(1, 10)],
    [Pid ! stop || Pid <- Callers],
    [receive {Pid, Calls} -> ?assert(Calls > 0) end || Pid <- Callers],
    fx:unload(fx_calls).

call_until_stopped(Calls) ->
    receive stop -> Calls
    after 0 ->
            ?assertEqual(self(), fx_calls:self_pid()),
            call_until_stopped(Calls + 1)
    end.

%% Processes that call the old code die with it again and again, in the middle of their calls.
purged_under_calls(Config) ->
    ok = load(Config, 0, [{open, thing, ?CREATE, true}]),
    OsPid = fx_life:os_pid(),
    [begin
         Callers = [spawn(fun() -> fx_life:again(fx_life:new_resource(thing, N), How) end)
                    || How <- [wait, later, resource], _ <- [1, 2, 3]],
         timer:sleep(5),
         ok = reload(Config, N + 1, [{open, thing, ?TAKEOVER, true}],
                     case N rem 2 of 0 -> b; 1 -> a end),
         _ = code:purge(fx_life),
         ?assertEqual([], [Pid || Pid <- Callers, is_process_alive(Pid)]),
         ?assertEqual({N + 1, OsPid}, {fx_life:value(), fx_life:os_pid()})
     end || N <- lists:seq(0, 39)],
    fx:unload(fx_life),
    erlang:garbage_collect(),
    %% The last ones may be unloaded in any order: a call of them may still be under way.
    fx:wait_until(fun() -> length(unloads(Config)) =:= 41 end),
    Log = case_log:lines(Config),
    ?assertEqual(lists:seq(0, 40), lists:sort([list_to_integer(hd(string:lexemes(Rest, " ")))
                                               || "unload " ++ Rest <- Log])),
    %% Nothing of an instance has run after its end.
    [?assertEqual({N, []}, {N, [L || "wait ends " ++ Value = L <- after_unload(N, Log),
                                     Value =:= integer_to_list(N)]}) || N <- lists:seq(0, 40)].

after_unload(N, Log) ->
    Unload = lists:concat(["unload ", N, " by"]),
    tl(lists:dropwhile(fun(Line) -> not lists:prefix(Unload, Line) end, Log)).

%% A hundred times through all of it: nothing is left.
many_rounds(Config) ->
    [a_round(Config, N) || N <- lists:seq(1, 10)],
    Before = used(),
    [a_round(Config, N) || N <- lists:seq(1, 100)],
    fx:wait_until(fun() -> not more(used(), Before) end, 10000),
    ct:log("before ~p~nafter ~p", [Before, used()]).

a_round(Config, N) ->
    ok = load(Config, N, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, N),
    ok = reload(Config, N + 1, [{open, thing, ?TAKEOVER, true}], b),
    ?assertEqual(N, fx_life:resource(thing, Thing)),
    fx:unload(fx_life),
    dropped(Thing).

used() ->
    #{hosts => length([Host || #{state := running} = Host <- cordon:which_hosts()]),
      files => entries("/proc/self/fd"), threads => entries("/proc/self/task"),
      maps => length(binary:matches(fx:maps(os:getpid()), <<"\n">>))}.

entries(Dir) ->
    {ok, Names} = file:list_dir(Dir),
    length(Names).

%% Memory of the VM's own allocators comes and goes.
more(Used, Before) ->
    lists:any(fun(Key) -> maps:get(Key, Used) > maps:get(Key, Before) end, [hosts, files, threads])
        orelse maps:get(maps, Used) > maps:get(maps, Before) + 20.
