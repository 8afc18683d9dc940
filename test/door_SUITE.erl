%%% `bin/cordon': libraries isolated on disk. Every case works on copies of its own; nodes load
%%% from there natively, and get whatever stands there.
-module(door_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include_lib("kernel/include/file.hrl").

all() ->
    [isolated_and_back, unmodified_module, running_vm_undisturbed, options, group,
     installed_twice, names_of_a_file, several_at_once,
     refused_untouched, not_a_library, wrong_use, in_the_way, read_only_directory, busy,
     power_cut_in_install, power_cut_in_uninstall, half_written, failed_step_is_undone,
     killed_at_any_moment,
     uninstall_nothing, real_library_deleted, real_library_replaced, shim_replaced,
     shim_damaged, shim_deleted, sidecar_damaged, other_build,
     status_of_a_tree, inspect_text, inspect_json, inspect_lacking,
     release_that_moves, release_with_two_cordons, read_only_release, embedded_release,
     application_started_later,
     script, completion].

suite() ->
    [{timetrap, {seconds, 120}}].

init_per_suite(Config) ->
    {ok, Node} = test_node:start([]),
    [{node, Node} | Config].

end_per_suite(Config) ->
    test_node:stop(proplists:get_value(node, Config)).

init_per_testcase(Case, Config) ->
    Dir = filename:join([proplists:get_value(priv_dir, Config), Case]),
    ok = filelib:ensure_path(Dir),
    {ok, Real} = cordon_place:real_path(Dir),
    [{dir, Real} | Config].

end_per_testcase(_Case, _Config) ->
    ok.

%%% What it is for

isolated_and_back(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Dir = filename:dirname(File),
    ok = file:change_mode(File, 8#754),
    ok = file:change_time(File, {{2020, 1, 2}, {3, 4, 5}}),
    Before = tree(Dir),
    ?assertEqual(native, stands(Config, File)),
    ?assertEqual({0, "isolated " ++ File ++ " (fx_bystander)\n", ""}, cordon(["install", File])),
    ?assertEqual(["fx_bystander.cordon", "fx_bystander.so", "fx_bystander.so.native"], names(Dir)),
    ?assertEqual(isolated, stands(Config, File)),
    {ok, #file_info{mode = Mode}} = file:read_file_info(File),
    ?assertEqual(8#644, Mode band 8#777),
    ?assertEqual({0, "restored " ++ File ++ "\n", ""}, cordon(["uninstall", File])),
    ?assertEqual(Before, tree(Dir)),
    ?assertEqual(native, stands(Config, File)).

%% Debian's jiffy, of which nothing but this one file is touched.
unmodified_module(Config) ->
    App = copy_application(Config, jiffy),
    File = filename:join(App, "priv/jiffy.so"),
    {0, _, ""} = cordon(["install", filename:rootname(File)]),
    {ok, Node} = test_node:start(#{path => [filename:join(App, "ebin") | without_cordon()]}),
    ?assertEqual(filename:join(App, "ebin/jiffy.beam"), call(Node, code, which, [jiffy])),
    ?assertEqual({[{<<"a">>, [1, 2.5, null]}]},
                 call(Node, jiffy, decode, [<<"{\"a\":[1,2.5,null]}">>])),
    Maps = fx:maps(test_node:os_pid(Node)),
    ?assertEqual(nomatch, binary:match(Maps, <<"jiffy.so.native">>)),
    ?assertEqual(false, call(Node, code, is_loaded, [cordon_nif])),
    test_node:stop(Node).

%% The file that a VM has mapped is not written to.
running_vm_undisturbed(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Node = proplists:get_value(node, Config),
    ok = call(Node, fx, load, [native, fx_bystander, #{path => filename:rootname(File)}]),
    Count = call(Node, fx_bystander, count, []),
    {0, _, _} = cordon(["install", File]),
    ?assertEqual(Count + 1, call(Node, fx_bystander, count, [])),
    {0, _, _} = cordon(["uninstall", File]),
    ?assertEqual(Count + 2, call(Node, fx_bystander, count, [])),
    ?assertEqual(test_node:os_pid(Node),
                 integer_to_list(call(Node, fx_bystander, os_pid, []))),
    ok = call(Node, fx, unload, [fx_bystander]).

options(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    {0, _, ""} = cordon(["install", File, "--call-timeout", "700", "--load-timeout=9000"]),
    {ok, #{options := Options, given := Given, unsupported := refuse}} =
        cordon_nif:read_sidecar(filename:rootname(File) ++ ".cordon"),
    ?assertEqual([call_timeout, load_timeout], lists:sort(Given)),
    ?assertMatch(#{call_timeout := 700, load_timeout := 9000, upgrade_timeout := 5000}, Options),
    {0, Status, ""} = cordon(["status", filename:dirname(File)]),
    contains(Status, ["isolated", File, "call_timeout=700, load_timeout=9000"]),
    {0, _, ""} = cordon(["install", File, "--unsupported", "native"]),
    {ok, #{unsupported := native}} =
        cordon_nif:read_sidecar(filename:rootname(File) ++ ".cordon").

group(Config) ->
    A = copy(Config, "app/priv", fx_bystander),
    B = copy(Config, "app/priv", fx_terms),
    {0, _, ""} = cordon(["install", "--group", "my-group", A, B]),
    {ok, Node} = test_node:start([]),
    [ok = call(Node, fx, load, [native, M, #{path => filename:rootname(F)}])
     || {M, F} <- [{fx_bystander, A}, {fx_terms, B}]],
    {module, cordon_nif} = call(Node, code, ensure_loaded, [cordon_nif]),
    ?assertMatch([#{group := "my-group", modules := [_, _]}], call(Node, cordon, which_hosts, [])),
    test_node:stop(Node).

%% The shim never gets to stand for itself; the options given now hold.
installed_twice(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Dir = filename:dirname(File),
    Before = tree(Dir),
    {0, _, ""} = cordon(["install", File, "--call-timeout", "700"]),
    Once = tree(Dir),
    {0, _, ""} = cordon(["install", File, "--call-timeout", "700"]),
    ?assertEqual(contents(Once), contents(tree(Dir))),
    {0, _, ""} = cordon(["install", File, "--atom-limit", "77"]),
    {ok, #{options := Options}} = cordon_nif:read_sidecar(filename:rootname(File) ++ ".cordon"),
    ?assertMatch(#{call_timeout := infinity, atom_limit := 77}, Options),
    ?assertEqual(isolated, stands(Config, File)),
    {0, _, ""} = cordon(["uninstall", File]),
    ?assertEqual(Before, tree(Dir)).

%% Links are followed to the file itself, which all of its names then lead to.
names_of_a_file(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Other = filename:join(proplists:get_value(dir, Config), "other"),
    ok = file:make_dir(Other),
    Link = filename:join(Other, "link.so"),
    ok = file:make_symlink("../app/priv/fx_bystander.so", Link),
    Dir = filename:join(proplists:get_value(dir, Config), "to_app"),
    ok = file:make_symlink("app", Dir),
    Before = tree(filename:dirname(File)),
    {0, Said, ""} = cordon(["install", Link, File, filename:rootname(File),
                            filename:join(Dir, "priv/../priv/./fx_bystander.so")]),
    ?assertEqual("isolated " ++ File ++ " (fx_bystander)\n", Said),
    ?assertEqual(["link.so"], names(Other)),
    ?assertEqual(isolated, stands(Config, Link)),
    {0, _, ""} = cordon(["uninstall", Link]),
    ?assertEqual(Before, tree(filename:dirname(File))).

several_at_once(Config) ->
    Files = [copy(Config, D, M) || {D, M} <- [{"a/priv", fx_bystander}, {"b/priv", fx_terms}]],
    Bad = copy(Config, "c/priv", fx_noinit),
    Dir = proplists:get_value(dir, Config),
    Before = tree(Dir),
    {1, "", Text} = cordon(["install", Bad, "/no/such/file.so" | Files]),
    contains(Text, ["/no/such/file.so"]),
    {1, "", Text2} = cordon(["install", Bad | Files]),
    contains(Text2, [Bad, "nif_init"]),
    ?assertEqual(Before, tree(Dir)),
    ?assertEqual({0, "isolated 2 libraries\n", ""}, cordon(["install" | Files])),
    {0, Status, ""} = cordon(["status", Dir]),
    contains(Status, ["2 NIF libraries: 2 isolated"]),
    ?assertEqual({0, "restored 2 libraries\n", ""}, cordon(["uninstall" | Files])),
    ?assertEqual(contents(Before), contents(tree(Dir))).

%%% What is refused: the tree stays as it was

refused_untouched(Config) ->
    [begin
         File = copy(Config, atom_to_list(Module), Module),
         refused(Config, ["install", File], Parts)
     end || {Module, Parts} <- [{fx_noinit, ["fx_noinit.so", "no nif_init", "expected a NIF"]},
                                {fx_unresolved, ["cordon_fixture_missing_symbol"]},
                                {fx_constructor, ["fx_constructor.so", "sigabrt"]}]],
    Dir = proplists:get_value(dir, Config),
    refused(Config, ["install", "/no/such/file.so"], ["/no/such/file.so", "no such file"]),
    refused(Config, ["install", Dir], [Dir, "is a directory"]),
    ok = file:make_dir(filename:join(Dir, "d.so")),
    refused(Config, ["install", filename:join(Dir, "d")], ["d", "is a directory"]),
    ok = file:make_symlink("nowhere.so", filename:join(Dir, "dangling.so")),
    refused(Config, ["install", filename:join(Dir, "dangling.so")], ["no such file"]),
    ok = file:make_symlink("loop.so", filename:join(Dir, "loop.so")),
    refused(Config, ["install", filename:join(Dir, "loop.so")], ["loop.so", "symbolic links"]),
    {ok, _} = file:copy(so(fx_bystander), filename:join(Dir, "lib.so.1")),
    ok = file:make_symlink("lib.so.1", filename:join(Dir, "lib.so")),
    refused(Config, ["install", filename:join(Dir, "lib.so")], ["lib.so.1", "ends in .so"]),
    refused(Config, ["install", filename:join(code:priv_dir(cordon), "cordon_nif.so")],
            ["part of cordon"]).

not_a_library(Config) ->
    Dir = proplists:get_value(dir, Config),
    {ok, Whole} = file:read_file(so(fx_bystander)),
    Size = byte_size(Whole),
    [begin
         File = filename:join(Dir, Name ++ ".so"),
         ok = file:write_file(File, Content),
         refused(Config, ["install", File], [Name ++ ".so" | Parts]),
         refused(Config, ["inspect", File], [Name ++ ".so" | Parts]),
         refused(Config, ["uninstall", File], ["not isolated"])
     end || {Name, Content, Parts} <-
                [{"empty", <<>>, ["not an ELF file"]},
                 {"text", <<"#!/bin/sh\n">>, ["not an ELF file"]},
                 {"cut", binary:part(Whole, 0, Size div 2), ["damaged ELF file"]},
                 {"head", binary:part(Whole, 0, 64), ["damaged ELF file"]},
                 {"bits", <<16#7f, "ELF", 1, 1, 0:800>>, ["another kind of machine"]},
                 {"short", <<16#7f, "ELF", 2, 1, 0:304>>, ["damaged ELF file"]}]],
    %% The tables of this one point anywhere.
    rand:seed(exsss, {1, 2, 3}),
    [begin
         <<Head:40/binary, _:64, Tail/binary>> = Whole,
         At = rand:uniform(1 bsl (1 + rand:uniform(63))) - 1,
         File = filename:join(Dir, "wild.so"),
         ok = file:write_file(File, <<Head/binary, At:64/little, Tail/binary>>),
         {1, "", _} = cordon(["install", File])
     end || _ <- lists:seq(1, 50)].

wrong_use(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Before = tree(filename:dirname(File)),
    [begin
         {Status, "", Text} = cordon(Args),
         ?assertEqual({2, Args}, {Status, Args}),
         contains(Text, Parts)
     end || {Args, Parts} <-
                [{[], ["usage: cordon COMMAND"]},
                 {["instal", File], ["unknown command instal", "uninstall"]},
                 {["install"], ["no file"]}, {["uninstall"], ["no file"]}, {["inspect"], ["no file"]},
                 {["inspect", File, File], ["expected one"]},
                 {["install", File, "--no-such", "1"], ["--no-such", "--call-timeout"]},
                 {["install", "-x", File], ["unknown flag -x"]},
                 {["install", File, "--group"], ["--group needs a value"]},
                 {["install", File, "--group", "a/b"], ["--group", "a/b", "a name"]},
                 {["install", File, "--unsupported", "x"], ["is x", "refuse or native"]},
                 {["install", File, "--call-timeout", "0"], ["--call-timeout", "milliseconds"]},
                 {["install", File, "--call-timeout", ""], ["--call-timeout", "milliseconds"]},
                 {["install", File, "--call-timeout", "1", "--call-timeout", "2"], ["twice"]},
                 {["status", "--json=yes"], ["takes no value"]},
                 {["uninstall", File, "--json"], ["unknown flag --json"]},
                 {["completion", "fish"], ["bash"]},
                 {["help", "nothing"], ["no command nothing"]}]],
    {1, "", NoCordon} = cordon(["install", File, "--cordon", "/no/such/dir"]),
    contains(NoCordon, ["--cordon /no/such/dir", "lib/cordon-"]),
    [{0, _, ""} = cordon(Args) || Args <- [["--help"], ["help"], ["help", "install"],
                                           ["status", "--help"], ["install", File, "-h"],
                                           ["--version"]]],
    ?assertEqual(Before, tree(filename:dirname(File))).

%% Files that have names of cordon's but are not.
in_the_way(Config) ->
    File = copy(Config, "a", fx_bystander),
    ok = file:write_file(filename:rootname(File) ++ ".cordon", "my own notes"),
    refused(Config, ["install", File], ["fx_bystander.cordon", "not cordon's"]),
    refused(Config, ["uninstall", File], ["fx_bystander.cordon", "not cordon's"]),
    Other = copy(Config, "b", fx_terms),
    {ok, _} = file:copy(so(fx_bystander), Other ++ ".native"),
    refused(Config, ["install", Other], ["fx_terms.so.native", "not cordon's"]),
    refused(Config, ["uninstall", Other], ["fx_terms.so.native", "not cordon's"]),
    {1, Status, ""} = cordon(["status", proplists:get_value(dir, Config)]),
    contains(Status, ["unknown", "2 NIF libraries: 2 unknown"]).

read_only_directory(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    case mounted_read_only(filename:dirname(File)) of
        {skip, _} = Skip -> Skip;
        Exec ->
            {ok, Node} = test_node:start(#{exec => Exec}),
            Before = tree(filename:dirname(File)),
            {1, "", Text} = call(Node, ?MODULE, cordon, [["install", File]]),
            contains(Text, [File, "read-only file system", "expected a directory"]),
            ?assertEqual(Before, tree(filename:dirname(File))),
            test_node:stop(Node)
    end.

busy(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Dir = filename:dirname(File),
    cordon_disk:with_lock(Dir, fun() ->
                                       refused(Config, ["install", File],
                                               ["another cordon is at work in " ++ Dir])
                               end),
    {0, _, ""} = cordon(["install", File]).

%%% Interrupted

%% After each step a VM can load the library, and what comes next puts all in order.
power_cut_in_install(Config) ->
    power_cuts(Config, "install", fun(File) -> cordon_install:prepare_install(File, #{}) end,
               fun(_File) -> ok end).

power_cut_in_uninstall(Config) ->
    power_cuts(Config, "uninstall", fun cordon_install:prepare_uninstall/1,
               fun(File) -> {0, _, ""} = cordon(["install", File]) end).

power_cuts(Config, What, Prepare, First) ->
    Original = copy(Config, What ++ "/original", fx_bystander),
    Whole = contents(tree(filename:dirname(Original))),
    Steps = fun(File) ->
                    {ok, #{steps := S}} = Prepare(File),
                    S
            end,
    Probe = copy(Config, What ++ "/probe", fx_bystander),
    First(Probe),
    Count = length(Steps(Probe)),
    ?assert(Count >= 4),
    Seen = [begin
                File = copy(Config, lists:concat([What, "/", N, "/", Next]), fx_bystander),
                First(File),
                ok = cordon_disk:run(lists:sublist(Steps(File), N)),
                Stands = stands(Config, File),
                {0, _, ""} = cordon(["status", filename:dirname(File)]),
                ok = in_order(Config, Next, File, Whole),
                Stands
            end || Next <- [install, uninstall, both], N <- lists:seq(0, Count)],
    ?assertEqual([isolated, native], lists:usort(Seen)).

in_order(Config, install, File, _) ->
    {0, _, ""} = cordon(["install", File]),
    ?assertEqual(["fx_bystander.cordon", "fx_bystander.so", "fx_bystander.so.native"],
                 names(filename:dirname(File))),
    ?assertEqual(isolated, stands(Config, File)),
    ok;
in_order(Config, uninstall, File, Whole) ->
    case cordon(["uninstall", File]) of
        {0, _, ""} -> ok;
        {1, "", Text} -> contains(Text, ["not isolated"])
    end,
    ?assertEqual(Whole, contents(tree(filename:dirname(File)))),
    ?assertEqual(native, stands(Config, File)),
    ok;
in_order(Config, both, File, Whole) ->
    in_order(Config, install, File, Whole),
    in_order(Config, uninstall, File, Whole).

%% A cut within a step: what it was writing has half of its bytes.
half_written(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Whole = contents(tree(filename:dirname(File))),
    {ok, #{steps := Steps}} = cordon_install:prepare_install(File, #{}),
    Writes = [N || {N, {write, _, _, _}} <- lists:zip(lists:seq(1, length(Steps)), Steps)],
    ?assertEqual(2, length(Writes)),
    [begin
         Copy = copy(Config, lists:concat([half, N]), fx_bystander),
         {ok, #{steps := Own}} = cordon_install:prepare_install(Copy, #{}),
         ok = cordon_disk:run(lists:sublist(Own, N - 1)),
         {write, To, Data, _} = lists:nth(N, Own),
         ok = file:write_file(To, binary:part(Data, 0, byte_size(Data) div 2)),
         ?assertEqual(native, stands(Config, Copy)),
         ok = in_order(Config, both, Copy, Whole)
     end || N <- Writes].

%% No space, no right: the library looks as if nothing had happened.
failed_step_is_undone(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Whole = contents(tree(filename:dirname(File))),
    {ok, #{steps := Steps} = Work} = cordon_install:prepare_install(File, #{}),
    [begin
         Failing = lists:sublist(Steps, N) ++ [{sync, "/no/such/dir"}],
         {error, Text} = cordon_install:carry_out(Work#{steps := Failing}),
         contains(Text, [File, "/no/such/dir", "can't be changed"]),
         ?assertEqual(Whole, contents(tree(filename:dirname(File))))
     end || N <- lists:seq(0, length(Steps) - 2)].

%% The command itself, killed wherever it happens to be.
killed_at_any_moment(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Dir = filename:dirname(File),
    Whole = contents(tree(Dir)),
    {Script, _Root} = installed_cordon(Config, "cordon"),
    {Us, {0, _, _}} = timer:tc(fun() -> script(Script, ["install", File]) end),
    {0, _, _} = cordon(["uninstall", File]),
    rand:seed(exsss, {4, 5, 6}),
    [begin
         Delay = Us * (30 + rand:uniform(80)) div 100000,
         kill_after(Script, [What, File], Delay),
         ?assert(lists:member(stands(Config, File), [native, isolated])),
         case N rem 2 of
             0 -> {0, _, ""} = cordon(["install", File]);
             1 -> {Status, _, _} = cordon(["uninstall", File]),
                  ?assert(Status < 2),
                  ?assertEqual(Whole, contents(tree(Dir)))
         end
     end || N <- lists:seq(1, 12), What <- ["install", "uninstall"]].

kill_after(Script, Args, Ms) ->
    Port = open_port({spawn_executable, Script}, [{args, Args}, exit_status, stderr_to_stdout]),
    {os_pid, Pid} = erlang:port_info(Port, os_pid),
    timer:sleep(Ms),
    _ = os:cmd("kill -9 " ++ integer_to_list(Pid)),
    Drain = fun Drain() ->
                    receive
                        {Port, {exit_status, _}} -> ok;
                        {Port, _} -> Drain()
                    end
            end,
    Drain().

%%% Altered by others

uninstall_nothing(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    refused(Config, ["uninstall", File], [File, "is not isolated", "nothing to restore"]),
    {0, _, ""} = cordon(["install", File]),
    {0, _, ""} = cordon(["uninstall", File]),
    refused(Config, ["uninstall", File], ["is not isolated"]),
    {0, _, ""} = cordon(["install", File]),
    refused(Config, ["uninstall", File ++ ".native"], ["give its own name, " ++ File]).

real_library_deleted(Config) ->
    File = installed(Config),
    ok = file:delete(File ++ ".native"),
    broken(Config, File, ["real library", ".native is missing"]),
    refused(Config, ["uninstall", File], [".native is missing", "nothing can be restored"]),
    refused(Config, ["install", File], [".native is missing", "from where it came"]),
    {error, {_, Text}} = load(Config, File),
    contains(Text, [File ++ ".native", "is gone"]).

real_library_replaced(Config) ->
    File = installed(Config),
    ok = file:delete(File ++ ".native"),
    {ok, _} = file:copy(so(fx_terms), File ++ ".native"),
    broken(Config, File, ["was changed since it was isolated"]),
    {0, Said, ""} = cordon(["install", File]),
    contains(Said, ["fx_terms"]),
    {0, _, ""} = cordon(["status", filename:dirname(File)]),
    {0, _, ""} = cordon(["uninstall", File]),
    ?assertEqual(file:read_file(so(fx_terms)), file:read_file(File)).

%% As a package manager upgrades: the new library wins, whatever comes next.
shim_replaced(Config) ->
    [begin
         File = copy(Config, Next, fx_bystander),
         {0, _, ""} = cordon(["install", File]),
         {ok, _} = file:copy(so(fx_terms), File ++ ".dpkg-new"),
         ok = file:rename(File ++ ".dpkg-new", File),
         {0, Status, ""} = cordon(["status", filename:dirname(File)]),
         contains(Status, ["leftover", "it has replaced a shim"]),
         {0, Said, ""} = cordon([Next, File]),
         case Next of
             "install" ->
                 contains(Said, ["isolated", "(fx_terms)"]),
                 ?assertEqual(file:read_file(so(fx_terms)), file:read_file(File ++ ".native"));
             "uninstall" ->
                 contains(Said, ["kept " ++ File, "newer"]),
                 ?assertEqual(["fx_bystander.so"], names(filename:dirname(File))),
                 ?assertEqual(file:read_file(so(fx_terms)), file:read_file(File))
         end
     end || Next <- ["install", "uninstall"]].

%% Neither is the real library lost with it.
shim_damaged(Config) ->
    [begin
         File = copy(Config, lists:concat([Name, Next]), fx_bystander),
         Whole = contents(tree(filename:dirname(File))),
         {0, _, ""} = cordon(["install", File]),
         Damage(File),
         broken(Config, File, [Text]),
         ok = in_order(Config, Next, File, Whole)
     end || {Name, Damage, Text} <-
                [{"cut", fun(F) -> ok = file:write_file(F, <<16#7f, "ELF", 2, 1>>) end, "neither"},
                 {"text", fun(F) -> ok = file:write_file(F, "text") end, "neither"},
                 {"plain", fun(F) -> {ok, _} = file:copy(so(fx_noinit), F) end, "neither"}],
            Next <- [install, uninstall]].

shim_deleted(Config) ->
    [begin
         File = copy(Config, atom_to_list(Next), fx_bystander),
         Whole = contents(tree(filename:dirname(File))),
         {0, _, ""} = cordon(["install", File]),
         ok = file:delete(File),
         broken(Config, File, ["is missing, the real library is still there"]),
         ok = in_order(Config, Next, File, Whole)
     end || Next <- [install, uninstall]].

sidecar_damaged(Config) ->
    [begin
         File = copy(Config, lists:concat([Name, Next]), fx_bystander),
         Whole = contents(tree(filename:dirname(File))),
         {0, _, ""} = cordon(["install", File]),
         Damage(filename:rootname(File) ++ ".cordon"),
         broken(Config, File, Parts),
         {error, {_, Text}} = load(Config, File),
         contains(Text, ["cordon: the sidecar " ++ filename:rootname(File) ++ ".cordon"]),
         ok = in_order(Config, Next, File, Whole)
     end || {Name, Damage, Parts} <-
                [{"gone", fun(F) -> ok = file:delete(F) end, ["sidecar", "is missing"]},
                 {"empty", fun(F) -> ok = file:write_file(F, "") end, ["sidecar"]},
                 {"text", fun(F) -> ok = file:write_file(F, "{\"cordon\": ") end, ["sidecar"]}],
            Next <- [install, uninstall]].

%% cordon itself was removed, or built anew.
other_build(Config) ->
    {_, Root} = installed_cordon(Config, "cordon"),
    File = copy(Config, "app/priv", fx_bystander),
    {0, _, ""} = cordon(["install", File, "--cordon", Root]),
    {0, _, ""} = cordon(["status", filename:dirname(File)]),
    Host = filename:join(Root, "priv/nif_host"),
    ok = file:delete(Host),
    broken(Config, File, ["nif_host", "can't be run (no such file"]),
    ok = file:write_file(Host, "#!/bin/sh\necho 0123456789abcdef\n"),
    ok = file:change_mode(Host, 8#755),
    broken(Config, File, ["nif_host", "different builds"]),
    {1, "", Text} = cordon(["install", File, "--cordon", Root]),
    contains(Text, ["different builds"]),
    ok = file:delete(filename:join(Root, "priv/cordon_nif.so")),
    broken(Config, File, ["cordon_nif.so", "can't be read"]),
    {0, _, ""} = cordon(["install", File]),
    ?assertEqual(isolated, stands(Config, File)).

%%% Telling

status_of_a_tree(Config) ->
    Dir = proplists:get_value(dir, Config),
    Native = copy(Config, "a/priv", fx_bystander),
    Isolated = copy(Config, "b/priv/deep", fx_terms),
    _Plain = copy(Config, "c", fx_noinit),
    ok = file:make_symlink("../a", filename:join(Dir, "c/to_a")),
    ok = file:make_symlink("..", filename:join(Dir, "c/up")),
    ok = file:make_symlink("nowhere", filename:join(Dir, "c/x.so")),
    {0, _, ""} = cordon(["install", "--group", "g", Isolated]),
    {0, Text, ""} = cordon(["status", Dir]),
    ?assertEqual(["native     " ++ Native,
                  "isolated   " ++ Isolated ++ " (group=g)",
                  "2 NIF libraries: 1 isolated, 1 native"], string:lexemes(Text, "\n")),
    ok = file:delete(Isolated ++ ".native"),
    {1, Broken, ""} = cordon(["status", Dir, Native]),
    contains(Broken, ["broken     " ++ Isolated ++ " (the real library", "1 broken, 1 native"]),
    {1, Json, ""} = cordon(["status", "--json", Dir]),
    NativeB = list_to_binary(Native),
    IsolatedB = list_to_binary(Isolated),
    ?assertMatch([#{<<"file">> := NativeB, <<"state">> := <<"native">>},
                  #{<<"file">> := IsolatedB, <<"state">> := <<"broken">>, <<"why">> := _}],
                 jiffy:decode(Json, [return_maps])),
    {1, _, Error} = cordon(["status", "/no/such/dir"]),
    contains(Error, ["/no/such/dir", "no such file"]),
    ok = file:make_dir(filename:join(Dir, "none")),
    ?assertEqual({0, "0 NIF libraries\n", ""}, cordon(["status", filename:join(Dir, "none")])),
    {ok, Cwd} = file:get_cwd(),
    ok = file:set_cwd(filename:join(Dir, "a")),
    ?assertEqual({0, "native     " ++ Native ++ "\n1 NIF library: 1 native\n", ""},
                 cordon(["status"])),
    ok = file:set_cwd(Cwd).

inspect_text(Config) ->
    App = copy_application(Config, jiffy),
    File = filename:join(App, "priv/jiffy.so"),
    {0, Text, ""} = cordon(["inspect", File]),
    contains(Text, [File, "stands           native", "module           jiffy",
                    "API version      2.", "callbacks        load, upgrade, unload",
                    "nif_decode_init/2", "cordon has all of them", "can be isolated  yes"]),
    {0, _, ""} = cordon(["install", File, "--call-timeout", "5000"]),
    {0, Shim, ""} = cordon(["inspect", File]),
    contains(Shim, ["stands           isolated", "library          " ++ File ++ ".native",
                    "module           jiffy", "call_timeout = 5000"]),
    {1, Plain, ""} = cordon(["inspect", copy(Config, "x", fx_noinit)]),
    contains(Plain, ["no NIF library", "has no nif_init", "not wholly"]).

inspect_json(Config) ->
    File = copy(Config, "app/priv", fx_calls),
    {0, Json, ""} = cordon(["inspect", "--json", File]),
    #{<<"module">> := <<"fx_calls">>, <<"functions">> := Functions, <<"complete">> := true,
      <<"undefined">> := [], <<"state">> := <<"native">>, <<"options">> := null,
      <<"enif">> := Enif, <<"size">> := Size} = jiffy:decode(Json, [return_maps]),
    ?assertEqual({ok, true}, maps:find(<<"enif_make_badarg">>, Enif)),
    ?assertEqual(filelib:file_size(File), Size),
    Runs = lists:usort([maps:get(<<"runs">>, F) || F <- Functions]),
    ?assert(lists:member(<<"dirty_cpu">>, Runs) andalso lists:member(<<"normal">>, Runs)).

%% A library that needs what is not there: told without its being loaded anywhere.
inspect_lacking(Config) ->
    {1, Text, ""} = cordon(["inspect", copy(Config, "a", fx_unresolved)]),
    contains(Text, ["undefined        cordon_fixture_missing_symbol", "not wholly"]),
    {ok, Content} = file:read_file(so(fx_bystander)),
    File = filename:join(proplists:get_value(dir, Config), "needs.so"),
    ok = file:write_file(File, binary:replace(Content, <<"libc.so.6">>, <<"libx.so.9">>,
                                              [global])),
    {1, Json, ""} = cordon(["inspect", File, "--json"]),
    ?assertMatch(#{<<"libraries">> := #{<<"libx.so.9">> := null}, <<"complete">> := false,
                   <<"error">> := _}, jiffy:decode(Json, [return_maps])).

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

%% Nobody's VM on a file system that can't be written, without a home: whether cordon is
%% started or not even on the code path.
read_only_release(Config) ->
    Top = "/tmp/cordon-door-" ++ os:getpid(),
    Root = filename:join(Top, "rel"),
    ok = filelib:ensure_dir(Root),
    try
        {Made, Files, _} = release(Config, "rel"),
        {0, _, ""} = cordon(["install" | Files]),
        "" = os:cmd("cp -a " ++ Made ++ " " ++ Root),
        case mounted_read_only(Root, ["setpriv", "--reuid=65534", "--regid=65534",
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
    ?assertEqual(Before, tree(Root)),
    ?assertEqual([], filelib:wildcard("/tmp/cordon-65534")).

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

%%% The script

script(Config) ->
    {Script, Root} = installed_cordon(Config, "lib/cordon-0.0.9"),
    Dir = proplists:get_value(dir, Config),
    {0, Version, ""} = script(Script, ["--version"]),
    contains(Version, ["cordon "]),
    %% A link to it, and a copy in the release's own bin.
    Link = filename:join(Dir, "link"),
    ok = file:make_symlink(Script, Link),
    ?assertEqual({0, Version, ""}, script(Link, ["--version"])),
    ok = filelib:ensure_path(filename:join(Dir, "bin")),
    Copy = filename:join(Dir, "bin/cordon"),
    {ok, _} = file:copy(Script, Copy),
    ok = file:change_mode(Copy, 8#755),
    ?assertEqual({0, Version, ""}, script(Copy, ["--version"])),
    File = copy(Config, "app/pr\x{e4} v", fx_bystander),
    {0, Said, ""} = script(Script, ["install", File]),
    ?assertEqual("isolated " ++ unicode_bytes(File) ++ " (fx_bystander)\n", Said),
    {1, "", Text} = script(Script, ["uninstall", "/no/such"]),
    contains(Text, ["cordon: /no/such"]),
    {2, "", _} = script(Script, ["install"]),
    ok = file:del_dir_r(filename:join(Root, "ebin")),
    {1, "", Lost} = script(Script, ["--version"]),
    contains(Lost, ["was not found", "rebar3 compile"]).

unicode_bytes(Text) ->
    binary_to_list(unicode:characters_to_binary(Text)).

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
    ?assertEqual(["--call-timeout", "--cordon"], Complete(["cordon", "install", "--c"])),
    ?assertEqual(["--json"], Complete(["cordon", "status", "--j"])).

%%% Helpers

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
