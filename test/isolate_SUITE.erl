%%% Applications isolated by configuration alone, in nodes of their own.
-module(isolate_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include_lib("kernel/include/file.hrl").

all() ->
    [by_config_file, ways_to_the_library, application_in_other_directory, directory_of_two_names,
     options_reach_the_host, nothing_installed_is_altered, loaded_before,
     loaded_before_by_running_code, start_twice, stop_restores_the_path,
     no_nif_stays_a_link, own_module, own_module_before_start, several_nodes_at_once,
     several_modules_at_once,
     embedded_mode, another_user].

suite() ->
    [{timetrap, {seconds, 90}}].

init_per_testcase(Case, Config) ->
    Cache = filename:join([proplists:get_value(priv_dir, Config), Case, "cache"]),
    [{cache, Cache} | Config].

by_config_file(Config) ->
    Node = node_with(Config, [jiffy, fast_xml]),
    ok = call(Node, application, start, [cordon]),
    ?assertEqual({[{<<"a">>, [1]}]}, call(Node, jiffy, decode, [<<"{\"a\":[1]}">>])),
    ?assertEqual({xmlel, <<"a">>, [], []}, call(Node, fxml_stream, parse_element, [<<"<a/>">>])),
    ?assertEqual(<<"<a/>">>, call(Node, fxml, element_to_binary, [{xmlel, <<"a">>, [], []}])),
    ?assertEqual([fxml, fxml_stream, jiffy],
                 lists:sort([M || #{module := M} <- call(Node, cordon, which_hosts, [])])),
    Maps = fx:maps(test_node:os_pid(Node)),
    [?assertEqual(nomatch, binary:match(Maps, list_to_binary(Dir))) || Dir <- installed()],
    ?assertMatch(#{isolated := [#{application := jiffy}, #{application := fast_xml}]},
                 call(Node, cordon, info, [])),
    test_node:stop(Node).

%% An application's own ways of finding its library lead to the shadow.
ways_to_the_library(Config) ->
    Node = node_with(Config, [jiffy, fast_xml]),
    ok = call(Node, application, start, [cordon]),
    Shadows = filename:join(proplists:get_value(cache, Config), "shadows"),
    [begin
         Found = call(Node, code, F, [A]),
         ?assertEqual({F, A, true}, {F, A, lists:prefix(Shadows, Found)}),
         ?assert(lists:suffix(End, Found))
     end || {F, A, End} <- [{priv_dir, jiffy, "/" ++ base(jiffy) ++ "/priv"},
                            {lib_dir, jiffy, "/" ++ base(jiffy)},
                            {which, jiffy, "/ebin/jiffy.beam"},
                            {lib_dir, p1_xml, "/" ++ base(p1_xml)},
                            {priv_dir, p1_xml, "/" ++ base(p1_xml) ++ "/priv"},
                            {which, fxml, "/ebin/fxml.beam"},
                            {which, fxml_stream, "/ebin/fxml_stream.beam"},
                            {where_is_file, "fast_xml.app", "/ebin/fast_xml.app"}]],
    test_node:stop(Node).

application_in_other_directory(Config) ->
    ?assertNotEqual("fast_xml", hd(string:split(filename:basename(code:lib_dir(p1_xml)), "-"))),
    Node = node_with(Config, [fast_xml]),
    ok = call(Node, application, start, [cordon]),
    ok = call(Node, application, load, [fast_xml]),
    {ok, _} = call(Node, application, ensure_all_started, [fast_xml]),
    ?assertMatch({ok, [_ | _]}, call(Node, application, get_key, [fast_xml, modules])),
    ?assertEqual(<<"<a/>">>, call(Node, fxml, element_to_binary, [{xmlel, <<"a">>, [], []}])),
    test_node:stop(Node).

%% Both lead to the shadow, whichever of them is found first.
directory_of_two_names(Config) ->
    {App, Ebin} = sleeper(Config),
    Other = filename:join(filename:dirname(App), "dozer-1"),
    ok = file:make_symlink(filename:basename(App), Other),
    Shadows = filename:join(proplists:get_value(cache, Config), "shadows"),
    [begin
         Node = node_with(Config, [sleeper]),
         Path = call(Node, code, get_path, []),
         ok = call(Node, code, add_pathsa, [Ebins]),
         ok = call(Node, application, start, [cordon]),
         [begin
              Dir = call(Node, code, priv_dir, [Name]),
              ?assertEqual({Name, true}, {Name, lists:prefix(Shadows, Dir)}),
              ?assertMatch({ok, #file_info{type = regular}},
                           file:read_link_info(filename:join(Dir, "x.so")))
          end || Name <- [sleeper, dozer]],
         ok = call(Node, application, stop, [cordon]),
         ?assertEqual(lists:reverse(Ebins) ++ Path, call(Node, code, get_path, [])),
         test_node:stop(Node)
     end || Ebins <- [[Ebin, filename:join(Other, "ebin")], [filename:join(Other, "ebin"), Ebin]]],
    ok = file:delete(Other).

options_reach_the_host(Config) ->
    Node = node_with(Config, [{fast_xml, #{stack_size => 65536 * 2}}]),
    ok = call(Node, application, start, [cordon]),
    Tree = lists:foldl(fun(_, T) -> {xmlel, <<"a">>, [], [T]} end, {xmlel, <<"a">>, [], []},
                       lists:seq(1, 20000)),
    ?assertMatch({error, {nif_host_down, #{reason := {signal, sigsegv}}}},
                 call(Node, ?MODULE, outcome, [fxml, element_to_binary, [Tree]])),
    test_node:stop(Node).

outcome(M, F, A) ->
    try {ok, apply(M, F, A)}
    catch Class:Reason -> {Class, Reason}
    end.

nothing_installed_is_altered(Config) ->
    Before = [tree(Dir) || Dir <- installed()],
    Node = node_with(Config, [jiffy, fast_xml]),
    ok = call(Node, application, start, [cordon]),
    1 = call(Node, jiffy, decode, [<<"1">>]),
    <<"<a/>">> = call(Node, fxml, element_to_binary, [{xmlel, <<"a">>, [], []}]),
    test_node:stop(Node),
    ?assertEqual(Before, [tree(Dir) || Dir <- installed()]).

%% Modules that had their library natively get it through the shim.
loaded_before(Config) ->
    Node = node_with(Config, [jiffy, fast_xml]),
    1 = call(Node, jiffy, decode, [<<"1">>]),
    {xmlel, _, _, _} = call(Node, fxml_stream, parse_element, [<<"<a/>">>]),
    Library = list_to_binary(filename:join(code:priv_dir(jiffy), "jiffy.so")),
    ?assertMatch({_, _}, binary:match(fx:maps(test_node:os_pid(Node)), Library)),
    ok = call(Node, application, start, [cordon]),
    ?assertEqual(nomatch, binary:match(fx:maps(test_node:os_pid(Node)), Library)),
    2 = call(Node, jiffy, decode, [<<"2">>]),
    ?assertEqual([fxml_stream, jiffy],
                 lists:sort([M || #{module := M} <- call(Node, cordon, which_hosts, [])])),
    test_node:stop(Node).

%% No process is killed for it: the start is refused with the reason.
loaded_before_by_running_code(Config) ->
    {App, Ebin} = sleeper(Config),
    Node = node_with(Config, [sleeper]),
    true = call(Node, code, add_patha, [Ebin]),
    Pid = call(Node, erlang, spawn, [sleeper, sleep, []]),
    timer:sleep(100),
    {error, {{cordon, [Text]}, _}} = call(Node, application, start, [cordon]),
    ?assertMatch([_ | _], string:find(Text, "start cordon before sleeper")),
    ?assertEqual(true, call(Node, erlang, is_process_alive, [Pid])),
    ?assertEqual(filename:join(App, "priv"), call(Node, code, priv_dir, [sleeper])),
    test_node:stop(Node).

sleeper(Config) ->
    App = filename:join(proplists:get_value(priv_dir, Config), "sleeper-1"),
    Ebin = filename:join(App, "ebin"),
    ok = filelib:ensure_path(Ebin),
    ok = filelib:ensure_path(filename:join(App, "priv")),
    Source = filename:join(App, "sleeper.erl"),
    ok = file:write_file(Source, "-module(sleeper).\n-export([sleep/0]).\n"
                                 "sleep() -> receive stop -> ok end, ?MODULE:sleep().\n"),
    {ok, sleeper} = compile:file(Source, [{outdir, Ebin}]),
    ok = file:write_file(filename:join(Ebin, "sleeper.app"), "{application, sleeper, []}.\n"),
    {ok, _} = file:copy(fx:library(fx_bystander) ++ ".so", filename:join(App, "priv/x.so")),
    {App, Ebin}.

start_twice(Config) ->
    Node = node_with(Config, [jiffy]),
    [begin
         ok = call(Node, application, start, [cordon]),
         1 = call(Node, jiffy, decode, [<<"1">>]),
         ok = call(Node, application, stop, [cordon])
     end || _ <- [1, 2, 3]],
    ?assertMatch([#{module := jiffy}], [H || #{state := running} = H
                                                 <- call(Node, cordon, which_hosts, [])]),
    test_node:stop(Node).

stop_restores_the_path(Config) ->
    Node = node_with(Config, [jiffy, fast_xml]),
    Path = call(Node, code, get_path, []),
    Dirs = [call(Node, code, lib_dir, [A]) || A <- [jiffy, p1_xml]],
    ok = call(Node, application, start, [cordon]),
    ?assert(length(Path) + 2 =< length(call(Node, code, get_path, []))),
    ok = call(Node, application, stop, [cordon]),
    ?assertEqual(Path, call(Node, code, get_path, [])),
    ?assertEqual(Dirs, [call(Node, code, lib_dir, [A]) || A <- [jiffy, p1_xml]]),
    test_node:stop(Node).

%% Other files of priv are reached through links, shared libraries that are no NIF
%% libraries too.
no_nif_stays_a_link(Config) ->
    {App, Ebin} = sleeper(Config),
    Priv = filename:join(App, "priv"),
    ok = filelib:ensure_path(filename:join(Priv, "sub")),
    ok = file:write_file(filename:join(Priv, "sub/data.txt"), "data"),
    _ = file:make_symlink("..", filename:join(Priv, "sub/loop")),
    _ = file:make_symlink("nowhere", filename:join(Priv, "dangling")),
    {ok, _} = file:copy(fx:library(fx_noinit) ++ ".so", filename:join(Priv, "plain.so")),
    Node = node_with(Config, [sleeper]),
    true = call(Node, code, add_patha, [Ebin]),
    ok = call(Node, application, start, [cordon]),
    Shadow = call(Node, code, priv_dir, [sleeper]),
    ?assertNotEqual(Priv, Shadow),
    [?assertEqual({ok, filename:join(Priv, Name)}, file:read_link(filename:join(Shadow, Name)))
     || Name <- ["sub/data.txt", "plain.so", "dangling"]],
    ?assertEqual({ok, <<"data">>}, file:read_file(filename:join(Shadow, "sub/data.txt"))),
    {ok, Template} = file:read_file(filename:join(code:priv_dir(cordon), "cordon_shim.so")),
    ?assertEqual({ok, Template}, file:read_file(filename:join(Shadow, "x.so"))),
    ?assertMatch({ok, #file_info{type = regular}},
                 file:read_link_info(filename:join(Shadow, "x.so"))),
    test_node:stop(Node).

%%% The other door: cordon:shim/2 in a module's own -on_load

own_module(Config) ->
    Node = node_with(Config, []),
    ok = call(Node, application, start, [cordon]),
    ok = call(Node, fx, load, [isolated, fx_bystander]),
    ?assertEqual(1, call(Node, fx_bystander, count, [])),
    ?assertNotEqual(list_to_integer(test_node:os_pid(Node)), call(Node, fx_bystander, os_pid, [])),
    test_node:stop(Node).

%% cordon's processes aren't needed; once started they know of the host.
own_module_before_start(Config) ->
    Node = node_with(Config, []),
    ok = call(Node, fx, load, [isolated, fx_bystander]),
    ?assertEqual(1, call(Node, fx_bystander, count, [])),
    ?assertEqual(undefined, call(Node, erlang, whereis, [cordon_sup])),
    ok = call(Node, application, start, [cordon]),
    ?assertEqual(2, call(Node, fx_bystander, count, [])),
    ?assertEqual(1, length(call(Node, supervisor, which_children, [cordon_host_sup]))),
    ok = call(Node, application, stop, [cordon]),
    ?assertEqual(3, call(Node, fx_bystander, count, [])),
    test_node:stop(Node).

%% All make the same shims and shadows in the same cache.
several_nodes_at_once(Config) ->
    Nodes = [node_with(Config, [jiffy, fast_xml]) || _ <- lists:seq(1, 4)],
    Self = self(),
    [spawn_link(fun() ->
                        ok = call(Node, application, start, [cordon]),
                        Self ! {Node, call(Node, jiffy, decode, [<<"[1]">>])}
                end) || Node <- Nodes],
    [receive {Node, Result} -> ?assertEqual([1], Result) end || Node <- Nodes],
    [test_node:stop(Node) || Node <- Nodes],
    Leftovers = filelib:wildcard("**/*.tmp", proplists:get_value(cache, Config)),
    ?assertEqual([], Leftovers).

%% The keeper is started once, whoever comes first.
several_modules_at_once(Config) ->
    Node = node_with(Config, []),
    Modules = [fx_terms, fx_data, fx_calls, fx_resource, fx_system, fx_bystander],
    ?assertEqual([ok || _ <- Modules], call(Node, ?MODULE, load_together, [Modules])),
    ?assertEqual(lists:sort(Modules),
                 lists:sort([M || #{module := M} <- call(Node, cordon, which_hosts, [])])),
    test_node:stop(Node).

load_together(Modules) ->
    Self = self(),
    Pids = [spawn_link(fun() -> Self ! {self(), fx:load(isolated, M)} end) || M <- Modules],
    [receive {Pid, Result} -> Result end || Pid <- Pids].

%% As releases run.
embedded_mode(Config) ->
    Node = node_with(Config, [jiffy], ["-mode", "embedded", "-pa", filename:dirname(code:which(jiffy))]),
    embedded = call(Node, code, get_mode, []),
    ok = call(Node, application, load, [cordon]),
    {ok, Modules} = call(Node, application, get_key, [cordon, modules]),
    [{module, M} = call(Node, code, load_file, [M]) || M <- [jiffy | Modules]],
    1 = call(Node, jiffy, decode, [<<"1">>]),
    ok = call(Node, application, start, [cordon]),
    ?assertEqual(2, call(Node, jiffy, decode, [<<"2">>])),
    ?assertMatch([#{module := jiffy}], call(Node, cordon, which_hosts, [])),
    test_node:stop(Node).

%% A user without rights and without a home: the cache is below /tmp then.
another_user(_) ->
    Root = "/tmp/cordon-test-" ++ os:getpid(),
    try test_node:start_nobody(Root) of
        {ok, Node} -> as_nobody(Node);
        {skip, _} = Skip -> Skip
    after
        file:del_dir_r(Root),
        file:del_dir_r("/tmp/cordon-65534")
    end.

as_nobody(Node) ->
    ?assertEqual("65534\n", call(Node, os, cmd, ["id -u"])),
    ok = call(Node, fx, isolate, [[jiffy]]),
    ?assertEqual([1], call(Node, jiffy, decode, [<<"[1]">>])),
    ok = call(Node, fx, load, [isolated, fx_crash]),
    ?assertMatch({error, {nif_host_down, #{reason := {signal, sigsegv}}}},
                 call(Node, ?MODULE, outcome, [fx_crash, segv, []])),
    ?assertEqual(1, call(Node, fx_crash, load_count, [])),
    ?assertMatch(#{cache_dir := {ok, "/tmp/cordon-65534"}, isolated := [_]},
                 call(Node, cordon, info, [])),
    test_node:stop(Node).

%%% Helpers

node_with(Config, Isolate) ->
    node_with(Config, Isolate, []).

node_with(Config, Isolate, Args) ->
    Cache = proplists:get_value(cache, Config),
    ok = filelib:ensure_dir(Cache),
    File = filename:join(filename:dirname(Cache), "sys.config"),
    Terms = [{cordon, [{isolate, Isolate}, {cache_dir, Cache}]}],
    ok = file:write_file(File, io_lib:format("~p.~n", [Terms])),
    {ok, Node} = test_node:start(["-config", File | Args]),
    Node.

call(Node, M, F, A) ->
    test_node:call(Node, M, F, A).

installed() ->
    [code:lib_dir(jiffy), code:lib_dir(p1_xml)].

base(App) ->
    filename:basename(code:lib_dir(App)).

%% Every file below a directory, with its content and times.
tree(Dir) ->
    {ok, Info} = file:read_link_info(Dir),
    Stable = Info#file_info{atime = undefined},
    case Info of
        #file_info{type = directory} ->
            {ok, Names} = file:list_dir(Dir),
            {Dir, Stable, [tree(filename:join(Dir, Name)) || Name <- lists:sort(Names)]};
        #file_info{} ->
            {ok, Content} = file:read_file(Dir),
            {Dir, Stable, erlang:md5(Content)}
    end.
