%%% What only the VM can answer, asked from everywhere that code of a library runs, natively and
%%% isolated: the outcomes of fixtures/every_upcall.h are the same ones in every context.
-module(conformance_upcalls_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-define(CASES, [calls, moved_call, steps, own_thread, own_threads_together, destructor,
                destructor_in_a_call, load, upgrade, unload]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].

init_per_group(Mode, Config) ->
    true = os:putenv("EVERY_UPCALL", "set"),
    true = os:unsetenv("EVERY_UPCALL_NONE"),
    [{mode, Mode} | Config].

end_per_group(_Mode, _Config) -> ok.

init_per_testcase(_Case, Config) ->
    true = register(every_upcall_port, open_port({spawn, "cat"}, [])),
    ok = fx:load(?config(mode, Config), fx_everywhere, #{info => self()}),
    ?assertEqual(expected(), said_in(load)),
    Config.

end_per_testcase(_Case, _Config) ->
    fx:unload(fx_everywhere).

%% What init_per_testcase has seen.
load(_) ->
    ok.

calls(_) ->
    [?assertEqual(expected(), called(F))
     || F <- [in_call, in_cpu_call, in_io_call], _ <- lists:seq(1, 10)].

moved_call(_) ->
    [?assertEqual(expected(), called(after_a_while)) || _ <- lists:seq(1, 10)].

steps(_) ->
    ?assertEqual(expected(), called(in_a_step)).

own_thread(_) ->
    ok = fx_everywhere:in_thread(self()),
    ?assertEqual(expected(thread), said_in(thread)).

own_threads_together(_) ->
    Asked = [spawn_monitor(fun() ->
                                   ok = fx_everywhere:in_thread(self()),
                                   exit(said_in(thread))
                           end) || _ <- lists:seq(1, 50)],
    Expected = expected(thread),
    [receive {'DOWN', Ref, process, Pid, Said} -> ?assertEqual(Expected, Said) end
     || {Pid, Ref} <- Asked].

destructor(_) ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() -> fx_everywhere:resource(Self) end),
    receive {'DOWN', Ref, process, Pid, normal} -> ok end,
    ?assertEqual(expected(), said_in(destructor)).

%% One destructor runs while the call goes on, one when the term is collected.
destructor_in_a_call(_) ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() -> fx_everywhere:short_lived(Self) end),
    receive {'DOWN', Ref, process, Pid, normal} -> ok end,
    ?assertEqual(expected(), said_in(destructor)),
    ?assertEqual(expected(), said_in(destructor)).

upgrade(Config) ->
    ok = fx:reload(fx_everywhere, #{shim => ?config(mode, Config) =:= isolated, info => self()}),
    ?assertEqual(expected(), said_in(upgrade)),
    true = code:soft_purge(fx_everywhere),
    ?assertEqual(expected(), said_in(unload)),
    ?assertEqual(expected(), called(in_call)).

unload(_) ->
    fx:unload(fx_everywhere),
    ?assertEqual(expected(), said_in(unload)).

%%% Helpers

%% Threads of the library's own are not told the time.
expected(thread) ->
    Untold = [monotonic_time, on_a_scheduler, time_offset],
    lists:foldl(fun(What, Outcomes) -> lists:keyreplace(What, 1, Outcomes, {What, false}) end,
                expected(), Untold).

expected() ->
    lists:sort([{hash, erlang:phash2(hashed)}, {system_info, erlang:system_info(schedulers)},
                {no_getenv, -1} |
                [{What, true}
                 || What <- [on_a_scheduler, make_atom, existing_atom, whereis_pid, is_process_alive, whereis_port,
                             monotonic_time, time_offset, no_time, now_time, cpu_time, make_ref,
                             refs_differ, hash_of_ref, unique_monotonic, unique_positive,
                             binary_to_term, binary_to_term_safe, getenv, send, send_again]] ++
                [{What, false}
                 || What <- [no_existing_atom, whereis_no_pid, whereis_no_port,
                             no_binary_to_term]]]).

%% What a function of the fixture returns; its messages have come before.
called(Function) ->
    Outcomes = fx_everywhere:Function(self()),
    [receive every_upcall -> ok after 0 -> error(late) end || _ <- [send, send_again]],
    lists:sort(Outcomes).

%% What code of the library sent that runs outside of calls.
said_in(Context) ->
    receive
        {outcomes, Context, Outcomes} ->
            [receive every_upcall -> ok after 0 -> error(out_of_order) end
             || _ <- [send, send_again]],
            lists:sort(Outcomes)
    after 5000 -> error({nothing_from, Context})
    end.
