%%% OTP's asn1rt_nif (Debian's erlang-asn1), natively and isolated: called as it is, and through
%%% modules that OTP's ASN.1 compiler makes.
-module(asn1rt_nif_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include_lib("public_key/include/public_key.hrl").

-import(both_ways, [same/2]).

all() ->
    [isolated, decode, lengths, long_tags, indefinite, decode_errors, decode_wrong_arguments,
     every_two_bytes, encode, encode_errors, ber_round_trips, per_complete, per_complete_errors,
     per_wrong_arguments, deep, big_input, at_once, ber_module, per_module, uper_module,
     certificates, every_function, too_short_a_tuple,
     nested_a_million_deep].

suite() ->
    [{timetrap, {seconds, 90}}].

init_per_suite(Config) ->
    Dir = filename:join(proplists:get_value(priv_dir, Config), "asn1"),
    ok = filelib:ensure_path(Dir),
    [compile_spec(Dir, Encoding) || Encoding <- [ber, per, uper]],
    [{dir, Dir} | both_ways:start(Config, asn1, [asn1rt_nif])].

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

%%% BER

decode(Config) ->
    same(Config, fun() ->
        ?assertEqual({{2, <<5>>}, <<>>}, asn1rt_nif:decode_ber_tlv(<<2, 1, 5>>)),
        ?assertEqual({{16, [{2, <<5>>}, {1, <<255>>}]}, <<"rest">>},
                     asn1rt_nif:decode_ber_tlv(<<16#30, 6, 2, 1, 5, 1, 1, 255, "rest">>)),
        ?assertEqual({{5, <<>>}, <<>>}, asn1rt_nif:decode_ber_tlv([<<5>>, 0])),
        [asn1rt_nif:decode_ber_tlv(<<Tag, 0>>) || Tag <- lists:seq(0, 255), Tag band 31 =/= 31]
    end).

lengths(Config) ->
    same(Config, fun() ->
        [begin
             Value = binary:copy(<<N>>, N),
             ?assertEqual({{4, Value}, <<>>}, asn1rt_nif:decode_ber_tlv([<<4>>, Length, Value]))
         end || {N, Length} <- [{0, <<0>>}, {127, <<127>>}, {127, <<16#81, 127>>}, {200, <<16#81, 200>>},
                                {200, <<16#84, 0, 0, 0, 200>>}, {65535, <<16#82, 255, 255>>},
                                {65536, <<16#83, 1, 0, 0>>}]]
    end).

long_tags(Config) ->
    same(Config, fun() ->
        [both_ways:try_call(fun() -> asn1rt_nif:decode_ber_tlv(<<Bytes/binary, 1, 7>>) end)
         || Bytes <- [<<16#1f, 31>>, <<16#1f, 16#81, 0>>, <<16#1f, 16#83, 16#ff, 16#7f>>,
                      <<16#1f, 16#84, 16#80, 0>>, <<16#7f, 31>>, <<16#ff, 16#80, 1>>,
                      <<16#1f, 16#ff, 16#ff, 3>>, <<16#1f, 16#ff, 16#ff, 4>>]]
    end).

indefinite(Config) ->
    same(Config, fun() ->
        ?assertEqual({{16, [{2, <<5>>}]}, <<>>},
                     asn1rt_nif:decode_ber_tlv(<<16#30, 16#80, 2, 1, 5, 0, 0>>)),
        [both_ways:try_call(fun() -> asn1rt_nif:decode_ber_tlv(Bytes) end)
         || Bytes <- [<<16#30, 16#80>>, <<16#30, 16#80, 0>>, <<16#30, 16#80, 2, 1, 5>>,
                      <<16#30, 16#80, 16#30, 16#80, 0, 0, 0, 0, 1>>, <<4, 16#80, 0, 0>>]]
    end).

decode_errors(Config) ->
    same(Config, fun() ->
        Bad = [<<>>, <<2>>, <<2, 1>>, <<2, 2, 0>>, <<16#30, 3, 2, 2, 5>>, <<16#30, 9, 2, 1, 5>>,
               <<4, 16#84, 255, 255, 255, 255>>, <<4, 16#85, 1, 0, 0, 0, 0>>, <<4, 16#ff>>,
               <<16#1f>>, <<16#1f, 16#80>>, <<16#1f, 16#80, 16#80>>, <<16#30, 1, 2>>],
        Results = both_ways:try_all(asn1rt_nif, decode_ber_tlv, [[B] || B <- Bad]),
        [?assertMatch({_, {exit, {error, {asn1, _}}}}, R) || R <- Results],
        Results
    end).

decode_wrong_arguments(Config) ->
    same(Config, fun() ->
        Results = both_ways:try_all(asn1rt_nif, decode_ber_tlv, [[B] || B <- wrong_types()]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        Results
    end).

every_two_bytes(Config) ->
    same(Config, fun() ->
        erlang:phash2([both_ways:try_call(fun() -> asn1rt_nif:decode_ber_tlv(<<A, B, 1, 2, 3, 0, 0>>) end)
                       || A <- lists:seq(0, 255, 3), B <- lists:seq(0, 255, 5)])
    end).

encode(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<2, 1, 5>>, asn1rt_nif:encode_ber_tlv({2, <<5>>})),
        ?assertEqual(<<16#30, 6, 2, 1, 5, 1, 1, 255>>,
                     asn1rt_nif:encode_ber_tlv({16, [{2, <<5>>}, {1, <<255>>}]})),
        ?assertEqual(<<16#30, 0>>, asn1rt_nif:encode_ber_tlv({16, []})),
        [asn1rt_nif:encode_ber_tlv({Tag, <<1>>})
         || Tag <- [0, 30, 31, 127, 128, 16383, 16384, 65535, 16#10000, 16#20001, 16#30000 + 200]] ++
            [erlang:md5(asn1rt_nif:encode_ber_tlv({4, binary:copy(<<1>>, N)}))
             || N <- [0, 127, 128, 255, 256, 65535, 65536, 1000000]]
    end).

encode_errors(Config) ->
    same(Config, fun() ->
        Bad = [a, 1, [], #{}, <<>>, {2, a}, {a, <<>>}, {2, <<1:3>>}, {-1, <<>>}, {1 bsl 40, <<>>},
               {16, [a]}, {16, [{2, <<1>>}, b]}, {16, [{2, <<1>>} | c]}, {2, "text"}, self(),
               {1.0, <<>>}, fun() -> ok end],
        both_ways:try_all(asn1rt_nif, encode_ber_tlv, [[B] || B <- Bad])
    end).

ber_round_trips(Config) ->
    same(Config, fun() ->
        [begin
             Bytes = asn1rt_nif:encode_ber_tlv(Term),
             ?assertEqual({Term, <<>>}, asn1rt_nif:decode_ber_tlv(Bytes)),
             erlang:md5(Bytes)
         end || N <- lists:seq(1, 100), Term <- [tlv(N, 4)]]
    end).

%%% PER

%% Instructions of the compiler's own: bits, octets, alignment.
per_complete(Config) ->
    same(Config, fun() ->
        [asn1rt_nif:encode_per_complete(Bytes)
         || Bytes <- [<<>>, [], <<0>>, <<1>>, <<0, 1, 1, 0>>, <<2>>, <<10, 3, 5>>, <<10, 8, 255>>,
                      <<20, 2, "ab">>, <<21, 0, 3, "abc">>, <<1, 20, 2, "ab">>, <<30, 3, 2, 255, 1>>,
                      <<40, 4, 1, 16#f0>>, <<41, 0, 4, 1, 16#f0>>, <<45, 12, 2, 255, 240>>,
                      <<46, 12, 0, 2, 255, 240>>, <<47, 0, 12, 0, 2, 255, 240>>, [1, [0, <<2>>]]]]
    end).

per_complete_errors(Config) ->
    same(Config, fun() ->
        both_ways:try_all(asn1rt_nif, encode_per_complete,
                          [[<<Byte>>] || Byte <- [3, 4, 5, 9, 11, 19, 22, 29, 31, 39, 48, 100, 255]])
    end).

per_wrong_arguments(Config) ->
    same(Config, fun() ->
        Results = both_ways:try_all(asn1rt_nif, encode_per_complete, [[B] || B <- wrong_types()]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        Results
    end).

%%% Much, and many

deep(Config) ->
    same(Config, fun() ->
        [begin
             Term = nest(N),
             Bytes = asn1rt_nif:encode_ber_tlv(Term),
             {N, Bytes, both_ways:try_call(fun() -> asn1rt_nif:decode_ber_tlv(Bytes) =:= {Term, <<>>} end)}
         end || N <- [1, 10, 100, 500, 1000, 3000]]
    end).

big_input(Config) ->
    same(Config, fun() ->
        Term = {16, [{4, <<N:64>>} || N <- lists:seq(1, 100000)]},
        Bytes = asn1rt_nif:encode_ber_tlv(Term),
        ?assert(byte_size(Bytes) > 1000000),
        ?assertEqual({Term, <<>>}, asn1rt_nif:decode_ber_tlv(Bytes)),
        erlang:md5(Bytes)
    end).

at_once(Config) ->
    same(Config, fun() ->
        both_ways:at_once(30, fun(N) ->
            Term = tlv(N, 5),
            Bytes = asn1rt_nif:encode_ber_tlv(Term),
            [{Term, <<>>} = asn1rt_nif:decode_ber_tlv(Bytes) || _ <- lists:seq(1, 20)],
            erlang:md5(Bytes)
        end)
    end).

%%% Compiled modules

ber_module(Config) ->
    module(Config, 'Cordon-ber').

per_module(Config) ->
    module(Config, 'Cordon-per').

uper_module(Config) ->
    module(Config, 'Cordon-uper').

module(Config, Module) ->
    Beam = filename:join(proplists:get_value(dir, Config), Module),
    same(Config, fun() ->
        {module, Module} = code:load_abs(Beam),
        [begin
             {ok, Bytes} = Module:encode('Message', Message),
             ?assertEqual({ok, Message}, Module:decode('Message', Bytes)),
             [Bytes | [strip(Module:decode('Message', binary:part(Bytes, 0, N)))
                       || N <- lists:seq(0, byte_size(Bytes) - 1)]]
         end || Message <- messages()] ++
            [strip(Module:encode('Message', Bad)) || Bad <- [a, {'Message', 1}, setelement(2, hd(messages()), x)]]
    end).

%% The stack in a compiled module's error is none of the library's.
strip({error, {asn1, {Reason, _Stack}}}) -> {error, Reason};
strip(Result) -> Result.

messages() ->
    [{'Message', 1, <<"name">>, [1, 2, 3], {text, <<"hello">>}, true, asn1_NOVALUE},
     {'Message', -70000, <<>>, [], {number, 1 bsl 70}, false, low},
     {'Message', 1000000, binary:copy(<<"long ">>, 100), lists:seq(1, 300),
      {nested, {'Nested', <<1, 2, 255>>, [<<"a">>, <<"bc">>]}}, true, high}].

%% What OTP's public_key does with it.
certificates(Config) ->
    same(Config, fun() ->
        Key = public_key:generate_key({namedCurve, secp256r1}),
        #'ECPrivateKey'{} = public_key:der_decode('ECPrivateKey', public_key:der_encode('ECPrivateKey', Key)),
        {ok, Text} = file:read_file("/etc/ssl/certs/ca-certificates.crt"),
        Entries = lists:sublist(public_key:pem_decode(Text), 40),
        [begin
             Plain = public_key:der_decode('Certificate', Der),
             ?assertEqual(Der, public_key:der_encode('Certificate', Plain)),
             erlang:phash2({Plain, public_key:pkix_decode_cert(Der, otp)})
         end || {'Certificate', Der, not_encrypted} <- Entries]
    end).

every_function(Config) ->
    both_ways:every_function(Config).

%% The library reads the second element of any tuple.
too_short_a_tuple(Config) ->
    ok = both_ways:ends_the_vm(Config, asn1rt_nif, encode_ber_tlv, [{}]),
    Isolated = both_ways:node(Config, isolated, []),
    _ = [both_ways:try_call(fun() -> test_node:call(Isolated, asn1rt_nif, encode_ber_tlv, [Tuple]) end)
         || Tuple <- [{}, {2}]],
    ?assertEqual(<<2, 1, 5>>, test_node:call(Isolated, asn1rt_nif, encode_ber_tlv, [{2, <<5>>}])),
    ok = test_node:stop(Isolated).

%% The library calls itself for each level. Hosts have bigger stacks, but not for this: the VM
%% dies, a host does, and its VM goes on.
nested_a_million_deep(Config) ->
    ok = both_ways:ends_the_vm(Config, ?MODULE, encode_nested, [1000000]),
    Isolated = both_ways:node(Config, isolated, []),
    ?assertMatch({error, {nif_host_down, #{module := asn1rt_nif, function := encode_ber_tlv, arity := 1,
                                           reason := {signal, sigsegv}}}},
                 test_node:call(Isolated, ?MODULE, encode_nested, [1000000], 60000)),
    ?assertEqual({ok, 3}, test_node:call(Isolated, ?MODULE, encode_nested, [1])),
    ok = test_node:stop(Isolated).

encode_nested(N) ->
    both_ways:try_call(fun() -> byte_size(asn1rt_nif:encode_ber_tlv(nest(N))) end).

%%% Helpers

nest(N) ->
    lists:foldl(fun(_, T) -> {16, [T]} end, {2, <<1>>}, lists:seq(2, N)).

tlv(N, 0) -> {N rem 31, binary:copy(<<N>>, N)};
tlv(N, Depth) -> {16#10000 + N, [tlv(N + I, Depth - 1) || I <- lists:seq(0, N rem 4)]}.

wrong_types() ->
    [a, 1, 1.5, {}, #{}, self(), make_ref(), fun() -> ok end, <<1:3>>, [a], [256], [-1], [1 | 2],
     1 bsl 80].

compile_spec(Dir, Encoding) ->
    Name = "Cordon-" ++ atom_to_list(Encoding),
    File = filename:join(Dir, Name ++ ".asn1"),
    ok = file:write_file(File, [Name, " DEFINITIONS AUTOMATIC TAGS ::= BEGIN\n",
        "Message ::= SEQUENCE { id INTEGER (-100000..2000000), name OCTET STRING,\n",
        "  numbers SEQUENCE OF INTEGER (0..1000), body Body, flag BOOLEAN,\n",
        "  level ENUMERATED { low, high } OPTIONAL }\n",
        "Body ::= CHOICE { text OCTET STRING (SIZE (0..1000)), number INTEGER, nested Nested }\n",
        "Nested ::= SEQUENCE { bytes OCTET STRING (SIZE (3)), parts SET OF OCTET STRING }\n",
        "END\n"]),
    ok = asn1ct:compile(File, [Encoding, {outdir, Dir}]).
