%%% Terms through a NIF library, natively and isolated: the same cases in both
%%% groups, the same expectations, and what they return compared.
-module(conformance_terms_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [immediates, numbers, atoms, pids_ports_refs, external_pids_and_refs, funs,
         lists, improper_lists, strings, tuples, big_tuples, maps, large_map,
         copies, kept_in_an_environment, argument_order,
         deep_list, deep_tuple, deep_mix, deep_made_in_library, long_list,
         shared_argument, shared_result, shared_both,
         repeated_argument, repeated_result, tails_argument, tails_result,
         types, type_tests, get_numbers, integer_limits, not_finite,
         make_atoms, new_atoms, long_atoms, existing_atoms, atom_texts,
         get_strings, make_strings, take_tuples, make_tuples, list_cells, list_lengths,
         reverse_lists, variadic_makers, compare_and_identical, immediate_words,
         phash2, printed_terms]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_terms]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_terms]).

%%% Terms that come back as they went

immediates(_) ->
    [echo(T) || T <- [0, 1, -1, [], ok, true, false, nil, undefined, self(),
                      1 bsl 59 - 1, -(1 bsl 59), '']].

numbers(_) ->
    Powers = [1 bsl N || N <- [7, 8, 15, 16, 30, 31, 32, 58, 59, 60, 61, 62, 63, 64, 65,
                               100, 127, 128, 500, 1000, 10000, 100000]],
    Around = [S * P + D || P <- Powers, D <- [-1, 0, 1], S <- [1, -1]],
    Floats = [0.0, -0.0, 1.0, -1.5, 3.141592653589793, 1.0e300, -1.0e-300,
              5.0e-324, 1.7976931348623157e308],
    [echo(N) || N <- Around ++ Floats],
    %% -0.0 =:= 0.0, so its bits are looked at
    ?assertEqual(<<(-0.0)/float>>, <<(fx_terms:echo(-0.0))/float>>),
    echo(Around).

atoms(_) ->
    Texts = ["", "a", "ok", "With Blank", "\xe9t\xe9", [16#3b1, 16#3b2], [16#1f600],
             lists:duplicate(255, $x), lists:duplicate(255, 16#1f600),
             lists:duplicate(255, 16#e9)],
    Atoms = [list_to_atom(T) || T <- Texts],
    [echo(A) || A <- Atoms],
    echo(Atoms).

pids_ports_refs(_) ->
    Dead = spawn(fun() -> ok end),
    Port = open_port({spawn, "cat"}, []),
    Refs = [make_ref() || _ <- lists:seq(1, 10)],
    Alias = alias(),
    Table = ets:new(t, []),
    Counter = counters:new(1, []),
    [echo(T) || T <- [self(), Dead, Port, Alias, Table, Counter | Refs]],
    Back = fx_terms:echo([self(), Port, Table, Counter]),
    [Self, PortBack, TableBack, CounterBack] = Back,
    Self ! hello,
    receive hello -> ok end,
    true = ets:insert(TableBack, {a, 1}),
    ok = counters:add(CounterBack, 1, 5),
    ?assertEqual(5, counters:get(Counter, 1)),
    port_close(PortBack).

external_pids_and_refs(_) ->
    Node = <<119, 12, "other@nohost">>,
    Pid = binary_to_term(<<131, 88, Node/binary, 1:32, 2:32, 3:32>>),
    Port = binary_to_term(<<131, 89, Node/binary, 7:32, 3:32>>),
    Ref = binary_to_term(<<131, 90, 3:16, Node/binary, 3:32, 11:32, 12:32, 13:32>>),
    ?assertEqual('other@nohost', node(Pid)),
    [echo(T) || T <- [Pid, Port, Ref, [Pid, Pid, Ref], #{Pid => Port}]].

funs(_) ->
    X = lists:seq(1, 10),
    Closure = fun(Y) -> {X, Y} end,
    [echo(F) || F <- [fun lists:map/2, fun ?MODULE:all/0, Closure, fun erlang:self/0,
                      fun() -> Closure end]],
    ?assertEqual({X, z}, (fx_terms:echo(Closure))(z)),
    ?assertEqual([2, 3], (fx_terms:echo(fun lists:map/2))(fun(N) -> N + 1 end, [1, 2])),
    echo([Closure, {Closure}, #{Closure => Closure}]).

lists(_) ->
    [echo(L) || L <- [[[]], [a], [1, 2, 3], [[1], [2, [3]]], [{a, 1}, #{}, <<>>],
                      lists:seq(1, 10000), [1.5, self(), make_ref()]]].

improper_lists(_) ->
    Long = lists:foldl(fun(N, Tail) -> [N | Tail] end, the_end, lists:seq(1, 100000)),
    [echo(L) || L <- [[a | b], [1, 2 | 3], [[a | b] | c], [[] | x], [a | <<"b">>],
                      [1 | {2}], Long]].

strings(_) ->
    [echo(S) || S <- ["text", "\x00\xff", [0], lists:seq(0, 255), [1000, 100000],
                      lists:duplicate(65535, $s), lists:duplicate(65536, $s)]].

tuples(_) ->
    [echo(T) || T <- [{}, {a}, {a, b}, {{}}, {1, {2, {3}}}, {[], <<>>, #{}}]].

big_tuples(_) ->
    [echo(list_to_tuple(lists:seq(1, N))) || N <- [255, 256, 1000, 65535, 65536, 1000000]].

maps(_) ->
    Flat = #{a => 1, b => 2},
    Updated = Flat#{b => 3},
    [echo(M) || M <- [#{}, Flat, Updated, #{1 => a, 1.0 => b}, #{#{} => #{}},
                      #{[1] => {2}, <<"k">> => "v", self() => make_ref()},
                      seq_map(31), seq_map(32), seq_map(33), seq_map(1000)]],
    ?assertEqual(3, maps:get(b, fx_terms:echo(Updated))).

large_map(_) ->
    Map = maps:from_list([{{key, N}, integer_to_binary(N)} || N <- lists:seq(1, 100000)]),
    Back = fx_terms:echo(Map),
    ?assertEqual(Map, Back),
    ?assertEqual(<<"777">>, maps:get({key, 777}, Back)),
    ?assertEqual(100001, map_size(Back#{new => 1})).

copies(_) ->
    [?assertEqual(T, fx_terms:copy(T)) || T <- samples()].

kept_in_an_environment(_) ->
    [begin
         ok = fx_terms:store(T),
         erlang:garbage_collect(),
         ?assertEqual(T, fx_terms:fetch()),
         ?assertEqual(T, fx_terms:fetch())
     end || T <- samples()].

argument_order(_) ->
    ?assertEqual({b, a}, fx_terms:echo_two(a, b)),
    Term = samples(),
    ?assertEqual({Term, Term}, fx_terms:echo_two(Term, Term)).

%%% Depth, length, sharing

deep_list(_) ->
    echo(nested(list, 1000000)).

deep_tuple(_) ->
    echo(nested(tuple, 1000000)).

deep_mix(_) ->
    Mixed = lists:foldl(fun(N, T) when N rem 4 =:= 0 -> [T];
                           (N, T) when N rem 4 =:= 1 -> {N, T};
                           (N, T) when N rem 4 =:= 2 -> #{N => T};
                           (N, T) -> [N | T]
                        end, bottom, lists:seq(1, 300000)),
    echo(Mixed).

deep_made_in_library(_) ->
    ?assertEqual(nested(list, 1000000), fx_terms:nest(1000000, list)),
    ?assertEqual(nested(tuple, 1000000), fx_terms:nest(1000000, tuple)).

long_list(_) ->
    echo(lists:seq(1, 1000000)),
    ?assertEqual(lists:seq(1, 1000000), fx_terms:count_to(1000000)).

%% 2^40 leaves: whoever follows every path never comes back. They are measured,
%% not compared or printed, for that would do it.
shared_argument(_) ->
    ?assertEqual({40, [leaf]}, fx_terms:descend(shared(40, [leaf]))),
    Lists = lists:foldl(fun(_, T) -> [T | T] end, leaf, lists:seq(1, 40)),
    ?assertEqual({1, leaf}, fx_terms:descend({leaf, [Lists]})),
    Maps = lists:foldl(fun(_, T) -> #{a => T, b => [T]} end, leaf, lists:seq(1, 40)),
    ?assertEqual({1, leaf}, fx_terms:descend({leaf, Maps})).

shared_result(_) ->
    shape(40, {leaf, 1}, fx_terms:share(40, {leaf, 1})),
    shape(40, [], fx_terms:share(40, [])).

shared_both(_) ->
    shape(40, <<"leaf">>, fx_terms:echo(shared(40, <<"leaf">>))),
    shape(60, [leaf], fx_terms:share(20, shared(40, [leaf]))).

%% One term a million times: as large as that many terms, where it isn't shared.
repeated_argument(_) ->
    [begin
         List = lists:duplicate(1000000, Term),
         ?assert(List =:= fx_terms:echo(List)),
         ?assertEqual(1000000, fx_terms:list_length(List))
     end || Term <- repeatable()].

repeated_result(_) ->
    [?assert(lists:duplicate(1000000, Term) =:= fx_terms:repeat_made(1000000, Kind))
     || {Kind, Term} <- [{float, 1.5}, {tuple, {1, 2}}, {big, 1 bsl 64 - 1},
                         {binary, binary:copy(<<"b">>, 100)}]],
    [?assert(lists:duplicate(1000000, Term) =:= fx_terms:repeat(1000000, Term))
     || Term <- repeatable()].

repeatable() ->
    [1.5, {1, 2}, binary:copy(<<"b">>, 100), 1 bsl 64 - 1, 1 bsl 200, "text", #{a => 1},
     binary:copy(<<"c">>, 10000)].

%% 3,000 lists in one, 4,500,000 elements for whoever copies each.
tails_argument(_) ->
    Tails = tails(lists:seq(1, 3000)),
    ?assert(Tails =:= fx_terms:echo(Tails)).

tails_result(_) ->
    ?assert(tails(lists:seq(1, 3000)) =:= fx_terms:tails(lists:seq(1, 3000))).

tails([]) -> [];
tails([_ | Tail] = List) -> [List | tails(Tail)].

%%% What the library sees

types(Config) ->
    Types = [fx_terms:type(T) || T <- [a, 1, 1 bsl 70, 1.5, <<>>, <<1:3>>, [], [a], {}, #{},
                                       self(), make_ref(), fun() -> ok end]],
    ?assertEqual([atom, integer, integer, float, bitstring, bitstring, list, list, tuple,
                  map, pid, reference, 'fun'], Types),
    fx:same(Config, types, Types).

type_tests(Config) ->
    Port = open_port({spawn, "cat"}, []),
    External = binary_to_term(<<131, 88, 119, 1, "n", 1:32, 2:32, 3:32>>),
    fx:same(Config, type_tests,
            [fx_terms:tests(T) || T <- [a, 1, 1 bsl 70, 1.5, <<>>, <<1:3>>, [], [a], [a | b],
                                        {}, {a}, #{}, self(), make_ref(), External, Port,
                                        fun() -> ok end, fun lists:map/2]]).

get_numbers(Config) ->
    Numbers = [0, 1, -1, 1.5, a] ++
        [S * (1 bsl N) + D || N <- [31, 32, 59, 60, 63, 64, 100], D <- [-1, 0, 1],
                              S <- [1, -1]],
    Results = [{N, fx_terms:numbers(N)} || N <- Numbers],
    [?assert(lists:all(fun(R) -> R =:= no orelse R =:= N end, Got))
     || {N, Got} <- Results],
    fx:same(Config, get_numbers, Results).

integer_limits(_) ->
    Max = 1 bsl 63 - 1,
    ?assertEqual([no, no, Max, Max, Max, Max, no], fx_terms:numbers(Max)),
    Min = -(1 bsl 63),
    ?assertEqual([no, no, Min, no, Min, no, no], fx_terms:numbers(Min)),
    UMax = 1 bsl 64 - 1,
    ?assertEqual([no, no, no, UMax, no, UMax, no], fx_terms:numbers(UMax)),
    ?assertEqual([no, no, no, no, no, no, no], fx_terms:numbers(UMax + 1)).

not_finite(_) ->
    ?assertError(badarg, fx_terms:not_finite(0)),
    ?assertError(badarg, fx_terms:not_finite(1)).

make_atoms(_) ->
    ?assertEqual(ok, fx_terms:make_atom(<<"ok">>)),
    ?assertEqual('', fx_terms:make_atom(<<>>)),
    ?assertEqual('\xe9t\xe9', fx_terms:make_atom(<<16#e9, "t", 16#e9>>)),
    ?assertEqual('with blank', fx_terms:make_atom(<<"with blank">>)).

%% Names that no VM has seen yet; the second time the atom exists.
new_atoms(_) ->
    Names = [<<"fx new atom ", (integer_to_binary(erlang:unique_integer()))/binary>>
             || _ <- lists:seq(1, 1000)],
    Atoms = [fx_terms:make_atom(Name) || Name <- Names],
    ?assertEqual(Atoms, [fx_terms:make_atom(Name) || Name <- Names]),
    ?assertEqual(Names, [atom_to_binary(Atom, latin1) || Atom <- Atoms]).

long_atoms(_) ->
    Longest = binary:copy(<<"y">>, 255),
    ?assertEqual(binary_to_atom(Longest), fx_terms:make_atom(Longest)),
    ?assertError(badarg, fx_terms:make_atom(<<Longest/binary, "y">>)).

existing_atoms(_) ->
    ?assertEqual({true, existing_atoms}, fx_terms:existing_atom(<<"existing_atoms">>)),
    Unknown = <<"fx never made ", (integer_to_binary(erlang:unique_integer()))/binary>>,
    ?assertEqual(false, fx_terms:existing_atom(Unknown)),
    Made = binary_to_atom(Unknown),
    ?assertEqual({true, Made}, fx_terms:existing_atom(Unknown)),
    ?assertEqual(false, fx_terms:existing_atom(binary:copy(<<"z">>, 256))).

atom_texts(Config) ->
    Atoms = [abc, '', '\xe9', list_to_atom([16#3b1]), 'x y', [], 1],
    fx:same(Config, atom_texts,
            [fx_terms:atom_text(A, Size) || A <- Atoms, Size <- [1, 2, 3, 4, 5, 100]]).

get_strings(Config) ->
    Lists = ["", "abc", "\xe9", [256], [a], [1 | 2], lists:seq(0, 255), {}, <<"abc">>],
    fx:same(Config, get_strings,
            [fx_terms:string_text(L, Size) || L <- Lists, Size <- [0, 1, 2, 3, 4, 5, 1000]]).

make_strings(_) ->
    Bytes = list_to_binary(lists:seq(0, 255)),
    ?assertEqual(lists:seq(0, 255), fx_terms:make_string(Bytes)),
    ?assertEqual("", fx_terms:make_string(<<>>)).

take_tuples(_) ->
    ?assertEqual([a, {b}, [c]], fx_terms:tuple_to_list({a, {b}, [c]})),
    ?assertEqual([], fx_terms:tuple_to_list({})),
    ?assertError(badarg, fx_terms:tuple_to_list([a])).

make_tuples(_) ->
    ?assertEqual({}, fx_terms:list_to_tuple([])),
    Elements = samples(),
    ?assertEqual(list_to_tuple(Elements), fx_terms:list_to_tuple(Elements)),
    Many = lists:seq(1, 100000),
    ?assertEqual(list_to_tuple(Many), fx_terms:list_to_tuple(Many)),
    ?assertError(badarg, fx_terms:list_to_tuple([a | b])).

list_cells(_) ->
    ?assertEqual({a, [b]}, fx_terms:cells([a, b])),
    ?assertEqual({a, b}, fx_terms:cells([a | b])),
    ?assertEqual(no_cell, fx_terms:cells([])),
    ?assertEqual(no_cell, fx_terms:cells({})),
    ?assertEqual([a | b], fx_terms:cons(a, b)),
    ?assertEqual([a], fx_terms:cons(a, [])),
    Long = lists:seq(1, 100000),
    ?assertEqual(Long, fx_terms:rebuild_list(Long)).

list_lengths(_) ->
    ?assertEqual([0, 1, 100000, no, no, no],
                 [fx_terms:list_length(L)
                  || L <- [[], [a], lists:seq(1, 100000), [a | b], {}, <<>>]]).

reverse_lists(_) ->
    ?assertEqual([[], [c, b, a], no, no],
                 [fx_terms:reverse(L) || L <- [[], [a, b, c], [a | b], x]]).

variadic_makers(_) ->
    X = {x},
    ?assertEqual([{}, {X}, {X, X, X}, {X, X, X, X, X, X, X, X, X}, [], [X], [X, X],
                  "text \xe9", #{}], fx_terms:many(X)).

%% Every pair of terms in the order that Erlang has.
compare_and_identical(Config) ->
    Terms = comparable(),
    [?assertEqual({A, B, {sign(A, B), A =:= B}}, {A, B, fx_terms:compare(A, B)})
     || A <- Terms, B <- Terms],
    fx:same(Config, compare, [fx_terms:compare(A, B) || A <- Terms, B <- Terms]).

%% Libraries compare such terms as words.
immediate_words(_) ->
    [?assertEqual({T, true}, {T, fx_terms:same_word(T, T)})
     || T <- [a, '', 0, -1, 1 bsl 59 - 1, -(1 bsl 59), [], self(), true]],
    ?assertEqual(false, fx_terms:same_word(a, b)),
    ?assertEqual(false, fx_terms:same_word(0, [])).

phash2(_) ->
    Terms = [T || T <- comparable() ++ samples() ++ [lists:seq(1, 10000), seq_map(100)]],
    [?assertEqual({T, erlang:phash2(T)}, {T, fx_terms:phash2(T)}) || T <- Terms].

printed_terms(Config) ->
    Terms = [a, 'A b', '\xe9', 1, -1, 1 bsl 70, 1.5, <<>>, <<"ab">>, <<1, 2:3>>, [], "text",
             [1, 2], [a | b], {}, {a, {b}}, #{a => 1}, [[], [[]]], [[1], "x" | y],
             [0, 300], "\xe9"],
    fx:same(Config, printed,
            [fx_terms:format(T, Size) || T <- Terms, Size <- [1, 3, 20, 500]]).

%%% Helpers

echo(Term) ->
    ?assertEqual(Term, fx_terms:echo(Term)).

samples() ->
    [a, 1, -1, 1 bsl 60, -(1 bsl 63), 1 bsl 64, 1 bsl 200, 1.5, [], "abc", [a | b], {},
     {a, {b, [c]}}, #{}, #{a => #{b => c}}, seq_map(40), self(), make_ref(),
     <<>>, <<"binary">>, <<1:1>>, binary:copy(<<"x">>, 1000), fun lists:map/2].

comparable() ->
    [0, 1, -1, 1.0, 1.5, -0.5, 1 bsl 60, 1 bsl 64, -(1 bsl 64), float(1 bsl 60), 1.0e300,
     1 bsl 53, float(1 bsl 53), 1 bsl 53 + 1,
     a, b, ab, '', 'B', '\xe9',
     {}, {a}, {b}, {a, a}, {1}, {1.0},
     #{}, #{a => 1}, #{b => 0}, #{a => 1.0}, #{1 => a}, #{1.0 => a}, #{a => 1, b => 2},
     [], [a], [b], [a, a], [a | b], [1], [1.0], "abc", "abd",
     <<>>, <<"a">>, <<"b">>, <<"aa">>, <<1:1>>, <<0:1>>, <<"a", 0:1>>].

sign(A, B) when A < B -> -1;
sign(A, B) when A > B -> 1;
sign(_, _) -> 0.

seq_map(N) ->
    maps:from_list([{K, {value, K}} || K <- lists:seq(1, N)]).

nested(list, N) -> lists:foldl(fun(_, T) -> [T] end, [], lists:seq(1, N));
nested(tuple, N) -> lists:foldl(fun(_, T) -> {T} end, [], lists:seq(1, N)).

shared(0, Leaf) -> Leaf;
shared(N, Leaf) -> T = shared(N - 1, Leaf), {T, T}.

%% Sharing may have been lost near the leaves, but not so that the size explodes.
shape(N, Leaf, Term) ->
    ?assert(erts_debug:size(Term) < 100000),
    ?assert(is_shape(N, Leaf, Term)).

is_shape(0, Leaf, Term) -> Leaf =:= Term;
is_shape(N, Leaf, {A, _}) -> is_shape(N - 1, Leaf, A);
is_shape(_, _, _) -> false.
