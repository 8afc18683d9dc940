%%% jiffy (Debian's erlang-jiffy), natively and isolated.
-module(jiffy_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(both_ways, [same/2]).

-define(LANGUAGES, "/usr/share/iso-codes/json/iso_639-3.json").

all() ->
    [isolated, decode_values, decode_objects, return_maps, use_nil, null_term, dedupe_keys,
     copy_strings, return_trailer, decode_bignums, decode_floats, decode_strings, decode_errors,
     decode_iolist, decode_bytes_per_red, encode_values, encode_objects, encode_iodata, pretty,
     uescape, force_utf8, escape_forward_slashes, encode_use_nil, encode_bignums, encode_floats,
     encode_errors, real_file, real_file_pretty, big_input, big_bignums, deep_input,
     many_processes, unknown_options, round_trips, every_function].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    both_ways:start(Config, jiffy, [jiffy]).

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

%%% decode

decode_values(Config) ->
    same(Config, fun() ->
        [?assertEqual({Json, Term}, {Json, jiffy:decode(Json)})
         || {Json, Term} <- [{<<"true">>, true}, {<<"false">>, false}, {<<"null">>, null},
                             {<<"0">>, 0}, {<<"-1">>, -1}, {<<" 12 ">>, 12}, {<<"1.5">>, 1.5},
                             {<<"\"\"">>, <<>>}, {<<"\"abc\"">>, <<"abc">>}, {<<"[]">>, []},
                             {<<"[1, [2], []]">>, [1, [2], []]}]]
    end).

decode_objects(Config) ->
    same(Config, fun() ->
        ?assertEqual({[]}, jiffy:decode(<<"{}">>)),
        ?assertEqual({[{<<"b">>, 1}, {<<"a">>, [{[{<<"c">>, null}]}]}]},
                     jiffy:decode(<<"{\"b\": 1, \"a\": [{\"c\": null}]}">>))
    end).

return_maps(Config) ->
    same(Config, fun() ->
        ?assertEqual(#{}, jiffy:decode(<<"{}">>, [return_maps])),
        ?assertEqual(#{<<"a">> => #{<<"b">> => [1, #{}]}},
                     jiffy:decode(<<"{\"a\": {\"b\": [1, {}]}}">>, [return_maps])),
        ?assertEqual(#{<<"a">> => 2}, jiffy:decode(<<"{\"a\":1,\"a\":2}">>, [return_maps])),
        Large = jiffy:encode({[{integer_to_binary(N), N} || N <- lists:seq(1, 1000)]}),
        ?assertEqual(maps:from_list([{integer_to_binary(N), N} || N <- lists:seq(1, 1000)]),
                     jiffy:decode(Large, [return_maps]))
    end).

use_nil(Config) ->
    same(Config, fun() ->
        ?assertEqual([nil, {[{<<"a">>, nil}]}], jiffy:decode(<<"[null,{\"a\":null}]">>, [use_nil]))
    end).

null_term(Config) ->
    same(Config, fun() ->
        [?assertEqual([Term], jiffy:decode(<<"[null]">>, [{null_term, Term}]))
         || Term <- [undefined, 'my null']]
    end).

dedupe_keys(Config) ->
    same(Config, fun() ->
        Json = <<"{\"a\":1,\"b\":2,\"a\":3}">>,
        ?assertEqual({[{<<"a">>, 1}, {<<"b">>, 2}, {<<"a">>, 3}]}, jiffy:decode(Json)),
        ?assertEqual({[{<<"b">>, 2}, {<<"a">>, 3}]}, jiffy:decode(Json, [dedupe_keys]))
    end).

copy_strings(Config) ->
    same(Config, fun() ->
        String = binary:copy(<<"x">>, 1000),
        Json = <<"[\"", String/binary, "\"]">>,
        [Copied] = jiffy:decode(Json, [copy_strings]),
        ?assertEqual({String, 1000}, {Copied, binary:referenced_byte_size(Copied)}),
        ?assertEqual([String], jiffy:decode(Json))
    end).

return_trailer(Config) ->
    same(Config, fun() ->
        ?assertEqual({has_trailer, true, <<"; rest">>},
                     jiffy:decode(<<"true; rest">>, [return_trailer])),
        ?assertEqual(true, jiffy:decode(<<"true  ">>, [return_trailer])),
        ?assertEqual({has_trailer, #{}, <<"[]">>},
                     jiffy:decode(<<"{} []">>, [return_maps, return_trailer]))
    end).

decode_bignums(Config) ->
    same(Config, fun() ->
        [?assertEqual(N, jiffy:decode(integer_to_binary(N)))
         || N <- [1 bsl 62, 1 bsl 63, 1 bsl 64, -(1 bsl 63), -(1 bsl 64), 1 bsl 200, -(1 bsl 500)]]
    end).

decode_floats(Config) ->
    same(Config, fun() ->
        [?assertEqual(F, jiffy:decode(Json))
         || {Json, F} <- [{<<"0.0">>, 0.0}, {<<"1e3">>, 1.0e3}, {<<"1E-3">>, 1.0e-3},
                          {<<"-2.5e+10">>, -2.5e10}, {<<"1.7976931348623157e308">>,
                                                      1.7976931348623157e308}]]
    end).

decode_strings(Config) ->
    same(Config, fun() ->
        [?assertEqual(Text, jiffy:decode(<<$", Json/binary, $">>))
         || {Json, Text} <- [{<<"\\n\\t\\\\\\/\\\"">>, <<"\n\t\\/\"">>}, {<<"\\u00e9">>, <<"é"/utf8>>},
                             {<<"\\ud83d\\ude00">>, <<16#1f600/utf8>>}, {<<"é"/utf8>>, <<"é"/utf8>>},
                             {<<"\\u0000">>, <<0>>}]]
    end).

decode_errors(Config) ->
    same(Config, fun() ->
        Bad = [<<>>, <<"[">>, <<"]">>, <<"{">>, <<"[1,">>, <<"[1 2]">>, <<"{\"a\"}">>, <<"{1:2}">>,
               <<"tru">>, <<"\"abc">>, <<"\"\\x\"">>, <<"01">>, <<"1.">>, <<"-">>, <<"1e">>,
               <<"[1] x">>, <<"\"", 16#ff, "\"">>, <<"\"\\ud800\"">>, <<"nulll">>, <<"{\"a\":1,}">>],
        ?assertEqual({error, {1, truncated_json}}, failure(fun() -> jiffy:decode(<<>>) end)),
        both_ways:try_all(jiffy, decode, [[Json] || Json <- [not_json, 1, {}, [a], <<1:3>> | Bad]])
    end).

decode_iolist(Config) ->
    same(Config, fun() ->
        ?assertEqual([1, <<"ab">>], jiffy:decode(["[1,", <<" \"a">>, [$b], "\"]"])),
        ?assertEqual([1], jiffy:decode("[1]"))
    end).

decode_bytes_per_red(Config) ->
    same(Config, fun() ->
        Json = jiffy:encode(lists:seq(1, 10000)),
        [?assertEqual(lists:seq(1, 10000), jiffy:decode(Json, [Option]))
         || Option <- [{bytes_per_red, 10}, {bytes_per_red, 1000}, {bytes_per_iter, 20480}]]
    end).

%%% encode

encode_values(Config) ->
    same(Config, fun() ->
        [?assertEqual({Term, Json}, {Term, json(Term)})
         || {Term, Json} <- [{true, <<"true">>}, {false, <<"false">>}, {null, <<"null">>},
                             {0, <<"0">>}, {-17, <<"-17">>}, {1.5, <<"1.5">>}, {<<>>, <<"\"\"">>},
                             {<<"a\n\"\\/">>, <<"\"a\\n\\\"\\\\/\"">>}, {atom, <<"\"atom\"">>},
                             {[], <<"[]">>}, {[1, [2]], <<"[1,[2]]">>},
                             {<<"é"/utf8>>, <<"\"é\""/utf8>>}]]
    end).

encode_objects(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"{}">>, json({[]})),
        ?assertEqual(<<"{}">>, json(#{})),
        ?assertEqual(<<"{\"a\":1,\"b\":{\"c\":[]}}">>, json({[{a, 1}, {<<"b">>, {[{c, []}]}}]})),
        ?assertEqual(<<"{\"a\":{\"b\":1}}">>, json(#{a => #{<<"b">> => 1}}))
    end).

%% Parts of the result may be iodata of large pieces.
encode_iodata(Config) ->
    same(Config, fun() ->
        Big = binary:copy(<<"x">>, 100000),
        ?assertEqual(<<"[\"", Big/binary, "\",\"", Big/binary, "\"]">>, json([Big, Big]))
    end).

pretty(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"{\n  \"a\" : [\n    1,\n    2\n  ]\n}">>, json({[{a, [1, 2]}]}, [pretty]))
    end).

uescape(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"\"\\u00E9\\uD83D\\uDE00\"">>, json(<<16#e9/utf8, 16#1f600/utf8>>, [uescape]))
    end).

force_utf8(Config) ->
    same(Config, fun() ->
        Bad = [<<16#ff>>, <<"a", 16#c3>>, <<16#ed, 16#a0, 16#80>>, <<"x", 16#f8, "y">>],
        [?assertEqual({error, {invalid_string, B}}, failure(fun() -> jiffy:encode(B) end)) || B <- Bad],
        [json(B, [force_utf8]) || B <- Bad]
    end).

escape_forward_slashes(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"\"a\\/b\"">>, json(<<"a/b">>, [escape_forward_slashes])),
        ?assertEqual(<<"\"a/b\"">>, json(<<"a/b">>))
    end).

encode_use_nil(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"[null]">>, json([nil], [use_nil])),
        ?assertEqual(<<"[\"nil\"]">>, json([nil]))
    end).

encode_bignums(Config) ->
    same(Config, fun() ->
        [?assertEqual(integer_to_binary(N), json(N)) || N <- [1 bsl 63, 1 bsl 64, -(1 bsl 64), 1 bsl 300]],
        ?assertEqual(<<"{\"a\":18446744073709551616}">>, json({[{a, 1 bsl 64}]}))
    end).

encode_floats(Config) ->
    same(Config, fun() ->
        Floats = [0.0, -0.0, 1.0, 0.1, 1.0e10, 1.0e100, 1.0e-7, 3.141592653589793, -123456.789],
        [?assert(F == jiffy:decode(json(F))) || F <- Floats], % not all versions keep the sign of 0
        [json(F) || F <- Floats]
    end).

encode_errors(Config) ->
    same(Config, fun() ->
        Bad = [{}, {a, b}, {[a]}, {[{1, 2}]}, [a | b], <<1:3>>, {[{a, self}]}, fun lists:map/2,
               #{1 => 2}, #{{} => 1}, {[{a, 1} | b]}],
        Self = self(),
        ?assertEqual({error, {invalid_ejson, Self}}, failure(fun() -> jiffy:encode(Self) end)),
        both_ways:try_all(jiffy, encode, [[T] || T <- Bad])
    end).

%%% Real and big input

real_file(Config) ->
    same(Config, fun() ->
        {ok, Json} = file:read_file(?LANGUAGES),
        Maps = jiffy:decode(Json, [return_maps]),
        #{<<"639-3">> := Languages} = Maps,
        ?assert(length(Languages) > 7000),
        {[{<<"639-3">>, _}]} = Proplist = jiffy:decode(Json),
        ?assertEqual(Proplist, jiffy:decode(jiffy:encode(Proplist))),
        erlang:md5(term_to_binary({Maps, Proplist, json(Proplist)}))
    end).

real_file_pretty(Config) ->
    same(Config, fun() ->
        {ok, Json} = file:read_file(?LANGUAGES),
        Pretty = json(jiffy:decode(Json), [pretty, uescape]),
        erlang:md5(Pretty)
    end).

%% Large enough for jiffy to give up its time slice many times.
big_input(Config) ->
    same(Config, fun() ->
        Term = [{[{<<"n">>, N}, {<<"s">>, binary:copy(<<"text ">>, N rem 50)}, {<<"l">>, [N, 0.5, null]}]}
                || N <- lists:seq(1, 100000)],
        Json = json(Term),
        ?assert(byte_size(Json) > 10000000),
        ?assertEqual(Term, jiffy:decode(Json)),
        erlang:md5(Json)
    end).

big_bignums(Config) ->
    same(Config, fun() ->
        Numbers = [1 bsl (N rem 200) || N <- lists:seq(1, 20000)],
        ?assertEqual(Numbers, jiffy:decode(jiffy:encode(Numbers)))
    end).

deep_input(Config) ->
    same(Config, fun() ->
        Json = [lists:duplicate(100000, $[), lists:duplicate(100000, $])],
        Deep = jiffy:decode(Json),
        ?assertEqual(lists:foldl(fun(_, T) -> [T] end, [], lists:seq(2, 100000)), Deep),
        ?assertEqual(iolist_to_binary(Json), json(Deep))
    end).

many_processes(Config) ->
    same(Config, fun() ->
        Self = self(),
        Pids = [spawn_link(fun() ->
                                   Term = [N, {[{<<"k">>, lists:seq(1, N * 10)}]}],
                                   [Term = jiffy:decode(jiffy:encode(Term)) || _ <- lists:seq(1, 50)],
                                   Self ! {self(), done}
                           end) || N <- lists:seq(1, 30)],
        [receive {Pid, done} -> ok end || Pid <- Pids]
    end).

unknown_options(Config) ->
    same(Config, fun() ->
        [failure(fun() -> jiffy:decode(<<"1">>, [no_such_option]) end),
         failure(fun() -> jiffy:encode(1, [no_such_option]) end),
         failure(fun() -> jiffy:decode(<<"1">>, not_a_list) end)]
    end).

round_trips(Config) ->
    same(Config, fun() ->
        [begin
             Term = random_term(4),
             ?assertEqual(Term, jiffy:decode(jiffy:encode(Term)))
         end || _ <- lists:seq(1, 300)]
    end).

every_function(Config) ->
    both_ways:every_function(Config, [{jiffy, nif_decode_iter, 5}, {jiffy, nif_encode_iter, 3}]).

%%% Helpers

json(Term) -> json(Term, []).
json(Term, Options) -> iolist_to_binary(jiffy:encode(Term, Options)).

failure(Fun) ->
    both_ways:try_call(Fun).

random_term(0) -> rand:uniform(1000);
random_term(Depth) ->
    case rand:uniform(7) of
        1 -> rand:uniform(1 bsl 70) - (1 bsl 69);
        2 -> rand:uniform() * 1.0e6;
        3 -> base64:encode(rand:bytes(rand:uniform(100)));
        4 -> lists:nth(rand:uniform(3), [true, false, null]);
        5 -> [random_term(Depth - 1) || _ <- lists:seq(1, rand:uniform(6))];
        _ -> {[{integer_to_binary(N), random_term(Depth - 1)} || N <- lists:seq(1, rand:uniform(6))]}
    end.
