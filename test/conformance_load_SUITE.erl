%%% Load, natively and isolated: what it returns, what it refuses, what the library is called for,
%%% and the file that it comes from.
-module(conformance_load_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(life, [all_functions/0, ask/2, at_on_load/1, info/3, is_isolated/1, load/3, load_from/3,
               logged/2, reload/3, reload/4, settings/5, spawn_server/0, stop/1]).

-define(CASES,
        [load_and_purge, nothing_to_unload_twice, load_fails, load_fails_by_any_number,
         load_raises, no_private_data, load_info_of_every_kind, load_asks_the_vm,
         not_loaded_again, old_code_loads_nothing, wrong_name, missing_function,
         duplicate_function, not_declared, declared, no_library, statics_start_anew,
         statics_of_an_image_are_shared, unmapped, on_load_returns_error, on_load_crashes,
         on_load_without_load_nif, load_nif_later]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> ok.
init_per_testcase(Case, Config) -> life:init(Case, Config).
end_per_testcase(_Case, _Config) -> fx:unload(fx_life).

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
