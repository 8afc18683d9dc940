%%% stringprep (Debian's erlang-p1-stringprep), natively and isolated.
-module(stringprep_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(both_ways, [same/2]).

-define(FUNCTIONS, [nameprep, nodeprep, resourceprep, tolower, tolower_nofilter]).

all() ->
    [isolated, vectors, prohibited, bidirectional, ascii, every_code_point, combining, iodata,
     empty, not_utf8, wrong_arguments, big_input, at_once, start_and_stop, every_function].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    both_ways:start(Config, stringprep, [stringprep]).

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

%% From RFC 3454 and 3491, and the vectors of draft-josefsson-idn-test-vectors.
vectors(Config) ->
    same(Config, fun() ->
        [?assertEqual({F, Text, Prepared}, {F, Text, stringprep:F(Text)})
         || {F, Text, Prepared} <-
                [{nameprep, <<"foo", 16#ad/utf8, 16#34f/utf8, "bar", 16#200b/utf8, "baz", 16#feff/utf8>>,
                  <<"foobarbaz">>},
                 {nameprep, <<"CAFE">>, <<"cafe">>}, {resourceprep, <<"CAFE">>, <<"CAFE">>},
                 {nameprep, <<"ß"/utf8>>, <<"ss">>}, {resourceprep, <<"ß"/utf8>>, <<"ß"/utf8>>},
                 {nameprep, <<16#130/utf8>>, <<"i", 16#307/utf8>>},
                 {nameprep, <<16#143/utf8, 16#37a/utf8>>, <<16#144/utf8, " ", 16#3b9/utf8>>},
                 {nodeprep, <<16#143/utf8, 16#37a/utf8>>, error},
                 {nameprep, <<16#2121/utf8, 16#33c6/utf8, 16#1d7bb/utf8>>,
                  <<"telC", 16#2215/utf8, "kg", 16#3c3/utf8>>},
                 {nameprep, <<"j", 16#30c/utf8, 16#a0/utf8, 16#aa/utf8>>, <<16#1f0/utf8, " a">>},
                 {nameprep, <<16#3000/utf8>>, <<" ">>}, {nodeprep, <<16#3000/utf8>>, error},
                 {nameprep, <<16#341/utf8>>, <<16#301/utf8>>},
                 {tolower, <<16#1fb7/utf8>>, <<16#1fb6/utf8, 16#3b9/utf8>>},
                 {nodeprep, <<"Juliet">>, <<"juliet">>}, {nodeprep, <<"a@b">>, error},
                 {nodeprep, <<"a b">>, error}, {resourceprep, <<"Foo Bar">>, <<"Foo Bar">>},
                 {tolower, <<"AbCd">>, <<"abcd">>}, {tolower, <<"ÀÉ"/utf8>>, <<"àé"/utf8>>}]]
    end).

prohibited(Config) ->
    same(Config, fun() ->
        Points = [16#85, 16#1680, 16#180e, 16#f113, 16#1d175, 16#31234, 16#10f234, 16#8fffe,
                  16#10ffff, 16#fffd, 16#2ff5, 16#200e, 16#202a, 16#e0001, 16#e0042],
        [?assertEqual({P, error}, {P, stringprep:nameprep(<<P/utf8>>)}) || P <- Points],
        [{F, P, stringprep:F(<<"a", P/utf8, "b">>)} || F <- ?FUNCTIONS, P <- Points]
    end).

%% Right-to-left characters may not be mixed.
bidirectional(Config) ->
    same(Config, fun() ->
        ?assertEqual(error, stringprep:nameprep(<<"foo", 16#5be/utf8, "bar">>)),
        ?assertEqual(error, stringprep:nameprep(<<16#627/utf8, "1">>)),
        ?assertEqual(<<16#627/utf8, "1", 16#628/utf8>>,
                     stringprep:nameprep(<<16#627/utf8, "1", 16#628/utf8>>)),
        [stringprep:F(<<16#627/utf8, "a", 16#628/utf8>>) || F <- ?FUNCTIONS]
    end).

ascii(Config) ->
    same(Config, fun() ->
        [{F, N, stringprep:F(<<N>>)} || F <- ?FUNCTIONS, N <- lists:seq(0, 127)]
    end).

every_code_point(Config) ->
    same(Config, fun() ->
        Points = lists:seq(0, 16#d7ff, 3) ++ lists:seq(16#e000, 16#ffff, 5) ++
            lists:seq(16#10000, 16#2ffff, 31),
        [{F, erlang:phash2([stringprep:F(<<P/utf8>>) || P <- Points])} || F <- ?FUNCTIONS]
    end).

%% Long runs of combining marks: composition and canonical order.
combining(Config) ->
    same(Config, fun() ->
        Marks = unicode:characters_to_binary([16#301, 16#323, 16#308, 16#327]),
        [stringprep:F([<<"a">>, binary:copy(Marks, N)]) || F <- ?FUNCTIONS, N <- [1, 2, 50, 500]]
    end).

iodata(Config) ->
    same(Config, fun() ->
        [?assertEqual(<<"abc">>, stringprep:F(["a", [<<"b">>, $c], []])) || F <- ?FUNCTIONS]
    end).

empty(Config) ->
    same(Config, fun() ->
        [?assertEqual(<<>>, stringprep:F(Empty)) || F <- ?FUNCTIONS, Empty <- [<<>>, [], [<<>>]]]
    end).

not_utf8(Config) ->
    same(Config, fun() ->
        Bad = [<<16#ff>>, <<16#c3>>, <<"a", 16#c3>>, <<16#e2, 16#82>>, <<16#f0, 16#9f, 16#98>>,
               <<16#ed, 16#a0, 16#80>>, <<16#c0, 16#80>>, <<16#f8, 16#88, 16#80, 16#80, 16#80>>,
               <<16#80>>, <<"x", 16#80, "y">>, <<16#f7, 16#bf, 16#bf, 16#bf>>],
        [{F, B, stringprep:F(B)} || F <- ?FUNCTIONS, B <- Bad]
    end).

wrong_arguments(Config) ->
    same(Config, fun() ->
        Bad = [a, 1, -1, 1.5, {}, #{}, self(), make_ref(), fun() -> ok end, <<1:3>>, [a], [256],
               [$a | $b], 1 bsl 80],
        Results = [{F, both_ways:try_all(stringprep, F, [[B] || B <- Bad])} || F <- ?FUNCTIONS],
        [?assertEqual({A, {error, badarg}}, {A, Outcome})
         || {_, Outcomes} <- Results, {A, Outcome} <- Outcomes],
        [?assertError(undef, apply(stringprep, F, [])) || F <- ?FUNCTIONS],
        Results
    end).

big_input(Config) ->
    same(Config, fun() ->
        Text = binary:copy(<<"Große STRAßE, Ünïcödé "/utf8>>, 20000),
        [{F, byte_size(R), erlang:md5(R)} || F <- ?FUNCTIONS, F =/= nodeprep,
                                             R <- [stringprep:F(Text)]]
    end).

at_once(Config) ->
    same(Config, fun() ->
        both_ways:at_once(30, fun(N) ->
            Text = unicode:characters_to_binary([$A, 16#390 + N, 16#c0 + N]),
            Prepared = stringprep:nameprep(Text),
            [Prepared = stringprep:nameprep(Text) || _ <- lists:seq(1, 300)],
            Prepared
        end)
    end).

%% The application can be stopped and started while its library stays.
start_and_stop(Config) ->
    same(Config, fun() ->
        ok = application:stop(stringprep),
        ok = stringprep:start(),
        ok = stringprep:start(),
        ?assertEqual(<<"a">>, stringprep:nameprep(<<"A">>)),
        stringprep:load_nif()
    end).

every_function(Config) ->
    both_ways:every_function(Config).
