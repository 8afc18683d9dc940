%%% A file for each test case that the library writes to, a line for each thing that it is called
%%% for.
-module(case_log).

-export([init/2, file/1, lines/1]).

%% @doc For init_per_testcase, with `mode' in the configuration: makes the empty file, which is then
%% `log' of it.
-spec init(atom(), [{atom(), term()}]) -> [{atom(), term()}].
init(Case, Config) ->
    Log = filename:join(proplists:get_value(priv_dir, Config),
                        lists:concat([proplists:get_value(mode, Config), ".", Case, ".log"])),
    ok = file:write_file(Log, <<>>),
    [{log, Log} | Config].

%% @doc Its name, as libraries take it.
-spec file([{atom(), term()}]) -> binary().
file(Config) ->
    list_to_binary(proplists:get_value(log, Config)).

-spec lines([{atom(), term()}]) -> [string()].
lines(Config) ->
    {ok, Log} = file:read_file(proplists:get_value(log, Config)),
    string:lexemes(binary_to_list(Log), "\n").
