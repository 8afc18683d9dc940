%%% Libraries in C++ and Rust, and macros of the header, natively and isolated.
-module(conformance_languages_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(MACROS, [tuples_and_lists, pids, int64, constants]).
-define(CXX, [exceptions, guarded, cxx_thread_locals, cxx_messages, regular_expressions,
              streams, files, cxx_main_program, further_libraries]).
-define(RUST, [rust_terms, rust_words, panics, rust_thread_locals, rust_messages, rust_resources,
               rust_main_program]).
%% Ways to link a library: see cmake/CordonTests.cmake.
-define(LINKED, [plain, now, lazy, static]).

all() ->
    [{group, native}, {group, isolated}, uncaught, uncaught_in_thread].

groups() ->
    Linked = [{Name, [], ?CXX} || Name <- ?LINKED],
    Groups = [statics | [{group, Name} || Name <- [macros, rust | ?LINKED]]],
    [{native, [], Groups}, {isolated, [], Groups}, {macros, [], ?MACROS}, {rust, [], ?RUST} | Linked].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_group(Mode, Config) when Mode =:= native; Mode =:= isolated ->
    [{mode, Mode} | Config];
init_per_group(macros, Config) ->
    ok = load(Config, 'Elixir.Fx.Macros', fx_macros),
    Config;
init_per_group(rust, Config) ->
    case filelib:is_regular(fx:library(fx_rust) ++ ".so") of
        true ->
            ok = load(Config, fx_rust, fx_rust),
            Config;
        false ->
            {skip, "there was no rustc when the fixtures were built"}
    end;
init_per_group(Linked, Config) ->
    ok = load(Config, fx_cxx, cxx(Linked)),
    [{linked, Linked} | Config].

end_per_group(macros, _Config) -> fx:unload('Elixir.Fx.Macros');
end_per_group(rust, _Config) -> fx:unload(fx_rust);
end_per_group(Mode, _Config) when Mode =:= native; Mode =:= isolated -> ok;
end_per_group(_Linked, _Config) -> fx:unload(fx_cxx).

%%% Macros

tuples_and_lists(_) ->
    Elements = [1, a, "b", {c}, 2.5, <<"d">>, self(), 1 bsl 70, #{}],
    Firsts = [lists:sublist(Elements, N) || N <- lists:seq(1, 9)],
    ?assertEqual(list_to_tuple([list_to_tuple(First) || First <- Firsts]),
                 apply('Elixir.Fx.Macros', tuples, Elements)),
    ?assertEqual(Firsts, apply('Elixir.Fx.Macros', lists, Elements)).

pids(_) ->
    Self = self(),
    Others = [spawn(fun() -> ok end) || _ <- lists:seq(1, 20)],
    ?assertEqual({Self, true}, 'Elixir.Fx.Macros':pid(Self)),
    ?assertEqual({Self, false}, 'Elixir.Fx.Macros':pid(hd(Others))),
    [?assertEqual(order(A, B), 'Elixir.Fx.Macros':compare_pids(A, B))
     || A <- [Self | Others], B <- [Self | Others]],
    ?assertEqual({undefined, true}, 'Elixir.Fx.Macros':undefined_pid()).

order(A, B) when A < B -> -1;
order(A, B) when A > B -> 1;
order(_, _) -> 0.

int64(_) ->
    Max = 1 bsl 63,
    [begin
         {Signed, Unsigned} = 'Elixir.Fx.Macros':int64(N),
         ?assertEqual({N, in_range(N, -Max, Max - 1)}, {N, if_got(Signed)}),
         ?assertEqual({N, in_range(N, 0, 2 * Max - 1)}, {N, if_got(Unsigned)})
     end || N <- [0, 1, -1, 1 bsl 59, -(1 bsl 59), 1 bsl 60, Max - 1, Max, -Max, -Max - 1, 2 * Max - 1,
              2 * Max, 1 bsl 200]].

in_range(N, Min, Max) when Min =< N, N =< Max -> {1, N};
in_range(_, _, _) -> out_of_range.

if_got({0, _}) -> out_of_range;
if_got(Got) -> Got.

constants(Config) ->
    fx:same(Config, constants, 'Elixir.Fx.Macros':constants()).

%%% C++

%% Made when the library is loaded, destroyed when it is unloaded, and made anew after that.
statics(Config) ->
    Log = filename:join(proplists:get_value(priv_dir, Config), "statics"),
    Destroyed = <<"destroyed local\ndestroyed global\n">>,
    [begin
         ok = load(Config, fx_statics, fx_statics),
         ?assertEqual(3, fx_statics:statics(Log)),
         ?assertEqual(3, fx_statics:statics(Log)),
         fx:unload(fx_statics),
         fx:wait_until(fun() -> file:read_file(Log) =:= {ok, Destroyed} end),
         ok = file:delete(Log)
     end || _ <- [1, 2]].

exceptions(Config) ->
    Seen = fx_cxx:exceptions(),
    ?assertEqual([143, <<"deep down">>, <<"outer">>, 42, <<"later: deep down">>, 7, 8, 9], Seen),
    fx:same(Config, exceptions, Seen).

guarded(_) ->
    ?assertEqual(<<"text">>, fx_cxx:guarded(["te", $x, <<"t">>])),
    ?assertError(<<"not a text">>, fx_cxx:guarded(text)).

cxx_thread_locals(_) ->
    [?assertEqual({N, N * (N - 1) div 2, 0, <<"unnamed">>}, fx_cxx:thread_locals(N))
     || N <- [1, 10, 30]].

cxx_messages(_) ->
    messages(fx_cxx, 1000),
    messages(fx_cxx, 1).

regular_expressions(_) ->
    ?assertEqual(<<"a-b-c">>, fx_cxx:replace("a1b22c", "[0-9]+", "-")),
    ?assertEqual(<<"<ab><cd>">>, fx_cxx:replace("abcd", "(..)", "<$1>")),
    ?assertError(badarg, fx_cxx:replace("a", "(", "")).

streams(Config) ->
    Text = fx_cxx:streams("a word and a word"),
    ?assertEqual(<<"a=2;and=1;word=2;ff 1.5">>, Text),
    fx:same(Config, streams, Text).

files(Config) ->
    Path = filename:join(proplists:get_value(priv_dir, Config), "written"),
    ?assertEqual({<<"written by C++">>, 14}, fx_cxx:files(Path)),
    ?assertNot(filelib:is_regular(Path)).

cxx_main_program(_) ->
    ?assertEqual({1, 2}, fx_cxx:from_main_program()).

further_libraries(Config) ->
    ?assertEqual({plugin, 42}, fx_cxx:plugin(fx:library(fx_plugin) ++ ".so")),
    ?assertMatch({_, _}, binary:match(fx_cxx:plugin("/no/such/library.so"), <<"cannot open">>)),
    fx:same(Config, zlib, fx_cxx:zlib()).

%% Natively both of these end the VM.
uncaught(_) ->
    ok = fx:try_load(fx_cxx, fx:library(cxx(plain)), #{}),
    ?assertError({nif_host_down, #{module := fx_cxx, function := uncaught, arity := 1,
                                   reason := {signal, sigabrt}}},
                 fx_cxx:uncaught("nobody catches this")),
    ?assertEqual({1, 2}, fx_cxx:from_main_program()),
    fx:unload(fx_cxx).

uncaught_in_thread(_) ->
    ok = fx:try_load(fx_cxx, fx:library(cxx(plain)), #{}),
    ?assertError({nif_host_down, #{function := uncaught_in_thread, reason := {signal, sigabrt}}},
                 fx_cxx:uncaught_in_thread()),
    ?assertEqual({1, 2}, fx_cxx:from_main_program()),
    fx:unload(fx_cxx).

%%% Rust

rust_terms(_) ->
    ?assertEqual(6, fx_rust:sum([1, 2, 3])),
    ?assertEqual(0, fx_rust:sum([])),
    ?assertError(badarg, fx_rust:sum([1, a])),
    Large = binary:copy(<<"0123456789">>, 100000),
    [?assertEqual(list_to_binary(lists:reverse(binary_to_list(B))), fx_rust:reverse(B))
     || B <- [<<>>, <<"abc">>, Large]],
    ?assertError(badarg, fx_rust:reverse(a)).

rust_words(_) ->
    ?assertEqual([{<<"a">>, 2}, {<<"wörd"/utf8>>, 1}], fx_rust:count_words(<<"a wörd a"/utf8>>)),
    ?assertError(badarg, fx_rust:count_words(<<255>>)).

panics(Config) ->
    ?assertEqual(2, fx_rust:panic(1)),
    {panicked, Why} = fx_rust:panic(7),
    ?assertMatch({_, _}, binary:match(Why, <<"index is 7">>)),
    ?assertEqual(1, fx_rust:panic_in_thread()),
    fx:same(Config, panic, Why).

rust_thread_locals(_) ->
    [?assertEqual({N * (N - 1) div 2, 0}, fx_rust:thread_locals(N)) || N <- [0, 1, 20]].

rust_messages(_) ->
    messages(fx_rust, 1000).

rust_resources(_) ->
    Before = fx_rust:dropped(),
    {Pid, Ref} = spawn_monitor(fun() ->
                                       Cell = fx_rust:new_cell(),
                                       1 = fx_rust:push(Cell, 40),
                                       2 = fx_rust:push(Cell, 2)
                               end),
    receive {'DOWN', Ref, process, Pid, Reason} -> ?assertEqual(normal, Reason) end,
    fx:wait_until(fun() -> fx_rust:dropped() =:= Before + 42 end),
    ?assertError(badarg, fx_rust:push(make_ref(), 1)).

rust_main_program(_) ->
    ?assertEqual(42, fx_rust:from_main_program()).

%%% Helpers

%% All of them come, and in order.
messages(Module, Count) ->
    ?assertEqual(Count, Module:send_many(self(), Count)),
    [receive
         {N, Text} -> ?assertEqual(iolist_to_binary(["message ", integer_to_list(N)]), Text)
     after 5000 -> error({no_message, N})
     end || N <- lists:seq(1, Count)].

cxx(Linked) ->
    list_to_atom("fx_cxx_" ++ atom_to_list(Linked)).

load(Config, Module, Library) ->
    fx:try_load(Module, #{shim => proplists:get_value(mode, Config) =:= isolated,
                          path => fx:library(Library)}).
