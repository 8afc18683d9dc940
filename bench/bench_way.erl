%%% The ways to have C code do something for a process: in the VM, in a host, in a port program, in a
%%% C node, in another Erlang node. All do the same: add two integers, read all bytes of a binary,
%%% return a binary.
-module(bench_way).

-export([all/0, with_nodes/1, open/2, close/2, add/3, take/3, give/3]).
-export([remote_add/2]). % through erpc

-export_type([way/0, nodes/0]).

-type way() :: inproc | dirty | cordon | port | cnode | erpc | zero_copy.
-type nodes() :: #{cnode | erpc => bench_node:other()}.

-define(ADD, 0).
-define(TAKE, 1).
-define(GIVE, 2).

%% @doc Those that differ in everything; zero_copy is cordon with that option.
-spec all() -> [way()].
all() -> [inproc, dirty, cordon, port, cnode, erpc].

%% @doc The other nodes run during the fun.
-spec with_nodes(fun((nodes()) -> T)) -> T.
with_nodes(Fun) ->
    Nodes = #{cnode => bench_node:open_c(), erpc => bench_node:open_erlang(#{})},
    try Fun(Nodes)
    after maps:foreach(fun(_, Node) -> bench_node:close(Node) end, Nodes)
    end.

%% @doc In the process that is to use it.
-spec open(way(), nodes()) -> term().
open(port, _) ->
    open_port({spawn_executable, bench_library:file("port_server")}, [{packet, 4}, binary]);
open(Way, Nodes) ->
    maps:get(Way, Nodes, none).

-spec close(way(), term()) -> ok.
close(port, Port) -> true = port_close(Port), ok;
close(_, _) -> ok.

%% @doc So many calls, one after the other, each checked.
-spec add(way(), term(), non_neg_integer()) -> ok.
add(inproc, _, N) -> bench_native:loop(N);
add(dirty, _, N) -> bench_native:loop_dirty(N);
add(cordon, _, N) -> bench_isolated:loop(N);
add(_, _, 0) -> ok;
add(Way, State, N) ->
    Sum = N + 2,
    Sum = add_once(Way, State, N),
    add(Way, State, N - 1).

add_once(port, Port, N) ->
    <<Sum:64/native-signed>> = ask_port(Port, [?ADD, <<N:64/native-signed, 2:64/native-signed>>]),
    Sum;
add_once(cnode, Node, N) ->
    bench_node:ask_c(Node, {?ADD, N, 2});
add_once(erpc, Node, N) ->
    erpc:call(bench_node:name(Node), ?MODULE, remote_add, [N, 2]).

-spec remote_add(integer(), integer()) -> integer().
remote_add(A, B) -> A + B.

%% @doc The callee reads every byte.
-spec take(way(), term(), binary()) -> Sum :: non_neg_integer().
take(inproc, _, Bytes) -> bench_native:sum(Bytes);
take(dirty, _, Bytes) -> bench_native:sum_dirty(Bytes);
take(cordon, _, Bytes) -> bench_isolated:sum(Bytes);
take(port, Port, Bytes) ->
    <<Sum:64/native>> = ask_port(Port, [?TAKE, Bytes]),
    Sum;
take(cnode, Node, Bytes) -> bench_node:ask_c(Node, {?TAKE, Bytes, 0});
take(erpc, Node, Bytes) -> erpc:call(bench_node:name(Node), bench_native, sum, [Bytes]).

%% @doc The callee makes that many bytes.
-spec give(way(), term(), pos_integer()) -> binary().
give(inproc, _, Size) -> bench_native:fill(Size);
give(dirty, _, Size) -> bench_native:fill_dirty(Size);
give(cordon, _, Size) -> bench_isolated:fill(Size);
give(zero_copy, _, Size) -> bench_in_place:fill(Size);
give(port, Port, Size) -> ask_port(Port, [?GIVE, <<Size:64/native>>]);
give(cnode, Node, Size) -> bench_node:ask_c(Node, {?GIVE, Size, 0});
give(erpc, Node, Size) -> erpc:call(bench_node:name(Node), bench_native, fill, [Size]).

ask_port(Port, Request) ->
    true = port_command(Port, Request),
    receive {Port, {data, Answer}} -> Answer end.
