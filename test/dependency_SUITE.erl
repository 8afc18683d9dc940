%%% cordon as a dependency of somebody else: the example is built as its README says and
%%% run as a release, and what a build needs, and where there is nothing to build.
-module(dependency_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    [release, only_what_runs, missing_packages, other_system].

suite() ->
    [{timetrap, {seconds, 300}}].

init_per_testcase(Case, Config) -> case_dir:init(Case, Config).
end_per_testcase(_Case, Config) ->
    file:del_dir_r(proplists:get_value(dir, Config)).

%% Built, unpacked at another place, without the place where it was built.
release(Config) ->
    Built = filename:join(dir(Config), "built"),
    ok = copy_tree(filename:join(root(), "examples/shaky"), Built),
    {ok, ReadMe} = file:read_file(filename:join(Built, "README.md")),
    {match, [Commands]} = re:run(ReadMe, "```sh\n(.*?)```", [dotall, {capture, [1], binary}]),
    {0, _} = sh(Built, [{"CORDON", root()}], ["set -e\n", Commands]),
    Unpacked = filename:join(dir(Config), "unpacked"),
    ok = file:make_dir(Unpacked),
    Tar = filename:join(Built, "_build/default/rel/shaky/shaky-0.1.0.tar.gz"),
    {0, _} = sh(Unpacked, [], ["tar xzf ", Tar]),
    ok = file:del_dir_r(Built),
    with_epmd(fun(Env) ->
                      runs(Unpacked, [{"CORDON_DISABLE", false},
                                      {"HOME", filename:join(dir(Config), "home")} | Env])
              end).

runs(Root, Env) ->
    Port = open_port({spawn_executable, filename:join(Root, "bin/shaky")},
                     [{args, ["foreground"]}, {env, Env}, exit_status, stderr_to_stdout, binary]),
    Eval = fun(Expression) ->
                   {Status, Output} = sh(Root, Env, ["bin/shaky eval '", Expression, "'"]),
                   {Status, string:trim(Output)}
           end,
    fx:wait_until(fun() -> Eval("cordon:which_hosts() /= [].") =:= {0, <<"true">>} end, 30000),
    {0, Vm} = Eval("list_to_integer(os:getpid())."),
    {0, Before} = Eval("shaky:process()."),
    ?assertNotEqual(Vm, Before),
    ?assertEqual({0, <<"6">>}, Eval("shaky:sum([1, 2, 3]).")),
    {0, Crash} = Eval("catch shaky:crash()."),
    ?assertMatch({_, _}, binary:match(Crash, <<"{signal, sigsegv}">>)),
    ?assertEqual({0, <<"10">>}, Eval("shaky:sum([1, 2, 3, 4]).")),
    {0, After} = Eval("shaky:process()."),
    ?assertNotEqual(Before, After),
    ?assertEqual({0, Vm}, Eval("list_to_integer(os:getpid()).")),
    %% What its requirements record asks for, and what the configuration does.
    {0, Isolated} = Eval("[App || #{application := App} <- maps:get(isolated, cordon:info())]."),
    case code:lib_dir(jiffy) of
        {error, bad_name} ->
            ?assertEqual(<<"[shaky]">>, Isolated);
        _ ->
            ?assertEqual(<<"[jiffy, shaky]">>, Isolated),
            ?assertEqual({0, <<"#Bin<91,49,93>">>}, Eval("jiffy:encode([1])."))
    end,
    {0, _} = sh(Root, Env, "bin/shaky stop"),
    receive {Port, {exit_status, 0}} -> ok after 20000 -> error(does_not_stop) end,
    fx:wait_until(fun() -> not filelib:is_dir("/proc/" ++ binary_to_list(After)) end).

%% No GoogleTest, no tests, no measuring: neither needed nor built.
only_what_runs(Config) ->
    ok = copy_cordon(dir(Config)),
    {0, _} = sh(dir(Config), [], "cmake -G Ninja -S . -B build "
                "-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON && ninja -C build -t commands cordon_native >plan"),
    {ok, Plan} = file:read_file(filename:join(dir(Config), "plan")),
    [?assertMatch({_, _}, binary:match(Plan, Part))
     || Part <- [<<"nif_host">>, <<"cordon_nif.so">>, <<"cordon_shim.so">>]],
    [?assertEqual({Part, nomatch}, {Part, binary:match(Plan, Part)})
     || Part <- [<<"gtest">>, <<"_test.cpp">>, <<"/bench">>, <<"fixture">>]].

%% One line that names all of them.
missing_packages(Config) ->
    ok = copy_cordon(dir(Config)),
    Tools = fun(Name) ->
                    Bin = filename:join(dir(Config), Name),
                    ok = file:make_dir(Bin),
                    [ok = file:make_symlink(os:find_executable(Tool), filename:join(Bin, Tool))
                     || Tool <- ["bash", "dirname", "uname", "mkdir", "flock", "grep", "env",
                                 "cat", "erl", "ninja", "c++", "sh", "sed", "basename"]],
                    Bin
            end,
    Bare = Tools("bare"),
    [ok = file:delete(filename:join(Bare, Tool)) || Tool <- ["ninja", "c++", "erl"]],
    says_missing(Config, Bare, "cmake ninja-build erlang-base erlang-dev g++"),
    NoCmake = Tools("no_cmake"),
    says_missing(Config, NoCmake, "cmake"),
    NoHeaders = Tools("no_headers"),
    ok = file:delete(filename:join(NoHeaders, "c++")),
    ok = script(filename:join(NoHeaders, "c++"),
                ["exec ", os:find_executable("c++"), " -nostdinc -nostdinc++ -I '", NoHeaders,
                 "' \"$@\"\n"]),
    says_missing(Config, NoHeaders, "cmake g++ libboost-dev libmsgpack-cxx-dev rapidjson-dev "
                 "libsodium-dev"),
    %% As rebar3 shows it.
    {1, Output} = sh(dir(Config), [{"PATH", NoCmake ++ ":" ++ path_without_cmake(Config)}],
                     [os:find_executable("rebar3"), " compile"]),
    ?assertMatch({_, _}, binary:match(Output, <<"these Debian packages are missing: cmake\n">>)).

says_missing(Config, Bin, Packages) ->
    {1, Output} = sh(dir(Config), [{"PATH", Bin}], "scripts/build-native"),
    Line = "cordon: the native half can't be built, these Debian packages are missing: " ++ Packages,
    ?assertEqual([Line], [Line || Found <- string:lexemes(binary_to_list(Output), "\n"),
                                  lists:prefix(Line, Found)]),
    ?assertEqual(1, length(string:lexemes(Output, "\n"))).

path_without_cmake(Config) ->
    Bin = filename:join(dir(Config), "rebar_bin"),
    ok = file:make_dir(Bin),
    [ok = file:make_symlink(os:find_executable(Tool), filename:join(Bin, Tool))
     || Tool <- ["escript", "rm", "cp", "ls", "ln"]],
    Bin.

%% The Erlang half is whole, and `unsupported' says the rest.
other_system(Config) ->
    ok = copy_cordon(dir(Config)),
    Bin = filename:join(dir(Config), "darwin"),
    ok = file:make_dir(Bin),
    ok = script(filename:join(Bin, "uname"), "case $1 in -m) echo arm64 ;; *) echo Darwin ;; esac\n"),
    {0, Output} = sh(dir(Config), [{"PATH", Bin ++ ":" ++ os:getenv("PATH")}], "rebar3 compile"),
    ?assertMatch([_], [Line || Line <- string:lexemes(binary_to_list(Output), "\n"),
                               string:find(Line, "no host can run on Darwin arm64") =/= nomatch]),
    ?assertNot(filelib:is_dir(filename:join(dir(Config), "build"))),
    Ebin = filename:join(dir(Config), "_build/default/lib/cordon/ebin"),
    Own = filename:dirname(code:which(cordon)),
    {ok, Node} = test_node:start(#{path => [Ebin | lists:delete(Own, code:get_path())]}),
    try
        {error, {{cordon, Texts}, _}} = test_node:call(Node, fx, isolate, [[jiffy]]),
        ?assertNotEqual(nomatch, string:find(lists:append(Texts), "cordon_nif.so does not exist")),
        ok = test_node:call(Node, application, set_env, [cordon, unsupported, native]),
        ok = test_node:call(Node, fx, load, [isolated, fx_bystander]),
        ?assertEqual(1, test_node:call(Node, fx_bystander, count, [])),
        ok = test_node:call(Node, fx, isolate, [[jiffy]]),
        ?assertEqual([], test_node:call(Node, cordon, which_hosts, []))
    after
        test_node:stop(Node)
    end.

%%% Helpers

%% Where cordon's sources are.
root() ->
    filename:dirname(string:trim(os:cmd("readlink -f '" ++ code:priv_dir(cordon) ++ "'"))).

%% What somebody gets who has cordon as a dependency, with nothing built.
copy_cordon(To) ->
    [ok = copy_tree(filename:join(root(), Part), filename:join(To, Part))
     || Part <- ["rebar.config", "CMakeLists.txt", "bin", "cmake", "scripts", "c_src",
                 "include", "src"]],
    ok.

copy_tree(From, To) ->
    {0, _} = sh("/", [], ["cp -a '", From, "' '", To, "'"]),
    ok.

script(Path, Text) ->
    ok = file:write_file(Path, ["#!/bin/sh\n", Text]),
    file:change_mode(Path, 8#755).

%% Exit status and output of shell commands.
sh(Dir, Env, Commands) ->
    Port = open_port({spawn_executable, "/bin/sh"},
                     [{args, ["-c", iolist_to_binary(Commands)]}, {cd, Dir}, {env, Env},
                      exit_status, stderr_to_stdout, binary]),
    output(Port, []).

output(Port, Output) ->
    receive
        {Port, {data, Data}} ->
            output(Port, [Output, Data]);
        {Port, {exit_status, Status}} ->
            ct:log("~ts", [Output]),
            {Status, iolist_to_binary(Output)}
    end.

%% An epmd of this test's own.
with_epmd(Fun) ->
    Number = integer_to_list(20000 + list_to_integer(os:getpid()) rem 20000),
    Env = [{"ERL_EPMD_PORT", Number}, {"ERL_EPMD_ADDRESS", "127.0.0.1"}],
    Port = open_port({spawn_executable, os:find_executable("epmd")}, [{env, Env}]),
    {os_pid, Pid} = erlang:port_info(Port, os_pid),
    try Fun(Env)
    after os:cmd("kill " ++ integer_to_list(Pid))
    end.

dir(Config) ->
    proplists:get_value(dir, Config).
