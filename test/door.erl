%%% What the suites of `bin/cordon' share: running it, copies to run it on, trees to compare.
-module(door).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include_lib("kernel/include/file.hrl").

%% One node loads what stands on disk, in all cases of a suite.
init_suite(Config) ->
    ok = cordon_native:ensure_started(),
    {ok, Node} = test_node:start([]),
    [{node, Node} | Config].

end_suite(Config) ->
    test_node:stop(proplists:get_value(node, Config)).

%% The command within this VM.
cordon(Args) ->
    {Status, Output, Errors} = cordon_cli:run(Args),
    {Status, lists:flatten(unicode:characters_to_list(Output)),
     lists:flatten(unicode:characters_to_list(Errors))}.

%% The command as a program: {Status, Output, Errors}, in bytes.
script(Script, Args) ->
    Errors = filename:join("/tmp", lists:concat(["cordon-door-", os:getpid(), ".err"])),
    Port = open_port({spawn_executable, "/bin/sh"},
                     [{args, ["-c", "exec \"$@\" 2>" ++ Errors, "sh", Script | Args]},
                      {env, [{"LC_ALL", "C.UTF-8"}]}, exit_status]),
    {Status, Output} = collect(Port, []),
    {ok, Text} = file:read_file(Errors),
    ok = file:delete(Errors),
    {Status, Output, binary_to_list(Text)}.

collect(Port, Output) ->
    receive
        {Port, {data, Data}} -> collect(Port, [Output, Data]);
        {Port, {exit_status, Status}} -> {Status, lists:flatten(Output)}
    end.

refused(Config, Args, Parts) ->
    Dir = proplists:get_value(dir, Config),
    Before = tree(Dir),
    {Status, Output, Text} = cordon(Args),
    ?assertEqual({1, "", Args}, {Status, Output, Args}),
    contains(Text, ["cordon: " | Parts]),
    ?assertEqual(1, length(string:lexemes(Text, "\n"))),
    ?assertEqual(Before, tree(Dir)).

broken(_Config, File, Parts) ->
    {1, Status, ""} = cordon(["status", filename:dirname(File)]),
    contains(Status, ["broken     " ++ File | Parts]).

installed(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    {0, _, ""} = cordon(["install", File]),
    File.

%% What a VM gets when it loads fx_bystander from there: its own process, or a host.
stands(Config, File) ->
    Node = proplists:get_value(node, Config),
    ok = load(Config, File),
    OsPid = integer_to_list(call(Node, fx_bystander, os_pid, [])),
    ok = call(Node, fx, unload, [fx_bystander]),
    case test_node:os_pid(Node) of
        OsPid -> native;
        _ -> isolated
    end.

load(Config, File) ->
    call(proplists:get_value(node, Config), fx, try_load,
         [fx_bystander, #{path => filename:rootname(File)}]).

so(Module) ->
    fx:library(Module) ++ ".so".

copy(Config, Sub, Module) ->
    To = filename:join([proplists:get_value(dir, Config), Sub, atom_to_list(Module) ++ ".so"]),
    ok = filelib:ensure_dir(To),
    {ok, _} = file:copy(so(Module), To),
    To.

copy_application(Config, App) ->
    From = code:lib_dir(App),
    To = filename:join(proplists:get_value(dir, Config), filename:basename(From)),
    copy_application_to(From, To),
    To.

copy_application_to(From, To) ->
    [ok = test_node:copy_dir(filename:join(From, Sub), filename:join(To, Sub))
     || Sub <- ["ebin", "priv"], filelib:is_dir(filename:join(From, Sub))].

%% cordon as an application's directory, with its script.
installed_cordon(Config, Sub) ->
    Root = filename:join(proplists:get_value(dir, Config), Sub),
    ok = put_cordon(Root),
    {filename:join(Root, "bin/cordon"), Root}.

put_cordon(Root) ->
    Own = filename:dirname(filename:dirname(code:which(cordon))),
    {ok, Priv} = cordon_place:real_path(cordon_native:priv_dir()),
    copy_application_to(Own, Root),
    ok = test_node:copy_dir(Priv, filename:join(Root, "priv")),
    ok = test_node:copy_dir(filename:join(Priv, "bin"), filename:join(Root, "priv/bin")),
    ok = test_node:copy_dir(filename:join(filename:dirname(Priv), "bin"),
                            filename:join(Root, "bin")).

%% A directory with what a release has: cordon, jiffy, and a second library.
release(Config, Sub) ->
    Root = filename:join(proplists:get_value(dir, Config), Sub),
    ok = filelib:ensure_path(filename:join(Root, "releases")),
    ok = put_cordon(filename:join(Root, "lib/cordon-0.0.9")),
    Jiffy = filename:join(Root, "lib/" ++ filename:basename(code:lib_dir(jiffy))),
    copy_application_to(code:lib_dir(jiffy), Jiffy),
    Other = copy(Config, Sub ++ "/lib/other-1/priv", fx_bystander),
    {Root, [filename:join(Jiffy, "priv/jiffy.so"), Other],
     filename:join(Root, "lib/cordon-0.0.9/bin/cordon")}.

release_path(Root) ->
    [filename:join([Root, "lib", filename:basename(code:lib_dir(jiffy)), "ebin"]),
     filename:join(Root, "lib/other-1")].

without_cordon() ->
    [Dir || Dir <- code:get_path(), string:find(Dir, "/cordon/") =:= nomatch].

vsn(App) ->
    _ = application:load(App),
    {ok, Vsn} = application:get_key(App, vsn),
    Vsn.

%% How to start erl where a directory is mounted read-only, in a mount namespace of its own.
mounted_read_only(Dir) ->
    mounted_read_only(Dir, []).

mounted_read_only(Dir, Before) ->
    Mount = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\"",
    case os:cmd("unshare -m sh -c '" ++ Mount ++ "' " ++ Dir ++ " sh -c 'echo ok; touch " ++ Dir ++
                    "/x' 2>&1") of
        "ok\n" ++ _ ->
            {os:find_executable("unshare"),
             ["-m", "sh", "-c", Mount, Dir] ++ Before ++ [os:find_executable("erl")]};
        Text ->
            {skip, "no mount namespace can be had here: " ++ Text}
    end.

%% Every file below a directory, with its content and all that is kept with it.
tree(Dir) ->
    {ok, Info} = file:read_link_info(Dir),
    Stable = Info#file_info{atime = undefined, ctime = undefined, links = undefined},
    case Info of
        #file_info{type = directory} ->
            {Dir, {directory, Info#file_info.mode},
             [tree(filename:join(Dir, Name)) || Name <- names(Dir)]};
        #file_info{type = symlink} ->
            {Dir, Stable, file:read_link(Dir)};
        #file_info{} ->
            {ok, Content} = file:read_file(Dir),
            {Dir, Stable, erlang:md5(Content)}
    end.

%% Of a tree the names and contents alone, so that copies can be compared.
contents({Path, {directory, _}, Entries}) ->
    {directory, [{filename:basename(P), contents(E)} || {P, _, _} = E <- Entries], is_list(Path)};
contents({_, _, Content}) ->
    Content.

names(Dir) ->
    {ok, Names} = file:list_dir(Dir),
    lists:sort(Names).

contains(Text, Parts) ->
    [?assertMatch({Part, [_ | _], _}, {Part, string:find(Text, Part), Text}) || Part <- Parts],
    ok.

call(Node, M, F, A) ->
    test_node:call(Node, M, F, A).
