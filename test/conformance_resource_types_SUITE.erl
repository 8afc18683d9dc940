%%% Resource types: created, taken over by new code, rolled back with a load or upgrade that fails,
%%% and called by other libraries; natively and isolated.
-module(conformance_resource_types_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CREATE, 1).
-define(TAKEOVER, 2).
-define(EITHER, 3).

-define(CASES,
        [flags_of_load, flags_of_upgrade, opened_twice, taken_over_twice,
         twice_then_taken_over, taken_over, not_taken_over, upgrade_fails,
         upgrade_fails_then_works, created_in_failed_upgrade, load_fails, purged_type,
         dynamic_call, dynamic_call_refused]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> ok.

end_per_testcase(_Case, _Config) ->
    [fx:unload(M) || M <- [fx_takeover, fx_dyncall_caller, fx_dyncall_owner]].

%%% What is opened

flags_of_load(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}, {b, ?TAKEOVER, first}, {c, ?EITHER, first}], 0}),
    Opened = fx_takeover:opened(),
    ?assertMatch([{true, _}, {false, _}, {true, _}], Opened),
    fx:same(Config, flags_of_load, Opened).

flags_of_upgrade(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}, {b, ?CREATE, first}, {c, ?CREATE, first}], 0}),
    ok = upgrade(Config, {2, [{a, ?CREATE, first}, {b, ?TAKEOVER, first}, {c, ?EITHER, first},
                              {d, ?CREATE, first}, {e, ?TAKEOVER, first}, {f, ?EITHER, first}], 0}),
    Opened = fx_takeover:opened(),
    ?assertMatch([{false, _}, {true, _}, {true, _}, {true, _}, {false, _}, {true, _}], Opened),
    fx:same(Config, flags_of_upgrade, Opened).

opened_twice(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}, {a, ?CREATE, second}, {a, ?EITHER, second}], 0}),
    Opened = fx_takeover:opened(),
    [destroyed(fun() -> fx_takeover:new(Type, Type, parent()) end)
     || {Type, {true, _}} <- lists:zip([0, 1, 2], Opened)],
    fx:same(Config, opened_twice, {Opened, messages(length([x || {true, _} <- Opened]))}).

taken_over_twice(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}], 0}),
    ok = upgrade(Config, {2, [{a, ?TAKEOVER, first}, {a, ?TAKEOVER, second}], 0}),
    [destroyed(fun() -> fx_takeover:new(Type, Type, parent()) end) || Type <- [0, 1]],
    fx:same(Config, taken_over_twice, {fx_takeover:opened(), messages(2)}).

%% Which of two types of one name is found.
twice_then_taken_over(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}, {a, ?CREATE, first}], 0}),
    Things = [fx_takeover:new(Type, Type, self()) || Type <- [0, 1]],
    ok = upgrade(Config, {2, [{a, ?TAKEOVER, second}], 0}),
    Found = [fx_takeover:number(0, Thing) || Thing <- Things],
    drop(Things),
    fx:same(Config, twice_then_taken_over, {Found, messages(2)}).

%%% Old and new code

%% Resources of the old code are the new code's, destructor and private data too.
taken_over(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}], 0}),
    Old = fx_takeover:new(0, 11, self()),
    ok = upgrade(Config, {2, [{a, ?TAKEOVER, second}], 0}),
    ?assertEqual({2, 11}, {fx_takeover:tag(), fx_takeover:number(0, Old)}),
    New = fx_takeover:new(0, 12, self()),
    true = code:soft_purge(fx_takeover),
    ?assertEqual([11, 12], [fx_takeover:number(0, T) || T <- [Old, New]]),
    drop([Old, New]),
    ?assertEqual([{destroyed, 11, second, 2}, {destroyed, 12, second, 2}], messages(2)).

not_taken_over(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}], 0}),
    Old = fx_takeover:new(0, 13, self()),
    ok = upgrade(Config, {2, [{b, ?CREATE, second}], 0}),
    ?assertEqual(none, fx_takeover:number(0, Old)),
    drop(Old),
    ?assertEqual([{destroyed, 13, first, 1}], messages(1)).

%% As if it had not been.
upgrade_fails(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}], 0}),
    Old = fx_takeover:new(0, 14, self()),
    Error = upgrade(Config, {2, [{a, ?TAKEOVER, second}], 77}),
    ?assertMatch({error, {upgrade, _}}, Error),
    ?assertEqual({1, 14}, {fx_takeover:tag(), fx_takeover:number(0, Old)}),
    New = fx_takeover:new(0, 15, self()),
    drop([Old, New]),
    ?assertEqual([{destroyed, 14, first, 1}, {destroyed, 15, first, 1}], messages(2)).

upgrade_fails_then_works(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}], 0}),
    Old = fx_takeover:new(0, 16, self()),
    {error, {upgrade, _}} = upgrade(Config, {2, [{a, ?TAKEOVER, second}], 77}),
    ok = upgrade(Config, {3, [{a, ?TAKEOVER, second}], 0}),
    ?assertEqual({3, 16}, {fx_takeover:tag(), fx_takeover:number(0, Old)}),
    drop(Old),
    ?assertEqual([{destroyed, 16, second, 3}], messages(1)).

created_in_failed_upgrade(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}], 0}),
    {error, {upgrade, _}} = upgrade(Config, {2, [{b, ?CREATE, second}], 77}),
    ok = upgrade(Config, {3, [{a, ?TAKEOVER, first}, {b, ?TAKEOVER, first}, {b, ?CREATE, first}], 0}),
    Opened = fx_takeover:opened(),
    ?assertMatch([{true, _}, {false, _}, {true, _}], Opened),
    fx:same(Config, created_in_failed_upgrade, Opened).

load_fails(Config) ->
    {error, {load, _}} = load(Config, {1, [{a, ?CREATE, first}], 77}),
    ok = load(Config, {2, [{a, ?TAKEOVER, first}, {a, ?CREATE, second}], 0}),
    ?assertMatch([{false, _}, {true, _}], fx_takeover:opened()),
    destroyed(fun() -> fx_takeover:new(1, 17, parent()) end),
    ?assertEqual([{destroyed, 17, second, 2}], messages(1)).

%% The type of code that was purged lives on with its resources, without its name.
purged_type(Config) ->
    ok = load(Config, {1, [{a, ?CREATE, first}], 0}),
    Old = fx_takeover:new(0, 18, self()),
    ok = load(Config, {2, [{a, ?EITHER, second}], 0}),
    Opened = fx_takeover:opened(),
    ?assertEqual(none, fx_takeover:number(0, Old)),
    drop(Old),
    fx:same(Config, purged_type, {Opened, messages(1)}).

%%% Calls of other libraries' resources

dynamic_call(Config) ->
    two_libraries(Config),
    Thing = fx_dyncall_owner:new_callable(40),
    Answers = [fx_dyncall_caller:call(fx_dyncall_owner, callable, Thing, N) || N <- [2, 1]],
    ?assertMatch([{0, 42, _, true}, {0, 43, _, true}], Answers),
    fx:same(Config, dynamic_call, Answers).

dynamic_call_refused(Config) ->
    two_libraries(Config),
    [Callable, Deaf] = [fx_dyncall_owner:new_callable(1), fx_dyncall_owner:new_deaf(2)],
    Calls = [{fx_dyncall_owner, deaf, Deaf}, {fx_dyncall_owner, deaf, Callable},
             {fx_dyncall_owner, callable, Deaf}, {fx_dyncall_owner, nothing, Callable},
             {fx_dyncall_caller, callable, Callable}, {fx_dyncall_owner, callable, make_ref()},
             {fx_dyncall_owner, callable, a}, {fx_dyncall_owner, callable, <<>>},
             {"fx_dyncall_owner", callable, Callable}, {fx_dyncall_owner, 1, Callable}],
    Codes = [fx_dyncall_caller:call(M, N, R, 1) || {M, N, R} <- Calls],
    ct:log("~p", [Codes]),
    ?assertNot(lists:any(fun(Result) -> element(1, Result) =:= 0 end, Codes)),
    fx:same(Config, dynamic_call_refused, Codes).

%% In the VM they are in one process; isolated, in one group.
two_libraries(Config) ->
    Settings = case proplists:get_value(mode, Config) of
                   native -> #{};
                   isolated -> #{options => #{group => ?MODULE}}
               end,
    [ok = fx:load(proplists:get_value(mode, Config), M, Settings)
     || M <- [fx_dyncall_owner, fx_dyncall_caller]].

%%% Helpers

load(Config, Info) ->
    fx:try_load(fx_takeover, #{shim => is_isolated(Config), info => Info}).

upgrade(Config, Info) ->
    fx:reload(fx_takeover, #{shim => is_isolated(Config), info => Info}).

is_isolated(Config) ->
    proplists:get_value(mode, Config) =:= isolated.

%% Gone when the caller doesn't use it any more.
drop(_) ->
    erlang:garbage_collect().

%% Runs it in a process of its own, which is gone with all its terms when this returns.
destroyed(Fun) ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> put(parent, Self), is_reference(Fun()) end),
    receive {'DOWN', Monitor, process, Pid, Reason} -> ?assertEqual(normal, Reason) end.

parent() ->
    get(parent).

messages(Count) ->
    erlang:garbage_collect(),
    lists:sort([receive M -> M after 5000 -> error({no_message, N}) end || N <- lists:seq(1, Count)]).
