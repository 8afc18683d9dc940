%%% fast_tls and p1_sha (Debian's erlang-p1-tls), natively and isolated: OpenSSL in a host, over
%%% sockets of the VM.
-module(fast_tls_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include_lib("public_key/include/public_key.hrl").

-import(both_ways, [same/2]).

all() ->
    [isolated, handshake, data_both_ways, large_data, in_pieces, exact_lengths, peer_certificate,
     verify_result, finished_messages, protocols_and_ciphers, no_common_cipher, otp_is_the_client,
     otp_is_the_server, alpn, server_name, certfiles, bad_files, open_wrong_arguments,
     loop_wrong_arguments, not_a_connection, plain_text, garbage, closed_by_peer, after_close,
     other_process, back_to_tcp, cache, fips, dh_parameters, at_once, collected,
     hexlist, hexlist_wrong_arguments, hashes, channel_binding, pkcs12, every_function]
        ++ [empty_pkcs12 || has_pkcs12()].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    Dir = proplists:get_value(priv_dir, Config),
    Files = [{server, certificate(Dir, "server")}, {client, certificate(Dir, "client")}],
    both_ways:start(Files ++ Config, fast_tls, [fast_tls, p1_sha]).

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

%%% Connections

handshake(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {Client, Accepted} = connect([verify_none], [{certfile, Server}]),
        Ciphers = [fast_tls:get_negotiated_cipher(S) || S <- [Client, Accepted]],
        ?assertEqual(fast_tls:sockname(Client), fast_tls:peername(Accepted)),
        ok = fast_tls:setopts(Client, [{active, false}]),
        ?assertMatch([{ok, Cipher}, {ok, Cipher}], Ciphers),
        [fast_tls:close(Client), fast_tls:close(Accepted) | Ciphers]
    end).

data_both_ways(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {Client, Accepted} = connect([], [{certfile, Server}]),
        [begin
             ok = fast_tls:send(From, Data),
             ?assertEqual({ok, Data}, fast_tls:recv(To, 0, 5000))
         end || N <- lists:seq(1, 100), {From, To} <- [{Client, Accepted}, {Accepted, Client}],
                Data <- [<<"message ", (integer_to_binary(N))/binary>>]]
    end).

large_data(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {Client, Accepted} = connect([], [{certfile, Server}]),
        Data = binary:copy(<<"0123456789">>, 200000),
        Self = self(),
        spawn_link(fun() -> Self ! {sent, fast_tls:send(Client, Data)} end),
        ?assertEqual(Data, receive_bytes(Accepted, byte_size(Data))),
        receive {sent, Sent} -> Sent end
    end).

%% The records come to the library byte by byte.
in_pieces(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {Client, Accepted} = connect([], [{certfile, Server}]),
        ok = fast_tls:send(Client, <<"in pieces">>),
        {ok, Record} = gen_tcp:recv(tcp(Accepted), 0, 5000),
        Parts = [fast_tls:recv_data(Accepted, Byte) || Byte <- both_ways:pieces(Record, 1)],
        ?assertEqual({ok, <<"in pieces">>}, lists:last(Parts)),
        ?assertEqual([{ok, <<>>}], lists:usort(lists:droplast(Parts)))
    end).

exact_lengths(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {Client, Accepted} = connect([], [{certfile, Server}]),
        ok = fast_tls:send(Client, <<"0123456789">>),
        [fast_tls:recv(Accepted, N, 1000) || N <- [1, 2, 3, 4]]
    end).

peer_certificate(Config) ->
    [Server, Client] = [file(Who, Config) || Who <- [server, client]],
    same(Config, fun() ->
        {C, S} = connect([{certfile, Client}], [{certfile, Server}]),
        ?assertEqual([{ok, der(Server)}, {ok, der(Client)}],
                     [fast_tls:get_peer_certificate(Socket, der) || Socket <- [C, S]]),
        {ok, #'Certificate'{} = Plain} = fast_tls:get_peer_certificate(C),
        {ok, #'OTPCertificate'{}} = fast_tls:get_peer_certificate(C, otp),
        {C2, S2} = connect([], [{certfile, Server}]),
        [Plain, fast_tls:get_peer_certificate(S2), fast_tls:get_peer_certificate(C2, der),
         fast_tls:get_cert_verify_string(fast_tls:get_verify_result(C2), Plain)]
    end).

verify_result(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        Results = [begin
                       {C, S} = connect(Options, [{certfile, Server}]),
                       [fast_tls:get_verify_result(Socket) || Socket <- [C, S]]
                   end || Options <- [[], [verify_none], [{cafile, Server}], [{cafile, "/no/such"}]]],
        ?assert(lists:all(fun is_integer/1, lists:append(Results))),
        Results
    end).

finished_messages(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {C, S} = connect([], [{certfile, Server}]),
        [Own, OwnToPeer] = [fast_tls:get_tls_last_message(W, Socket)
                            || {W, Socket} <- [{self, C}, {peer, S}]],
        ?assertEqual(Own, OwnToPeer),
        [Peer, PeerToOwn] = [fast_tls:get_tls_last_message(W, Socket)
                             || {W, Socket} <- [{peer, C}, {self, S}]],
        ?assertEqual(Peer, PeerToOwn),
        {ok, New} = fast_tls:tcp_to_tls(none, [connect]),
        %% Some versions tell none at all with TLS 1.3.
        Size = fun({ok, Message}) -> byte_size(Message); (Error) -> Error end,
        [Size(Own), Size(Peer)] ++ [fast_tls:get_tls_last_message(W, New) || W <- [self, peer]]
    end).

protocols_and_ciphers(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        [begin
             {C, S} = connect([{protocol_options, Protocols}, {ciphers, Ciphers}],
                              [{certfile, Server}, {protocol_options, Protocols}, {ciphers, Ciphers},
                               compression_none]),
             ok = fast_tls:send(C, <<"x">>),
             {ok, <<"x">>} = fast_tls:recv(S, 1, 5000),
             {Protocols, fast_tls:get_negotiated_cipher(C)}
         end || {Protocols, Ciphers} <-
                    [{<<"no_tlsv1_3">>, <<"ECDHE-RSA-AES128-GCM-SHA256">>},
                     {<<"no_sslv3|no_tlsv1_3|cipher_server_preference">>, <<"AES256-GCM-SHA384">>},
                     {<<"no_such_option|">>, <<"HIGH:!aNULL">>}]]
    end).

no_common_cipher(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {A, B} = loopback:connected(),
        {ok, C} = fast_tls:tcp_to_tls(A, [connect, {protocol_options, <<"no_tlsv1_3">>},
                                          {ciphers, <<"ECDHE-RSA-AES128-GCM-SHA256">>}]),
        {ok, S} = fast_tls:tcp_to_tls(B, [{certfile, Server}, {protocol_options, <<"no_tlsv1_3">>},
                                          {ciphers, <<"ECDHE-RSA-AES256-GCM-SHA384">>}]),
        {ok, <<>>} = fast_tls:recv_data(C, <<>>),
        Failed = fast_tls:recv(S, 0, 2000),
        ok = gen_tcp:close(B),
        ?assertMatch({error, <<"SSL_do_handshake failed", _/binary>>}, Failed),
        [Failed, fast_tls:recv(C, 0, 2000)]
    end).

%% OTP's own TLS at the other end.
otp_is_the_client(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {ok, _} = application:ensure_all_started(ssl),
        {Listen, Port} = loopback:listen(),
        Client = beside(fun() ->
            {ok, Ssl} = ssl:connect({127, 0, 0, 1}, Port, [binary, {active, false},
                                                           {verify, verify_none}], 5000),
            ok = ssl:send(Ssl, <<"from OTP">>),
            ssl:recv(Ssl, 6, 5000)
        end),
        {ok, Socket} = gen_tcp:accept(Listen),
        {ok, S} = fast_tls:tcp_to_tls(Socket, [{certfile, Server}]),
        ?assertEqual(<<"from OTP">>, receive_bytes(S, 8)),
        ok = fast_tls:send(S, <<"answer">>),
        ?assertEqual({ok, <<"answer">>}, result(Client))
    end).

otp_is_the_server(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {Port, Otp} = otp_server(Server, []),
        {ok, C} = fast_tls:tcp_to_tls(loopback:connect(Port), [connect]),
        ok = fast_tls:send(C, <<"from fast_tls">>),
        ?assertEqual(<<"answer">>, receive_bytes(C, 6)),
        ?assertEqual({ok, der(Server)}, fast_tls:get_peer_certificate(C, der)),
        result(Otp)
    end).

alpn(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        [begin
             {Port, Otp} = otp_server(Server, [{alpn_preferred_protocols, [<<"xmpp-client">>, <<"h2">>]}]),
             {ok, C} = fast_tls:tcp_to_tls(loopback:connect(Port), [connect, {alpn, Offered}]),
             ok = fast_tls:send(C, <<"from fast_tls">>),
             <<"answer">> = receive_bytes(C, 6),
             {Negotiated, _} = result(Otp),
             ?assertEqual(Chosen, Negotiated)
         end || {Offered, Chosen} <- [{[<<"h2">>], {ok, <<"h2">>}},
                                      {[<<"h2">>, <<"xmpp-client">>], {ok, <<"xmpp-client">>}}]]
    end).

%% The name that the client asks for chooses the certificate.
server_name(Config) ->
    [Server, Other] = [file(Who, Config) || Who <- [server, client]],
    same(Config, fun() ->
        ok = fast_tls:add_certfile(<<"other.example">>, Other),
        Chosen = [begin
                      {C, _} = connect([{sni, Name}], [{certfile, Server}]),
                      {ok, Der} = fast_tls:get_peer_certificate(C, der),
                      Der =:= der(Other)
                  end || Name <- [<<"other.example">>, <<"OTHER.example">>, <<"unknown.example">>]],
        true = fast_tls:delete_certfile(<<"other.example">>),
        ?assertEqual([true, true, false], Chosen)
    end).

certfiles(Config) ->
    same(Config, fun() ->
        ?assertEqual(error, fast_tls:get_certfile("a.example")),
        ok = fast_tls:add_certfile("a.example", "/a.pem"),
        ok = fast_tls:add_certfile(["*", ".b.example"], <<"/b.pem">>),
        Found = [{Domain, fast_tls:get_certfile(Domain)}
                 || Domain <- ["a.example", "A.Example", "x.b.example", "y.x.b.example", "b.example",
                               "", ".", <<0>>, <<"a.example", 0, "rest">>]],
        ?assertEqual({ok, <<"/a.pem">>}, proplists:get_value("a.example", Found)),
        ok = fast_tls:add_certfile("a.example", "/a2.pem"),
        {ok, <<"/a2.pem">>} = fast_tls:get_certfile("a.example"),
        Deleted = [fast_tls:delete_certfile(D) || D <- ["a.example", "a.example", "*.b.example", "none"]],
        ?assertEqual([true, false, true, false], Deleted),
        Bad = [a, 1, {}, self(), <<1:3>>, [a], [256]],
        [Found | [both_ways:try_all(fast_tls, F, [[B | Rest] || B <- Bad])
                  || {F, Rest} <- [{get_certfile, []}, {delete_certfile, []}, {add_certfile, ["f"]}]]]
            ++ [both_ways:try_all(fast_tls, add_certfile, [["d", B] || B <- Bad])]
    end).

%%% Errors

bad_files(Config) ->
    Server = file(server, Config),
    Empty = filename:join(proplists:get_value(priv_dir, Config), "empty.pem"),
    ok = file:write_file(Empty, <<>>),
    same(Config, fun() ->
        Results = [fast_tls:tcp_to_tls(none, Options)
                   || Options <- [[], [{certfile, "/no/such.pem"}], [{certfile, Empty}],
                                  [{certfile, "/etc/hostname"}], [{certfile, Server}, {keyfile, Empty}],
                                  [{certfile, Server}, {keyfile, "/no/such"}],
                                  [{certfile, Server}, {dhfile, "/no/such"}],
                                  [{certfile, Server}, {dhfile, Empty}],
                                  [{certfile, Server}, {dh, <<"no DER">>}]]],
        ?assertEqual([], [R || {ok, _} = R <- Results]),
        Results
    end).

open_wrong_arguments(Config) ->
    same(Config, fun() ->
        Good = [1, "", "", "", "", "", "", "", "", ""],
        Results = both_ways:try_all(fast_tls, open_nif,
                                    [lists:sublist(Good, N - 1) ++ [B] ++ lists:nthtail(N, Good)
                                     || N <- lists:seq(1, 10), B <- [a, {}, self(), <<1:3>>, [a], -1, 1.0]]),
        ?assertEqual([], [R || {_, {ok, _}} = R <- Results]),
        Results
    end).

loop_wrong_arguments(Config) ->
    same(Config, fun() ->
        {ok, C} = fast_tls:tcp_to_tls(none, [connect]),
        Tls = tls(C),
        Results = both_ways:try_all(fast_tls, loop_nif,
                                    [[Tls, a, <<>>, 0], [Tls, <<>>, {}, 0], [Tls, <<>>, <<>>, a],
                                     [Tls, <<>>, <<>>, 1 bsl 40], [Tls, <<1:3>>, <<>>, 0]]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        Results ++ [both_ways:try_all(fast_tls, set_fips_mode_nif, [[a], [1.0], [1 bsl 40], [1], [0]])]
    end).

%% Every function that takes a connection, with something else.
not_a_connection(Config) ->
    same(Config, fun() ->
        Bad = [a, 1, make_ref(), self(), {}, <<>>, []],
        Results = [both_ways:try_all(fast_tls, F, [[B | Rest] || B <- Bad])
                   || {F, Rest} <- connection_functions()],
        [?assertEqual({A, {error, Reason}}, {A, Outcome})
         || {A, {_, Reason} = Outcome} <- lists:append(Results), Reason =/= undef],
        Results
    end).

connection_functions() ->
    [{loop_nif, [<<>>, <<>>, 0]}, {get_peer_certificate_nif, []}, {get_verify_result_nif, []},
     {invalidate_nif, []}, {get_negotiated_cipher_nif, []}].

plain_text(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        [begin
             {ok, S} = fast_tls:tcp_to_tls(none, [{certfile, Server}]),
             [both_ways:try_call(fun() -> fast_tls:recv_data(S, Text) end) || _ <- [1, 2]]
         end || Text <- [<<"GET / HTTP/1.0\r\n\r\n">>, <<"<stream:stream>">>, <<0:800>>,
                         <<22, 3, 1, 255, 255, 1>>, binary:copy(<<255>>, 70000)]]
    end).

%% In the midst of a connection.
garbage(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {C, S} = connect([], [{certfile, Server}]),
        ok = gen_tcp:send(tcp(C), <<23, 3, 3, 0, 20, 0:160>>),
        {ok, Bytes} = gen_tcp:recv(tcp(S), 0, 2000),
        [fast_tls:recv_data(S, Bytes), fast_tls:send(S, <<"after">>)]
    end).

closed_by_peer(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {C, S} = connect([], [{certfile, Server}]),
        ok = fast_tls:close(C),
        [fast_tls:recv(S, 0, 2000), fast_tls:close(S)]
    end).

after_close(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {C, S} = connect([], [{certfile, Server}]),
        [ok, ok] = [fast_tls:close(Socket) || Socket <- [C, S]],
        Results = [fast_tls:send(C, <<"x">>), fast_tls:recv(C, 0, 100), fast_tls:recv_data(C, <<"x">>),
                   fast_tls:get_peer_certificate(C), fast_tls:get_negotiated_cipher(C),
                   both_ways:try_call(fun() -> fast_tls:get_verify_result(C) end),
                   fast_tls:invalidate_nif(tls(C))],
        ?assertEqual({error, closed}, hd(Results)),
        Results
    end).

%%% Processes, memory, the rest

other_process(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {C, S} = connect([], [{certfile, Server}]),
        Other = beside(fun() -> receive go -> fast_tls:recv(S, 5, 5000) end end),
        ok = fast_tls:controlling_process(S, Other),
        Other ! go,
        ok = fast_tls:send(C, <<"other">>),
        ?assertEqual({ok, <<"other">>}, result(Other))
    end).

back_to_tcp(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        {C, S} = connect([{protocol_options, <<"no_tlsv1_3">>}], [{certfile, Server}]),
        [TcpC, TcpS] = [fast_tls:tls_to_tcp(Socket) || Socket <- [C, S]],
        ok = gen_tcp:send(TcpC, <<"plain again">>),
        [gen_tcp:recv(TcpS, 11, 2000), fast_tls:send(C, <<"x">>)]
    end).

%% Contexts are kept for each file and set of options.
cache(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        [begin
             {C, S} = connect([], [{certfile, Server}]),
             ok = fast_tls:clear_cache(),
             ok = fast_tls:send(C, <<"works on">>),
             ?assertEqual({ok, <<"works on">>}, fast_tls:recv(S, 8, 2000))
         end || _ <- [1, 2, 3]]
    end).

fips(Config) ->
    same(Config, fun() ->
        [fast_tls:get_fips_mode(), fast_tls:set_fips_mode(false), fast_tls:set_fips_mode(true),
         fast_tls:get_fips_mode(), fast_tls:set_fips_mode(false)]
    end).

dh_parameters(Config) ->
    Server = file(server, Config),
    File = filename:join(proplists:get_value(priv_dir, Config), "dh.pem"),
    {ok, {_, {Base, Prime}}} = public_key:dh_gex_group(2048, 2048, 2048, undefined),
    Der = public_key:der_encode('DHParameter', #'DHParameter'{prime = Prime, base = Base}),
    ok = file:write_file(File, public_key:pem_encode([{'DHParameter', Der, not_encrypted}])),
    same(Config, fun() ->
        [begin
             {C, _} = connect([{protocol_options, <<"no_tlsv1_3">>}, {ciphers, <<"DHE-RSA-AES256-GCM-SHA384">>}],
                              [{certfile, Server}, {protocol_options, <<"no_tlsv1_3">>} | Options]),
             ?assertEqual({ok, <<"TLSv1.2 DHE-RSA-AES256-GCM-SHA384">>}, fast_tls:get_negotiated_cipher(C))
         end || Options <- [[], [{dh, Der}], [{dhfile, File}]]]
    end).

at_once(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        both_ways:at_once(10, fun(N) ->
            {C, S} = connect([], [{certfile, Server}]),
            Data = binary:copy(<<N>>, N * 100),
            [begin
                 ok = fast_tls:send(C, Data),
                 {ok, Data} = fast_tls:recv(S, byte_size(Data), 5000)
             end || _ <- lists:seq(1, 20)],
            byte_size(Data)
        end)
    end).

collected(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        Before = both_ways:library_rss(fast_tls),
        [both_ways:at_once(1, fun(_) ->
             [fast_tls:recv_data(S, <<22, 3, 1, 0, 100, 1, 0>>)
              || _ <- lists:seq(1, 50), {ok, S} <- [fast_tls:tcp_to_tls(none, [{certfile, Server}])]],
             ok
         end) || _ <- lists:seq(1, 60)],
        ok = fx:wait_until(fun() -> both_ways:library_rss(fast_tls) < Before + 30000 end)
    end).

%%% p1_sha

hexlist(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"00ff10">>, p1_sha:to_hexlist(<<0, 255, 16>>)),
        [p1_sha:to_hexlist(I) || I <- [<<>>, [], "text", [1, [<<2>>], "x"], list_to_binary(lists:seq(0, 255))]]
            ++ [erlang:md5(p1_sha:to_hexlist(binary:copy(<<"big">>, 1000000)))]
    end).

hexlist_wrong_arguments(Config) ->
    same(Config, fun() ->
        Results = both_ways:try_all(p1_sha, to_hexlist, [[B] || B <- [a, 1, 1.0, {}, #{}, self(), <<1:3>>,
                                                                      [a], [256], [1 | 2], make_ref()]]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        Results
    end).

hashes(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"a9993e364706816aba3e25717850c26c9cd0d89d">>, p1_sha:sha("abc")),
        both_ways:at_once(20, fun(N) -> [p1_sha:sha(<<N, I>>) || I <- lists:seq(1, 100)] end)
    end).

%% Of fast_tls 1.1.22; older ones don't have them.
channel_binding(Config) ->
    Server = file(server, Config),
    same(Config, fun() ->
        case erlang:function_exported(fast_tls, get_tls_cb_exporter, 1) of
            true ->
                {C, S} = connect([], [{certfile, Server}]),
                {ok, New} = fast_tls:tcp_to_tls(none, [connect]),
                [{ok, Bytes}, {ok, Bytes}] = [fast_tls:get_tls_cb_exporter(Tls) || Tls <- [C, S]],
                [byte_size(Bytes), fast_tls:get_tls_cb_exporter(New)]
                    ++ both_ways:try_all(fast_tls, get_tls_cb_exporter_nif, [[a], [make_ref()]]);
            false ->
                not_there
        end
    end).

pkcs12(Config) ->
    same(Config, fun() ->
        case erlang:function_exported(fast_tls, p12_to_pem, 2) of
            true ->
                both_ways:try_all(fast_tls, p12_to_pem,
                                  [[<<>>, <<>>], [<<"no p12">>, <<"password">>], ["list", <<>>],
                                   [a, <<>>]]);
            false ->
                not_there
        end
    end).

%% What OpenSSL takes for PKCS #12 with nothing in it.
empty_pkcs12(Config) ->
    ok = both_ways:ends_the_vm(Config, fast_tls, p12_to_pem, [<<48, 0>>, <<>>]),
    Isolated = both_ways:node(Config, isolated, []),
    Call = fun() -> test_node:call(Isolated, fast_tls, p12_to_pem, [<<48, 0>>, <<>>]) end,
    ?assertMatch({error, {nif_host_down, #{reason := {signal, sigsegv}}}},
                 both_ways:try_call(Call)),
    ok = test_node:stop(Isolated).

%% Without loading the module, and its library, here.
has_pkcs12() ->
    {ok, {fast_tls, [{exports, Exports}]}} = beam_lib:chunks(code:which(fast_tls), [exports]),
    lists:member({p12_to_pem, 2}, Exports).

every_function(Config) ->
    both_ways:every_function(Config).

%%% Helpers: on the nodes

%% A connection whose handshake is done.
connect(ClientOptions, ServerOptions) ->
    {A, B} = loopback:connected(),
    {ok, C} = fast_tls:tcp_to_tls(A, [connect | ClientOptions]),
    {ok, S} = fast_tls:tcp_to_tls(B, ServerOptions),
    {ok, <<>>} = fast_tls:recv_data(C, <<>>),
    shake_hands(C, S, 200),
    {C, S}.

%% Until neither has anything more to say: what one has sent is there when the other looks.
shake_hands(C, S, Rounds) when Rounds > 0 ->
    case [{ok, <<>>} = fast_tls:recv_data(Socket, Bytes)
          || Socket <- [S, C], {ok, Bytes} <- [gen_tcp:recv(tcp(Socket), 0, 20)]] of
        [] -> ok;
        _ -> shake_hands(C, S, Rounds - 1)
    end.

tcp({tlssock, Tcp, _}) -> Tcp.
tls({tlssock, _, Tls}) -> Tls.

receive_bytes(_, 0) -> <<>>;
receive_bytes(Socket, N) ->
    {ok, Bytes} = fast_tls:recv(Socket, 0, 5000),
    <<Bytes/binary, (receive_bytes(Socket, N - byte_size(Bytes)))/binary>>.

otp_server(CertFile, Options) ->
    {ok, _} = application:ensure_all_started(ssl),
    {ok, Listen} = ssl:listen(0, [binary, {active, false}, {ip, loopback}, {certfile, CertFile},
                                  {keyfile, CertFile} | Options]),
    {ok, {_, Port}} = ssl:sockname(Listen),
    {Port, beside(fun() ->
               {ok, Transport} = ssl:transport_accept(Listen, 5000),
               {ok, Ssl} = ssl:handshake(Transport, 5000),
               {ok, <<"from fast_tls">>} = ssl:recv(Ssl, 13, 5000),
               ok = ssl:send(Ssl, <<"answer">>),
               {ssl:negotiated_protocol(Ssl), ssl:connection_information(Ssl, [protocol])}
           end)}.

%% Runs a fun in another process; its result is for result/1.
beside(Fun) ->
    Self = self(),
    spawn_link(fun() -> Self ! {self(), Fun()} end).

result(Pid) ->
    receive {Pid, Result} -> Result after 10000 -> error({no_result_of, Pid}) end.

der(File) ->
    {ok, Pem} = file:read_file(File),
    {'Certificate', Der, not_encrypted} = lists:keyfind('Certificate', 1, public_key:pem_decode(Pem)),
    Der.

%%% Helpers: in the suite

file(Who, Config) ->
    proplists:get_value(Who, Config).

%% A file with a key and a certificate that is signed with it.
certificate(Dir, Name) ->
    #{cert := Der, key := Key} =
        public_key:pkix_test_root_cert(Name, [{digest, sha256}, {key, {rsa, 2048, 65537}}]),
    File = filename:join(Dir, Name ++ ".pem"),
    ok = file:write_file(File, public_key:pem_encode(
                                 [{'Certificate', Der, not_encrypted},
                                  public_key:pem_entry_encode('RSAPrivateKey', Key)])),
    File.
