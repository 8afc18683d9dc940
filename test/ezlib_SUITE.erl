%%% ezlib (Debian's erlang-p1-zlib), natively and isolated.
-module(ezlib_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(both_ways, [same/2]).

all() ->
    [isolated, round_trips, stream, flushed_in_parts, both_directions, parameters, wrong_parameters,
     otp_reads_it, otp_wrote_it, empty, garbage, after_garbage, cut_short, wrong_arguments,
     sizes, short_and_incompressible, big_input, bomb, other_process, many_processes_one_stream, at_once, collected,
     sockets, closed_socket, every_function].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    both_ways:start(Config, ezlib, [ezlib]).

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

round_trips(Config) ->
    same(Config, fun() ->
        [begin
             {ok, Small} = ezlib:compress(ezlib:new(), Text),
             ?assertEqual({ok, Text}, ezlib:decompress(ezlib:new(), Small)),
             Small
         end || Text <- [binary:copy(<<"a">>, 40), <<0:1000>>, binary:copy(<<"abc">>, 1000),
                         incompressible(5000)]]
    end).

%% Later pieces refer to earlier ones.
stream(Config) ->
    same(Config, fun() ->
        {Out, In} = {ezlib:new(), ezlib:new()},
        Sizes = [begin
                     {ok, Small} = ezlib:compress(Out, <<"the same text again and again">>),
                     ?assertEqual({ok, <<"the same text again and again">>},
                                  ezlib:decompress(In, Small)),
                     byte_size(Small)
                 end || _ <- lists:seq(1, 20)],
        ?assert(lists:last(Sizes) < hd(Sizes)),
        Sizes
    end).

flushed_in_parts(Config) ->
    same(Config, fun() ->
        Text = incompressible(3000),
        {ok, Small} = ezlib:compress(ezlib:new(), Text),
        In = ezlib:new(),
        Parts = [begin {ok, Part} = ezlib:decompress(In, Piece), Part end
                 || Piece <- both_ways:pieces(Small, 7)],
        ?assertEqual(Text, iolist_to_binary(Parts)),
        Parts
    end).

both_directions(Config) ->
    same(Config, fun() ->
        State = ezlib:new(),
        [begin
             {ok, Small} = ezlib:compress(State, Text),
             ?assertEqual({ok, Text}, ezlib:decompress(State, Small))
         end || N <- lists:seq(1, 50), Text <- [binary:copy(integer_to_binary(N * 12345), 10)]]
    end).

parameters(Config) ->
    same(Config, fun() ->
        Text = binary:copy(<<"some text to be compressed ">>, 100),
        [begin
             {ok, Small} = ezlib:compress(ezlib:new(Ratio, Window, Level), Text),
             ?assertEqual({ok, Text}, ezlib:decompress(ezlib:new(), Small)),
             {Ratio, Window, Level, Small}
         end || Ratio <- [0, 1, 6, 9], Window <- [9, 12, 15], Level <- [1, 4, 8]]
    end).

wrong_parameters(Config) ->
    same(Config, fun() ->
        Results = both_ways:try_all(ezlib, new, [[-1, 12, 4], [10, 12, 4], [6, 7, 4], [6, 16, 4],
                                                 [6, 12, 0], [6, 12, 9], [a, 12, 4], [6, a, 4],
                                                 [6, 12, a], [1 bsl 40, 12, 4], [6.0, 12, 4],
                                                 [self(), [], {}]]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        [?assertError(undef, apply(ezlib, new, Arguments)) || Arguments <- [[1], [1, 2], [1, 2, 3, 4]]],
        Results
    end).

otp_reads_it(Config) ->
    same(Config, fun() ->
        Text = binary:copy(<<"for zlib of OTP ">>, 1000),
        {ok, Small} = ezlib:compress(ezlib:new(), Text),
        Z = zlib:open(),
        ok = zlib:inflateInit(Z),
        ?assertEqual(Text, iolist_to_binary(zlib:inflate(Z, Small)))
    end).

%% With its end: the library knows no end of a stream, and says einval.
otp_wrote_it(Config) ->
    same(Config, fun() ->
        Z = zlib:open(),
        ok = zlib:deflateInit(Z),
        Flushed = iolist_to_binary(zlib:deflate(Z, <<"flushed">>, sync)),
        ?assertEqual({ok, <<"flushed">>}, ezlib:decompress(ezlib:new(), Flushed)),
        ezlib:decompress(ezlib:new(), zlib:compress(<<"with its end">>))
    end).

empty(Config) ->
    same(Config, fun() ->
        State = ezlib:new(),
        [ezlib:decompress(State, <<>>), ezlib:compress(State, <<>>), ezlib:compress(State, <<>>),
         ezlib:compress(State, binary:copy(<<"x">>, 30)), ezlib:compress(State, <<>>)]
    end).

garbage(Config) ->
    same(Config, fun() ->
        ?assertEqual({error, einval}, ezlib:decompress(ezlib:new(), <<"not compressed at all">>)),
        [ezlib:decompress(ezlib:new(), Bytes)
         || Bytes <- [<<0>>, <<16#78>>, <<16#78, 16#9c, 16#ff>>, <<16#ff, 16#ff>>,
                      incompressible(3000)]]
    end).

after_garbage(Config) ->
    same(Config, fun() ->
        State = ezlib:new(),
        {ok, Small} = ezlib:compress(ezlib:new(), binary:copy(<<"good">>, 9)),
        [ezlib:decompress(State, Bytes) || Bytes <- [<<"garbage!">>, Small, <<>>, Small]] ++
            [ezlib:compress(State, binary:copy(<<"still works ">>, 10))]
    end).

cut_short(Config) ->
    same(Config, fun() ->
        {ok, Small} = ezlib:compress(ezlib:new(), binary:copy(<<"text">>, 50)),
        [ezlib:decompress(ezlib:new(), binary:part(Small, 0, N))
         || N <- lists:seq(0, byte_size(Small) - 1)]
    end).

wrong_arguments(Config) ->
    same(Config, fun() ->
        State = ezlib:new(),
        Bad = [a, 1, "list", [<<"io">>], {}, #{}, self(), <<1:3>>, make_ref(), fun() -> ok end],
        Results = [both_ways:try_all(ezlib, F, [[State, B] || B <- Bad] ++
                                         [[B, <<"x">>] || B <- Bad])
                   || F <- [compress, decompress]],
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- lists:append(Results)],
        Results
    end).

%% Around the library's buffer of 1024 bytes.
sizes(Config) ->
    same(Config, fun() ->
        {Out, In} = {ezlib:new(), ezlib:new()},
        [begin
             Text = incompressible(N),
             {ok, Small} = ezlib:compress(Out, Text),
             ?assertEqual({ok, Text}, ezlib:decompress(In, Small)),
             erlang:md5(Small)
         end || N <- lists:seq(1017, 1060) ++ lists:seq(2040, 2080) ++ [4096, 65536]]
    end).

%% The library gives such input too small a buffer and goes on 1024 bytes further: what is between
%% is memory that nobody has written, natively the VM's own.
short_and_incompressible(Config) ->
    same(Config, fun() ->
        Text = incompressible(20),
        {ok, Wrong} = ezlib:compress(ezlib:new(), Text),
        ?assert(byte_size(Wrong) > 1024),
        ?assertNotEqual({ok, Text}, ezlib:decompress(ezlib:new(), Wrong)),
        {byte_size(Wrong), binary:part(Wrong, 0, 28)}
    end).

big_input(Config) ->
    same(Config, fun() ->
        Text = iolist_to_binary([integer_to_binary(N * N) || N <- lists:seq(1, 300000)]),
        {ok, Small} = ezlib:compress(ezlib:new(9, 15, 8), Text),
        ?assertEqual({ok, Text}, ezlib:decompress(ezlib:new(), Small)),
        {byte_size(Text), erlang:md5(Small)}
    end).

%% A few bytes that become many.
bomb(Config) ->
    same(Config, fun() ->
        Zeros = <<0:(8 * 4000000)>>,
        {ok, Small} = ezlib:compress(ezlib:new(), Zeros),
        ?assert(byte_size(Small) < 100000),
        ?assertEqual({ok, Zeros}, ezlib:decompress(ezlib:new(), Small)),
        byte_size(Small)
    end).

other_process(Config) ->
    same(Config, fun() ->
        [{ok, State}] = both_ways:at_once(1, fun(_) -> ezlib:new() end),
        Text = binary:copy(<<"made by a process that is gone ">>, 3),
        {ok, Small} = ezlib:compress(State, Text),
        [{ok, Result}] = both_ways:at_once(1, fun(_) -> ezlib:decompress(State, Small) end),
        ?assertEqual({ok, Text}, Result),
        State2 = binary_to_term(term_to_binary(State)),
        ?assert(State2 =:= State),
        ezlib:decompress(State2, Small)
    end).

%% One after the other: the library takes no lock.
many_processes_one_stream(Config) ->
    same(Config, fun() ->
        State = ezlib:new(),
        [both_ways:at_once(1, fun(_) -> ezlib:compress(State, <<N:800>>) end) || N <- lists:seq(1, 50)]
    end).

at_once(Config) ->
    same(Config, fun() ->
        both_ways:at_once(20, fun(N) ->
            {Out, In} = {ezlib:new(), ezlib:new(N rem 10, 15, 8)},
            [begin
                 Text = binary:copy(<<N, I>>, N * 50),
                 {ok, Small} = ezlib:compress(Out, Text),
                 {ok, Text} = ezlib:decompress(In, Small),
                 erlang:md5(Small)
             end || I <- lists:seq(1, 30)]
        end)
    end).

%% 900 streams of some 300 kB each.
collected(Config) ->
    same(Config, fun() ->
        Before = both_ways:library_rss(ezlib),
        [both_ways:at_once(1, fun(_) ->
             [ezlib:compress(ezlib:new(9, 15, 8), <<0:1000>>) || _ <- lists:seq(1, 30)]
         end) || _ <- lists:seq(1, 30)],
        ok = fx:wait_until(fun() -> both_ways:library_rss(ezlib) < Before + 100000 end)
    end).

%% What ejabberd does with it: a compressed connection.
sockets(Config) ->
    same(Config, fun() ->
        {A, B} = loopback:connected(),
        {ok, ZA} = ezlib:enable_zlib(gen_tcp, A),
        {ok, ZB} = ezlib:enable_zlib(gen_tcp, B),
        ok = ezlib:send(ZA, binary:copy(<<"over the wire ">>, 5)),
        ?assertEqual({ok, binary:copy(<<"over the wire ">>, 5)}, ezlib:recv(ZB, 0)),
        ok = ezlib:send(ZB, binary:copy(<<"back ">>, 100)),
        ?assertEqual({ok, binary:copy(<<"back ">>, 100)}, ezlib:recv(ZA, 0, 1000)),
        ok = gen_tcp:send(A, <<"uncompressed">>),
        Wrong = ezlib:recv(ZB, 0, 1000),
        ?assertEqual({gen_tcp, A}, ezlib:disable_zlib(ZA)),
        [Wrong, ezlib:send(ZA, not_a_binary), ezlib:recv(ZA, 0, 1), ezlib:close(ZA), ezlib:close(ZB)]
    end).

closed_socket(Config) ->
    same(Config, fun() ->
        {A, B} = loopback:connected(),
        {ok, Z} = ezlib:enable_zlib(gen_tcp, A),
        ok = gen_tcp:close(B),
        Closed = ezlib:recv(Z, 0),
        ok = ezlib:close(Z),
        [Closed, ezlib:send(Z, <<"x">>), ezlib:recv_data(Z, <<"x">>)]
    end).

every_function(Config) ->
    both_ways:every_function(Config).

%% The same bytes on both nodes.
incompressible(N) ->
    binary:part(iolist_to_binary([crypto:hash(sha256, <<I:32>>) || I <- lists:seq(0, N div 32)]), 0, N).
