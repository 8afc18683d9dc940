%%% The process that a library runs in looks as the VM's does: working directory,
%%% environment, locale, limits. All in nodes of their own, natively and isolated.
-module(surroundings_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    both_modes:all() ++
        [directory_of_a_restarted_host, directory_that_goes_away,
         keeper_of_a_bound_scheduler].

groups() -> both_modes:groups(both_ways()).
both_ways() ->
    [directory_is_followed, directory_while_calls_are_hot, many_processes,
     environment, locale, mask_and_limits].

suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> ok.

init_per_testcase(Case, Config) ->
    Dir = filename:join([proplists:get_value(priv_dir, Config),
                         proplists:get_value(mode, Config, only), Case]),
    Dirs = [filename:join(Dir, Name) || Name <- ["a", "b"]],
    [begin
         ok = filelib:ensure_path(D),
         ok = file:write_file(filename:join(D, "name"), filename:basename(D))
     end || D <- Dirs],
    Settings = #{env => [{"CORDON_FIXTURES", os:getenv("CORDON_FIXTURES")},
                         {"FROM_THE_START", "yes"}, {"LC_ALL", "C.UTF-8"}]},
    {ok, Node} = test_node:start(Settings),
    ok = on(Node, fx, load, [proplists:get_value(mode, Config, isolated), fx_surroundings]),
    [{node, Node}, {dirs, Dirs} | Config].

end_per_testcase(_Case, Config) ->
    test_node:stop(proplists:get_value(node, Config)).

on(Node, Module, Function, Args) ->
    test_node:call(Node, Module, Function, Args).

nif(Config, Function, Args) ->
    on(proplists:get_value(node, Config), fx_surroundings, Function, Args).

on_node(Config, Function) ->
    on(proplists:get_value(node, Config), ?MODULE, Function, [proplists:get_value(dirs, Config)]).

%% --- natively and isolated -------------------------------------------------------

directory_is_followed(Config) ->
    Node = proplists:get_value(node, Config),
    ?assertEqual(on(Node, file, get_cwd, []), {ok, nif(Config, cwd, [])}),
    [begin
         ok = on(Node, file, set_cwd, [Dir]),
         ?assertEqual(Dir, nif(Config, Function, [])),
         ?assertEqual(filename:basename(Dir), nif(Config, read_file, ["name"]))
     end || Function <- [cwd, cwd_dirty, cwd], Dir <- proplists:get_value(dirs, Config)],
    [A, B] = proplists:get_value(dirs, Config),
    ok = on(Node, file, set_cwd, [A]),
    ok = on(Node, file, set_cwd, ["../b"]),
    ?assertEqual(B, nif(Config, cwd, [])),
    ?assertEqual({error, enoent}, on(Node, file, set_cwd, ["nowhere"])),
    ?assertEqual(B, nif(Config, cwd, [])),
    ?assertEqual("a", nif(Config, read_file, ["../a/name"])).

%% The worker is awake, nothing but the change makes the call look.
directory_while_calls_are_hot(Config) ->
    ?assertEqual(ok, on_node(Config, hot_calls)).

hot_calls(Dirs) ->
    [begin
         [Before | _] = [fx_surroundings:cwd() || _ <- lists:seq(1, 50)],
         ok = prim_file:set_cwd(Dir),
         {Dir, Dir, _} = {fx_surroundings:cwd(), fx_surroundings:cwd(), Before}
     end || _ <- lists:seq(1, 100), Dir <- Dirs],
    ok.

%% Whoever is told of a change after it was made sees it.
many_processes(Config) ->
    ?assertEqual(ok, on_node(Config, told)).

told(Dirs) ->
    Loop = fun Loop() ->
                   receive {look, From, Dir} ->
                           From ! {self(), Dir =:= fx_surroundings:cwd()},
                           Loop()
                   end
           end,
    Others = [spawn_link(Loop) || _ <- lists:seq(1, 8)],
    [begin
         ok = file:set_cwd(Dir),
         [Other ! {look, self(), Dir} || Other <- Others],
         [receive {Other, Same} -> true = Same end || Other <- Others]
     end || _ <- lists:seq(1, 30), Dir <- Dirs],
    [begin unlink(Other), exit(Other, kill) end || Other <- Others],
    ok.

%% os:putenv/2 changes what the VM knows, not the C library's environment: the
%% former is what enif_getenv gives.
environment(Config) ->
    Node = proplists:get_value(node, Config),
    fx:same(Config, environment, lists:sort(nif(Config, environment, []))),
    ?assertEqual({"yes", "yes"}, nif(Config, variable, ["FROM_THE_START"])),
    true = on(Node, os, putenv, ["FROM_THE_START", "no"]),
    true = on(Node, os, putenv, ["LATER", "1"]),
    ?assertEqual({"yes", "no"}, nif(Config, variable, ["FROM_THE_START"])),
    ?assertEqual({none, "1"}, nif(Config, variable, ["LATER"])),
    true = on(Node, os, unsetenv, ["FROM_THE_START"]),
    ?assertEqual({"yes", none}, nif(Config, variable, ["FROM_THE_START"])).

locale(Config) ->
    fx:same(Config, locale, nif(Config, locale, [])).

mask_and_limits(Config) ->
    fx:same(Config, file_mask, nif(Config, file_mask, [])),
    fx:same(Config, open_files, nif(Config, open_files, [])),
    fx:same(Config, cpus, nif(Config, cpus, [])).

%% --- isolated --------------------------------------------------------------------

directory_of_a_restarted_host(Config) ->
    Node = proplists:get_value(node, Config),
    [A, B] = proplists:get_value(dirs, Config),
    ok = on(Node, file, set_cwd, [A]),
    ?assertEqual(A, nif(Config, cwd, [])),
    [#{host := Host}] = on(Node, fx, hosts, [fx_surroundings]),
    ok = on(Node, cordon_nif, stop_host, [Host]),
    ok = on(Node, file, set_cwd, [B]),
    ?assertEqual(B, nif(Config, cwd, [])).

%% A removed directory is still the working directory.
directory_that_goes_away(Config) ->
    Node = proplists:get_value(node, Config),
    [A, B] = proplists:get_value(dirs, Config),
    ok = on(Node, file, set_cwd, [A]),
    ok = file:del_dir_r(A),
    ?assertEqual({error, enoent}, on(Node, file, get_cwd, [])),
    Enoent = 2,
    ?assertEqual(Enoent, nif(Config, cwd, [])),
    ok = on(Node, file, set_cwd, [B]),
    ?assertEqual(B, nif(Config, cwd, [])).

%% The scheduler that starts the keeper may be bound to one CPU; hosts are not. With
%% a shim that is there already the module's own load is the first that needs a host.
keeper_of_a_bound_scheduler(Config) ->
    Shim = cordon:shim(fx:library(fx_surroundings)),
    {ok, Node} = test_node:start(["+sbt", "db"]),
    ok = on(Node, fx, load, [native, fx_surroundings, #{path => Shim}]),
    ?assertNotEqual(list_to_integer(test_node:os_pid(Node)), on(Node, fx_surroundings, os_pid, [])),
    ?assertEqual(nif(Config, cpus, []), on(Node, fx_surroundings, cpus, [])),
    test_node:stop(Node).
