%%% What isolation costs, beside what it would be compared with, in one run. `bench/run' starts it;
%%% the demo takes its small table from here too. See docs/design/measuring.md.
-module(cordon_bench).

-export([main/0, prepare/1, calls/1]).

-define(PARTS, ["limits", "calls", "payloads", "terms", "work", "scale", "life"]).

%% @doc Entry of `bench/run'. After `-extra': `quick' or `full', then the parts, none for all.
-spec main() -> no_return().
main() ->
    [Effort | Parts] = init:get_plain_arguments(),
    try
        _ = logger:set_primary_config(level, none), % crashes here are on purpose
        ok = prepare(bench_dir()),
        Start = erlang:monotonic_time(second),
        Results = lists:foldl(fun(Part, Done) -> maps:merge(Done, part(Part, effort(Effort))) end,
                              #{}, case Parts of [] -> ?PARTS; _ -> Parts end),
        io:format("~nTook ~w s.~n", [erlang:monotonic_time(second) - Start]),
        case Parts of
            [] -> keep(Effort, Results);
            _ -> ok
        end,
        halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "bench failed: ~p~n", [{Class, Reason, Stack}]),
            halt(1)
    end.

effort("quick") -> #{rounds => 3, slice_ms => 10};
effort("full") -> #{rounds => 20, slice_ms => 100}.

part(Part, #{rounds := Rounds} = Effort) ->
    io:format(standard_error, "~s ...~n", [Part]),
    {Prefixes, Results} =
        case Part of
            "limits" -> {["limit."], limits(Effort)};
            "calls" -> {["call."], calls(Effort)};
            "payloads" -> {["arg.", "result."], payloads(Effort)};
            "terms" -> {["terms.", "limit."], bench_terms:measure(Effort)};
            "work" -> {["work."], bench_work:measure(Effort)};
            "scale" -> {["scale."], bench_scale:measure(Effort, filename:join(bench_dir(), "copies"))};
            "life" -> {["life.", "memory."], bench_life:measure(2 * Rounds)}
        end,
    [bench_report:table(Prefix, Results) || Prefix <- Prefixes],
    Results.

limits(Effort) ->
    #{"limit.memcpy.1MB" := Copy} = Results =
        bench_sampler:measure(bench_limits:contenders(bench_payload:sizes()), Effort),
    %% Not times: the least of them is the p99 of the times.
    Gbps = fun(Part) -> (1 bsl 20) / maps:get(Part, Copy) end,
    Results#{"limit.memcpy_gbps" => #{min => Gbps(p99), p50 => Gbps(p50), p90 => Gbps(p90),
                                      p99 => Gbps(p99), n => maps:get(n, Copy)}}.

%% @doc call.*: add(1, 2), one call after the other in batches of 100; the parked ones alone.
-spec calls(bench_sampler:effort()) -> bench_sampler:results().
calls(Effort) ->
    bench_way:with_nodes(fun(Nodes) -> bench_sampler:measure(callers(Nodes), Effort) end).

callers(Nodes) ->
    [#{key => key(Way), batch => 100,
       open => fun() -> bench_way:open(Way, Nodes) end,
       run => fun(State, Batch) -> ok = bench_way:add(Way, State, Batch) end,
       close => fun(State) -> bench_way:close(Way, State) end}
     || Way <- bench_way:all()]
    ++ [#{key => "call.cordon_dirty", batch => 100,
            run => fun(_, Batch) -> ok = bench_isolated:loop_dirty(Batch) end}
         | [#{key => Key, before => fun() -> timer:sleep(2) end,
              run => fun(_, 1) -> 3 = Module:add(1, 2) end}
            || {Key, Module} <- [{"call.inproc_parked", bench_native},
                                 {"call.cordon_parked", bench_isolated}]]].

payloads(Effort) ->
    bench_way:with_nodes(fun(Nodes) ->
                                 bench_sampler:measure(bench_payload:contenders(Nodes), Effort)
                         end).

key(cordon) -> "call.cordon_hot";
key(Way) -> "call." ++ atom_to_list(Way).

%% @doc Loads the library in all ways. `Dir' has the files that CMake built.
-spec prepare(file:filename()) -> ok.
prepare(Dir) ->
    bench_library:load_all(Dir).

bench_dir() ->
    filename:absname(os:getenv("CORDON_BENCH_DIR", "build/bench")).

keep(Effort, Results) ->
    Dir = filename:absname("bench/results"),
    File = filename:join(Dir, "latest.json"),
    ok = bench_report:write_json(File, about(Effort), Results),
    io:format("Wrote ~ts~n", [File]),
    case bench_report:draw_charts(Dir, Results) of
        ok -> io:format("Drew the charts beside it.~n");
        {error, Text} -> io:format("No charts: ~ts~n", [Text])
    end.

about(Effort) ->
    #{effort => list_to_binary(Effort),
      date => list_to_binary(calendar:system_time_to_rfc3339(erlang:system_time(second), [{offset, "Z"}])),
      cpus => erlang:system_info(logical_processors_available),
      cpu => trimmed(os:cmd("sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1")),
      kernel => trimmed(os:cmd("uname -sr")),
      otp => list_to_binary(erlang:system_info(otp_release))}.

trimmed(Text) -> list_to_binary(string:trim(Text)).
