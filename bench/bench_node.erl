%%% Other nodes on this machine: Erlang's, and one in C (cnode_server.c).
-module(bench_node).

-export([open_c/0, ask_c/2, open_erlang/1, name/1, close/1]).

-opaque other() :: {c, node(), port()} | {erlang, node(), pid()}.
-export_type([other/0]).

-spec open_c() -> other().
open_c() ->
    Name = "bench_c_" ++ os:getpid(),
    Port = open_port({spawn_executable, bench_library:file("cnode_server")},
                     [{args, [Name, atom_to_list(erlang:get_cookie())]}, {line, 100}, binary]),
    receive {Port, {data, {eol, <<"ready">>}}} -> ok after 10000 -> error(cnode_not_ready) end,
    {c, list_to_atom(Name ++ "@127.0.0.1"), Port}.

-spec ask_c(other(), tuple()) -> term().
ask_c({c, Node, _}, Request) ->
    {server, Node} ! {self(), Request},
    receive {bench_c, Answer} -> Answer end.

%% @doc With this code and bench_native. Settings: `args' and `exec' as for peer:start_link/1.
-spec open_erlang(map()) -> other().
open_erlang(Settings) ->
    Paths = [filename:dirname(code:which(Module)) || Module <- [?MODULE, cordon]],
    Given = maps:get(args, Settings, []),
    {ok, Peer, Node} = peer:start_link(Settings#{name => peer:random_name(), host => "127.0.0.1",
                                                 longnames => true, args => Given ++ ["-pa" | Paths]}),
    ok = erpc:call(Node, bench_library, load_native, [filename:dirname(bench_library:file("x"))]),
    {erlang, Node, Peer}.

-spec name(other()) -> node().
name({_, Node, _}) -> Node.

-spec close(other()) -> ok.
close({c, _, Port}) -> true = port_close(Port), ok;
close({erlang, _, Peer}) -> peer:stop(Peer).
