%%% Libraries isolated in releases that are moved or can't be written; the command as a program.
-module(door_release_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(door, [call/4, collect/2, contains/2, copy/3, copy_application/2, cordon/1, installed_cordon/2,
               mounted_read_only/2, refused/3, release/2, release_path/1, script/2, tree/1,
               vsn/1]).

all() ->
    [release_that_moves, release_with_two_cordons, read_only_release, embedded_release, configured_too,
     application_started_later,
     dirty_schedulers_left, script, completion].

suite() ->
    [{timetrap, {seconds, 120}}].

init_per_suite(Config) -> door:init_suite(Config).
end_per_suite(Config) -> door:end_suite(Config).

init_per_testcase(Case, Config) -> case_dir:init(Case, Config).

%%% Releases

%% With cordon below the same root the release can be put anywhere.
release_that_moves(Config) ->
    {Root, Files, Script} = release(Config, "rel"),
    {0, Said, ""} = script(Script, ["install" | Files]),
    ?assertEqual("isolated 2 libraries\n", Said),
    Moved = filename:join(proplists:get_value(dir, Config), "elsewhere/deep/rel"),
    ok = filelib:ensure_dir(Moved),
    ok = file:rename(Root, Moved),
    {0, Status, ""} = cordon(["status", Moved]),
    contains(Status, ["2 NIF libraries: 2 isolated"]),
    {ok, Node} = test_node:start(#{path => release_path(Moved)}),
    in_release(Node, Moved),
    test_node:stop(Node).

%% jiffy works, isolated, and cordon's files are those of the release.
in_release(Node, Root) ->
    ?assertEqual([1, <<"a">>], call(Node, jiffy, decode, [<<"[1,\"a\"]">>])),
    Maps = fx:maps(test_node:os_pid(Node)),
    ?assertEqual(nomatch, binary:match(Maps, <<"jiffy.so.native">>)),
    Proxy = iolist_to_binary([Root, "/lib/cordon-0.0.9/priv/cordon_nif.so"]),
    ?assertMatch({_, _}, binary:match(Maps, Proxy)).

release_with_two_cordons(Config) ->
    {Root, [File | _], _} = release(Config, "rel"),
    ok = test_node:copy_dir(filename:join(Root, "lib/cordon-0.0.9/priv"),
                            filename:join(Root, "lib/cordon-0.1.9/priv")),
    refused(Config, ["install", File], ["2 versions of cordon", "cordon-0.1.9", "--cordon"]),
    {0, _, ""} = cordon(["install", File, "--cordon", filename:join(Root, "lib/cordon-0.1.9")]),
    {ok, Sidecar} = file:read_file(filename:rootname(File) ++ ".cordon"),
    contains(binary_to_list(Sidecar), ["../../cordon-0.1.9/priv/nif_host"]).

%% Nobody's VM on a file system that can't be written, without a home, /tmp read-only too:
%% whether cordon is started or not even on the code path.
read_only_release(Config) ->
    Top = "/tmp/cordon-door-" ++ os:getpid(),
    Root = filename:join(Top, "rel"),
    ok = filelib:ensure_dir(Root),
    try
        {Made, Files, _} = release(Config, "rel"),
        {0, _, ""} = cordon(["install" | Files]),
        "" = os:cmd("cp -a " ++ Made ++ " " ++ Root),
        case mounted_read_only("/tmp", ["setpriv", "--reuid=65534", "--regid=65534",
                                      "--clear-groups"]) of
            {skip, _} = Skip -> Skip;
            Exec -> read_only(Root, Exec)
        end
    after
        file:del_dir_r(Top)
    end.

read_only(Root, Exec) ->
    Before = tree(Root),
    [begin
         {ok, Node} = test_node:start(#{exec => Exec, path => Path,
                                        env => [{"HOME", "/nonexistent"}]}),
         ?assertEqual("65534\n", call(Node, os, cmd, ["id -u"])),
         ?assertEqual({error, erofs},
                      call(Node, file, write_file, [filename:join(Root, "x"), ""])),
         in_release(Node, Root),
         case Path of
             [_, _] -> ?assertEqual(non_existing, call(Node, code, which, [cordon]));
             _ -> ok = call(Node, application, start, [cordon]),
                  ?assertMatch([#{module := jiffy}], call(Node, cordon, which_hosts, []))
         end,
         test_node:stop(Node)
     end || Path <- [release_path(Root), [filename:join(Root, "lib/cordon-0.0.9/ebin") |
                                          release_path(Root)]]],
    ?assertEqual(Before, tree(Root)).

%% All modules are loaded before any application starts.
embedded_release(Config) ->
    {Root, Files, _} = release(Config, "rel"),
    {0, _, ""} = cordon(["install" | Files]),
    Boot = boot_file(Root),
    {ok, Node} = test_node:start(#{args => ["-mode", "embedded", "-boot", Boot],
                                   path => release_path(Root)}),
    ?assertEqual(embedded, call(Node, code, get_mode, [])),
    ?assertMatch({file, _}, call(Node, code, is_loaded, [jiffy])),
    in_release(Node, Root),
    test_node:stop(Node).

boot_file(Root) ->
    Release = {release, {"door", "1"}, {erts, erlang:system_info(version)},
               [{App, vsn(App)} || App <- [kernel, stdlib, xmerl, jiffy]]},
    Boot = filename:join(Root, "releases/door"),
    ok = file:write_file(Boot ++ ".rel", io_lib:format("~p.~n", [Release])),
    Path = [filename:join(Root, "lib/*/ebin"), filename:join(code:lib_dir(xmerl), "ebin")],
    {ok, _, _} = systools:make_script(Boot, [{path, Path}, {outdir, filename:dirname(Boot)},
                                             local, silent]),
    Boot.

%% Isolated twice over, by configuration too: what counts is the real library.
configured_too(Config) ->
    App = copy_application(Config, jiffy),
    File = filename:join(App, "priv/jiffy.so"),
    {0, _, ""} = cordon(["install", File, "--call-timeout", "4000"]),
    Cache = filename:join(proplists:get_value(dir, Config), "cache"),
    Terms = [{cordon, [{isolate, [jiffy]}, {cache_dir, Cache}]}],
    Sys = filename:join(proplists:get_value(dir, Config), "sys.config"),
    ok = file:write_file(Sys, io_lib:format("~p.~n", [Terms])),
    {ok, Node} = test_node:start(["-config", Sys, "-pa", filename:join(App, "ebin")]),
    ok = call(Node, application, start, [cordon]),
    ?assertEqual([1], call(Node, jiffy, decode, [<<"[1]">>])),
    Real = File ++ ".native",
    ?assertMatch([#{module := jiffy, library := Real}], call(Node, cordon, which_hosts, [])),
    [Sidecar] = filelib:wildcard(Cache ++ "/shadows/*/*/priv/jiffy.cordon"),
    ?assertMatch({ok, #{options := #{call_timeout := 4000}}}, cordon_nif:read_sidecar(Sidecar)),
    test_node:stop(Node).

%% Once it runs, what becomes of hosts is reported.
application_started_later(Config) ->
    File = copy(Config, "app/priv", fx_crash),
    {0, _, ""} = cordon(["install", File]),
    {ok, Node} = test_node:start([]),
    ok = call(Node, fx, load, [native, fx_crash, #{path => filename:rootname(File)}]),
    ?assertEqual(false, call(Node, code, is_loaded, [cordon_nif])),
    Crash = fun() -> call(Node, isolate_SUITE, outcome, [fx_crash, segv, []]) end,
    ?assertMatch({error, {nif_host_down, #{reason := {signal, sigsegv}, generation := 1}}},
                 Crash()),
    ok = call(Node, application, start, [cordon]),
    ?assertMatch({error, {nif_host_down, #{generation := 2}}}, Crash()),
    ?assertEqual(1, length(call(Node, supervisor, which_children, [cordon_host_sup]))),
    test_node:stop(Node).

%% Files stay quick while calls wait, without cordon's Erlang side having told it anything.
dirty_schedulers_left(Config) ->
    File = copy(Config, "app/priv", fx_calls),
    {0, _, ""} = cordon(["install", File]),
    {ok, Node} = test_node:start(["+SDio", "3"]),
    ok = call(Node, fx, load, [native, fx_calls, #{path => filename:rootname(File)}]),
    %% Calls that have been slow before wait on dirty schedulers from the beginning.
    Ms = [call(Node, ?MODULE, file_while_calls_wait, [5, 1000]) || _ <- [1, 2, 3]],
    ?assertEqual(false, call(Node, code, is_loaded, [cordon_nif])),
    ?assertEqual([], [M || M <- Ms, M > 500]),
    test_node:stop(Node).

file_while_calls_wait(Count, Ms) ->
    Pids = [spawn_monitor(fx_calls, sleep_ms, [Ms]) || _ <- lists:seq(1, Count)],
    timer:sleep(300),
    {Us, {ok, _}} = timer:tc(file, read_file_info, ["/"]),
    [receive {'DOWN', Ref, _, _, normal} -> ok end || {_, Ref} <- Pids],
    Us div 1000.

%%% The script

script(Config) ->
    {Script, Root} = installed_cordon(Config, "lib/cordon-0.0.9"),
    Dir = proplists:get_value(dir, Config),
    {0, Version, ""} = script(Script, ["--version"]),
    contains(Version, ["cordon "]),
    %% As relx takes it along; by a link; and a copy in the release's own bin.
    ?assertEqual({0, Version, ""},
                 script(filename:join(Root, "priv/bin/cordon"), ["--version"])),
    Link = filename:join(Dir, "link"),
    ok = file:make_symlink(Script, Link),
    ?assertEqual({0, Version, ""}, script(Link, ["--version"])),
    ok = filelib:ensure_path(filename:join(Dir, "bin")),
    Copy = filename:join(Dir, "bin/cordon"),
    {ok, _} = file:copy(Script, Copy),
    ok = file:change_mode(Copy, 8#755),
    ?assertEqual({0, Version, ""}, script(Copy, ["--version"])),
    %% The script is run with UTF-8, whatever this VM is.
    File = copy(Config, native("app/pr\x{e4} v"), fx_bystander),
    {0, Said, ""} = script(Script, ["install", File]),
    ?assertEqual("isolated " ++ bytes(File) ++ " (fx_bystander)\n", Said),
    {1, "", Again} = script(Script, ["uninstall", bytes_only("/no/\x{e4}")]),
    contains(Again, ["/no/" ++ unicode_bytes("\x{e4}")]),
    {2, "", Unreadable} = script(Script, ["install", <<"/no/\xe4 v.so">>]),
    contains(Unreadable, ["is not UTF-8", "LC_ALL=C"]),
    {1, "", Text} = script(Script, ["uninstall", "/no/such"]),
    contains(Text, ["cordon: /no/such"]),
    {2, "", _} = script(Script, ["install"]),
    ok = file:del_dir_r(filename:join(Root, "ebin")),
    {1, "", Lost} = script(Script, ["--version"]),
    contains(Lost, ["was not found", "rebar3 compile"]).

unicode_bytes(Text) ->
    binary_to_list(unicode:characters_to_binary(Text)).

%% A name for this VM's file functions, of the file whose name is this text in UTF-8.
native(Text) ->
    case file:native_name_encoding() of
        utf8 -> Text;
        latin1 -> unicode_bytes(Text)
    end.

%% The bytes of such a name.
bytes(Name) ->
    case file:native_name_encoding() of
        utf8 -> unicode_bytes(Name);
        latin1 -> Name
    end.

bytes_only(Text) ->
    list_to_binary(unicode_bytes(Text)).

completion(_) ->
    {0, Bash, ""} = cordon(["completion", "bash"]),
    Complete = fun(Words) ->
                       Line = lists:append(lists:join(" ", Words)),
                       Shell = [Bash, "\nCOMP_WORDS=(", Line, "); COMP_CWORD=",
                               integer_to_list(length(Words) - 1), "; _cordon; "
                               "printf '%s\\n' \"${COMPREPLY[@]}\""],
                       Port = open_port({spawn_executable, os:find_executable("bash")},
                                        [{args, ["-c", lists:flatten(Shell)]}, exit_status]),
                       {0, Output} = collect(Port, []),
                       string:lexemes(Output, "\n")
               end,
    ?assertEqual(["install", "inspect"], Complete(["cordon", "in"])),
    ?assertEqual(["--call-timeout", "--check-lifetimes", "--cordon"], Complete(["cordon", "install", "--c"])),
    ?assertEqual(["--json"], Complete(["cordon", "status", "--j"])).
