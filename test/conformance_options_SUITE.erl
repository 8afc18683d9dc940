%%% enif_set_option, natively and isolated: what it says, and what the VM then does when it halts or
%%% unloads. A VM before OTP 26 has none of it; what is compared there is that nothing of it happens.
-module(conformance_options_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [each_once, not_outside_load, not_in_a_failed_load, on_halt, stop_is_a_halt, halt_without_flush,
         old_and_new_code, after_purge, delay_halt, not_unloaded_at_halt, unload_threads]).

all() -> both_modes:all() ++ [hanging_on_halt, halt_without_a_host].
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> ok.

init_per_testcase(Case, Config) ->
    case_log:init(Case, [{mode, proplists:get_value(mode, Config, isolated)} | Config]).

end_per_testcase(_Case, _Config) -> fx:unload(fx_option).

%%% What it says

each_once(Config) ->
    All = [delay_halt, on_halt, on_unload_thread],
    fx:same(Config, each_once,
            [begin
                 ok = fx:try_load(fx_option, settings(Config, 1, Options)),
                 {Options, fx_option:results()}
             end || Options <- [[], All, All ++ All, [delay_halt], [unknown],
                                [on_halt_null], [on_halt_null, on_halt], [on_halt, on_halt_null],
                                [on_unload_thread_null],
                                [on_unload_thread_null, on_unload_thread]]]).

not_outside_load(Config) ->
    ok = fx:try_load(fx_option, settings(Config, 1, [])),
    fx:same(Config, not_outside_load,
            [fx_option:set_now(Option)
             || Option <- [delay_halt, on_halt, on_unload_thread, unknown]]).

%% The next instance begins anew.
not_in_a_failed_load(Config) ->
    Options = [delay_halt, on_halt, on_unload_thread],
    {error, {load, _}} = fx:try_load(fx_option, settings(Config, 1, Options ++ [fail])),
    ok = fx:try_load(fx_option, settings(Config, 2, Options)),
    First = fx_option:results(),
    {error, {upgrade, _}} = fx:reload(fx_option, settings(Config, 3, Options ++ [fail])),
    ok = fx:reload(fx_option, settings(Config, 4, Options)),
    fx:same(Config, not_in_a_failed_load, {First, fx_option:results()}).

%%% Halt

on_halt(Config) ->
    halted(Config, on_halt, [{load, 1, [on_halt]}], fun() -> erlang:halt(0) end).

stop_is_a_halt(Config) ->
    halted(Config, stop_is_a_halt, [{load, 1, [on_halt]}], fun() -> init:stop() end).

halt_without_flush(Config) ->
    halted(Config, halt_without_flush, [{load, 1, [on_halt]}],
           fun() -> erlang:halt(0, [{flush, false}]) end).

old_and_new_code(Config) ->
    Log = halt(Config, [{load, 1, [on_halt]}, {reload, 2, [on_halt]}], fun() -> erlang:halt(0) end),
    fx:same(Config, old_and_new_code, lists:sort(Log)).

after_purge(Config) ->
    halted(Config, after_purge, [{load, 1, [on_halt]}, {reload, 2, []}, purge],
           fun() -> erlang:halt(0) end).

%% The call is told by on_halt, and the VM waits until it has returned.
delay_halt(Config) ->
    halted(Config, delay_halt, [{load, 1, [delay_halt, on_halt]}, until_halt],
           fun() -> erlang:halt(0) end).

not_unloaded_at_halt(Config) ->
    ?assertEqual([], halt(Config, [{load, 1, []}], fun() -> erlang:halt(0) end)).

halted(Config, Case, Steps, How) ->
    fx:same(Config, Case, halt(Config, Steps, How)).

%% The log of a VM that has taken these steps and then has halted.
halt(Config, Steps, How) ->
    {ok, Node} = test_node:start([]),
    OsPid = test_node:os_pid(Node),
    ok = test_node:call(Node, ?MODULE, take, [Config, Steps]),
    ok = test_node:call(Node, ?MODULE, soon, [How]),
    fx:wait_until(fun() -> not filelib:is_dir("/proc/" ++ OsPid) end, 20000),
    test_node:stop(Node),
    case_log:lines(Config).

%% In a process that no call of ours waits for.
soon(How) ->
    _ = spawn(fun() -> timer:sleep(100), How() end),
    ok.

take(Config, Steps) ->
    lists:foreach(fun(Step) -> step(Config, Step) end, Steps).

step(Config, {load, Value, Options}) ->
    ok = fx:try_load(fx_option, settings(Config, Value, Options));
step(Config, {reload, Value, Options}) ->
    ok = fx:reload(fx_option, settings(Config, Value, Options));
step(Config, purge) ->
    true = code:soft_purge(fx_option),
    fx:wait_until(fun() -> lists:member("unload 1", case_log:lines(Config)) end);
step(Config, until_halt) ->
    _ = spawn(fun() -> fx_option:until_halt() end),
    fx:wait_until(fun() -> lists:member("waits 0", case_log:lines(Config)) end).

%%% Unload

%% Each thread that has run a NIF or a destructor of the instance is told, if that was asked for. (In OTP 27.3 dirty
%% schedulers are not, whatever the manual says.)
unload_threads(Config) ->
    fx:same(Config, unload_threads,
            [begin
                 ok = fx:try_load(fx_option, settings(Config, Value, Options)),
                 Callers = [spawn_monitor(fun() ->
                                               ok = fx_option:mark(),
                                               true = is_reference(fx_option:new_resource())
                                       end)
                            || _ <- lists:seq(1, 50)],
                 [receive {'DOWN', Monitor, _, _, Reason} -> ?assertEqual(normal, Reason) end
                  || {_, Monitor} <- Callers],
                 fx:unload(fx_option),
                 fx:wait_until(fun() -> length(case_log:lines(Config)) >= 2 * Value end),
                 case lists:last(case_log:lines(Config)) of
                     "threads not told 0" -> told;
                     "threads not told " ++ _ -> not_told
                 end
             end || {Value, Options} <- [{1, []}, {2, [on_unload_thread]}]]).

%%% Isolated

%% Natively such a VM would never end.
hanging_on_halt(Config) ->
    {Us, _} = timer:tc(fun() -> halt(Config, [{load, 1, [hanging_on_halt]}],
                                     fun() -> erlang:halt(0) end)
                       end),
    ?assert(Us < 12000000).

%% Nobody is left to be told.
halt_without_a_host(Config) ->
    {ok, Node} = test_node:start([]),
    OsPid = test_node:os_pid(Node),
    ok = test_node:call(Node, ?MODULE, take, [Config, [{load, 1, [on_halt]}]]),
    ok = test_node:call(Node, ?MODULE, stop_host, []),
    ok = test_node:call(Node, ?MODULE, soon, [fun() -> erlang:halt(0) end]),
    fx:wait_until(fun() -> not filelib:is_dir("/proc/" ++ OsPid) end),
    test_node:stop(Node),
    ?assertEqual([], case_log:lines(Config)).

stop_host() ->
    ok = cordon_nif:stop_host(maps:get(host, fx:host(fx_option))),
    fx:wait_until(fun() -> fx:hosts(fx_option) =:= [] end).

%%% Helpers

settings(Config, Value, Options) ->
    #{shim => proplists:get_value(mode, Config) =:= isolated,
      info => {case_log:file(Config), Value, Options}}.
