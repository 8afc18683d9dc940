%%% fast_yaml (Debian's erlang-p1-yaml), natively and isolated.
-module(fast_yaml_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(both_ways, [same/2]).

all() ->
    [isolated, collections, scalars, numbers, styles, plain_as_atom, sane_scalars, as_maps,
     all_options, anchors, documents, comments_and_tags, encodings, syntax_errors, format_errors,
     long_atoms, unknown_options, empty, wrong_arguments, flags, from_file, encode, round_trips,
     nested, big_input, many_atoms, at_once, every_function,
     nested_too_deep_for_the_vm, minutes_long].

suite() ->
    [{timetrap, {seconds, 90}}].

init_per_suite(Config) ->
    both_ways:start(Config, fast_yaml, [fast_yaml]).

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

collections(Config) ->
    same(Config, fun() ->
        ?assertEqual({ok, [[{<<"a">>, 1}, {<<"b">>, [<<"x">>, [{<<"c">>, 2.5}]]}]]},
                     fast_yaml:decode(<<"a: 1\nb:\n  - x\n  - c: 2.5\n">>)),
        ?assertEqual({ok, [[[1, [2, []]], [{<<"k">>, [{<<"l">>, []}]}]]]},
                     fast_yaml:decode(<<"- [1, [2, []]]\n- {k: {l: {}}}\n">>)),
        [fast_yaml:decode(Y) || Y <- [<<"? [k]\n: v\n">>, <<"- - 1\n  - 2\n-\n">>, <<"a:\nb:\n">>,
                                      <<"{a, b: , c: 1}">>, <<"[a: 1, b]">>, <<"? a\n? b\n">>]]
    end).

scalars(Config) ->
    same(Config, fun() ->
        [{S, fast_yaml:decode(S)} || S <- [<<"plain">>, <<"two words">>, <<"~">>, <<"null">>,
                                           <<"true">>, <<"Yes">>, <<"2001-11-23 15:01:42 -5">>,
                                           <<"a:b">>, <<"-x">>, <<"!!str 1">>, <<"é"/utf8>>]]
    end).

numbers(Config) ->
    same(Config, fun() ->
        both_ways:try_all(fast_yaml, decode, [[S]
         || S <- [<<"0">>, <<"-1">>, <<"+5">>, <<"1.5">>, <<"-0.25">>, <<"1.">>, <<".5">>,
                  <<"1e3">>, <<"1.0e3">>, <<"0x1f">>, <<"017">>, <<"1_000">>, <<"1 2">>, <<".">>,
                  <<"-">>, <<".inf">>, <<".nan">>, <<"9223372036854775807">>,
                  <<"9223372036854775808">>, <<"-9223372036854775809">>, <<"1.0e400">>,
                  binary:copy(<<"9">>, 300)]])
    end).

styles(Config) ->
    same(Config, fun() ->
        ?assertEqual({ok, [<<"a\nb\n">>]}, fast_yaml:decode(<<"|\n  a\n  b\n">>)),
        ?assertEqual({ok, [<<"a b\n">>]}, fast_yaml:decode(<<">\n  a\n  b\n">>)),
        ?assertEqual({ok, [<<"it's">>]}, fast_yaml:decode(<<"'it''s'">>)),
        ?assertEqual({ok, [<<"\t\"\\é"/utf8>>]}, fast_yaml:decode(<<"\"\\t\\\"\\\\\\u00e9\"">>)),
        [fast_yaml:decode(Y) || Y <- [<<"\"1\"">>, <<"'1'">>, <<"|-\n  a\n\n">>, <<"|+\n  a\n\n">>,
                                      <<"\"\\x00\"">>, <<"\"\\U0001F600\"">>, <<"\"a\\\n  b\"">>]]
    end).

plain_as_atom(Config) ->
    same(Config, fun() ->
        ?assertEqual({ok, [[{a, [x, <<"y">>, 'quoted one', 1, 1.5]}]]},
                     fast_yaml:decode(<<"a: [x, \"y\", 'quoted one', 1, 1.5]">>, [plain_as_atom])),
        ?assertEqual({ok, [[{<<"a">>, <<"x">>}]]},
                     fast_yaml:decode(<<"a: x">>, [{plain_as_atom, false}])),
        [fast_yaml:decode(Y, [{plain_as_atom, true}]) || Y <- [<<"é"/utf8>>, <<"''">>, <<"a:">>]]
    end).

sane_scalars(Config) ->
    same(Config, fun() ->
        ?assertEqual({ok, [[{<<"1">>, 1}, {<<"t">>, true}, {<<"f">>, false}, {<<"n">>, undefined},
                            {<<"m">>, undefined}, {<<"e">>, undefined}, {<<"s">>, <<"1">>}]]},
                     fast_yaml:decode(<<"1: 1\nt: true\nf: false\nn: null\nm: ~\ne:\ns: '1'\n">>,
                                      [sane_scalars])),
        fast_yaml:decode(<<"[true, 1, ~, x, \"true\"]">>, [{sane_scalars, true}])
    end).

as_maps(Config) ->
    same(Config, fun() ->
        ?assertEqual({ok, [#{<<"a">> => #{}, <<"b">> => [#{<<"c">> => 1}]}]},
                     fast_yaml:decode(<<"a: {}\nb: [{c: 1}]\n">>, [maps])),
        Large = [["k", integer_to_list(N), ": ", integer_to_list(N), "\n"] || N <- lists:seq(1, 500)],
        {ok, [Map]} = fast_yaml:decode(Large, [maps]),
        ?assertEqual(500, map_size(Map)),
        [Map, fast_yaml:decode(<<"a: 1\na: 2\n">>, [maps]),
         fast_yaml:decode(<<"[k]: 1\n{l: 2}: 3\n">>, [maps])]
    end).

all_options(Config) ->
    same(Config, fun() ->
        Y = <<"a: [x, 'y', \"z\", 1.5, ~, null, true]\nb: &A {d: e}\nf: *A\n">>,
        [fast_yaml:decode(Y, Options) || Options <- [[], [plain_as_atom], [sane_scalars], [maps],
                                                     [plain_as_atom, sane_scalars],
                                                     [plain_as_atom, maps], [sane_scalars, maps],
                                                     [plain_as_atom, sane_scalars, maps]]]
    end).

%% The library gives an alias as the name of its anchor.
anchors(Config) ->
    same(Config, fun() ->
        ?assertEqual({ok, [[{<<"a">>, [1]}, {<<"b">>, <<"x">>}]]},
                     fast_yaml:decode(<<"a: &x [1]\nb: *x\n">>)),
        [fast_yaml:decode(<<"*nowhere">>), fast_yaml:decode(<<"a: &b\n">>)]
    end).

documents(Config) ->
    same(Config, fun() ->
        ?assertEqual({ok, [1, [{<<"a">>, 2}], <<>>]}, fast_yaml:decode(<<"1\n---\na: 2\n---\n">>)),
        [fast_yaml:decode(Y) || Y <- [<<"--- a\n...\n--- b\n">>, <<"%YAML 1.1\n---\nx\n">>,
                                      <<"---\n">>, <<"...\n">>]]
    end).

comments_and_tags(Config) ->
    same(Config, fun() ->
        [fast_yaml:decode(Y) || Y <- [<<"# only\n">>, <<"a: 1 # b\n">>, <<"!t a">>, <<"!!int 'a'">>,
                                      <<"%TAG ! tag:x,2000:\n---\n!y z\n">>, <<"!<tag> a">>]]
    end).

encodings(Config) ->
    same(Config, fun() ->
        Text = <<"a: é😀"/utf8>>,
        [fast_yaml:decode(unicode:characters_to_binary(Text, utf8, E))
         || E <- [utf8, {utf16, little}, {utf16, big}, {utf32, big}]] ++
            [fast_yaml:decode([unicode:encoding_to_bom(E), unicode:characters_to_binary(Text, utf8, E)])
             || E <- [utf8, {utf16, little}, {utf16, big}]] ++
            [fast_yaml:decode(B) || B <- [<<16#ff>>, <<"a: ", 0>>, <<"a: ", 16#c3>>, <<16#fe, 16#ff, 0>>, <<"a: ", 16#e9>>]]
    end).

syntax_errors(Config) ->
    same(Config, fun() ->
        Bad = [<<"[">>, <<"]">>, <<"{">>, <<"}">>, <<"[1,,2]">>, <<"a: b: c">>, <<"\"open">>,
               <<"'open">>, <<"a: 1\n b: 2\n">>, <<"\ta: 1">>, <<"- a\nb: 1">>, <<"@x">>, <<"`x">>,
               <<"%BAD\n">>, <<"a: |x\n">>, <<"\"\\q\"">>, <<"a: *">>, <<"&">>, <<"? :\n ]">>,
               <<"[a, b">>, <<"{a: b">>, <<"--- ---">>, <<"%YAML 2.0\n---\n">>, <<"!<x">>],
        Errors = [{Y, fast_yaml:decode(Y)} || Y <- Bad],
        ?assertMatch({_, {error, {parser_error, _, 1, 0}}}, hd(Errors)),
        Errors
    end).

format_errors(Config) ->
    same(Config, fun() ->
        [fast_yaml:format_error(Reason)
         || Reason <- [element(2, fast_yaml:decode(<<"[">>)), element(2, fast_yaml:decode(<<"\t">>)),
                       memory_error, unexpected_error, enoent, {what, ever}]]
    end).

%% Raised by the library as an exception of its own.
long_atoms(Config) ->
    same(Config, fun() ->
        Long = binary:copy(<<"a">>, 256),
        ?assertMatch({error, {parser_error, <<"atom value", _/binary>>, 0, 0}},
                     fast_yaml:decode(Long, [plain_as_atom])),
        ?assertEqual({ok, [binary_to_atom(binary:copy(<<"a">>, 255))]},
                     fast_yaml:decode(binary:copy(<<"a">>, 255), [plain_as_atom])),
        [fast_yaml:decode(<<"[b, ", Long/binary, ", c]">>, [plain_as_atom]),
         fast_yaml:decode(<<"'", Long/binary, "'">>, [plain_as_atom]), fast_yaml:decode(Long)]
    end).

unknown_options(Config) ->
    same(Config, fun() ->
        both_ways:try_all(fast_yaml, decode, [[<<"a">>, [no_such]], [<<"a">>, [{maps, 'maybe'}]],
                                              [<<"a">>, maps], [<<"a">>, [maps | x]]])
    end).

empty(Config) ->
    same(Config, fun() ->
        [?assertEqual({ok, []}, fast_yaml:decode(Y)) || Y <- [<<>>, [], [<<>>], <<" \n">>, <<"\n\n">>]]
    end).

wrong_arguments(Config) ->
    same(Config, fun() ->
        Bad = [a, 1, 1.5, {}, #{}, self(), make_ref(), fun() -> ok end, <<1:3>>, [a], [256], [1 | 2]],
        Results = both_ways:try_all(fast_yaml, decode, [[B] || B <- Bad]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        Results
    end).

%% A sum of options that is no unsigned integer of the library.
flags(Config) ->
    same(Config, fun() ->
        Options = lists:duplicate(100000, maps),
        [fast_yaml:decode(<<"a: b">>, Options), fast_yaml:decode(<<"a: b">>, [maps, maps])]
    end).

from_file(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "some.yml"),
    ok = file:write_file(File, <<"a: 1\n">>),
    same(Config, fun() ->
        ?assertEqual({ok, [[{<<"a">>, 1}]]}, fast_yaml:decode_from_file(File)),
        ?assertEqual({ok, [#{a => 1}]}, fast_yaml:decode_from_file(File, [maps, plain_as_atom])),
        fast_yaml:decode_from_file("/no/such/file")
    end).

encode(Config) ->
    same(Config, fun() ->
        [iolist_to_binary(fast_yaml:encode(T))
         || T <- [[], 1, 1.5, a, <<"b">>, <<"\"\\\n">>, [1, [2]], [{a, [{b, c}]}], #{k => <<"v">>}]]
    end).

round_trips(Config) ->
    same(Config, fun() ->
        [begin
             Text = iolist_to_binary(fast_yaml:encode(Term)),
             ?assertEqual({Text, {ok, [Term]}}, {Text, fast_yaml:decode(Text, [plain_as_atom])}),
             Text
         end || Term <- [[1, 2, [3, [4]]], [{a, 1}, {b, [{c, <<"d e">>}]}],
                         [[{n, N}, {s, binary:copy(<<"x">>, N)}] || N <- lists:seq(1, 200)]]]
    end).

nested(Config) ->
    same(Config, fun() ->
        [begin
             {ok, [Term]} = fast_yaml:decode([lists:duplicate(N, $[), lists:duplicate(N, $])]),
             ?assertEqual(nest(N), Term)
         end || N <- [1, 100, 2000]],
        fast_yaml:decode([lists:duplicate(500, "{a: "), "1", lists:duplicate(500, $})], [maps])
    end).

big_input(Config) ->
    same(Config, fun() ->
        Text = [["- name: entry ", integer_to_list(N), "\n  values: [", integer_to_list(N * N),
                 ", 0.5, 'text']\n"] || N <- lists:seq(1, 5000)],
        {ok, [Entries]} = fast_yaml:decode(Text, [plain_as_atom]),
        ?assertEqual(5000, length(Entries)),
        erlang:md5(term_to_binary(Entries))
    end).

many_atoms(Config) ->
    same(Config, fun() ->
        Text = lists:join(", ", ["yaml_atom_" ++ integer_to_list(N) || N <- lists:seq(1, 5000)]),
        {ok, [Atoms]} = fast_yaml:decode([$[, Text, $]], [plain_as_atom]),
        ?assert(lists:all(fun is_atom/1, Atoms)),
        erlang:phash2(Atoms)
    end).

at_once(Config) ->
    same(Config, fun() ->
        both_ways:at_once(20, fun(N) ->
            Text = fast_yaml:encode([[{list_to_atom("k" ++ integer_to_list(I)), I}]
                                     || I <- lists:seq(1, N * 5)]),
            {ok, [Term]} = fast_yaml:decode(Text, [plain_as_atom]),
            [{ok, [Term]} = fast_yaml:decode(Text, [plain_as_atom]) || _ <- lists:seq(1, 10)],
            Term
        end)
    end).

every_function(Config) ->
    both_ways:every_function(Config).

%%% What the VM does not survive

%% Correct YAML that overflows the stack of a scheduler; hosts have bigger ones.
nested_too_deep_for_the_vm(Config) ->
    Text = [lists:duplicate(10000, $[), lists:duplicate(10000, $])],
    ok = both_ways:ends_the_vm(Config, fast_yaml, decode, [Text]),
    Isolated = both_ways:node(Config, isolated, []),
    ?assertEqual({ok, [nest(10000)]}, test_node:call(Isolated, fast_yaml, decode, [Text])),
    ok = test_node:stop(Isolated).

%% 600,000 brackets take the library minutes. Natively nothing else runs on a node with one
%% scheduler. Isolated, everything else does; the caller can be killed, others can call, and
%% `call_timeout' ends the call that nobody waits for any more.
minutes_long(Config) ->
    Native = both_ways:node(Config, native, ["+S", "1:1"]),
    OsPid = test_node:os_pid(Native),
    try
        _ = spawn(fun() -> catch test_node:call(Native, ?MODULE, long_call, [], infinity) end),
        timer:sleep(500),
        ?assertExit({timeout, _}, test_node:call(Native, erlang, node, [], 2000))
    after
        [] = os:cmd("kill -KILL " ++ OsPid) % it would not notice that nobody is there any more
    end,
    Isolated = both_ways:node(Config, isolated, ["+S", "1:1"], #{call_timeout => 4000}),
    {Latencies, KillUs, Meanwhile} = test_node:call(Isolated, ?MODULE, beside_a_long_call, []),
    ct:pal("while fast_yaml decodes in a host: a process that sleeps 10 ms is late by ~b us "
           "(median), ~b us (worst of ~b); the caller's death takes ~b us",
           [lists:nth(length(Latencies) div 2, Latencies), lists:last(Latencies), length(Latencies),
            KillUs]),
    ?assert(lists:last(Latencies) < 1000000),
    ?assert(KillUs < 1000000),
    ?assertEqual({ok, [[{<<"a">>, 1}]]}, Meanwhile),
    ok = fx:wait_until(fun() -> [] =:= test_node:call(Isolated, fx, hosts, [fast_yaml]) end, 10000),
    ?assertEqual({ok, [1]}, test_node:call(Isolated, fast_yaml, decode, [<<"1">>])),
    ?assertMatch(#{generation := 2}, test_node:call(Isolated, fx, host, [fast_yaml])),
    ok = test_node:stop(Isolated).

long_call() ->
    fast_yaml:decode(binary:copy(<<"[">>, 600000)).

beside_a_long_call() ->
    Caller = spawn(fun long_call/0),
    Latencies = [begin
                     {Us, ok} = timer:tc(timer, sleep, [10]),
                     Us - 10000
                 end || _ <- lists:seq(1, 100)],
    true = is_process_alive(Caller),
    Ref = monitor(process, Caller),
    {KillUs, _} = timer:tc(fun() ->
                                   exit(Caller, kill),
                                   receive {'DOWN', Ref, process, Caller, killed} -> ok end
                           end),
    {lists:sort(Latencies), KillUs, fast_yaml:decode(<<"a: 1">>)}.

nest(N) ->
    lists:foldl(fun(_, T) -> [T] end, [], lists:seq(2, N)).
