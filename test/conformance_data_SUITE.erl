%%% Binaries, maps and the external term format, natively and isolated.
-module(conformance_data_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [echo_binaries, echo_big_binaries, echo_sub_binaries, echo_bitstrings,
         inspect, inspect_big, flatten, make_binaries, grow_binaries, changed_binaries,
         overrun_binaries, append, sub_binary,
         map_from_arrays, map_put_update_remove, map_get_size, map_iteration,
         large_map_iteration, to_external, from_external, from_external_safe]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_terms, fx_data]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_terms, fx_data]).

%%% Binaries

echo_binaries(_) ->
    [begin
         Binary = random(Size),
         ?assertEqual(Binary, fx_terms:echo(Binary)),
         ?assertEqual([Binary, {Binary}], fx_terms:echo([Binary, {Binary}]))
     end || Size <- [0, 1, 7, 8, 9, 63, 64, 65, 255, 256, 4095, 4096, 4097, 65536]].

echo_big_binaries(_) ->
    [begin
         Binary = random(Size),
         ?assertEqual(Binary, fx_terms:echo(Binary))
     end || Size <- [1000000, 10000000]].

echo_sub_binaries(_) ->
    Big = random(100000),
    [begin
         Part = binary:part(Big, At, Size),
         ?assertEqual(Part, fx_terms:echo(Part))
     end || At <- [0, 1, 7, 64, 5000], Size <- [0, 1, 64, 65, 1000]],
    <<_:3, Unaligned:1000/binary, _/bits>> = Big,
    ?assertEqual(Unaligned, fx_terms:echo(Unaligned)),
    Parts = [binary:part(Big, N, 100) || N <- lists:seq(0, 999)],
    ?assertEqual(Parts, fx_terms:echo(Parts)).

echo_bitstrings(_) ->
    Big = random(1000),
    [begin
         <<_:Skip, Bits:Size/bits, _/bits>> = Big,
         ?assertEqual(Bits, fx_terms:echo(Bits))
     end || Skip <- [0, 1, 5, 8], Size <- [1, 3, 7, 9, 63, 65, 511, 513, 4001]].

inspect(_) ->
    ?assertEqual({0, 0}, fx_data:inspect(<<>>)),
    ?assertEqual({3, 6}, fx_data:inspect(<<1, 2, 3>>)),
    <<_:3, Unaligned:100/binary, _/bits>> = random(200),
    ?assertEqual({100, lists:sum(binary_to_list(Unaligned))}, fx_data:inspect(Unaligned)),
    [?assertEqual(no_binary, fx_data:inspect(T)) || T <- [<<1:3>>, "list", a, 1, [<<>>]]].

inspect_big(_) ->
    ?assertEqual({10000000, 10000000 * 7}, fx_data:inspect(binary:copy(<<7>>, 10000000))).

flatten(_) ->
    Lists = [[], [[]], <<>>, <<"ab">>, "abc", ["a", <<"b">>, [[$c] | <<"d">>]],
             [lists:seq(0, 255), random(1000)], [binary:copy(<<"x">>, 100000), 1]],
    [?assertEqual(iolist_to_binary(L), fx_data:flatten(L)) || L <- Lists],
    [?assertError(badarg, fx_data:flatten(T)) || T <- [a, 1, [256], [a], [1 | 2], <<1:1>>]].

make_binaries(_) ->
    [?assertEqual(binary:copy(<<$q>>, Size), fx_data:new_binary(Size, $q))
     || Size <- [0, 1, 63, 64, 65, 1000, 1000000, 10000000]],
    [?assertEqual(ok, fx_data:drop_binary(Size)) || Size <- [0, 1, 1000000]].

grow_binaries(_) ->
    [?assertEqual(<<"a", (binary:copy(<<"b">>, Size - 1))/binary>>, fx_data:grow_binary(Size))
     || Size <- [1, 2, 64, 65, 1000000]].

%% Releases of OTP differ in what they make of it.
changed_binaries(Config) ->
    fx:same(Config, changed_binaries,
            [{Size, Start, NewSize, byte_size(Binary), binary:part(Binary, 0, min(2, byte_size(Binary)))}
             || Size <- [10, 100, 1000], Start <- [0, 1, Size - 3], NewSize <- [0, 1, 3, Size - Start],
                Binary <- [fx_data:changed_binary(Size, Start, NewSize)]]).

%% Up to 7 bytes behind a binary of more than 64 are nobody's in the VM.
overrun_binaries(_) ->
    Self = self(),
    Pids = [spawn_link(fun() ->
                               [?assertEqual({binary:copy(<<"a">>, Size), binary:copy(<<"b">>, Size)},
                                             fx_data:overrun_binary(Size, 7))
                                || Size <- lists:seq(65, 1100, 3)],
                               Self ! {self(), done}
                       end) || _ <- lists:seq(1, 10)],
    [receive {Pid, done} -> ok end || Pid <- Pids].

append(_) ->
    [begin
         Binary = random(Size),
         ?assertEqual({Binary, <<Binary/binary, "xyz">>}, fx_data:append(Binary))
     end || Size <- [0, 1, 64, 1000, 100000]].

sub_binary(_) ->
    Binary = random(1000),
    [?assertEqual(binary:part(Binary, At, Size), fx_data:sub_binary(Binary, At, Size))
     || At <- [0, 1, 500], Size <- [0, 1, 64, 100, 500]],
    <<_:3, Unaligned:100/binary, _/bits>> = Binary,
    ?assertEqual(binary:part(Unaligned, 10, 20), fx_data:sub_binary(Unaligned, 10, 20)).

%%% Maps

map_from_arrays(Config) ->
    Lists = [[], [{a, 1}], [{b, 1}, {a, 2}], [{1, a}, {1.0, b}],
             [{N, N * N} || N <- lists:seq(1, 32)], [{N, N * N} || N <- lists:seq(1, 33)],
             [{{k, N}, [N]} || N <- lists:seq(1, 5000)]],
    [?assertEqual(maps:from_list(L), fx_data:map_from_arrays(L)) || L <- Lists],
    ?assertEqual(no, fx_data:map_from_arrays([{a, 1}, {a, 2}])),
    %% With more than 32 pairs OTP 25 doesn't refuse duplicates.
    fx:same(Config, duplicate_keys,
            [fx_data:map_from_arrays([{N rem 50, N} || N <- lists:seq(1, Pairs)])
             || Pairs <- [51, 100]]).

map_put_update_remove(_) ->
    [begin
         ?assertEqual(Map#{new => v}, fx_data:map_put(new, v, Map)),
         ?assertEqual(Map#{1 => v}, fx_data:map_put(1, v, Map)),
         ?assertEqual(no, fx_data:map_update(new, v, Map)),
         ?assertEqual(maps:remove(1, Map), fx_data:map_remove(1, Map)),
         ?assertEqual(Map, fx_data:map_remove(missing, Map)),
         ?assertEqual(Map, fx_data:map_remove(1.0, Map))
     end || Map <- [seq_map(N) || N <- [1, 2, 31, 32, 33, 1000]]],
    ?assertEqual(#{1 => v}, fx_data:map_update(1, v, #{1 => old})),
    [?assertEqual(no, F) || F <- [fx_data:map_put(a, b, []), fx_data:map_update(a, b, {}),
                                  fx_data:map_remove(a, x)]].

map_get_size(_) ->
    [begin
         Map = seq_map(N),
         ?assertEqual(N, fx_data:map_size(Map)),
         ?assertEqual({ok, {v, N}}, fx_data:map_get(N, Map)),
         ?assertEqual(no, fx_data:map_get(N + 1, Map)),
         ?assertEqual(no, fx_data:map_get(float(N), Map))
     end || N <- [1, 32, 33, 10000]],
    ?assertEqual({ok, x}, fx_data:map_get(#{[1] => {<<"a">>}}, #{#{[1] => {<<"a">>}} => x})),
    ?assertEqual(no, fx_data:map_get(a, [])),
    ?assertEqual(no, fx_data:map_size([])),
    ?assertEqual(0, fx_data:map_size(#{})).

%% Small maps iterate in the order of their keys (of atoms: of their age, from OTP 26 on), in both
%% directions.
map_iteration(Config) ->
    Results = [fx_data:map_to_list(Map, Direction)
               || Map <- [#{}, #{a => 1}, #{c => 1, a => 2, b => 3}, seq_map(32),
                          #{1 => a, 1.0 => b, x => c, {} => d, "s" => e, <<>> => f}],
                  Direction <- [forward, backward]],
    fx:same(Config, map_iteration, Results),
    ?assertEqual({[{2, b}, {1, a}], {false, true}},
                 fx_data:map_to_list(#{1 => a, 2 => b}, forward)),
    ?assertEqual(no, fx_data:map_to_list([], forward)).

large_map_iteration(_) ->
    Map = seq_map(5000),
    {Forward, {false, true}} = fx_data:map_to_list(Map, forward),
    {Backward, {true, false}} = fx_data:map_to_list(Map, backward),
    ?assertEqual(lists:reverse(Forward), Backward),
    ?assertEqual(lists:sort(maps:to_list(Map)), lists:sort(Forward)).

%%% External term format

to_external(_) ->
    [?assertEqual(term_to_binary(T), fx_data:to_external(T)) || T <- externals()].

from_external(Config) ->
    [begin
         Binary = term_to_binary(T),
         ?assertEqual({byte_size(Binary), T}, fx_data:from_external(Binary, any)),
         ?assertEqual({byte_size(Binary), T},
                      fx_data:from_external(<<Binary/binary, "rest">>, any))
     end || T <- externals()],
    Compressed = term_to_binary(lists:duplicate(1000, $x), [compressed]),
    fx:same(Config, compressed, fx_data:from_external(Compressed, any)),
    [?assertEqual(no, fx_data:from_external(B, any))
     || B <- [<<>>, <<131>>, <<1, 2, 3>>, <<131, 104, 200>>, <<131, 255, 1>>,
              binary:part(term_to_binary("some text"), 0, 8)]].

from_external_safe(_) ->
    Known = term_to_binary({from_external_safe, 1}),
    ?assertEqual({byte_size(Known), {from_external_safe, 1}},
                 fx_data:from_external(Known, safe)),
    Unknown = <<"fx unsafe ", (integer_to_binary(erlang:unique_integer()))/binary>>,
    External = <<131, 119, (byte_size(Unknown)), Unknown/binary>>,
    ?assertEqual(no, fx_data:from_external(External, safe)),
    {_, Atom} = fx_data:from_external(External, any),
    ?assertEqual(Unknown, atom_to_binary(Atom)).

%%% Helpers

externals() ->
    [a, '\xe9', list_to_atom([16#1f600]), 0, 255, 256, -1, 1 bsl 31, -(1 bsl 31) - 1, 1 bsl 64,
     -(1 bsl 3000), 1.5, <<>>, <<"abc">>, <<1:3>>, random(1000), [], "abc",
     lists:duplicate(70000, $x), [a | b], [a, 1, 300], {}, {a, {b}},
     list_to_tuple(lists:seq(1, 300)), #{}, #{a => 1, b => [2]}, seq_map(100), self(),
     make_ref(), fun lists:map/2].

seq_map(N) ->
    maps:from_list([{K, {v, K}} || K <- lists:seq(1, N)]).

random(Size) ->
    rand:bytes(Size).
