%%% `bin/cordon': libraries isolated on disk, and what is refused. Every case works on copies of
%%% its own; nodes load from there natively, and get whatever stands there.
-module(door_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include_lib("kernel/include/file.hrl").

-import(door, [call/4, contains/2, contents/1, copy/3, copy_application/2, cordon/1,
               mounted_read_only/1, names/1, refused/3, so/1, stands/2, tree/1,
               without_cordon/0]).

all() ->
    [isolated_and_back, unmodified_module, running_vm_undisturbed, options, group,
     installed_twice, names_of_a_file, several_at_once, refused_untouched, not_a_library,
     wrong_use, in_the_way, made_by_shim,
     read_only_directory, not_the_owner, busy, status_of_a_tree, inspect_text,
     inspect_json, inspect_requirements,
     inspect_lacking].

suite() ->
    [{timetrap, {seconds, 120}}].

init_per_suite(Config) -> door:init_suite(Config).
end_per_suite(Config) -> door:end_suite(Config).

init_per_testcase(Case, Config) -> case_dir:init(Case, Config).

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
            {1, "", Text} = call(Node, door, cordon, [["install", File]]),
            contains(Text, [File, "read-only file system", "expected a directory"]),
            ?assertEqual(Before, tree(filename:dirname(File))),
            test_node:stop(Node)
    end.

%% Nobody, in a directory of his own with a file of root's; and in a directory of root's.
not_the_owner(_) ->
    Root = "/tmp/cordon-door-" ++ os:getpid(),
    try test_node:start_nobody(Root) of
        {ok, Node} ->
            [begin
                 Dir = filename:join(Root, Name),
                 File = filename:join(Dir, "fx_bystander.so"),
                 ok = file:make_dir(Dir),
                 ok = file:change_owner(Dir, Uid, Uid),
                 {ok, _} = file:copy(so(fx_bystander), File),
                 ok = file:change_mode(File, 8#644),
                 ok = file:change_owner(File, 65534 - Uid, 65534 - Uid),
                 Before = tree(Dir),
                 {1, "", Text} = call(Node, door, cordon, [["install", File]]),
                 contains(Text, [File | Parts]),
                 ?assertEqual(Before, tree(Dir))
             end || {Name, Uid, Parts} <-
                        [{"his", 65534, ["not owner", "as the owner of the file"]},
                         {"roots", 0, ["permission denied", "directory that this user may"]}]],
            test_node:stop(Node);
        {skip, _} = Skip ->
            Skip
    after
        file:del_dir_r(Root)
    end.

%% A shim in the cache stands for a library elsewhere; nothing is installed over it.
made_by_shim(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Cached = cordon:shim(filename:rootname(File)) ++ ".so",
    {1, "", Text} = cordon(["install", Cached]),
    contains(Text, ["a shim already", "cordon:shim/2", File]),
    {1, "", Text2} = cordon(["uninstall", Cached]),
    contains(Text2, ["not one that was installed"]),
    {0, Inspected, ""} = cordon(["inspect", Cached]),
    contains(Inspected, ["a shim made by cordon:shim/2", "library          " ++ File]),
    {0, Status, ""} = cordon(["status", filename:dirname(Cached)]),
    contains(Status, ["elsewhere"]).

busy(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Dir = filename:dirname(File),
    cordon_disk:with_lock(Dir, fun() ->
                                       refused(Config, ["install", File],
                                               ["another cordon is at work in " ++ Dir])
                               end),
    {0, _, ""} = cordon(["install", File]).

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
                    "nif_decode_init/2", "cordon has all of them", "enif_make_badarg\n",
                    "can be isolated  yes"]),
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

inspect_requirements(Config) ->
    File = copy(Config, "app/priv", fx_requirements),
    {0, Text, ""} = cordon(["inspect", File]),
    contains(Text, ["requires         version: 1", "requires         flags: ["]),
    {0, Json, ""} = cordon(["inspect", "--json", File]),
    #{<<"requirements">> := #{<<"version">> := 1, <<"flags">> := [<<"stateless">> | _]}} =
        jiffy:decode(Json, [return_maps]).

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
