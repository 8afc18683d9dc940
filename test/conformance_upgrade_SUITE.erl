%%% Upgrade, natively and isolated: what it returns, what the library is called for and in which
%%% order, and what becomes of the resource types.
-module(conformance_upgrade_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(life, [ask/2, at_on_load/1, dropped/1, load/3, logged/2, reload/3, reload/4,
               spawn_server/0, stop/1]).

-define(CREATE, 1).
-define(TAKEOVER, 2).

-define(CASES,
        [upgrade_from_same_file, upgrade_from_other_file, upgrade_from_nothing,
         upgrade_to_nothing, upgrade_again_and_again, upgrade_fails,
         upgrade_fails_from_other_file, upgrade_changes_old_private_data,
         failed_upgrade_restores_old_private_data, type_taken_over,
         type_taken_over_from_other_file, failed_takeover, failed_new_type, not_created,
         not_taken_over]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> ok.
init_per_testcase(Case, Config) -> life:init(Case, Config).
end_per_testcase(_Case, _Config) -> fx:unload(fx_life).

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
    fx:wait_until(fun() -> length(case_log:lines(Config)) >= 21 + 21 + 14 end),
    fx:same(Config, upgrade_again_and_again, case_log:lines(Config)).

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
    fx:wait_until(fun() -> lists:member("unload 1 by 1", case_log:lines(Config)) end).

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
    fx:wait_until(fun() -> lists:last(case_log:lines(Config)) =:= "destroy 5 by 1 of 2" end).

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
    fx:wait_until(fun() -> lists:last(case_log:lines(Config)) =:= "destroy 5 by 2 of 2" end).

%% The old destructor, with the old private data.
failed_takeover(Config) ->
    ok = load(Config, 1, [{open, thing, ?CREATE, true}]),
    Thing = fx_life:new_resource(thing, 5),
    [begin
         {error, {upgrade, _}} = reload(Config, 2, [{open, thing, ?TAKEOVER, true}, {return, 1}], Build),
         ?assertEqual(5, fx_life:resource(thing, Thing))
     end || Build <- [a, b]],
    dropped(Thing),
    fx:wait_until(fun() -> lists:last(case_log:lines(Config)) =:= "destroy 5 by 1 of 1" end),
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
