%%% The sidecar of a shim: what may be in it, what is wrong with it, and what the
%%% file that it names may have become.
-module(sidecar_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    [relative_paths].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    ok = fx:isolate([]),
    Config.

end_per_suite(_Config) ->
    ok = fx:isolate_end().

end_per_testcase(_Case, _Config) ->
    fx:unload(fx_bystander).

%% A directory that has all it needs, and may be moved as a whole.
relative_paths(Config) ->
    Dir = filename:join(dir(Config), "here"),
    ok = filelib:ensure_path(filename:join(Dir, "real")),
    [{ok, _} = copy(File, filename:join([Dir, "cordon", filename:basename(File)]))
     || File <- filelib:wildcard(filename:join(code:priv_dir(cordon), "*"))],
    {ok, _} = copy(fx:library(fx_bystander) ++ ".so", filename:join(Dir, "real/fx.so")),
    Sidecar = change(sidecar(), [{proxy, "cordon/cordon_nif.so"}, {nif_host, "./cordon/nif_host"},
                                 {library, "../here/real/fx.so"}]),
    put_shim(filename:join(Dir, "shim"), Sidecar),
    Moved = filename:join(dir(Config), "moved/here"),
    ok = filelib:ensure_path(filename:dirname(Moved)),
    ok = file:rename(Dir, Moved),
    {ok, Node} = test_node:start([]),
    try
        ok = test_node:call(Node, fx, try_load,
                            [fx_bystander, #{path => filename:join(Moved, "shim")}]),
        ?assertEqual(1, test_node:call(Node, fx_bystander, count, [])),
        ?assertMatch({_, _}, binary:match(fx:maps(test_node:os_pid(Node)),
                                          list_to_binary(filename:join(Moved, "cordon/cordon_nif.so"))))
    after
        test_node:stop(Node)
    end.

%%% Helpers

%% A good one, for fx_bystander.
sidecar() ->
    {ok, Sidecar} = file:read_file(cordon:shim(fx:library(fx_bystander)) ++ ".cordon"),
    binary:replace(Sidecar, <<"\\/">>, <<"/">>, [global]).

change(Sidecar, Changes) ->
    lists:foldl(fun({Key, Value}, Text) ->
                        Pattern = ["(\"", atom_to_list(Key), "\": )\"[^\"]*\""],
                        re:replace(Text, Pattern, ["\\1\"", Value, "\""], [{return, binary}])
                end, Sidecar, Changes).

put_shim(Path, Sidecar) ->
    {ok, _} = file:copy(filename:join(code:priv_dir(cordon), "cordon_shim.so"), Path ++ ".so"),
    ok = file:write_file(Path ++ ".cordon", Sidecar).

copy(From, To) ->
    ok = filelib:ensure_dir(To),
    {ok, Info} = file:read_file_info(From),
    Result = file:copy(From, To),
    ok = file:write_file_info(To, Info),
    Result.

dir(Config) ->
    proplists:get_value(priv_dir, Config).
