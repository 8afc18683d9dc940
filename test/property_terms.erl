%%% Random terms and programs for property_terms_SUITE: generators for PropEr. They reach every kind
%%% of term that a VM has, those of other nodes too, and the places where kinds have their limits.
-module(property_terms).

-export([prepare/0, terms/1, related/0, programs/0]).

-define(LET(X, Type, Body), proper_types:bind(Type, fun(X) -> Body end, false)).
-define(LAZY(Type), proper_types:lazy(fun() -> Type end)).

%% The number of operations that fx_property.h has.
-define(OPERATIONS, 27).

%% @doc Makes what random terms are made of: once for each VM, so that a seed says the same again.
-spec prepare() -> ok.
prepare() ->
    Dead = [spawn(fun() -> ok end) || _ <- lists:seq(1, 5)],
    Ports = [open_port({spawn, "cat"}, []) || _ <- [1, 2]],
    Pools = #{local => [self(), group_leader(), whereis(init) | Dead] ++ Ports ++
                       [make_ref(), make_ref(), alias(), ets:new(?MODULE, []),
                        atomics:new(1, [])],
              remote => remote(),
              funs => funs(),
              atoms => atoms()},
    persistent_term:put(?MODULE, Pools).

pool(Name) ->
    #{Name := Pool} = persistent_term:get(?MODULE),
    proper_types:elements(Pool).

%% @doc Lists of about so many terms. They are alike enough to be compared.
-spec terms(pos_integer()) -> proper_types:type().
terms(Number) ->
    ?LET({First, More}, {proper_types:list(term(4)),
                         proper_types:resize(Number, proper_types:list(term(30)))},
         First ++ More).

%% @doc Two terms of which one is made from the other.
-spec related() -> proper_types:type().
related() ->
    ?LET({Term, Other, Way}, {term(20), term(3), proper_types:choose(1, 8)},
         [Term, relative(Way, Term, Other)]).

%% @doc Terms, and operations on them.
-spec programs() -> proper_types:type().
programs() ->
    Operation = {proper_types:choose(0, ?OPERATIONS - 1), word(), word(), word()},
    {proper_types:resize(12, proper_types:list(term(12))),
     proper_types:resize(90, proper_types:list(Operation))}.

word() ->
    proper_types:frequency([{8, proper_types:choose(0, 60)},
                            {1, proper_types:choose(0, 1 bsl 32 - 1)}]).

%%% Terms

term(Size) when Size =< 1 ->
    leaf();
term(Size) ->
    proper_types:frequency(
      [{10, leaf()},
       {3, ?LAZY(list_of(Size))},
       {3, ?LAZY(?LET(L, list_of(Size), list_to_tuple(L)))},
       {3, ?LAZY(map(Size))},
       {1, ?LAZY(?LET({L, T}, {list_of(Size), leaf()}, lists:foldr(fun(X, Y) -> [X | Y] end, T, L)))},
       {1, ?LAZY(?LET({N, T}, {proper_types:choose(1, 300), term(Size div 4)}, nested(N, T)))},
       {1, ?LAZY(?LET({N, T}, {proper_types:choose(1, 6), term(Size div 3)}, closure(N, T)))},
       {1, ?LAZY(big_map(Size))},
       {1, ?LAZY(?LET({N, T}, {proper_types:choose(1, 3), term(Size div 4)}, repeated(N, T)))}]).

list_of(Size) ->
    Length = min(Size, 8),
    proper_types:resize(Length, proper_types:list(?LAZY(term(Size div 4)))).

map(Size) ->
    Pair = {?LAZY(term(Size div 4)), ?LAZY(term(Size div 5))},
    ?LET(Pairs, proper_types:resize(min(Size, 10), proper_types:list(Pair)), maps:from_list(Pairs)).

%% Around the 32 pairs from which on the VM keeps them in another way.
big_map(Size) ->
    ?LET({N, Kind, Value, Others},
         {proper_types:choose(28, 70), proper_types:choose(1, 5), term(Size div 6), map(Size)},
         maps:merge(maps:from_list([{key(Kind, I), if I rem 9 =:= 0 -> Value; true -> I end}
                                    || I <- lists:seq(1, N)]),
                    Others)).

key(1, I) -> I;
key(2, I) -> {I, I};
key(3, I) when I rem 2 =:= 0 -> float(I div 2);
key(3, I) -> I div 2;
key(4, I) -> integer_to_binary(I);
key(5, I) -> element(1 + I rem 5, {[I], -I, I bsl 70, <<I:13>>, list_to_tuple([x, I])}).

nested(0, Term) -> Term;
nested(N, Term) -> nested(N - 1, element(1 + N rem 3, {[Term], {N, Term}, #{N => Term}})).

repeated(1, Term) -> {Term, Term};
repeated(2, Term) -> [Term, [Term], #{Term => Term}];
repeated(3, Term) -> [[Term | Term], {Term}, [Term | Term]].

leaf() ->
    proper_types:frequency(
      [{5, integers()},
       {3, floats()},
       {4, pool(atoms)},
       {3, binaries()},
       {2, bitstrings()},
       {2, strings()},
       {2, pool(local)},
       {2, pool(remote)},
       {1, pool(funs)},
       {2, proper_types:elements([[], {}, #{}, <<>>, "", [[]]])}]).

%% Next to where integers get longer, and where a float can't tell them apart.
integers() ->
    proper_types:frequency(
      [{3, proper_types:choose(-20, 300)},
       {4, ?LET({Bits, Near, Sign}, {proper_types:elements(powers()), proper_types:choose(-2, 2),
                                    proper_types:elements([1, -1])},
                Sign * ((1 bsl Bits) + Near))},
       {1, ?LET({Bits, Bytes}, {proper_types:choose(1, 40), proper_types:binary(40)},
                begin <<N:Bits/unit:8, _/binary>> = <<Bytes/binary, 0:320>>, N end)}]).

powers() ->
    [7, 8, 27, 28, 31, 32, 52, 53, 54, 58, 59, 60, 62, 63, 64, 65, 100, 127, 128, 192, 256, 1000,
     1023, 1024, 2048].

floats() ->
    proper_types:frequency(
      [{3, proper_types:elements([0.0, -0.0, 1.0, -1.0, 0.1, 1.5, 3.0e-310, 5.0e-324, -5.0e-324,
                                  2.2250738585072014e-308, 1.7976931348623157e308,
                                  -1.7976931348623157e308, 1.0e22, 123456789.125])},
       {2, ?LET({Bits, Near}, {proper_types:elements([N || N <- powers(), N < 1024]),
                               proper_types:choose(-1, 1)},
                next_float(Near, float(1 bsl Bits)))},
       {1, proper_types:float()},
       {1, ?LET(N, proper_types:choose(-50, 50), float(N))}]).

next_float(Step, Float) ->
    <<Bits:64>> = <<Float/float>>,
    case <<(Bits + Step):64>> of
        <<Next/float>> -> Next;
        _ -> Float
    end.

%% Whole ones: short, long, and parts of others that begin in the midst of a byte.
binaries() ->
    proper_types:frequency(
      [{3, proper_types:binary()},
       {2, ?LET(S, proper_types:list(proper_types:choose(32, 126)), list_to_binary(S))},
       {2, ?LET({N, B}, {proper_types:elements([1, 8, 62, 63, 64, 65, 100, 511, 512, 513, 2000]),
                         proper_types:choose(0, 255)}, binary:copy(<<B>>, N))},
       {2, ?LET({Skip, B}, {proper_types:choose(0, 15), proper_types:binary()}, part(Skip, B))},
       {1, ?LET({From, Size}, {proper_types:choose(0, 100), proper_types:choose(0, 200)},
                binary:part(long_binary(), From, Size))}]).

bitstrings() ->
    proper_types:frequency(
      [{3, proper_types:bitstring()},
       {1, ?LET({Skip, B}, {proper_types:choose(0, 15), proper_types:bitstring()}, part(Skip, B))},
       {1, ?LET({From, Size}, {proper_types:choose(0, 900), proper_types:choose(0, 900)},
                begin
                    <<_:From, Part:Size/bitstring, _/bitstring>> = long_binary(),
                    Part
                end)}]).

part(Skip, Bits) ->
    <<_:Skip, Part/bitstring>> = <<-1:Skip, Bits/bitstring>>,
    Part.

long_binary() ->
    << <<I>> || I <- lists:seq(0, 299) >>.

strings() ->
    ?LET({Kind, Length}, {proper_types:choose(1, 5), proper_types:choose(0, 12)},
         proper_types:vector(Length, proper_types:elements(characters(Kind)))).

characters(1) -> "abc \"\\'";
characters(2) -> lists:seq(0, 255);
characters(3) -> [$\n, $\t, $\r, $a, $z, 127, 128, 159, 160, 255];
characters(4) -> [256, 1000, 16#10ffff, $a];
characters(5) -> [$a, -1, 0, $\e].

atoms() ->
    Texts = ["", "a", "ok", "abc", "abcd", "B", "A b", "_", "_a", "a_B1", "1a", "a@b", "a-b", "a.b",
             "'", "\\", "a'b", "a\nb", "\t", "\r", "\b", "\v", "\f", [0], [7], [127], [128], [159],
             [160], [16#d7], [16#df], [16#e9], [16#f7], [16#ff], "\xe9t\xe9", [16#c9, $a],
             [16#100], [16#3b1, 16#3b2], [16#20ac], [$a, 16#3b1], [16#1f600],
             lists:duplicate(255, $x), lists:duplicate(255, 16#e9), lists:duplicate(255, 16#1f600),
             lists:duplicate(254, $y) ++ [16#3b1], "true", "false", "undefined", "nil", "badarg"],
    %% Some only now: where the VM orders by the age of an atom, that is not the order of texts.
    [list_to_atom(T) || T <- lists:reverse(Texts)].

closure(1, X) -> fun() -> X end;
closure(2, X) -> fun(Y) -> {X, Y} end;
closure(3, X) -> Z = [X], fun(Y, _) -> {X, Y, Z} end;
closure(4, X) -> element(2, in_process(fun() -> fun() -> X end end));
closure(5, _) -> fun(Y) -> Y end;
closure(6, X) -> F = fun() -> X end, fun() -> F end.

%% A fun knows the process that made it, which says nothing about its identity.
in_process(Make) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({made, Make()}) end),
    receive
        {'DOWN', Ref, process, Pid, Made} -> Made
    end.

funs() ->
    [fun erlang:self/0, fun lists:map/2, fun lists:map/3, fun no_module:no_function/255,
     fun ?MODULE:prepare/0, fun 'A b':'c\n'/1].

%% Pids, ports and references of other nodes, by their external format.
remote() ->
    Nodes = [<<119, 7, "a@nohos">>, <<119, 12, "other@nohost">>,
             <<118, 13:16, "\303\251\316\261@elsewhere"/utf8>>, node_name()],
    [binary_to_term(<<131, (format(Kind, Name, Creation))/binary>>)
     || Name <- lists:sublist(Nodes, 2), Creation <- [1, 4], Kind <- lists:seq(1, 8)].

node_name() -> <<119, 13, "nonode@nohost">>.

format(1, Name, Creation) -> <<88, Name/binary, 1:32, 2:32, Creation:32>>;
format(2, Name, Creation) -> <<88, Name/binary, 32767:32, 8191:32, Creation:32>>;
format(3, Name, Creation) -> <<89, Name/binary, 7:32, Creation:32>>;
format(4, Name, Creation) -> <<120, Name/binary, 7:64, Creation:32>>;
format(5, Name, Creation) -> <<90, 3:16, Name/binary, Creation:32, 11:32, 12:32, 13:32>>;
%% Not a single number: OTP 25 itself does not find such a reference in a map again.
format(6, Name, Creation) -> <<90, 2:16, Name/binary, Creation:32, 99:32, 0:32>>;
format(7, Name, Creation) -> <<90, 5:16, Name/binary, Creation:32, 1:32, 2:32, 3:32, 4:32, 5:32>>;
format(8, Name, Creation) -> <<90, 2:16, Name/binary, Creation:32, 262143:32, 16#ffffffff:32>>.

%% What differs from a term in one place, or in none.
relative(1, Term, _) -> binary_to_term(term_to_binary(Term));
relative(2, Term, _) when is_integer(Term), abs(Term) < 1 bsl 1000 -> float(Term);
relative(2, Term, _) when is_float(Term) -> trunc(Term);
relative(2, Map, Other) when map_size(Map) > 0 -> Map#{hd(maps:keys(Map)) => Other};
relative(3, Map, Other) when is_map(Map) -> Map#{Other => Other};
relative(4, Tuple, Other) when tuple_size(Tuple) > 0 -> setelement(tuple_size(Tuple), Tuple, Other);
relative(5, [_ | Tail], Other) -> [Other | Tail];
relative(6, Binary, _) when is_bitstring(Binary) -> <<Binary/bitstring, 0:1>>;
relative(7, Integer, _) when is_integer(Integer) -> Integer + 1;
relative(_, Term, _) -> Term.
