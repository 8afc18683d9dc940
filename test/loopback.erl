%%% TCP connections of a node with itself.
-module(loopback).

-export([connected/0, listen/0, connect/1]).

%% @doc Both ends of a connection.
-spec connected() -> {gen_tcp:socket(), gen_tcp:socket()}.
connected() ->
    {Listen, Port} = listen(),
    A = connect(Port),
    {ok, B} = gen_tcp:accept(Listen),
    ok = gen_tcp:close(Listen),
    {A, B}.

-spec listen() -> {gen_tcp:socket(), inet:port_number()}.
listen() ->
    {ok, Listen} = gen_tcp:listen(0, [binary, {active, false}, {ip, loopback}, {nodelay, true}]),
    {ok, Port} = inet:port(Listen),
    {Listen, Port}.

-spec connect(inet:port_number()) -> gen_tcp:socket().
connect(Port) ->
    {ok, Socket} = gen_tcp:connect({127, 0, 0, 1}, Port, [binary, {active, false}, {nodelay, true}]),
    Socket.
