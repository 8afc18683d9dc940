%%% Resources, private data, load and upgrade, natively and isolated.
-module(conformance_resources_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [a_resource, not_a_resource, identity, identity_in_data, other_process,
         external_format, revived_only_while_alive, collected, collected_in_message,
         collected_before_next_call, short_lived, kept_by_library, many_resources,
         killed_caller, size_of, resource_binary, resource_binary_outlives,
         private_data, load_info, load_info_big, load_fails, load_fails_then_works,
         upgrade, upgrade_fails, upgrade_to_another_file, no_upgrade_callback, reload_with_live_resource,
         unload_after_destructors]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_resource]).

end_per_group(_Mode, _Config) ->
    fx:unload(fx_load),
    fx:unload(fx_resource).

%%% Resources

a_resource(_) ->
    Thing = fx_resource:new_thing(17),
    ?assert(is_reference(Thing)),
    ?assertEqual(true, fx_resource:is_ref(Thing)),
    ?assertEqual(17, fx_resource:number(Thing)),
    ?assertEqual(Thing, fx_resource:set_number(Thing, 18)),
    ?assertEqual(18, fx_resource:number(Thing)).

not_a_resource(_) ->
    [?assertError(badarg, fx_resource:number(T)) || T <- [make_ref(), a, self(), <<>>, []]].

identity(_) ->
    A = fx_resource:new_thing(1),
    B = fx_resource:new_thing(1),
    ?assert(A =/= B),
    ?assert(A =:= fx_resource:again(A)),
    ?assert(A =:= fx_resource:set_number(A, 2)),
    ?assertEqual(2, fx_resource:number(fx_resource:again(A))),
    ?assertEqual(1, fx_resource:number(B)).

identity_in_data(_) ->
    Thing = fx_resource:new_thing(5),
    Map = #{Thing => found},
    ?assertEqual(found, maps:get(fx_resource:again(Thing), Map)),
    ?assertEqual(erlang:phash2(Thing), erlang:phash2(fx_resource:again(Thing))).

other_process(_) ->
    Self = self(),
    Thing = fx_resource:new_thing(6),
    spawn_link(fun() ->
                       fx_resource:set_number(Thing, 7),
                       Self ! {Thing, fx_resource:new_thing(8)}
               end),
    receive {Same, Other} ->
            ?assert(Same =:= Thing),
            ?assertEqual([7, 8], [fx_resource:number(T) || T <- [Thing, Other]])
    end.

external_format(_) ->
    Thing = fx_resource:new_thing(9),
    Back = binary_to_term(term_to_binary({Thing, [Thing]})),
    ?assertEqual({Thing, [Thing]}, Back),
    ?assertEqual(9, fx_resource:number(element(1, Back))).

%% The external format holds no reference.
revived_only_while_alive(_) ->
    {_, External} = in_process(fun() -> term_to_binary(fx_resource:new_thing(1, parent())) end),
    receive {destroyed, 1} -> ok after 5000 -> error(not_destroyed) end,
    Dead = binary_to_term(External),
    ?assert(is_reference(Dead)),
    ?assertError(badarg, fx_resource:number(Dead)).

collected(_) ->
    in_process(fun() -> fx_resource:number(fx_resource:new_thing(2, parent())) end),
    receive {destroyed, 2} -> ok after 5000 -> error(not_destroyed) end.

collected_in_message(_) ->
    Pid = spawn(fun() -> receive stop -> ok end end),
    Pid ! {keep, fx_resource:new_thing(3, self())},
    erlang:garbage_collect(),
    receive {destroyed, 3} -> error(too_early) after 100 -> ok end,
    Pid ! stop,
    receive {destroyed, 3} -> ok after 5000 -> error(not_destroyed) end.

%% Destructors of what is already garbage run before the next call does.
collected_before_next_call(_) ->
    [begin
         Before = fx_resource:destroyed_count(),
         in_process(fun() -> fx_resource:number(fx_resource:new_thing(4)) end),
         timer:sleep(5),
         ?assertEqual(Before + 1, fx_resource:destroyed_count())
     end || _ <- lists:seq(1, 50)].

short_lived(_) ->
    Before = fx_resource:destroyed_count(),
    ok = fx_resource:short_lived(1000),
    fx:wait_until(fun() -> fx_resource:destroyed_count() =:= Before + 1000 end).

kept_by_library(_) ->
    {_, Number} = in_process(fun() ->
                                     Thing = fx_resource:new_thing(11, parent()),
                                     ok = fx_resource:keep(Thing),
                                     fx_resource:number(Thing)
                             end),
    ?assertEqual(11, Number),
    receive {destroyed, 11} -> error(too_early) after 100 -> ok end,
    Kept = fx_resource:kept_thing(),
    ?assertEqual(11, fx_resource:number(Kept)),
    ?assert(Kept =:= fx_resource:kept_thing()),
    ok = fx_resource:drop_kept(),
    ?assertEqual(11, fx_resource:number(Kept)),
    ?assertEqual(none, fx_resource:kept_thing()).

many_resources(_) ->
    Before = fx_resource:destroyed_count(),
    {_, Sum} = in_process(fun() ->
                                  Things = [fx_resource:new_thing(N) || N <- lists:seq(1, 10000)],
                                  lists:sum([fx_resource:number(T) || T <- Things])
                          end),
    ?assertEqual(10000 * 10001 div 2, Sum),
    fx:wait_until(fun() -> fx_resource:destroyed_count() =:= Before + 10000 end, 20000).

%% The caller is killed while a call uses its resource, the only one that had it.
killed_caller(_) ->
    Self = self(),
    [begin
         Pid = spawn(fun() -> fx_resource:Function(fx_resource:new_thing(N, Self), 300) end),
         timer:sleep(After),
         exit(Pid, kill),
         Told = [receive {What, N} -> What after 5000 -> error({not_told, Function}) end || _ <- [1, 2]],
         ?assertEqual({Function, [slept, destroyed]}, {Function, Told}),
         ?assertEqual(N, fx_resource:slept_with())
     end || {N, Function, After} <- [{31, sleep_with_dirty, 100}, {32, sleep_with, 100},
                                     {33, sleep_with, 10}, {34, sleep_with, 200}]].

size_of(_) ->
    ?assertEqual(true, fx_resource:size_of(fx_resource:new_thing(1))).

resource_binary(_) ->
    Thing = fx_resource:new_thing(12),
    ?assertEqual(<<"resource memory">>, fx_resource:text(Thing)).

resource_binary_outlives(_) ->
    {_, Text} = in_process(fun() -> fx_resource:text(fx_resource:new_thing(13)) end),
    erlang:garbage_collect(),
    ?assertEqual(<<"resource memory">>, Text).

private_data(_) ->
    First = fx_resource:counter(),
    ?assertEqual([First + 1, First + 2], [fx_resource:counter(), fx_resource:counter()]).

%%% load and upgrade

load_info(Config) ->
    Infos = [0, a, {ok, self()}, {ok, #{a => [1.5, <<"bin">>]}}, {ok, make_ref()}, "string", []],
    [begin
         ok = load(Config, Info),
         ?assertEqual(Info, fx_load:info()),
         ?assertEqual(0, fx_load:upgrades())
     end || Info <- Infos].

load_info_big(Config) ->
    Info = {ok, [lists:seq(1, 100000), binary:copy(<<"x">>, 1000000)]},
    ok = load(Config, Info),
    ?assertEqual(Info, fx_load:info()).

load_fails(Config) ->
    Errors = [load(Config, {fail, Code}) || Code <- [1, -1, 42, -100000]],
    [?assertMatch({error, {load, _}}, E) || E <- Errors],
    fx:same(Config, load_fails, Errors),
    ?assertError(undef, fx_load:info()).

load_fails_then_works(Config) ->
    {error, {load, _}} = load(Config, {fail, 7}),
    ok = load(Config, {ok, again}),
    ?assertEqual({ok, again}, fx_load:info()).

upgrade(Config) ->
    ok = load(Config, {ok, first}),
    Old = fun fx_load:info/0,
    ok = upgrade(Config, {ok, second}),
    ?assertEqual({1, {ok, second}}, {fx_load:upgrades(), fx_load:info()}),
    ?assertEqual({ok, second}, Old()),
    true = code:soft_purge(fx_load),
    ok = upgrade(Config, {ok, third}),
    ?assertEqual({2, {ok, third}}, {fx_load:upgrades(), fx_load:info()}).

upgrade_fails(Config) ->
    ok = load(Config, {ok, first}),
    Error = upgrade(Config, {fail, 13}),
    ?assertMatch({error, {upgrade, _}}, Error),
    fx:same(Config, upgrade_fails, Error),
    ?assertEqual({0, {ok, first}}, {fx_load:upgrades(), fx_load:info()}).

%% As in the upgrade of a release: the new code's library is another file, and gets
%% what the old one had.
upgrade_to_another_file(Config) ->
    Copy = filename:join([proplists:get_value(priv_dir, Config),
                          proplists:get_value(mode, Config), "fx_load"]),
    ok = filelib:ensure_dir(Copy),
    {ok, _} = file:copy(fx:library(fx_load) ++ ".so", Copy ++ ".so"),
    Other = fun(Info) ->
                    fx:reload(fx_load, #{shim => is_isolated(Config), path => Copy, info => Info})
            end,
    ok = load(Config, {ok, first}),
    Old = fun fx_load:info/0,
    ?assertMatch({error, {upgrade, _}}, Other({fail, 13})),
    ?assertEqual({0, {ok, first}}, {fx_load:upgrades(), fx_load:info()}),
    ok = Other({ok, second}),
    ?assertEqual({1, {ok, second}, {ok, second}}, {fx_load:upgrades(), fx_load:info(), Old()}),
    true = code:soft_purge(fx_load),
    ?assertEqual({1, {ok, second}}, {fx_load:upgrades(), fx_load:info()}),
    ok = upgrade(Config, {ok, third}),
    ?assertEqual({2, {ok, third}}, {fx_load:upgrades(), fx_load:info()}),
    case is_isolated(Config) of
        true ->
            [#{library := _, modules := [fx_load]}] = fx:hosts(fx_load),
            %% After a crash each comes back by its own `load'.
            #{host := Host} = fx:host(fx_load),
            ok = cordon_nif:stop_host(Host),
            ?assertEqual({0, {ok, third}}, {fx_load:upgrades(), fx_load:info()});
        false ->
            ok
    end.

no_upgrade_callback(Config) ->
    ok = fx:load(proplists:get_value(mode, Config), fx_bystander),
    Error = fx:reload(fx_bystander, #{shim => is_isolated(Config)}),
    ?assertMatch({error, {upgrade, _}}, Error),
    fx:same(Config, no_upgrade_callback, Error),
    ?assert(is_integer(fx_bystander:count())),
    fx:unload(fx_bystander).

%% A purged instance stays as long as its resources; the next one is not disturbed,
%% though it has the same names.
reload_with_live_resource(Config) ->
    Old = fx_resource:new_thing(21, self()),
    ok = fx:load(proplists:get_value(mode, Config), fx_resource),
    New = fx_resource:new_thing(22),
    ?assertEqual(22, fx_resource:number(New)),
    ?assertError(badarg, fx_resource:number(Old)),
    ?assert(is_reference(Old)),
    garbage_collect_until({destroyed, 21}).

%% The last resource of an old instance is collected, and the instance is unloaded at
%% once: its destructor still runs, on a machine that has other things to do as well.
unload_after_destructors(Config) ->
    Self = self(),
    Mode = proplists:get_value(mode, Config),
    Busy = [spawn_link(fun Loop() -> Loop() end) || _ <- lists:seq(1, 4)],
    [begin
         {_, true} = in_process(fun() ->
                                        Old = fx_resource:new_thing(N, Self),
                                        ok = fx:load(Mode, fx_resource),
                                        is_reference(Old)
                                end),
         receive {destroyed, N} -> ok after 5000 -> error({not_destroyed, N}) end
     end || N <- lists:seq(101, 140)],
    [begin unlink(Pid), exit(Pid, kill) end || Pid <- Busy].

garbage_collect_until(Message) ->
    erlang:garbage_collect(),
    receive Message -> ok after 5000 -> error(not_destroyed) end.

load(Config, Info) ->
    fx:try_load(fx_load, #{shim => is_isolated(Config), info => Info}).

upgrade(Config, Info) ->
    fx:reload(fx_load, #{shim => is_isolated(Config), info => Info}).

is_isolated(Config) ->
    proplists:get_value(mode, Config) =:= isolated.

%%% Helpers

%% In a process of its own, which is gone with all its terms when this returns.
in_process(Fun) ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(fun() ->
                                           put(parent, Self),
                                           Self ! {self(), Fun()}
                                   end),
    receive {'DOWN', Monitor, process, Pid, Reason} -> ?assertEqual(normal, Reason) end,
    receive {Pid, Result} -> {Pid, Result} end.

parent() ->
    get(parent).
