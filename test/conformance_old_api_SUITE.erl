%%% Libraries of early versions of the API, natively and isolated.
-module(conformance_old_api_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

%% 2.5 was never released, and no VM takes it.
-define(VERSIONS, [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]).
%% Those that each changed a layout, and of which there is a second generation.
-define(LAYOUTS, [0, 4, 7, 11, 14]).

-define(CASES,
        [versions, arguments, kinds, made, binaries, taken_apart, resources, messages, threads,
         system_info, additions, scheduling, upgrade, upgrade_to_another_version,
         refused, accepted_variants, another_init]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).

end_per_group(_Mode, _Config) ->
    fx:unload(fx_old).

versions(Config) ->
    every(Config, fun(Minor) -> ?assertEqual({2, Minor, 1, 0, 77}, fx_old:version()) end).

arguments(Config) ->
    every(Config,
          fun(_) ->
                  ?assertEqual(3, fx_old:sum(1, 2)),
                  ?assertEqual(-(1 bsl 62), fx_old:sum(-(1 bsl 62) - 1, 1)),
                  [?assertError(badarg, fx_old:sum(A, B))
                   || {A, B} <- [{a, 1}, {1, 1.0}, {1 bsl 63, 0}]]
          end).

kinds(Config) ->
    Port = hd(erlang:ports()),
    Terms = [a, <<>>, <<1>>, <<1:3>>, self(), Port, fun lists:map/2, [], [1], [a | b], {}, {1}, 1,
             1 bsl 80, 1.5, #{}],
    every(Config,
          fun(_) ->
                  ?assertEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], fx_old:kinds(a)),
                  ?assertEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0], fx_old:kinds(make_ref())),
                  [fx_old:kinds(T) || T <- Terms]
          end).

made(Config) ->
    every(Config,
          fun(_) ->
                  ?assertEqual({-1, 4000000000, -(1 bsl 62), (1 bsl 64) - 1, 1.5, ok, ok, error,
                                "text", "te", [1, 2], [1 | 2], <<"bcd">>},
                               fx_old:make())
          end).

%% ErlNifBinary was of four words until API 2.11, the last of which is not touched.
binaries(Config) ->
    Large = << <<(N * N rem 251)>> || N <- lists:seq(1, 100000) >>,
    every(Config,
          fun(_) ->
                  [begin
                       Bytes = binary_to_list(iolist_to_binary(Data)),
                       ?assertEqual({list_to_binary(lists:reverse(Bytes)), [1, 1, 1, 1, 1, 1]},
                                    fx_old:reverse(Data))
                   end || Data <- [<<>>, <<"abc">>, ["a", <<"bc">>, [$d]], binary:copy(<<"xy">>, 50),
                                   binary:part(Large, 1, 70), Large]],
                  ?assertError(badarg, fx_old:reverse(a)),
                  ?assertError(badarg, fx_old:reverse(<<1:3>>))
          end).

taken_apart(Config) ->
    every(Config,
          fun(_) ->
                  ?assertEqual([-5, 4000000000, 1 bsl 63, 5, 0.5, 4, 6, 5, $t, "ext"],
                               fx_old:take_apart({-5, 4000000000, 1 bsl 63, 0.5, hello, "text"})),
                  ?assertError(badarg, fx_old:take_apart({1}))
          end).

resources(Config) ->
    every(Config,
          fun(_) ->
                  Before = fx_old:destroyed_sum(),
                  Self = self(),
                  Child = spawn_link(fun() ->
                                             Cell = fx_old:new_cell(1000),
                                             Self ! {read, fx_old:read_cell(Cell)},
                                             ?assertEqual([0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
                                                          fx_old:kinds(Cell))
                                     end),
                  ?assertEqual({1000, 4}, receive {read, Read} -> Read end),
                  fx:wait_until(fun() -> not is_process_alive(Child)
                                             andalso fx_old:destroyed_sum() =:= Before + 1000
                                end),
                  ?assertError(badarg, fx_old:read_cell(make_ref()))
          end).

messages(Config) ->
    every(Config,
          fun(_) ->
                  Self = self(),
                  ?assertEqual(1, fx_old:tell(Self, {a, "message", 1 bsl 70})),
                  receive Message -> ?assertEqual({Self, {a, "message", 1 bsl 70}}, Message)
                  after 0 -> error(not_in_the_mailbox)
                  end,
                  {Dead, Ref} = spawn_monitor(fun() -> ok end),
                  receive {'DOWN', Ref, process, Dead, _} -> ok end,
                  fx_old:tell(Dead, late)
          end).

threads(Config) ->
    every(Config, fun(_) -> ?assertEqual({0, 0, 1, 1}, fx_old:threads()) end).

system_info(Config) ->
    every(Config,
          fun(_) ->
                  {Release, 2, 1} = Info = fx_old:system_info(),
                  ?assertEqual(erlang:system_info(otp_release), Release),
                  Info
          end).

additions(Config) ->
    every(Config, fun(_) -> [fx_old:additions(T) || T <- [1, {a, "b"}, #{c => 1.5}]] end).

scheduling(Config) ->
    every(Config,
          fun(Minor) ->
                  Expected = if Minor >= 10 -> {1, 2, 3}; true -> {1, 1, 1} end,
                  ?assertEqual(Expected, {fx_old:normal(), fx_old:dirty_cpu(), fx_old:dirty_io()}),
                  fx_old:scheduled(argument)
          end).

upgrade(Config) ->
    [begin
         ok = load(Config, library(Minor)),
         Cell = fx_old:new_cell(5),
         ok = reload(Config, next(Minor)),
         ?assertEqual({2, Minor, 2, 1, 77}, fx_old:version()),
         ?assertEqual({5, 4}, fx_old:read_cell(Cell))
     end || Minor <- ?LAYOUTS],
    fx:unload(fx_old).

upgrade_to_another_version(Config) ->
    ok = load(Config, library(0)),
    Cell = fx_old:new_cell(6),
    [begin
         true = code:purge(fx_old) orelse true,
         ok = reload(Config, next(Minor)),
         ?assertEqual({2, Minor, 2, N, 77}, fx_old:version()),
         ?assertEqual({6, 4}, fx_old:read_cell(Cell))
     end || {N, Minor} <- lists:zip([1, 2, 3, 4], [4, 14, 7, 11])],
    fx:unload(fx_old).

%% What the VM says to these it also says when they are isolated.
refused(Config) ->
    [begin
         Result = fx:try_load(fx_old, settings(Config, Name)),
         ?assertMatch({_, {error, {_, _}}}, {Name, Result}),
         fx:same(Config, {refused, Name}, Result)
     end || Name <- [fx_old_2_5, fx_old_is_0_1, fx_old_is_1_0, fx_old_is_2_99, fx_old_is_3_0,
                     fx_old_is_3_14, fx_old_variant_1, fx_old_variant_14, fx_old_variant_empty,
                     fx_old_flags_3, fx_old_flags_4]].

%% Before API 2.1 a library did not say for which VM it is.
accepted_variants(Config) ->
    ok = load(Config, fx_old_variant_0),
    ?assertEqual(3, fx_old:sum(1, 2)),
    fx:unload(fx_old).

%% The VM looks for nif_init, then for this.
another_init(Config) ->
    ok = load(Config, fx_old_underscore),
    ?assertEqual({2, 0, 1, 0, 77}, fx_old:version()),
    fx:unload(fx_old).

%%% Helpers

%% The fun with each version loaded; what it gives is compared.
every(Config, Fun) ->
    [begin
         ok = load(Config, library(Minor)),
         fx:same(Config, {case_name(Fun), Minor}, Fun(Minor)),
         fx:unload(fx_old)
     end || Minor <- ?VERSIONS],
    ok.

case_name(Fun) ->
    element(2, erlang:fun_info(Fun, name)).

load(Config, Name) ->
    fx:try_load(fx_old, settings(Config, Name)).

reload(Config, Name) ->
    fx:reload(fx_old, settings(Config, Name)).

settings(Config, Name) ->
    #{shim => proplists:get_value(mode, Config) =:= isolated, path => fx:library(Name), info => 77}.

library(Minor) ->
    list_to_atom("fx_old_2_" ++ integer_to_list(Minor)).

next(Minor) ->
    list_to_atom(atom_to_list(library(Minor)) ++ "_next").
