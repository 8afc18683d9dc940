%%% Throw-away nodes: what a test does to them, or they to themselves, ends with them.
-module(test_node).

-export([start/1, start/2, call/4, call/5, stop/1, os_pid/1]).

%% @doc Starts a node with this one's code path, and more command line arguments.
-spec start([string()]) -> {ok, pid()} | {error, term()}.
start(Args) ->
    start(Args, code:get_path()).

-spec start([string()], [file:filename()]) -> {ok, pid()} | {error, term()}.
start(Args, Path) ->
    {ok, Cwd} = file:get_cwd(),
    Paths = ["-pa" | [filename:absname(Dir, Cwd)
                      || Dir <- Path, not lists:prefix(code:lib_dir(), Dir), Dir =/= "."]],
    Env = [{"CORDON_FIXTURES", Dir} || Dir <- [os:getenv("CORDON_FIXTURES")], Dir =/= false],
    case peer:start(#{connection => standard_io, args => Args ++ Paths, env => Env}) of
        {ok, Peer, _Node} -> {ok, Peer};
        {ok, Peer} -> {ok, Peer};
        {error, _} = Error -> Error
    end.

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
