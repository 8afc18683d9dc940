%%% The sidecar of a shim: what may be in it, what is wrong with it, and what the
%%% file that it names may have become.
-module(sidecar_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    [readable, relative_paths, no_json, not_there, another_version, unknown_keys,
     missing_keys, wrong_types, out_of_range, given_twice, any_byte_changed,
     edit_refuses, deleted, deleted_between_starts, touched, replaced_by_other_functions,
     replaced_by_other_module, replaced_by_no_library, replaced_between_starts,
     made_again, shim_of_a_shim].

suite() -> [{timetrap, {seconds, 60}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_testcase(Case, Config) -> case_dir:init(Case, Config).
end_per_testcase(_Case, _Config) -> fx:unload(fx_bystander).

%%% What is in it

%% For people: numbers are numbers, a function takes one line.
readable(_) ->
    Text = sidecar(#{stack_size => 1 bsl 20}),
    [?assertMatch({_, _}, binary:match(Text, Part))
     || Part <- [<<"\n  \"cordon\": 2,\n">>, <<"\"call_timeout\": \"infinity\"">>,
                 <<"\"stack_size\": 1048576">>, <<"\n  \"given\": [\"stack_size\"],\n">>,
                 <<"    {\"name\": \"count\", \"arity\": 0, \"flags\": 0}">>]],
    {ok, Text} = cordon_nif:edit_sidecar(Text, #{}).

%% A directory that has all it needs, and may be moved as a whole.
relative_paths(Config) ->
    Dir = filename:join(dir(Config), "here"),
    ok = filelib:ensure_path(filename:join(Dir, "real")),
    [ok = copy(File, filename:join([Dir, "cordon", filename:basename(File)]))
     || File <- filelib:wildcard(filename:join(code:priv_dir(cordon), "*")),
        filelib:is_regular(File)],
    ok = copy(fx:library(fx_bystander) ++ ".so", filename:join(Dir, "real/fx.so")),
    {ok, Sidecar} = cordon_nif:edit_sidecar(sidecar(), #{proxy => "cordon/cordon_nif.so",
                                                         nif_host => "./cordon/nif_host",
                                                         library => "../here/real/fx.so"}),
    ok = put_shim(filename:join(Dir, "shim"), Sidecar),
    Moved = filename:join(dir(Config), "moved/here"),
    ok = filelib:ensure_path(filename:dirname(Moved)),
    ok = file:rename(Dir, Moved),
    {ok, #{library := Library}} = cordon_nif:read_sidecar(filename:join(Moved, "shim.cordon")),
    ?assertEqual(filename:join(Moved, "real/fx.so"), Library),
    {ok, Node} = test_node:start([]),
    try
        ok = test_node:call(Node, fx, try_load,
                            [fx_bystander, #{path => filename:join(Moved, "shim")}]),
        ?assertEqual(1, test_node:call(Node, fx_bystander, count, [])),
        Maps = fx:maps(test_node:os_pid(Node)),
        Proxy = list_to_binary(filename:join(Moved, "cordon/cordon_nif.so")),
        ?assertMatch({_, _}, binary:match(Maps, Proxy))
    after
        test_node:stop(Node)
    end.

%%% What is wrong with it. Each text names the file and what to do.

no_json(Config) ->
    Good = sidecar(),
    [refused(Config, Text, [Part])
     || {Text, Part} <-
            [{<<>>, "it is empty"},
             {<<"{">>, "line 1"},
             {<<"hello">>, "line 1: Invalid value"},
             {<<"{\n\n  \"cordon\": 2,}">>, "line 3: Missing a name for object member"},
             {<<"{\"cordon\": 02}">>, "Missing a comma or '}'"},
             {<<"{\"cordon\": 2} x">>, "must not be followed"},
             {<<"{\"cordon\": \"\\u12g4\"}">>, "Incorrect hex digit"},
             {<<"{\"cordon\": \"\\ud800\\u0041\"}">>, "surrogate pair"},
             {<<"{\"cordon\": \"a\nb\"}">>, "Invalid escape character in string"},
             {<<"[1]">>, "it is [1], expected an object"},
             {<<16#7f, "ELF", 0:8000>>, "line 1: Invalid value"},
             {binary:copy(<<"[">>, 100000), "at most 16 levels"},
             {<<Good/binary, (binary:copy(<<" ">>, 1 bsl 20))/binary>>, "larger than 1048576"},
             {binary:part(Good, 0, byte_size(Good) div 2), "it is not JSON: line "},
             {<<Good/binary, 0, "more">>, "A zero byte"},
             {<<"{\"cordon\": 2, \"cordon\": 2}">>, "the key \"cordon\" twice"}]].

not_there(Config) ->
    Shim = filename:join(dir(Config), "shim"),
    ok = put_shim(Shim, sidecar()),
    ok = file:delete(Shim ++ ".cordon"),
    {error, {bad_lib, Text}} = fx:try_load(fx_bystander, #{path => Shim}),
    contains(Text, ["cordon: ", Shim ++ ".cordon", "No such file"]),
    {error, {sidecar, Read}} = cordon_nif:read_sidecar(Shim ++ ".cordon"),
    contains(Read, ["No such file", "make the shim again"]),
    ok = file:make_dir(Shim ++ ".cordon"),
    {error, {sidecar, Dir}} = cordon_nif:read_sidecar(Shim ++ ".cordon"),
    contains(Dir, ["Is a directory"]).

another_version(Config) ->
    refused(Config, set(<<"\"cordon\": 2">>, <<"\"cordon\": 3">>),
            ["of version 3", "reads version 2", "a later cordon"]),
    refused(Config, set(<<"\"cordon\": 2">>, <<"\"cordon\": 1">>), ["an earlier cordon"]),
    refused(Config, set(<<"\"cordon\": 2">>, <<"\"cordon\": \"2\"">>),
            ["key \"cordon\" is \"2\", expected"]).

unknown_keys(Config) ->
    refused(Config, set(<<"\"proxy\"">>, <<"\"prxy\": 17, \"proxy\"">>),
            ["unknown key \"prxy\" (17)", "expected one of", "nif_host"]),
    refused(Config, set(<<"\"stack_size\"">>, <<"\"stak\": [1], \"stack_size\"">>),
            ["unknown key \"options.stak\" ([1])", "call_timeout"]),
    refused(Config, set(<<"\"arity\"">>, <<"\"x\": {}, \"arity\"">>),
            ["unknown key \"manifest.functions.0.x\" ({})"]),
    refused(Config, set(<<"\"given\": []">>, <<"\"given\": [\"size\"]">>),
            ["key \"given\" is \"size\", expected names of options"]).

missing_keys(Config) ->
    [refused(Config, set(["\"", Key, "\":"], ["\"", Key, "_\":"]), ["\"" ++ Name ++ "\" is missing"])
     || {Key, Name} <- [{"cordon", "cordon"}, {"proxy", "proxy"}, {"nif_host", "nif_host"},
                        {"library", "library"}, {"library_file", "library_file"},
                        {"modified", "library_file.modified"}, {"unsupported", "unsupported"},
                        {"pool_size", "options.pool_size"}, {"group", "options.group"},
                        {"given", "given"}, {"module", "manifest.module"},
                        {"functions", "manifest.functions"}, {"arity", "manifest.functions.0.arity"}]].

wrong_types(Config) ->
    [refused(Config, set(From, To), ["key \"" ++ Key ++ "\" is ", "expected " ++ Expected])
     || {Key, From, To, Expected} <-
            [{"options.stack_size", "8388608", "\"8388608\"", "a number of bytes"},
             {"options.stack_size", "8388608", "8388608.5", "a number of bytes"},
             {"options.stack_size", "8388608", "8e6", "a number of bytes"},
             {"options.load_timeout", "30000", "\"infinity\"", "a number of milliseconds"},
             {"options.call_timeout", "\"infinity\"", "null", "a number of milliseconds"},
             {"manifest.load", "\"load\": false", "\"load\": 1", "true or false"},
             {"manifest.functions", "\"functions\": [", "\"functions\": true, \"rest\": [", "an array"},
             {"given", "\"given\": []", "\"given\": [1]", "an array of strings"},
             {"unsupported", "\"refuse\"", "\"maybe\"", "\"refuse\" or \"native\""},
             {"unsupported", "\"refuse\"", "{\"a\": 1}", "a string"},
             {"proxy", "\"proxy\": ", "\"proxy\": 7, \"x\": ", "a string"}]].

out_of_range(Config) ->
    [refused(Config, set(From, To), ["key \"" ++ Key ++ "\" is " ++ Shown, "from", "to"])
     || {Key, From, To, Shown} <-
            [{"options.stack_size", "8388608", "65535", "65535"},
             {"options.stack_size", "8388608", "99999999999999999999", "1e+20"},
             {"options.pool_size", "68719476736", "-1", "-1"},
             {"options.load_timeout", "30000", "0", "0"},
             {"options.atom_limit", "100000", "1000000001", "1000000001"}]],
    Long = ["\"", lists:duplicate(256, $x), "\""],
    refused(Config, set("\"fx_bystander\"", Long),
            ["key \"manifest.module\" is ", "expected at most 255 bytes"]),
    refused(Config, set("\"count\"", Long),
            ["key \"manifest.functions.0.name\" is ", "expected at most 255 bytes"]).

given_twice(Config) ->
    refused(Config, set(<<"\"arity\": 0">>, <<"\"arity\": 0, \"arity\": 1">>),
            ["the key \"arity\" twice"]).

%% Whatever one byte becomes: an error or a good sidecar, and never a lie about the
%% functions.
any_byte_changed(Config) ->
    Good = sidecar(),
    File = filename:join(dir(Config), "any.cordon"),
    [begin
         <<Before:At/binary, _, After/binary>> = Good,
         ok = file:write_file(File, <<Before/binary, Byte, After/binary>>),
         case cordon_nif:read_sidecar(File) of
             {ok, #{manifest := #{functions := [_ | _]}}} -> ok;
             {error, {sidecar, Text}} -> contains(Text, [File, "make the shim again"])
         end
     end || At <- lists:seq(0, byte_size(Good) - 1), Byte <- [0, $", $}, $7, 255]].

edit_refuses(_) ->
    Good = sidecar(),
    ?assertError(badarg, cordon_nif:edit_sidecar(Good, #{no_such_key => 1})),
    ?assertError(badarg, cordon_nif:edit_sidecar(Good, #{options => #{stack_size => 1}})),
    ?assertError(badarg, cordon_nif:edit_sidecar(Good, #{library => ""})),
    {error, {sidecar, Text}} = cordon_nif:edit_sidecar(<<"{}">>, #{}),
    contains(Text, ["\"cordon\" is missing"]).

%%% What has become of the library

deleted(Config) ->
    {Shim, Library} = installed(Config),
    ok = file:delete(Library),
    {error, {bad_lib, Text}} = fx:try_load(fx_bystander, #{path => Shim}),
    contains(Text, ["cordon: " ++ Library, "is gone (No such file or directory)", "put it back"]).

%% Loaded and then deleted: the next start of a host says it.
deleted_between_starts(Config) ->
    {Shim, Library} = installed(Config),
    ok = fx:try_load(fx_bystander, #{path => Shim}),
    ok = file:delete(Library),
    {nif_host_down, #{reason := Reason}} = after_a_stop(),
    contains(lists:flatten(io_lib:format("~tp", [Reason])), [Library]),
    ok = copy(fx:library(fx_bystander) ++ ".so", Library),
    ?assertEqual(1, fx_bystander:count()).

%% Another time, the same functions.
touched(Config) ->
    {Shim, Library} = installed(Config),
    ok = file:change_time(Library, {{2001, 2, 3}, {4, 5, 6}}),
    ok = fx:try_load(fx_bystander, #{path => Shim}),
    ?assertEqual(1, fx_bystander:count()),
    %% Where the file is looked at first, and its host started after that.
    {ok, Node} = test_node:start([]),
    ok = test_node:call(Node, fx, load, [native, fx_bystander, #{path => Shim}]),
    ?assertMatch([#{module := fx_bystander}], test_node:call(Node, cordon_nif, hosts, [])),
    test_node:stop(Node).

replaced_by_other_functions(Config) ->
    {Shim, Library} = installed(Config),
    ok = file:write_file(Library, renamed()),
    {error, {bad_lib, Text}} = fx:try_load(fx_bystander, #{path => Shim}),
    contains(Text, [Library, "its function 0 is tnuoc/0 (flags 0), expected count/0 (flags 0)",
                    "make the shim again"]).

replaced_by_other_module(Config) ->
    {Shim, Library} = installed(Config),
    ok = copy(fx:library(fx_calls) ++ ".so", Library),
    {error, {bad_lib, Text}} = fx:try_load(fx_bystander, #{path => Shim}),
    contains(Text, [Library, "it is for module fx_calls, expected fx_bystander"]).

replaced_by_no_library(Config) ->
    {Shim, Library} = installed(Config),
    ok = file:write_file(Library, <<"text">>),
    {error, {bad_lib, Text}} = fx:try_load(fx_bystander, #{path => Shim}),
    contains(Text, [Library, "not an ELF file"]),
    ok = copy(fx:library(fx_noinit) ++ ".so", Library),
    {error, {bad_lib, NoInit}} = fx:try_load(fx_bystander, #{path => Shim}),
    contains(NoInit, [Library, "init function"]).

%% No function is called by an index that is another's; when the file is put right,
%% calls work again.
replaced_between_starts(Config) ->
    {Shim, Library} = installed(Config),
    ok = fx:try_load(fx_bystander, #{path => Shim}),
    ok = replace(Library, renamed()),
    {nif_host_down, #{reason := Reason}} = after_a_stop(),
    contains(lists:flatten(io_lib:format("~tp", [Reason])),
             [Library, "tnuoc/0", "make the shim again"]),
    ?assertMatch({nif_host_down, _}, error_of(fun fx_bystander:count/0)),
    {ok, Right} = file:read_file(fx:library(fx_bystander) ++ ".so"),
    ok = replace(Library, Right),
    ?assertEqual(1, fx_bystander:count()).

%% The same shim, with another library behind it.
made_again(Config) ->
    {Shim, _} = installed(Config),
    ok = fx:try_load(fx_bystander, #{path => Shim}),
    fx:unload(fx_bystander),
    ok = copy(fx:library(fx_calls) ++ ".so", filename:join(dir(Config), "calls.so")),
    {ok, _, Sidecar} = cordon_shim:sidecar(filename:join(dir(Config), "calls.so"), #{}),
    ok = put_shim(Shim, Sidecar),
    ok = fx:try_load(fx_calls, #{path => Shim}),
    ?assertEqual(fx_calls, maps:get(module, fx:host(fx_calls))),
    fx:unload(fx_calls).

%% A shim of an installed shim stands for the library behind that; what its sidecar
%% gives holds, unless the configuration gives it too.
shim_of_a_shim(Config) ->
    {Shim, Library} = installed(Config, #{stack_size => 1 bsl 20, atom_limit => 7}),
    Other = cordon:shim(Shim, #{atom_limit => 8}),
    {ok, Read} = cordon_nif:read_sidecar(Other ++ ".cordon"),
    ?assertMatch(#{library := Library, given := [atom_limit, stack_size],
                   options := #{stack_size := 1048576, atom_limit := 8}}, Read),
    ok = fx:try_load(fx_bystander, #{path => Shim, shim => true}),
    ?assertEqual(1, fx_bystander:count()).

%%% Helpers

%% A good one, for fx_bystander.
sidecar() ->
    sidecar(#{}).

sidecar(Options) ->
    {ok, _, Sidecar} = cordon_shim:sidecar(fx:library(fx_bystander) ++ ".so", Options),
    Sidecar.

%% That one, with one thing changed.
set(From, To) ->
    Good = sidecar(),
    Bad = iolist_to_binary(string:replace(Good, iolist_to_binary(From), iolist_to_binary(To))),
    ?assertNotEqual(Good, Bad),
    Bad.

%% As load_nif says it, and as the tools do.
refused(Config, Sidecar, Parts) ->
    Shim = filename:join(dir(Config), "shim"),
    ok = put_shim(Shim, Sidecar),
    {error, {sidecar, Read}} = cordon_nif:read_sidecar(Shim ++ ".cordon"),
    contains(Read, [Shim ++ ".cordon", "make the shim again" | Parts]),
    {error, {bad_lib, Text}} = fx:try_load(fx_bystander, #{path => Shim}),
    contains(Text, ["cordon: ", Shim ++ ".cordon"]).

%% A library of this test's own with a shim beside it.
installed(Config) ->
    installed(Config, #{}).

installed(Config, Options) ->
    Library = filename:join(dir(Config), "real.so"),
    ok = copy(fx:library(fx_bystander) ++ ".so", Library),
    {ok, _, Sidecar} = cordon_shim:sidecar(Library, Options),
    Shim = filename:join(dir(Config), "shim"),
    ok = put_shim(Shim, Sidecar),
    {Shim, Library}.

%% A library whose one function has another name.
renamed() ->
    {ok, Content} = file:read_file(fx:library(fx_bystander) ++ ".so"),
    binary:replace(Content, <<0, "count", 0>>, <<0, "tnuoc", 0>>, [global]).

%% The file that is mapped stays as it is.
replace(Library, Content) ->
    ok = file:delete(Library),
    file:write_file(Library, Content).

after_a_stop() ->
    #{host := Host} = fx:host(fx_bystander),
    ok = cordon_nif:stop_host(Host),
    error_of(fun fx_bystander:count/0).

error_of(Fun) ->
    try Fun() of
        Value -> {returned, Value}
    catch
        error:Reason -> Reason
    end.

put_shim(Path, Sidecar) ->
    ok = copy(filename:join(code:priv_dir(cordon), "cordon_shim.so"), Path ++ ".so"),
    file:write_file(Path ++ ".cordon", Sidecar).

copy(From, To) ->
    ok = filelib:ensure_dir(To),
    _ = file:delete(To),
    {ok, _} = file:copy(From, To),
    {ok, Info} = file:read_file_info(From),
    file:change_mode(To, element(8, Info)).

contains(Text, Parts) ->
    [?assertMatch({Part, [_ | _], _}, {Part, found(Text, Part), Text}) || Part <- Parts],
    ok.

found(Text, Part) ->
    case string:find(Text, Part) of
        nomatch -> nomatch;
        Found -> Found
    end.

dir(Config) ->
    proplists:get_value(dir, Config).
