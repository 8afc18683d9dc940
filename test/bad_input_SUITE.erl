%%% What can be wrong with a library, its options, or cordon itself: each gives the
%%% error that users of erlang:load_nif/2 know, with a text that says what was
%%% expected and what to do.
-module(bad_input_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    [missing_file, missing_file_as_binary, path_with_extension, directory, no_path,
     long_path, odd_path, no_elf, empty_file, truncated, wrong_machine, wrong_class,
     no_nif_init, other_module_name, missing_function, newer_api, long_name,
     unresolved_symbol,
     unreadable, unknown_option, ill_typed_options, all_options_at_once, options_no_map,
     check_agrees, works_after_errors, crash_in_constructor,
     unknown_application, application_without_library, isolate_ill_typed,
     isolate_all_at_once, isolate_broken_library,
     nif_host_not_executable, nif_host_missing, nif_host_other_program, nif_host_stale,
     cache_dir_writable_by_others, cache_dir_not_a_directory, cache_dir_ill_typed,
     cache_dir_unwritable_path, cache_dir_of_any_name, damaged_shim].

suite() -> [{timetrap, {seconds, 60}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

end_per_testcase(_Case, _Config) -> fx:unload(fx_bystander).

%%% Files

missing_file(_) ->
    refused(fx_bystander, "/no/such/dir/lib", ["/no/such/dir/lib.so", "no such file", "built"]).

missing_file_as_binary(_) ->
    refused(fx_bystander, <<"/no/such/lib">>, ["/no/such/lib.so", "no such file"]).

path_with_extension(_) ->
    refused(fx_bystander, fx:library(fx_bystander) ++ ".so", ["eave out the \".so\""]).

directory(Config) ->
    Dir = filename:join(dir(Config), "dir"),
    ok = file:make_dir(Dir ++ ".so"),
    refused(fx_bystander, Dir, ["is a directory", "expected a NIF library"]).

no_path(_) ->
    [refused(fx_bystander, Path, ["path", "erlang:load_nif/2"])
     || Path <- [{not_a, path}, 17, [a, {b}], make_ref()]],
    refused(fx_bystander, "", ["path is empty"]).

long_path(_) ->
    refused(fx_bystander, "/" ++ lists:duplicate(3000, $x), ["no such file"]),
    refused(fx_bystander, lists:append(lists:duplicate(500, "/long")), ["no such file"]).

odd_path(_) ->
    refused(fx_bystander, "/no/\x{e9}\x{1f600}\n", ["no such file"]),
    refused(fx_bystander, "/no/'quotes' and %s %n", ["%s %n"]).

no_elf(Config) ->
    refused(fx_bystander, write(Config, "text", <<"this is a text file, and long enough to be read\n">>),
            ["text.so", "ELF"]).

empty_file(Config) ->
    refused(fx_bystander, write(Config, "empty", <<>>), ["empty.so"]).

truncated(Config) ->
    Whole = read(fx_bystander),
    [refused(fx_bystander, write(Config, "cut", binary:part(Whole, 0, Size)), ["cut.so"])
     || Size <- [3, 16, 63, 64, 500, 3000, byte_size(Whole) div 2]].

%% e_machine is the 16 bits at offset 18; 183 is AArch64.
wrong_machine(Config) ->
    <<Start:18/binary, _:16, Rest/binary>> = read(fx_bystander),
    refused(fx_bystander, write(Config, "arm", <<Start/binary, 183:16/little, Rest/binary>>),
            ["arm.so", "machine"]).

%% The byte at offset 4 says 32 or 64 bits.
wrong_class(Config) ->
    <<Start:4/binary, _, Rest/binary>> = read(fx_bystander),
    refused(fx_bystander, write(Config, "bits", <<Start/binary, 1, Rest/binary>>), ["bits.so"]).

no_nif_init(_) ->
    refused(fx_noinit, fx:library(fx_noinit), ["fx_noinit.so", "nif_init"]).

other_module_name(_) ->
    {error, {bad_lib, Text}} = fx:try_load(fx_bystander, fx:library(fx_calls), #{}),
    contains(Text, ["fx_calls", "fx_bystander"]).

missing_function(_) ->
    {error, {bad_lib, Text}} = fx:try_load(fx_missing, fx:library(fx_missing), #{}),
    ?assertEqual(native(fx_missing), {error, {bad_lib, Text}}),
    contains(Text, ["fx_missing:not_in_module/3"]).

newer_api(_) ->
    {error, {_, Native}} = native(fx_newapi),
    contains(Native, ["newer"]),
    {error, {Reason, Text}} = fx:try_load(fx_newapi, fx:library(fx_newapi), #{}),
    ?assert(lists:member(Reason, [bad_lib, load_failed])),
    contains(Text, ["fx_newapi", "newer"]).

long_name(_) ->
    refused(fx_bystander, fx:library(fx_longname),
            ["fx_longname.so", "a name of 300 bytes", "at most 255"]).

unresolved_symbol(_) ->
    refused(fx_unresolved, fx:library(fx_unresolved),
            ["fx_unresolved.so", "cordon_fixture_missing_symbol"]).

%% Root reads everything, so then it is another user who tries.
unreadable(Config) ->
    Path = write(Config, "secret", read(fx_bystander)),
    ok = file:change_mode(Path ++ ".so", 0),
    Parts = ["secret.so", "can't be read (permission denied)"],
    case file:open(Path ++ ".so", [read]) of
        {error, eacces} -> refused(fx_bystander, Path, Parts);
        {ok, Device} ->
            ok = file:close(Device),
            unreadable_by_nobody(Parts)
    end.

unreadable_by_nobody(Parts) ->
    Root = "/tmp/cordon-test-" ++ os:getpid(),
    try test_node:start_nobody(Root) of
        {ok, Node} ->
            Secret = filename:join(Root, "fixtures/secret"),
            ok = file:write_file(Secret ++ ".so", read(fx_bystander)),
            ok = file:change_mode(Secret ++ ".so", 8#600),
            {error, {load_failed, Text}} =
                test_node:call(Node, fx, try_load, [fx_bystander, Secret, #{}]),
            {error, {load_failed, Checked}} = test_node:call(Node, cordon, check, [Secret]),
            test_node:stop(Node),
            contains(Text, Parts),
            contains(Checked, Parts);
        {skip, _} = Skip ->
            Skip
    after
        file:del_dir_r(Root),
        file:del_dir_r("/tmp/cordon-65534")
    end.

%%% Options

unknown_option(_) ->
    refused_options(#{no_such_option => 17},
                    ["unknown option no_such_option", "17", "call_timeout", "atom_limit"]).

ill_typed_options(_) ->
    [refused_options(#{Key => Value}, ["option " ++ atom_to_list(Key), "expected"])
     || {Key, Values} <- [{call_timeout, [0, -1, abc, 1.5, 1 bsl 40, "1"]},
                          {load_timeout, [0, infinity]}, {upgrade_timeout, [infinity, x]},
                          {stack_size, [0, 65535, infinity, 1 bsl 50]},
                          {pool_size, [1, 1 bsl 60, <<"1">>]}, {atom_limit, [-1, many]}],
        Value <- Values].

all_options_at_once(_) ->
    refused_options(#{call_timeout => 0, stack_size => x, wrong => 1},
                    ["option call_timeout is 0", "option stack_size is x", "unknown option wrong"]).

options_no_map(_) ->
    [refused_options(Options, ["options", "map"]) || Options <- [[], [{call_timeout, 1}], x, 7]].

check_agrees(Config) ->
    ?assertEqual(ok, cordon:check(fx:library(fx_bystander))),
    ?assertEqual(ok, cordon:check(fx:library(fx_bystander), #{call_timeout => 1000})),
    [begin
         {error, {Reason, Text}} = cordon:check(Path, Options),
         ?assert(is_atom(Reason)),
         contains(Text, Parts)
     end || {Path, Options, Parts} <-
                [{"/no/such", #{}, ["no such file"]},
                 {fx:library(fx_noinit), #{}, ["nif_init"]},
                 {fx:library(fx_unresolved), #{}, ["cordon_fixture_missing_symbol"]},
                 {fx:library(fx_bystander), #{x => 1}, ["unknown option x"]},
                 {write(Config, "check", <<"text">>), #{}, ["check.so"]}]].

works_after_errors(_) ->
    {error, _} = fx:try_load(fx_bystander, "/no/such", #{}),
    {error, _} = fx:try_load(fx_unresolved, fx:library(fx_unresolved), #{}),
    ok = fx:load(isolated, fx_bystander),
    ?assertEqual(1, fx_bystander:count()).

%% Opening a library runs code of it.
crash_in_constructor(_) ->
    refused(fx_constructor, fx:library(fx_constructor), ["fx_constructor.so", "sigabrt"]).

%%% Applications

unknown_application(_) ->
    not_started([no_such_application],
                ["no_such_application", "no such application", "code path"]).

application_without_library(_) ->
    not_started([stdlib], ["stdlib", "no NIF library", "priv"]).

isolate_ill_typed(_) ->
    not_started(jiffy, ["isolate is jiffy", "expected a list"]),
    not_started(["jiffy"], ["\"jiffy\"", "expected Application"]),
    not_started([{jiffy, []}], ["jiffy", "expected a map"]),
    not_started([jiffy, jiffy], ["jiffy more than once"]).

isolate_all_at_once(_) ->
    not_started([no_such_application, {jiffy, #{stack_size => 1}}, stdlib, 7],
                ["no_such_application", "option stack_size is 1", "no NIF library",
                 "isolate has the element 7"]).

isolate_broken_library(Config) ->
    App = filename:join(dir(Config), "broken-1.0"),
    ok = filelib:ensure_path(filename:join(App, "ebin")),
    ok = filelib:ensure_path(filename:join(App, "priv")),
    ok = file:write_file(filename:join(App, "ebin/broken.app"), "{application, broken, []}.\n"),
    {ok, _} = file:copy(fx:library(fx_unresolved) ++ ".so", filename:join(App, "priv/x.so")),
    true = code:add_patha(filename:join(App, "ebin")),
    not_started([broken], ["broken", "x.so", "cordon_fixture_missing_symbol"]),
    ?assertEqual(filename:join(App, "priv"), code:priv_dir(broken)),
    true = code:del_path(filename:join(App, "ebin")).

%% cordon stops before anything is changed, and starts again without the mistake.
not_started(Isolate, Parts) ->
    Path = code:get_path(),
    {error, {{cordon, Texts}, _}} = fx:isolate(Isolate),
    [?assert(io_lib:char_list(T)) || T <- Texts],
    contains(lists:append(Texts), Parts),
    ?assertEqual(Path, code:get_path()),
    ok = fx:isolate([]).

%%% cordon's own files: a node with a copy of cordon in which one is wrong

nif_host_not_executable(Config) ->
    damaged_cordon(Config, fun(Priv) -> ok = file:change_mode(host(Priv), 8#644) end,
                   ["nif_host", "executable"]).

nif_host_missing(Config) ->
    damaged_cordon(Config, fun(Priv) -> ok = file:delete(host(Priv)) end, ["nif_host"]).

nif_host_other_program(Config) ->
    damaged_cordon(Config,
                   fun(Priv) ->
                           ok = file:write_file(host(Priv), "#!/bin/sh\nexit 0\n"),
                           ok = file:change_mode(host(Priv), 8#755)
                   end, ["nif_host"]).

%% A program of another build: the build's id within it is changed.
nif_host_stale(Config) ->
    damaged_cordon(Config,
                   fun(Priv) ->
                           Id = string:trim(os:cmd(host(Priv) ++ " --version")),
                           {ok, Program} = file:read_file(host(Priv)),
                           ok = file:delete(host(Priv)),
                           ok = file:write_file(host(Priv), other_build(Program, Id)),
                           ok = file:change_mode(host(Priv), 8#755)
                   end, ["nif_host", "build"]).

other_build(Program, Id) ->
    Old = list_to_binary(Id),
    New = list_to_binary(lists:reverse(Id)),
    ?assertNotEqual(Old, New),
    binary:replace(Program, Old, New, [global]).

damaged_cordon(Config, Damage, Parts) ->
    Root = filename:join(dir(Config), "cordon"),
    Ebin = filename:dirname(code:which(cordon)),
    ok = test_node:copy_dir(Ebin, filename:join(Root, "ebin")),
    ok = test_node:copy_dir(code:priv_dir(cordon), filename:join(Root, "priv")),
    Damage(filename:join(Root, "priv")),
    Path = [filename:join(Root, "ebin") | lists:delete(Ebin, code:get_path())],
    {ok, Node} = test_node:start(#{path => Path}),
    {error, {load_failed, Text}} =
        test_node:call(Node, fx, try_load, [fx_bystander, fx:library(fx_bystander), #{}]),
    Check = test_node:call(Node, cordon, check, [fx:library(fx_bystander)]),
    Started = test_node:call(Node, fx, isolate, [[jiffy]]),
    test_node:stop(Node),
    contains(Text, Parts),
    ?assertMatch({error, {_, _}}, Check),
    {error, {{cordon, Texts}, _}} = Started,
    contains(lists:append(Texts), Parts).

host(Priv) ->
    filename:join(Priv, "nif_host").

%%% The cache directory

cache_dir_writable_by_others(Config) ->
    Dir = filename:join(dir(Config), "open"),
    ok = file:make_dir(Dir),
    [begin
         ok = file:change_mode(Dir, Mode),
         wrong_cache(Dir, ["open", "others can write", integer_to_list(Mode, 8)])
     end || Mode <- [8#777, 8#770, 8#702]].

cache_dir_not_a_directory(Config) ->
    wrong_cache(write(Config, "file", <<>>) ++ ".so", ["file.so", "not a directory", "cache_dir"]).

cache_dir_ill_typed(_) ->
    wrong_cache({a, dir}, ["cache_dir is {a,dir}", "expected the path"]),
    wrong_cache("", ["cache_dir is []"]).

cache_dir_unwritable_path(_) ->
    wrong_cache("/proc/no/such/dir", ["/proc/no/such/dir", "can't be written"]).

%% A home directory may have such a name.
cache_dir_of_any_name(Config) ->
    [begin
         ok = application:set_env(cordon, cache_dir, filename:join(dir(Config), Name)),
         try
             ok = fx:load(isolated, fx_bystander),
             ?assertEqual(1, fx_bystander:count())
         after
             application:unset_env(cordon, cache_dir),
             fx:unload(fx_bystander)
         end
     end || Name <- ["two words", "Jos\x{e9}", "a\n\"b\\c'" |
                     ["\x{4e2d}\x{6587}" || file:native_name_encoding() =:= utf8]]].

wrong_cache(Dir, Parts) ->
    ok = application:set_env(cordon, cache_dir, Dir),
    try refused(fx_bystander, fx:library(fx_bystander), Parts)
    after application:unset_env(cordon, cache_dir)
    end.

%% A shim that isn't whole is made again.
damaged_shim(Config) ->
    ok = application:set_env(cordon, cache_dir, filename:join(dir(Config), "cache")),
    try
        Shim = cordon:shim(fx:library(fx_bystander)),
        ?assertEqual(Shim, cordon:shim(fx:library(fx_bystander))),
        ok = file:write_file(Shim ++ ".so", <<"cut">>),
        ?assertEqual(Shim, cordon:shim(fx:library(fx_bystander))),
        ok = file:delete(Shim ++ ".cordon"),
        ok = fx:load(isolated, fx_bystander),
        ?assertEqual(1, fx_bystander:count())
    after
        application:unset_env(cordon, cache_dir)
    end.

%%% Helpers

native(Module) ->
    fx:try_load(Module, #{}).

refused_options(Options, Parts) ->
    {error, {load_failed, Text}} = fx:try_load(fx_bystander, fx:library(fx_bystander), Options),
    contains(Text, Parts).

%% The shape and prefix of load_nif's own errors, with cordon's text.
refused(Module, Path, Parts) ->
    Result = fx:try_load(Module, Path, #{}),
    ?assertMatch({error, {load_failed, "Failed to load NIF library" ++ _}}, Result),
    {error, {load_failed, Text}} = Result,
    contains(Text, ["cordon: " | Parts]),
    {error, {_, Checked}} = cordon:check(Path),
    contains(Checked, Parts).

contains(Text, Parts) ->
    [?assertMatch({Part, [_ | _], _}, {Part, found(Text, Part), Text}) || Part <- Parts],
    ok.

found(Text, Part) ->
    case string:find(Text, Part) of
        nomatch -> nomatch;
        Found -> Found
    end.

dir(Config) ->
    proplists:get_value(priv_dir, Config).

read(Module) ->
    {ok, Content} = file:read_file(fx:library(Module) ++ ".so"),
    Content.

write(Config, Name, Content) ->
    Path = filename:join(dir(Config), Name),
    ok = file:write_file(Path ++ ".so", Content),
    Path.
