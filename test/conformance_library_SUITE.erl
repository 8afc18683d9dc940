%%% A library and what is around it: files that it prints to, threads that wait for each other, other
%%% libraries that it opens; natively and isolated, the same cases in both groups.
-module(conformance_library_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES, [printed_to_files, broadcast, names, other_libraries, wide_integers]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_library]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_library]).

printed_to_files(Config) ->
    File = filename:join(proplists:get_value(priv_dir, Config), "printed"),
    Terms = [a, 'A b', "text", [1, 2 | c], <<"bin">>, <<1, 2:3>>, #{k => 1.5}, {}, 1 bsl 80],
    fx:same(Config, printed,
            [begin
                 {First, Second} = fx_library:print_to_file(File, Term),
                 {ok, Printed} = file:read_file(File),
                 ?assertEqual(byte_size(Printed), First + Second),
                 {First, Second, Printed}
             end || Term <- Terms]),
    {_, _} = fx_library:print_to_file(File, a),
    ?assertEqual({ok, <<"[a|text|   42|-7  |z|%|2.500|abcdef0123]\na, a; end">>},
                 file:read_file(File)).

broadcast(_) ->
    [?assertEqual(N, fx_library:broadcast(N)) || N <- [1, 2, 16, 3]].

names(_) ->
    ?assertEqual({"a condition", "a thread"}, fx_library:names()).

other_libraries(Config) ->
    Library = fx:library(fx_noinit),
    ?assertEqual({ok, 42}, fx_library:other_library(Library, "fx_noinit_answer")),
    ?assertMatch({no_function, [_ | _]}, fx_library:other_library(Library, "no_such_function")),
    ?assertMatch({no_library, [_ | _]}, fx_library:other_library("/no/such/library", "any")),
    fx:same(Config, errors, [fx_library:other_library(L, F)
                             || {L, F} <- [{Library, "no_such_function"}, {"/no/such/library", "f"},
                                           {Library ++ ".so", "fx_noinit_answer"}]]).

%% The VM has these as macros of its header only, where long is as wide. A host has both.
wide_integers(Config) ->
    Numbers = [0, -1, 1 bsl 59, -(1 bsl 63), 1 bsl 63 - 1, 1 bsl 63, 1 bsl 64 - 1, 1 bsl 64, a],
    In = fun(N, From, To) when is_integer(N), N >= From, N < To -> N;
            (_, _, _) -> no
         end,
    case [fx_library:wide_integers(N) || N <- Numbers] of
        [not_there | _] -> ?assertEqual(native, proplists:get_value(mode, Config));
        Taken ->
            ?assertEqual([{In(N, -(1 bsl 63), 1 bsl 63), In(N, 0, 1 bsl 64)} || N <- Numbers], Taken)
    end.
