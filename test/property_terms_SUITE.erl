%%% Random terms through a NIF library that one VM has twice, natively and isolated: what the
%%% library sees, makes and gives back must be the same.
%%%
%%% A run is repeated by CORDON_PROPERTY_SEED=A,B,C as a failed one has printed it, for one case:
%%% scripts/test would draw the same terms again. CORDON_PROPERTY_FACTOR=N makes a run N times as long.
-module(property_terms_SUITE).

-compile([export_all, nowarn_export_all]).

-define(NATIVE, fx_property_native).
-define(ISOLATED, fx_property_isolated).

all() ->
    [terms_are_seen_alike, terms_are_ordered_alike, relatives_are_told_apart, terms_are_made_alike,
     identical_terms_have_one_hash, hashes_are_spread, were_enough].

suite() ->
    [{timetrap, {minutes, 15}}].

init_per_suite(Config) ->
    case code:ensure_loaded(proper) of
        {module, proper} ->
            ok = fx:load(native, ?NATIVE),
            ok = fx:load(isolated, ?ISOLATED),
            ok = property_terms:prepare(),
            persistent_term:put(?MODULE, counters:new(1, [])),
            Config;
        _ ->
            {skip, "PropEr is missing: Debian's package erlang-proper"}
    end.

end_per_suite(_Config) ->
    Terms = counters:get(persistent_term:get(?MODULE), 1),
    File = filename:join(filename:dirname(filename:absname(os:getenv("CORDON_FIXTURES"))),
                         "property-terms"),
    ok = file:write_file(File, integer_to_binary(Terms)),
    ct:pal("~b random terms: native = isolated", [Terms]),
    [fx:unload(Module) || Module <- [?NATIVE, ?ISOLATED]],
    ok.

%%% Cases

terms_are_seen_alike(_) ->
    holds(400, property_terms:terms(60),
          fun(Terms) ->
                  count(length(Terms)),
                  alike(Terms, ?ISOLATED:echo(Terms)),
                  alike(?NATIVE:facts(Terms), ?ISOLATED:facts(Terms))
          end).

terms_are_ordered_alike(_) ->
    holds(1000, property_terms:terms(16),
          fun(Terms) ->
                  count(length(Terms)),
                  alike(?NATIVE:order(Terms), ?ISOLATED:order(Terms))
          end).

relatives_are_told_apart(_) ->
    holds(5000, property_terms:related(),
          fun(Pair) ->
                  count(2),
                  alike(?NATIVE:order(Pair), ?ISOLATED:order(Pair))
          end).

terms_are_made_alike(_) ->
    holds(2500, property_terms:programs(),
          fun({Terms, Operations}) ->
                  Made = ?NATIVE:run(Terms, Operations),
                  count(length(Made)),
                  alike(Made, ?ISOLATED:run(Terms, Operations))
          end).

%% The internal hash is the host's own: any that does its duties.
identical_terms_have_one_hash(_) ->
    holds(1000, property_terms:related(),
          fun([A, B]) ->
                  count(2),
                  Copies = [A, B, binary_to_term(term_to_binary(A)), {A}, {B}],
                  Hashes = lists:reverse(?ISOLATED:hashes(Copies, 1 bsl 31)),
                  Hashed = lists:zip(Copies, Hashes),
                  [] =:= [{X, H, Y, G} || {X, H} <- Hashed, {Y, G} <- Hashed, X =:= Y, H =/= G]
                      andalso lists:all(fun(H) -> H < 1 bsl 32 end, Hashes)
          end).

hashes_are_spread(_) ->
    Terms = [T || I <- lists:seq(1, 10000),
                  T <- [I, {I}, [I], float(I), integer_to_binary(I), #{I => I}, <<I:17>>, I bsl 70]],
    Hashes = ?ISOLATED:hashes(Terms, 0),
    Salted = ?ISOLATED:hashes(Terms, 1),
    %% Of 80,000 random numbers below 2^32 less than one is expected to meet another.
    [true = length(lists:usort(H)) > length(Terms) - 10 || H <- [Hashes, Salted]],
    true = length([same || {H, H} <- lists:zip(Hashes, Salted)]) < 10.

%% Of all cases before; a single one of them has fewer.
were_enough(_) ->
    true = counters:get(persistent_term:get(?MODULE), 1) >= 100000.

%%% Helpers

count(Terms) ->
    counters:add(persistent_term:get(?MODULE), 1, Terms).

%% Equal terms may still differ in how they are written: order of pairs, signs of zeros.
alike(Native, Isolated) ->
    case Native =:= Isolated andalso term_to_binary(Native) =:= term_to_binary(Isolated) of
        true -> true;
        false -> throw({differs, Native, Isolated})
    end.

holds(Tests, Type, Check) ->
    Seed = seed(),
    Factor = list_to_integer(os:getenv("CORDON_PROPERTY_FACTOR", "1")),
    ct:log("CORDON_PROPERTY_SEED=~b,~b,~b", tuple_to_list(Seed)),
    _ = rand:seed(exsplus, Seed), % PropEr takes the one that it finds
    Print = fun(".", []) -> ok; (Format, Args) -> ct:log(Format, Args) end,
    Last = fun(X) -> put(differs, undefined), checked(Check, X) end,
    case proper:quickcheck(proper:forall(Type, Last),
                           [{numtests, Factor * Tests}, {max_size, 30}, {on_output, Print},
                            {max_shrinks, 300}]) of
        true -> ok;
        false ->
            ct:fail("~s~nagain: CORDON_PROPERTY_SEED=~b,~b,~b",
                    [describe(proper:counterexample(), get(differs)) | tuple_to_list(Seed)])
    end.

checked(Check, X) ->
    try Check(X)
    catch
        throw:{differs, _, _} = Difference -> put(differs, Difference), false;
        Class:Reason:Stack -> put(differs, {Class, Reason, Stack}), false
    end.

describe([Counterexample], {differs, Native, Isolated}) ->
    io_lib:format("~p~n~p", [Counterexample, both_ways:first_difference(Native, Isolated)]);
describe([Counterexample], Other) ->
    io_lib:format("~p~n~p", [Counterexample, Other]).

seed() ->
    case os:getenv("CORDON_PROPERTY_SEED") of
        false -> erlang:timestamp();
        Text -> list_to_tuple([list_to_integer(N) || N <- string:lexemes(Text, ",")])
    end.
