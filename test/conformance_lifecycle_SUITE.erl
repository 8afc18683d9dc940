%%% Load, upgrade, purge and unload, natively and isolated: what they return, what the library
%%% is called for and in which order, and what is left afterwards. What only an isolated
%%% library survives is in lifecycle_SUITE.
-module(conformance_lifecycle_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [load_and_purge, nothing_to_unload_twice, load_fails, load_fails_by_any_number,
         load_raises, no_private_data, load_info_of_every_kind, load_asks_the_vm,
         not_loaded_again, old_code_loads_nothing, wrong_name, missing_function,
         duplicate_function, not_declared, declared, no_library,
         upgrade_from_same_file, upgrade_from_other_file, upgrade_from_nothing,
         upgrade_to_nothing, upgrade_again_and_again, upgrade_fails, upgrade_fails_from_other_file,
         upgrade_changes_old_private_data, failed_upgrade_restores_old_private_data,
         type_taken_over, type_taken_over_from_other_file,
         failed_takeover, failed_new_type, not_created, not_taken_over,
         unload_waits_for_resource, unload_waits_for_dirty_call, unload_waits_for_scheduled_call,
         unload_does_not_wait_for_new_code, unloads_wait_together, soft_purge_refused, purge_kills_users, funs,
         delete_and_call, statics_start_anew, statics_of_an_image_are_shared, unmapped,
         on_load_returns_error, on_load_crashes, on_load_without_load_nif, load_nif_later,
         threads_joined_in_unload, calls_while_others_load, purged_under_calls, many_rounds]).

-define(CREATE, 1).
-define(TAKEOVER, 2).

all() ->
    [{group, native}, {group, isolated}].

groups() ->
    [{native, [], ?CASES}, {isolated, [], ?CASES}].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_group(Mode, Config) ->
    [{mode, Mode} | Config].

end_per_group(_Mode, _Config) ->
    ok.

init_per_testcase(Case, Config) ->
    Log = filename:join([proplists:get_value(priv_dir, Config),
                         lists:concat([proplists:get_value(mode, Config), ".", Case, ".log"])]),
    ok = file:write_file(Log, <<>>),
    ok = at_on_load(load),
    [{log, Log} | Config].

end_per_testcase(_Case, _Config) ->
    fx:unload(fx_life).

%%% Load

load_and_purge(Config) ->
    ok = load(Config, 1, []),
    ?assertEqual({1, 1}, {fx_life:variant(), fx_life:value()}),
    fx:unload(fx_life),
    logged(Config, ["load 1 by 1, init 1", "unload 1 by 1", "destructor 1"]).

nothing_to_unload_twice(Config) ->
    ok = load(Config, 1, []),
    fx:unload(fx_life),
    fx:unload(fx_life),
    logged(Config, ["load 1 by 1, init 1", "unload 1 by 1", "destructor 1"]).

load_fails(Config) ->
    Error = load(Config, 1, [{return, 7}]),
    ?assertMatch({error, {load, "Library load-call unsuccessful (7)."}}, Error),
    logged(Config, ["load 1 by 1, init 1", "destructor 1"]),
    ok = load(Config, 2, []),
    ?assertEqual({2, {1, 1, 1}}, {fx_life:value(), fx_life:statics()}).

load_fails_by_any_number(Config) ->
    fx:same(Config, load_fails_by_any_number,
            [load(Config, 1, [{return, N}]) || N <- [-1, 1, 2, 256, 16#7fffffff, -16#80000000]]).

%% Exceptions mean nothing there.
load_raises(Config) ->
    ok = load(Config, 1, [{raise, reason}]),
    ?assertEqual(1, fx_life:value()),
    ok = load(Config, 2, [badarg]),
    ?assertEqual(2, fx_life:value()),
    ok = reload(Config, 3, [{raise, reason}]),
    ?assertEqual(3, fx_life:value()).

no_private_data(Config) ->
    ok = load(Config, 1, [no_private_data]),
    ?assertEqual(none, fx_life:value()),
    ok = reload(Config, 2, []),
    ?assertEqual(2, fx_life:value()),
    fx:unload(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 1, init 2, old -1", "unload -1 by 1",
                    "unload 2 by 1", "destructor 1"]).

load_info_of_every_kind(Config) ->
    Port = open_port({spawn, "cat"}, []),
    [begin
         ok = fx:try_load(fx_load, #{shim => is_isolated(Config), info => {ok, Info}}),
         ?assertEqual({ok, Info}, fx_load:info())
     end || Info <- [0, -1, 1 bsl 59, -(1 bsl 60), 1 bsl 64, 1 bsl 5000, 1.5, a, '', 'ä', [], [a | b],
                     "text", {}, {1, {2}}, #{}, #{a => [#{}]}, maps:from_keys(lists:seq(1, 100), v),
                     <<>>, <<1, 2, 3>>, <<1:3>>, binary:copy(<<"x">>, 1000000), self(), Port,
                     make_ref(), fun erlang:abs/1, fun() -> Config end, lists:seq(1, 100000)]],
    port_close(Port),
    fx:unload(fx_load).

load_asks_the_vm(Config) ->
    ok = load(Config, 1, [{ask, self()}]),
    Self = self(),
    receive {own_env, Term} -> ?assertEqual({Self, [1.5]}, Term) after 0 -> error(no_message) end,
    receive {no_env, 0} -> ok after 0 -> error(no_message) end,
    ok = reload(Config, 2, [{ask, self()}]),
    receive {no_env, 0} -> ok after 0 -> error(no_message) end,
    logged(Config, ["load 1 by 1, init 1", "ask 0 wrong",
                    "upgrade 2 by 1, init 2, old 1", "ask 0 wrong"]),
    receive {own_env, _} -> ok end.

%%% What load_nif refuses

not_loaded_again(Config) ->
    ok = load(Config, 1, []),
    Error = fx_life:load_nif(fx:path(fx_life), info(Config, 2, [])),
    ?assertMatch({error, {reload, "NIF library already loaded" ++ _}}, Error),
    ?assertEqual(1, fx_life:value()),
    fx:same(Config, not_loaded_again, Error).

old_code_loads_nothing(Config) ->
    ok = at_on_load(skip),
    ok = load(Config, 1, []),
    Server = spawn_server(),
    ok = reload(Config, 2, []),
    Error = ask(Server, {load_nif, fx:path(fx_life), info(Config, 2, [])}),
    ?assertMatch({error, {old_code, _}}, Error),
    fx:same(Config, old_code_loads_nothing, Error),
    stop(Server).

%% The library is for another module than the one that loads it.
wrong_name(Config) ->
    Error = load_from(Config, fx_life_other, ""),
    ?assertMatch({error, {bad_lib, "Library module name 'fx_life' does not match calling module "
                                   "'fx_life_other'" ++ _}}, Error),
    fx:same(Config, wrong_name, Error).

missing_function(Config) ->
    Error = load_from(Config, fx_life, "-export([value/0]). value() -> 1. "),
    ?assertMatch({error, {bad_lib, "Function not found fx_life:" ++ _}}, Error),
    fx:same(Config, missing_function, Error).

duplicate_function(Config) ->
    Error = fx:try_load(fx_life_twice, #{shim => is_isolated(Config)}),
    ?assertMatch({error, {bad_lib, "Duplicate NIF entry for" ++ _}}, Error),
    fx:same(Config, duplicate_function, Error).

not_declared(Config) ->
    Error = load_from(Config, fx_life, "-nifs([value/0]). " ++ all_functions()),
    ?assertMatch({error, {bad_lib, "Function not declared as nif" ++ _}}, Error),
    fx:same(Config, not_declared, Error).

%% Those that the library does not have stay as they are.
declared(Config) ->
    ok = load_from(Config, fx_life,
                   "-nifs([variant/0, value/0, statics/0, os_pid/0, new_resource/2, resource/2, "
                   "wait_ms/1, wait_later/2, wait_for_file/1, more/0]). "
                   "-export([more/0]). " ++ all_functions() ++ "more() -> in_erlang. "),
    ?assertEqual({1, 1, in_erlang},
                 {fx_life:value(), fx_life:variant(), apply(fx_life, more, [])}).

no_library(Config) ->
    Path = filename:join(proplists:get_value(priv_dir, Config), "no_such_library"),
    Error = fx:try_load(fx_life, #{path => Path, shim => is_isolated(Config)}),
    ?assertMatch({error, {load_failed, "Failed to load NIF library" ++ _}}, Error).

%%% Upgrade

upgrade_from_same_file(Config) ->
    ok = load(Config, 1, []),
    {_, _, Count} = fx_life:statics(),
    Server = spawn_server(),
    ok = reload(Config, 2, []),
    ?assertEqual({2, 1}, {fx_life:value(), ask(Server, value)}),
    ?assertEqual({1, 2, Count + 1}, fx_life:statics()),
    stop(Server),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 1, init 2, old 1", "unload 1 by 1"]),
    ?assertEqual(2, fx_life:value()),
    fx:unload(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 1, init 2, old 1", "unload 1 by 1",
                    "unload 2 by 1", "destructor 1"]).

upgrade_from_other_file(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    ok = reload(Config, 2, [], b),
    ?assertEqual({2, 1}, {fx_life:value(), ask(Server, value)}),
    ?assertEqual({2, 1}, {fx_life:variant(), ask(Server, variant)}),
    ?assertEqual({1, 1, 1}, fx_life:statics()),
    stop(Server),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 2, init 1, old 1", "unload 1 by 1",
                    "destructor 1"]),
    ok = reload(Config, 3, []),
    ?assertEqual({1, 3}, {fx_life:variant(), fx_life:value()}),
    fx:unload(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 2, init 1, old 1", "unload 1 by 1",
                    "destructor 1", "upgrade 3 by 1, init 1, old 2", "unload 2 by 2",
                    "destructor 2", "unload 3 by 1", "destructor 1"]).

%% Old code that has no library: a load.
upgrade_from_nothing(Config) ->
    ok = at_on_load(skip),
    ok = load(Config, 1, []),
    ok = at_on_load(load),
    ok = reload(Config, 2, []),
    ?assertEqual(2, fx_life:value()),
    logged(Config, ["load 2 by 1, init 1"]).

%% New code that loads none.
upgrade_to_nothing(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    ok = at_on_load(skip),
    ok = reload(Config, 2, []),
    ?assertError({not_loaded, fx_life}, fx_life:value()),
    ?assertEqual(1, ask(Server, value)),
    stop(Server),
    logged(Config, ["load 1 by 1, init 1"]),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "unload 1 by 1", "destructor 1"]).

upgrade_again_and_again(Config) ->
    ok = load(Config, 0, []),
    [begin
         ok = reload(Config, N, [], case N rem 3 of 0 -> a; _ -> b end),
         ?assertEqual({N, case N rem 3 of 0 -> 1; _ -> 2 end}, {fx_life:value(), fx_life:variant()}),
         true = code:soft_purge(fx_life)
     end || N <- lists:seq(1, 20)],
    fx:unload(fx_life),
    fx:wait_until(fun() -> length(log(Config)) >= 21 + 21 + 14 end),
    fx:same(Config, upgrade_again_and_again, log(Config)).

upgrade_fails(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, 5),
    Error = reload(Config, 2, [{return, 3}]),
    ?assertMatch({error, {upgrade, "Library upgrade-call unsuccessful (3)."}}, Error),
    ?assertEqual({1, 5}, {fx_life:value(), fx_life:resource(thing, Thing)}),
    ok = reload(Config, 3, []),
    ?assertEqual(3, fx_life:value()),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1",
                    "upgrade 2 by 1, init 2, old 1", "upgrade 3 by 1, init 3, old 1"]),
    dropped(Thing).

upgrade_fails_from_other_file(Config) ->
    ok = load(Config, 1, []),
    Error = reload(Config, 2, [{return, -5}], b),
    ?assertMatch({error, {upgrade, "Library upgrade-call unsuccessful (-5)."}}, Error),
    ?assertEqual({1, 1}, {fx_life:value(), fx_life:variant()}),
    ok = reload(Config, 3, [], b),
    ?assertEqual({3, 2}, {fx_life:value(), fx_life:variant()}),
    fx:unload(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 2, init 1, old 1", "destructor 2",
                    "upgrade 3 by 2, init 1, old 1", "unload 1 by 1", "destructor 1",
                    "unload 3 by 2", "destructor 2"]).

upgrade_changes_old_private_data(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    ok = reload(Config, 2, [{set_old, 100}]),
    ?assertEqual({2, 100}, {fx_life:value(), ask(Server, value)}),
    stop(Server),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 1, init 2, old 1", "unload 100 by 1"]).

failed_upgrade_restores_old_private_data(Config) ->
    ok = load(Config, 1, []),
    [begin
         {error, {upgrade, _}} = reload(Config, 2, [{set_old, 100}, {return, 1}], Build),
         ?assertEqual(1, fx_life:value())
     end || Build <- [a, b]],
    fx:unload(fx_life),
    fx:wait_until(fun() -> lists:member("unload 1 by 1", log(Config)) end).

%%% Resource types

type_taken_over(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, 5),
    ok = reload(Config, 2, [{open, thing, ?TAKEOVER, true}]),
    ?assertEqual(5, fx_life:resource(thing, Thing)),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1",
                    "upgrade 2 by 1, init 2, old 1", "open thing done tried 2", "unload 1 by 1"]),
    ?assertEqual(5, fx_life:resource(thing, Thing)),
    dropped(Thing),
    fx:wait_until(fun() -> lists:last(log(Config)) =:= "destroy 5 by 1 of 2" end).

type_taken_over_from_other_file(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, 5),
    ok = reload(Config, 2, [{open, thing, ?CREATE bor ?TAKEOVER, true}], b),
    ?assertEqual(5, fx_life:resource(thing, Thing)),
    true = code:soft_purge(fx_life),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1",
                    "upgrade 2 by 2, init 1, old 1", "open thing done tried 2", "unload 1 by 1",
                    "destructor 1"]),
    ?assertEqual(5, fx_life:resource(thing, Thing)),
    dropped(Thing),
    fx:wait_until(fun() -> lists:last(log(Config)) =:= "destroy 5 by 2 of 2" end).

%% The old destructor, with the old private data.
failed_takeover(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, 5),
    [begin
         {error, {upgrade, _}} = reload(Config, 2, [{open, thing, ?TAKEOVER, true}, {return, 1}], Build),
         ?assertEqual(5, fx_life:resource(thing, Thing))
     end || Build <- [a, b]],
    dropped(Thing),
    fx:wait_until(fun() -> lists:last(log(Config)) =:= "destroy 5 by 1 of 1" end),
    New = fx_life:new_resource(thing, 6),
    ?assertEqual(6, fx_life:resource(thing, New)).

%% What a failed upgrade has opened is not there for the next one.
failed_new_type(Config) ->
    ok = load(Config, 1, []),
    {error, {upgrade, _}} = reload(Config, 2, [{open, more, ?CREATE, true}, {return, 1}]),
    ok = reload(Config, 3, [{open, more, ?TAKEOVER, true}, {open, more, ?CREATE, true}]),
    More = fx_life:new_resource(more, 7),
    ?assertEqual(7, fx_life:resource(more, More)),
    logged(Config, ["load 1 by 1, init 1", "upgrade 2 by 1, init 2, old 1",
                    "open more done tried 1", "upgrade 3 by 1, init 3, old 1",
                    "open more failed tried 2", "open more done tried 1"]),
    dropped(More).

not_created(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    ok = reload(Config, 2, [{open, thing, ?CREATE, true}]),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1",
                    "upgrade 2 by 1, init 2, old 1", "open thing failed tried 1"]).

%% The old code's type goes with it, and with its last resource.
not_taken_over(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, 5),
    ok = reload(Config, 2, []),
    ?assertEqual(5, fx_life:resource(thing, Thing)),
    true = code:soft_purge(fx_life),
    timer:sleep(100),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1",
                    "upgrade 2 by 1, init 2, old 1"]),
    dropped(Thing),
    logged(Config, ["load 1 by 1, init 1", "open thing done tried 1",
                    "upgrade 2 by 1, init 2, old 1", "destroy 5 by 1 of 1", "unload 1 by 1"]),
    ?assertEqual(2, fx_life:value()).

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
    fx:wait_until(fun() -> lists:member("wait begins", log(Config)) end),
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
    fx:wait_until(fun() -> lists:member("wait begins", log(Config)) end),
    [exit(Caller, kill) || {Caller, _} <- Callers],
    [receive {'DOWN', Monitor, process, Caller, _} -> ok end || {Caller, Monitor} <- Callers],
    fx:unload(fx_life),
    fx:wait_until(fun() -> lists:last(log(Config)) =:= "destructor 1" end),
    Log = log(Config),
    ?assertEqual(length([L || "wait begins" = L <- Log]), length([L || "wait ends 1" = L <- Log])),
    ?assertEqual(["unload 1 by 1", "destructor 1"], lists:nthtail(length(Log) - 2, Log)).

%% A call of the new code does not keep the old one.
unload_does_not_wait_for_new_code(Config) ->
    Flag = filename:join(proplists:get_value(priv_dir, Config), "unload_does_not_wait"),
    _ = file:delete(Flag),
    ok = load(Config, 1, []),
    ok = reload(Config, 2, []),
    {_, Monitor} = spawn_monitor(fun() -> exit(fx_life:wait_for_file(list_to_binary(Flag))) end),
    fx:wait_until(fun() -> lists:member("wait begins", log(Config)) end),
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
    [Line || "unload" ++ _ = Line <- log(Config)].

soft_purge_refused(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    ok = reload(Config, 2, []),
    ?assertEqual(false, code:soft_purge(fx_life)),
    ?assertEqual({2, 1}, {fx_life:value(), ask(Server, value)}),
    stop(Server),
    ?assertEqual(true, code:soft_purge(fx_life)),
    fx:wait_until(fun() -> lists:member("unload 1 by 1", log(Config)) end).

purge_kills_users(Config) ->
    ok = load(Config, 1, []),
    Server = spawn_server(),
    Monitor = monitor(process, Server),
    ok = reload(Config, 2, []),
    ?assertEqual(true, code:purge(fx_life)),
    receive {'DOWN', Monitor, process, Server, Reason} -> ?assertEqual(killed, Reason) end,
    fx:wait_until(fun() -> lists:member("unload 1 by 1", log(Config)) end),
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
    fx:wait_until(fun() -> lists:member("unload 1 by 1", log(Config)) end),
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

%%% The library's file

statics_start_anew(Config) ->
    [begin
         ok = load(Config, N, []),
         ?assertEqual([{1, 1, 1}, {1, 1, 2}], [fx_life:statics(), fx_life:statics()])
     end || N <- [1, 2, 3]].

statics_of_an_image_are_shared(Config) ->
    Link = filename:join(proplists:get_value(priv_dir, Config),
                         lists:concat([proplists:get_value(mode, Config), "_fx_life"])),
    _ = file:delete(Link ++ ".so"),
    ok = file:make_symlink(fx:library(fx_life) ++ ".so", Link ++ ".so"),
    ok = load(Config, 1, []),
    {1, 1, 1} = fx_life:statics(),
    ok = reload(Config, 2, [], Link),
    ?assertEqual({1, 2, 2}, fx_life:statics()),
    true = code:soft_purge(fx_life),
    ?assertEqual({1, 2, 3}, fx_life:statics()).

%% In a process that has other libraries and so lives on.
unmapped(Config) ->
    Group = #{group => "lifecycle"},
    ok = fx:load(proplists:get_value(mode, Config), fx_group_a, #{options => Group}),
    OsPid = fx_group_a:os_pid(),
    ?assertEqual(0, mappings(OsPid)),
    [begin
         ok = fx:try_load(fx_life, settings(Config, N, [], a, Group)),
         ?assertEqual(OsPid, fx_life:os_pid()),
         ?assert(mappings(OsPid) > 0),
         ?assertEqual({1, 1, 1}, fx_life:statics()),
         fx:unload(fx_life),
         fx:wait_until(fun() -> mappings(OsPid) =:= 0 end)
     end || N <- lists:seq(1, 5)],
    fx:unload(fx_group_a).

mappings(OsPid) ->
    length(binary:matches(fx:maps(OsPid), <<"/fx_life.so">>)).

%%% on_load

on_load_returns_error(Config) ->
    Values = [error, {error, why}, false, []],
    [failed_on_load(Config, fun() -> Value end) || Value <- Values],
    ok = fx_life_loaded(Config, length(Values)).

on_load_crashes(Config) ->
    [failed_on_load(Config, What) || What <- [fun() -> exit(why) end, fun() -> error(why) end]],
    ok = fx_life_loaded(Config, 2).

failed_on_load(Config, What) ->
    ok = at_on_load(What),
    ?assertError({badmatch, {error, on_load_failure}}, load(Config, 1, [])),
    ?assertEqual(false, code:is_loaded(fx_life)).

%% As often loaded as unloaded.
fx_life_loaded(Config, N) ->
    logged(Config, lists:append(lists:duplicate(N, ["load 1 by 1, init 1", "unload 1 by 1",
                                                    "destructor 1"]))).

on_load_without_load_nif(Config) ->
    ok = at_on_load(skip),
    ok = load(Config, 1, []),
    ?assertError({not_loaded, fx_life}, fx_life:value()),
    logged(Config, []).

load_nif_later(Config) ->
    ok = at_on_load(skip),
    ok = load(Config, 1, []),
    Server = spawn_server(),
    ?assertEqual(ok, fx_life:load_nif(fx:path(fx_life), info(Config, 2, []))),
    ?assertEqual({2, 2}, {fx_life:value(), ask(Server, value)}),
    stop(Server),
    fx:unload(fx_life),
    logged(Config, ["load 2 by 1, init 1", "unload 2 by 1", "destructor 1"]).

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
    Log = log(Config),
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

%%% Helpers

load(Config, Value, Actions) ->
    fx:try_load(fx_life, settings(Config, Value, Actions, a, none)).

reload(Config, Value, Actions) ->
    reload(Config, Value, Actions, a).

%% Build: a, b, or the path of another file.
reload(Config, Value, Actions, Build) ->
    _ = code:purge(fx_life),
    fx:reload(fx_life, settings(Config, Value, Actions, Build, none)).

settings(Config, Value, Actions, Build, Options) ->
    Settings = #{shim => is_isolated(Config), info => info(Config, Value, Actions),
                 path => case Build of
                             a -> fx:library(fx_life);
                             b -> fx:library(fx_life_b);
                             Path -> Path
                         end},
    case Options of
        none -> Settings;
        _ -> Settings#{options => Options}
    end.

info(Config, Value, Actions) ->
    {list_to_binary(proplists:get_value(log, Config)), Value, Actions}.

is_isolated(Config) ->
    proplists:get_value(mode, Config) =:= isolated.

log(Config) ->
    {ok, Log} = file:read_file(proplists:get_value(log, Config)),
    string:lexemes(binary_to_list(Log), "\n").

%% In OTP 27 a library is unloaded a moment after the purge.
logged(Config, Expected) ->
    try fx:wait_until(fun() -> log(Config) =:= Expected end, 2000)
    catch error:{condition_never_held, _} -> ?assertEqual(Expected, log(Config))
    end.

%% See fx_life:init/0.
at_on_load(What) ->
    persistent_term:put({fx_life, on_load}, What).

spawn_server() ->
    spawn(fx_life, serve, []).

ask(Server, What) ->
    Monitor = monitor(process, Server),
    Server ! {self(), What},
    receive
        {Server, Answer} -> demonitor(Monitor, [flush]), Answer;
        {'DOWN', Monitor, process, Server, Reason} -> error(Reason)
    end.

stop(Process) ->
    Monitor = monitor(process, Process),
    exit(Process, kill),
    receive {'DOWN', Monitor, process, Process, _} -> ok end.

%% The caller has no use for the term from here on.
dropped(_Term) ->
    erlang:garbage_collect().

%% Code of the module that differs from its file: loads the library with its own text.
load_from(Config, Module, Text) ->
    fx:unload(Module),
    Whole = lists:concat(["-module(", Module, "). -on_load(on_load/0). ",
                          Text,
                          "on_load() -> conformance_lifecycle_SUITE:on_load(fun load/0). "
                          "load() -> erlang:load_nif(conformance_lifecycle_SUITE:path(), "
                          "conformance_lifecycle_SUITE:own_info()). "]),
    Path = case is_isolated(Config) of
               true -> cordon:shim(fx:library(fx_life));
               false -> fx:library(fx_life)
           end,
    persistent_term:put({?MODULE, load_nif}, {Path, info(Config, 1, [])}),
    {ok, Module, Binary} = compile:forms(forms(Whole), [nowarn_unused_function]),
    _ = code:load_binary(Module, atom_to_list(Module) ++ ".beam", Binary),
    persistent_term:get({?MODULE, result}).

path() -> element(1, persistent_term:get({?MODULE, load_nif})).
own_info() -> element(2, persistent_term:get({?MODULE, load_nif})).

on_load(Load) ->
    Result = Load(),
    persistent_term:put({?MODULE, result}, Result),
    Result.

forms(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    forms(Tokens, []).

forms([], []) ->
    [];
forms([{dot, _} = Dot | Rest], Form) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse([Dot | Form])),
    [Parsed | forms(Rest, [])];
forms([Token | Rest], Form) ->
    forms(Rest, [Token | Form]).

all_functions() ->
    "-export([variant/0, value/0, statics/0, os_pid/0, new_resource/2, resource/2, "
    "wait_ms/1, wait_later/2, wait_for_file/1]). "
    "variant() -> 0. value() -> 0. statics() -> 0. os_pid() -> 0. new_resource(_, _) -> 0. "
    "resource(_, _) -> 0. wait_ms(_) -> 0. wait_later(_, _) -> 0. "
    "wait_for_file(_) -> 0. ".
