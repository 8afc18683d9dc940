%%% Throw-away nodes: what a test does to them, or they to themselves, ends with them.
-module(test_node).

-export([start/1, start_nobody/1, start_nobody/2, call/4, call/5, stop/1, os_pid/1, copy_dir/2]).

-include_lib("kernel/include/file.hrl").

%% @doc Starts a node with more command line arguments, or with settings: `args',
%% `path' in the place of this node's own, `env' and `exec' as for peer:start/1.
-spec start([string()] | map()) -> {ok, pid()} | {error, term()}.
start(Args) when is_list(Args) ->
    start(#{args => Args});
start(Settings) ->
    Path = maps:get(path, Settings, code:get_path()),
    Paths = ["-pa" | [filename:absname(Dir)
                      || Dir <- Path, not lists:prefix(code:lib_dir(), Dir), Dir =/= "."]],
    Options = #{connection => standard_io,
                args => maps:get(args, Settings, []) ++ Paths,
                env => maps:get(env, Settings, own_env())},
    case peer:start(maps:merge(Options, maps:with([exec], Settings))) of
        {ok, Peer, _Node} -> {ok, Peer};
        {ok, Peer} -> {ok, Peer};
        {error, _} = Error -> Error
    end.

%% @doc Starts a node of a user without rights and home, for which all that it needs is
%% copied below a directory. Only root can do it.
-spec start_nobody(file:filename()) -> {ok, pid()} | {skip, string()}.
start_nobody(Root) ->
    start_nobody(Root, []).

%% @doc The same, with a program and its arguments that are to run the node.
-spec start_nobody(file:filename(), [string()]) -> {ok, pid()} | {skip, string()}.
start_nobody(Root, Wrapper) ->
    Setpriv = os:find_executable("setpriv"),
    case os:cmd("id -u") of
        "0\n" when is_list(Setpriv) ->
            [ok = copy_dir(From, filename:join(Root, To))
             || {From, To} <- [{filename:dirname(code:which(cordon)), "cordon/ebin"},
                               {code:priv_dir(cordon), "cordon/priv"},
                               {filename:dirname(code:which(fx)), "test"},
                               {filename:dirname(fx:library(fx_crash)), "fixtures"}]],
            start(#{exec => {Setpriv, ["--reuid=65534", "--regid=65534", "--clear-groups"]
                               ++ Wrapper ++ [os:find_executable("erl")]},
                    env => [{"HOME", "/nonexistent"},
                            {"CORDON_FIXTURES", filename:join(Root, "fixtures")}],
                    path => [filename:join(Root, "cordon/ebin"), filename:join(Root, "test")]});
        _ ->
            {skip, "only root can start a node of another user"}
    end.

own_env() ->
    [{"CORDON_FIXTURES", Dir} || Dir <- [os:getenv("CORDON_FIXTURES")], Dir =/= false].

-spec call(pid(), module(), atom(), [term()]) -> term().
call(Node, Module, Function, Args) ->
    call(Node, Module, Function, Args, 30000).

-spec call(pid(), module(), atom(), [term()], timeout()) -> term().
call(Node, Module, Function, Args, Timeout) ->
    peer:call(Node, Module, Function, Args, Timeout).

-spec os_pid(pid()) -> string().
os_pid(Node) ->
    call(Node, os, getpid, []).

-spec stop(pid()) -> ok.
stop(Node) ->
    try peer:stop(Node)
    catch exit:_ -> ok
    end,
    ok.

%% @doc Copies the files of a directory, with their modes.
-spec copy_dir(file:filename(), file:filename()) -> ok.
copy_dir(From, To) ->
    ok = filelib:ensure_path(To),
    {ok, Names} = file:list_dir(From),
    [begin
         {ok, _} = file:copy(filename:join(From, Name), filename:join(To, Name)),
         {ok, Info} = file:read_file_info(filename:join(From, Name)),
         ok = file:change_mode(filename:join(To, Name), Info#file_info.mode)
     end || Name <- Names, filelib:is_regular(filename:join(From, Name))],
    ok.
