%%% scale.*: many callers, few CPUs, many hosts, calls that hang. Each set-up is a node of its own; the
%%% times of all its callers are pooled.
-module(bench_scale).

-export([measure/2]).
-export([prepare/1, callers/3, hosts/2, hang/1, file_reads/1]). % on the other nodes

-define(CALLERS, [1, 2, 4, 8, 16]).
-define(BATCH, 10).
-define(HOSTS, 32).

-type figures() :: bench_sampler:results().

%% `Copies' is a directory for copies of the library.
-spec measure(bench_sampler:effort(), file:filename()) -> figures().
measure(#{rounds := Rounds, slice_ms := SliceMs}, Copies) ->
    Ms = max(200, Rounds * SliceMs div 4),
    SetUps = [{"", #{}}, {"s1.", #{args => ["+S", "1"]}}, {"cpu1.", one_cpu()}],
    lists:foldl(fun maps:merge/2, #{},
                [set_up(Prefix, Settings, Ms) || {Prefix, Settings} <- SetUps]
                ++ [on_node(#{}, fun(Node) -> call(Node, hosts, [Copies, Ms]) end),
                    on_node(#{}, fun(Node) -> hanging(Node, Ms) end)]).

one_cpu() ->
    {ok, Status} = file:read_file("/proc/self/status"),
    {match, [Cpu]} = re:run(Status, "^Cpus_allowed_list:\\s*(\\d+)",
                            [multiline, {capture, all_but_first, list}]),
    #{exec => {os:find_executable("taskset"), ["-c", Cpu, os:find_executable("erl")]}}.

set_up(Prefix, Settings, Ms) ->
    on_node(Settings,
            fun(Node) ->
                    lists:foldl(fun maps:merge/2, #{},
                                [figures(["scale.", Prefix, Way, ".", integer_to_list(Count)],
                                         call(Node, callers, [Way, Count, Ms]))
                                 || Count <- ?CALLERS, Way <- ["inproc", "cordon"]])
            end).

%% Nanoseconds per call as each caller sees it, calls in a second by all, and how much longer than asked
%% a process slept that does little.
figures(Key, {Samples, PerSecond, Stalls}) ->
    Name = lists:flatten(Key),
    Stats = bench_sampler:stats(Samples),
    #{Name => Stats#{per_s => PerSecond},
      Name ++ ".stall" => (bench_sampler:stats(Stalls))#{max => lists:max(Stalls)}}.

on_node(Settings, Fun) ->
    Node = bench_node:open_erlang(Settings#{args => maps:get(args, Settings, [])
                                                ++ ["-kernel", "logger_level", "critical"]}),
    call(Node, prepare, [filename:dirname(bench_library:file("x"))]),
    Result = Fun(Node),
    bench_node:close(Node),
    Result.

call(Node, Function, Args) ->
    erpc:call(bench_node:name(Node), ?MODULE, Function, Args).

-spec prepare(file:filename()) -> ok.
prepare(Dir) ->
    bench_library:load_all(Dir).

-spec callers(string(), pos_integer(), pos_integer()) ->
          {Samples :: [number()], PerSecond :: float(), Stalls :: [number()]}.
callers(Way, Count, Ms) ->
    Module = case Way of "inproc" -> bench_native; "cordon" -> bench_isolated end,
    _ = during(Ms div 4 + 20, Count, Module),
    during(Ms, Count, Module).

during(Ms, Count, Module) ->
    End = erlang:monotonic_time(millisecond) + Ms,
    Yielder = collector(fun() -> stalls(End, []) end),
    Callers = [collector(fun() -> batches(Module, End, []) end) || _ <- lists:seq(1, Count)],
    Samples = lists:append([collected(Caller) || Caller <- Callers]),
    {Samples, length(Samples) * ?BATCH * 1000 / Ms, collected(Yielder)}.

collector(Fun) ->
    spawn_monitor(fun() -> exit({collected, Fun()}) end).

collected({Pid, Monitor}) ->
    receive
        {'DOWN', Monitor, process, Pid, {collected, Samples}} -> Samples;
        {'DOWN', Monitor, process, Pid, Reason} -> error(Reason)
    end.

batches(Module, End, Taken) ->
    Ns = bench_sampler:timed(fun() -> Module:loop(?BATCH) end),
    case erlang:monotonic_time(millisecond) < End of
        true -> batches(Module, End, [Ns / ?BATCH | Taken]);
        false -> [Ns / ?BATCH | Taken]
    end.


stalls(End, Taken) ->
    Ns = bench_sampler:timed(fun() -> timer:sleep(1) end),
    Stall = max(0, Ns - 1_000_000),
    case erlang:monotonic_time(millisecond) < End of
        true -> stalls(End, [Stall | Taken]);
        false -> [Stall | Taken]
    end.

%% --- many hosts ------------------------------------------------------------------------------

%% One call of each host in turn.
-spec hosts(file:filename(), pos_integer()) -> figures().
hosts(Copies, Ms) ->
    Modules = bench_library:load_copies(?HOSTS, Copies),
    ?HOSTS = length(lists:usort([Module:os_pid() || Module <- Modules])),
    Alone = in_turn([hd(Modules)], Ms),
    All = in_turn(Modules, Ms),
    #{"scale.hosts.1" => bench_sampler:stats(Alone),
      "scale.hosts." ++ integer_to_list(?HOSTS) => bench_sampler:stats(All)}.

in_turn(Modules, Ms) ->
    End = erlang:monotonic_time(millisecond) + Ms,
    collected(collector(fun() -> in_turn_until(End, Modules, []) end)).

%% Hot calls of one after hot calls of the others.
in_turn_until(End, Modules, Taken) ->
    New = [begin
               ok = Module:loop(?BATCH),
               bench_sampler:timed(fun() -> Module:loop(?BATCH) end) / ?BATCH
           end || Module <- Modules],
    case erlang:monotonic_time(millisecond) < End of
        true -> in_turn_until(End, Modules, New ++ Taken);
        false -> New ++ Taken
    end.

%% --- calls that hang -------------------------------------------------------------------------

hanging(Node, Ms) ->
    Before = call(Node, file_reads, [Ms]),
    call(Node, hang, [10]),
    Beside = call(Node, file_reads, [Ms]),
    #{"scale.file_read" => bench_sampler:stats(Before),
      "scale.file_read_beside_10_hanging" => bench_sampler:stats(Beside)}.

-spec hang(pos_integer()) -> ok.
hang(Count) ->
    [spawn(fun bench_isolated:hang/0) || _ <- lists:seq(1, Count)],
    timer:sleep(200).

-spec file_reads(pos_integer()) -> [number()].
file_reads(Ms) ->
    End = erlang:monotonic_time(millisecond) + Ms,
    collected(collector(fun() -> reads(End, []) end)).

reads(End, Taken) ->
    Ns = bench_sampler:timed(fun() -> {ok, _} = file:read_file("/proc/self/stat") end),
    case erlang:monotonic_time(millisecond) < End of
        true -> reads(End, [Ns | Taken]);
        false -> [Ns | Taken]
    end.
