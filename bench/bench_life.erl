%%% life.*, memory.*: a host's start, its end, and its size.
-module(bench_life).

-export([measure/1]).

%% @doc Each round kills the host twice: once from outside, with the machine given time to notice,
%% then by a crash of the library itself, which tells when it happened.
-spec measure(Rounds :: pos_integer()) -> bench_sampler:results().
measure(Rounds) ->
    Samples = [round_of_life() || _ <- lists:seq(1, Rounds)],
    Stats = fun(Key) -> bench_sampler:stats([maps:get(Key, Sample) || Sample <- Samples]) end,
    maps:merge(maps:from_list([{"life." ++ atom_to_list(Key), Stats(Key)}
                               || Key <- [start, confine, crash_to_error, crash_to_answer]]),
               memory()).

round_of_life() ->
    #{host := Host} = bench_library:host(bench_isolated),
    ok = cordon_nif:stop_host(Host),
    timer:sleep(60),
    Start = bench_sampler:timed(fun() -> 3 = bench_isolated:add(1, 2) end),
    #{confined_ns := Confined} = cordon_nif:guard(),
    timer:sleep(20),
    File = filename:join("/tmp", "cordon_bench." ++ os:getpid()),
    try bench_isolated:crash(File) of
        Other -> error({no_crash, Other})
    catch
        error:{nif_host_down, #{function := crash}} -> ok
    end,
    ErrorAt = os:perf_counter(nanosecond),
    3 = bench_isolated:add(1, 2),
    AnswerAt = os:perf_counter(nanosecond),
    {ok, <<CrashAt:64/native-signed>>} = file:read_file(File),
    ok = file:delete(File),
    #{start => Start, confine => Confined, crash_to_error => ErrorAt - CrashAt,
      crash_to_answer => AnswerAt - CrashAt}.

%% What is theirs alone, in kB.
memory() ->
    3 = bench_isolated:add(1, 2),
    timer:sleep(300),
    #{os_pid := Host} = bench_library:host(bench_isolated),
    #{"memory.idle_host_kb" => bench_sampler:stats([private_kb(Host)]),
      "memory.keeper_kb" => bench_sampler:stats([private_kb(cordon_nif:keeper())])}.

private_kb(OsPid) ->
    {ok, Text} = file:read_file(io_lib:format("/proc/~w/smaps_rollup", [OsPid])),
    {match, Found} = re:run(Text, "^Private_(?:Clean|Dirty): +(\\d+) kB",
                            [global, multiline, {capture, all_but_first, list}]),
    lists:sum([list_to_integer(Kb) || [Kb] <- Found]).
