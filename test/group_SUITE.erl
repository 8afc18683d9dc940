%%% Libraries that share one host.
-module(group_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    both_modes:all() ++
        [apart_without_a_group, one_host_is_listed, a_crash_takes_all,
         load_failure_leaves_the_others, unload_leaves_the_others,
         unloaded_with_a_resource_alive, stale_resources, groups_are_apart,
         bad_names].

groups() -> both_modes:groups(both_ways()).
both_ways() ->
    [memory_of_each_other, memory_passed_on, private_data_of_each_other, terms_of_each_other,
     locks_of_each_other, resources_of_their_own, reload_one].

suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> ok.

end_per_testcase(_Case, _Config) ->
    fx:unload(fx_group_a),
    fx:unload(fx_group_b).

load_both(Config) ->
    load_both(proplists:get_value(mode, Config, isolated), "ab").

load_both(Mode, Group) ->
    ok = fx:load(Mode, fx_group_a, #{options => #{group => Group}}),
    ok = fx:load(Mode, fx_group_b, #{options => #{group => Group}}).

%% --- natively and isolated -------------------------------------------------------

memory_of_each_other(Config) ->
    load_both(Config),
    ?assertEqual(fx_group_a:os_pid(), fx_group_b:os_pid()),
    ?assertEqual(42, fx_group_b:get(fx_group_a:set(42))),
    ?assertEqual(43, fx_group_a:get(fx_group_b:set(43))),
    ?assertNotEqual(fx_group_a:set(1), fx_group_b:set(2)).

%% What one has allocated the other frees.
memory_passed_on(Config) ->
    load_both(Config),
    [begin
         ?assertEqual(N, fx_group_b:take(fx_group_a:give(N))),
         ?assertEqual(-N, fx_group_a:take(fx_group_b:give(-N)))
     end || N <- lists:seq(1, 100)].

private_data_of_each_other(Config) ->
    load_both(Config),
    Address = fx_group_a:private_data(),
    ?assertEqual(Address, fx_group_a:set(12)),
    ?assertEqual(12, fx_group_b:get(Address)),
    ?assertNotEqual(Address, fx_group_b:private_data()).

terms_of_each_other(Config) ->
    load_both(Config),
    [?assertEqual(T, fx_group_b:take_term(fx_group_a:keep_term(T)))
     || T <- [a, 1 bsl 70, {self(), [make_ref()]}, #{<<"k">> => binary:copy(<<"v">>, 100000)}]].

%% A process in the one waits for a lock that a process in the other has.
locks_of_each_other(Config) ->
    load_both(Config),
    Mutex = fx_group_a:make_mutex(),
    ok = fx_group_a:with_mutex(lock, Mutex),
    ?assertEqual(false, fx_group_b:with_mutex(try_it, Mutex)),
    {_, Monitor} = spawn_monitor(fun() -> exit({fx_group_b:with_mutex(lock, Mutex),
                                                fx_group_b:with_mutex(unlock, Mutex)})
                                 end),
    receive {'DOWN', Monitor, _, _, Early} -> error({not_locked, Early}) after 100 -> ok end,
    ok = fx_group_a:with_mutex(unlock, Mutex),
    receive {'DOWN', Monitor, _, _, Result} -> ?assertEqual({ok, ok}, Result) end,
    ?assertEqual(true, fx_group_b:with_mutex(try_it, Mutex)),
    ok = fx_group_b:with_mutex(unlock, Mutex),
    ok = fx_group_a:destroy_mutex().

%% The types have the same name, and are two for all that.
resources_of_their_own(Config) ->
    load_both(Config),
    A = fx_group_a:make_resource(1),
    B = fx_group_b:make_resource(2),
    ?assertEqual({1, 2}, {fx_group_a:read_resource(A), fx_group_b:read_resource(B)}),
    ?assertError(badarg, fx_group_a:read_resource(B)),
    ?assertError(badarg, fx_group_b:read_resource(A)).

reload_one(Config) ->
    load_both(Config),
    Address = fx_group_a:set(7),
    ok = fx:load(proplists:get_value(mode, Config), fx_group_b, #{options => #{group => "ab"}}),
    ?assertEqual(7, fx_group_b:get(Address)).

%% --- isolated --------------------------------------------------------------------

apart_without_a_group(_Config) ->
    ok = fx:load(isolated, fx_group_a),
    ok = fx:load(isolated, fx_group_b),
    ?assertNotEqual(fx_group_a:os_pid(), fx_group_b:os_pid()).

one_host_is_listed(Config) ->
    load_both(Config),
    Pid = fx_group_a:os_pid(),
    ?assertMatch([#{os_pid := Pid, group := "ab", module := fx_group_a,
                    modules := [fx_group_a, fx_group_b]}],
                 [Host || #{group := "ab", state := running} = Host <- cordon:which_hosts()]).

a_crash_takes_all(Config) ->
    load_both(Config),
    Self = self(),
    {Waiting, Monitor} =
        spawn_monitor(fun() -> Self ! waits, exit(catch fx_group_b:wait_ms(10000)) end),
    receive waits -> ok end,
    fx:wait_until(fun() -> calls("ab") > 0 end),
    ?assertError({nif_host_down, #{module := fx_group_a, function := crash, arity := 0,
                                   reason := {signal, sigabrt}}},
                 fx_group_a:crash()),
    receive
        {'DOWN', Monitor, process, Waiting, Reason} ->
            ?assertMatch({'EXIT', {{nif_host_down, #{module := fx_group_b, function := wait_ms,
                                                     reason := {signal, sigabrt}}}, _}}, Reason)
    end,
    %% Each comes back with its next call, into the same new host.
    B = fx_group_b:os_pid(),
    ?assertEqual(B, fx_group_a:os_pid()),
    ?assertEqual(5, fx_group_b:get(fx_group_a:set(5))).

calls(Group) ->
    lists:sum([Calls || #{group := G, calls := Calls} <- cordon:which_hosts(), G =:= Group]).

load_failure_leaves_the_others(_Config) ->
    Options = #{group => "ab"},
    ok = fx:load(isolated, fx_group_a, #{options => Options}),
    Address = fx_group_a:set(9),
    Pid = fx_group_a:os_pid(),
    [begin
         ?assertMatch({error, {load, _}},
                      fx:try_load(fx_group_b, #{shim => true, options => Options, info => 3})),
         ?assertEqual({Pid, 9}, {fx_group_a:os_pid(), fx_group_a:get(Address)})
     end || _ <- [1, 2, 3]],
    ok = fx:load(isolated, fx_group_b, #{options => Options}),
    ?assertEqual({Pid, 9}, {fx_group_b:os_pid(), fx_group_b:get(Address)}).

unload_leaves_the_others(Config) ->
    load_both(Config),
    Pid = fx_group_b:os_pid(),
    Address = fx_group_b:set(11),
    fx:unload(fx_group_a),
    ?assertEqual({Pid, 11}, {fx_group_b:os_pid(), fx_group_b:get(Address)}),
    ok = fx:load(isolated, fx_group_a, #{options => #{group => "ab"}}),
    ?assertEqual({Pid, 11}, {fx_group_a:os_pid(), fx_group_a:get(Address)}),
    fx:unload(fx_group_a),
    fx:unload(fx_group_b),
    fx:wait_until(fun() -> not filelib:is_dir("/proc/" ++ integer_to_list(Pid)) end).

%% The module that brought the type of all proxies goes first.
unloaded_with_a_resource_alive(Config) ->
    load_both(Config),
    A = fx_group_a:make_resource(1),
    fx:unload(fx_group_a),
    B = fx_group_b:make_resource(2),
    ?assertEqual(2, fx_group_b:read_resource(B)),
    ?assertError(badarg, fx_group_b:read_resource(A)),
    ?assert(is_reference(A)).

stale_resources(Config) ->
    load_both(Config),
    A = fx_group_a:make_resource(1),
    ?assertError({nif_host_down, _}, fx_group_b:crash()),
    ?assertError({stale_resource, #{module := fx_group_a}}, fx_group_a:read_resource(A)).

groups_are_apart(_Config) ->
    ok = fx:load(isolated, fx_group_a, #{options => #{group => one}}),
    ok = fx:load(isolated, fx_group_b, #{options => #{group => two}}),
    ?assertNotEqual(fx_group_a:os_pid(), fx_group_b:os_pid()).

bad_names(_Config) ->
    [?assertMatch({error, {options, "option group is " ++ _}},
                  cordon:check(fx:library(fx_group_a), #{group => Name}))
     || Name <- ["", "a b", "../x", lists:duplicate(65, $a), 7, <<"a">>, "a\n", 'a/b']],
    ?assertEqual(ok, cordon:check(fx:library(fx_group_a), #{group => lists:duplicate(64, $a)})).
