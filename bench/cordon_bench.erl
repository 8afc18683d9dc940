%%% Measures what isolation costs, beside what it would be compared with, in one run.
%%% Everything is in nanoseconds unless a name says otherwise. `bench/run' starts it;
%%% the demo takes its small table from here too.
-module(cordon_bench).

-export([main/0, prepare/1, calls/1, print/1]).
-export([add/2]). % called through erpc

-define(BATCH, 100).

-type stats() :: #{min := number(), p50 := number(), p90 := number(), p99 := number()}.
-type row() :: {Name :: string(), stats()}.

%% @doc Entry of `bench/run'; the arguments after `-extra' choose the parts.
-spec main() -> no_return().
main() ->
    Parts = case init:get_plain_arguments() of
                [] -> ["limits", "calls", "parked", "life", "memory"];
                Given -> Given
            end,
    try
        _ = logger:set_primary_config(level, none), % crashes here are on purpose
        ok = prepare(bench_dir()),
        lists:foreach(fun part/1, Parts),
        halt(0)
    catch
        Class:Reason:Stack ->
            io:format(standard_error, "bench failed: ~p~n", [{Class, Reason, Stack}]),
            halt(1)
    end.

part("limits") -> print({"Raw limits: two processes, shared memory", limits()});
part("calls") -> print({"Calls one after the other: add(1, 2), per call of batches of 100",
                        calls(5000)});
part("parked") -> print({"Calls with 2 ms idle before each", parked(1000)});
part("life") -> print({"A host's life", life(40)});
part("memory") -> memory();
part(Other) -> error({unknown_part, Other, expected, [limits, calls, parked, life, memory]}).

bench_dir() ->
    filename:absname(os:getenv("CORDON_BENCH_DIR", "build/bench")).

%% @doc Loads the bench library both ways. `Dir' has the files that CMake built.
-spec prepare(file:filename()) -> ok.
prepare(Dir) ->
    persistent_term:put({?MODULE, dir}, Dir),
    {ok, _} = application:ensure_all_started(cordon),
    Source = filename:join(filename:dirname(code:which(?MODULE)), "bench_nif.erl"),
    ok = load(bench_native, Source, file("bench_native")),
    ok = load(bench_isolated, Source, cordon:shim(file("bench_isolated"))),
    true = bench_native:os_pid() =:= list_to_integer(os:getpid()),
    true = bench_isolated:os_pid() =/= list_to_integer(os:getpid()),
    ok.

file(Name) ->
    filename:join(persistent_term:get({?MODULE, dir}), Name).

load(Module, Source, Library) ->
    persistent_term:put({Module, library}, Library),
    {ok, Module, Code} = compile:file(Source, [binary, {d, 'BENCH_MODULE', Module}]),
    case code:load_binary(Module, Source, Code) of
        {module, Module} -> ok;
        {error, Reason} -> error({load, Module, Library, Reason})
    end.

%% --- limits --------------------------------------------------------------------------------

-spec limits() -> [row()].
limits() ->
    Names = #{"spin" => "spin ping-pong", "futex" => "futex ping-pong, 2 ms idle"},
    Lines = string:lexemes(os:cmd("'" ++ file("limits") ++ "'"), "\n"),
    [begin
         [Name | Numbers] = string:lexemes(Line, " "),
         [Min, P50, P90, P99] = [list_to_integer(N) || N <- Numbers],
         {maps:get(Name, Names), #{min => Min, p50 => P50, p90 => P90, p99 => P99}}
     end || Line <- Lines].

%% --- calls one after the other -------------------------------------------------------------

%% @doc `Batches' is for the short calls; the slow ones take fewer.
-spec calls(pos_integer()) -> [row()].
calls(Batches) ->
    [{"NIF, in process", alone(fun() -> batches(Batches, fun bench_native:loop/1) end)},
     {"NIF, isolated (hot)", alone(fun() -> batches(Batches, fun bench_isolated:loop/1) end)},
     {"dirty NIF, in process",
      alone(fun() -> batches(Batches div 5, fun bench_native:loop_dirty/1) end)},
     {"dirty NIF, isolated",
      alone(fun() -> batches(Batches div 5, fun bench_isolated:loop_dirty/1) end)},
     {"port (C program)", alone(fun() -> with_port(Batches div 10) end)},
     {"another node (erpc)", alone(fun() -> with_node(Batches div 25) end)}].

with_port(Batches) ->
    Port = open_port({spawn_executable, file("port_echo")}, [{packet, 2}, binary]),
    Result = batches(Batches, fun(N) -> port_loop(Port, N) end),
    true = port_close(Port),
    Result.

port_loop(_Port, 0) ->
    ok;
port_loop(Port, N) ->
    true = port_command(Port, <<N:64/native-signed, 2:64/native-signed>>),
    receive {Port, {data, <<Sum:64/native-signed>>}} when Sum =:= N + 2 -> ok end,
    port_loop(Port, N - 1).

%% The other node is this VM's twin with this module on its code path, on this machine.
with_node(Batches) ->
    {ok, Peer, Node} = peer:start_link(#{name => peer:random_name(), host => "127.0.0.1",
                                         longnames => true,
                                         args => ["-pa", filename:dirname(code:which(?MODULE))]}),
    Result = batches(Batches, fun(N) -> erpc_loop(Node, N) end),
    peer:stop(Peer),
    Result.

erpc_loop(_Node, 0) ->
    ok;
erpc_loop(Node, N) ->
    case erpc:call(Node, ?MODULE, add, [N, 2]) of
        Sum when Sum =:= N + 2 -> erpc_loop(Node, N - 1)
    end.

-spec add(integer(), integer()) -> integer().
add(A, B) -> A + B.

batches(Count, Loop) ->
    [ok = Loop(?BATCH) || _ <- lists:seq(1, max(2, Count div 10))],
    stats([timed(fun() -> Loop(?BATCH) end) / ?BATCH || _ <- lists:seq(1, max(10, Count))]).

%% --- calls after idling --------------------------------------------------------------------

parked(Count) ->
    [{Name, alone(fun() -> single(Count, Fun) end)}
     || {Name, Fun} <- [{"NIF, in process", fun() -> bench_native:add(1, 2) end},
                        {"NIF, isolated (parked)", fun() -> bench_isolated:add(1, 2) end}]].

single(Count, Fun) ->
    stats([begin timer:sleep(2), timed(Fun) end || _ <- lists:seq(1, Count)]).

%% --- a host's life -------------------------------------------------------------------------

%% Each round kills the host twice: once from outside, with the machine given time to notice,
%% then by a crash of the library itself, which tells when it happened.
life(Rounds) ->
    Samples = [round_of_life() || _ <- lists:seq(1, Rounds)],
    {Starts, Errors, Answers, Confined} = unzip4(Samples),
    [{"host start to first answered call", stats(Starts)},
     {"of that: to confine the host (guard)", stats(Confined)},
     {"crash to the caller's error", stats(Errors)},
     {"crash to the next answer", stats(Answers)}].

round_of_life() ->
    #{host := Host} = isolated_host(),
    ok = cordon_nif:stop_host(Host),
    timer:sleep(60),
    Start = timed(fun() -> 3 = bench_isolated:add(1, 2) end),
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
    {Start, ErrorAt - CrashAt, AnswerAt - CrashAt, Confined}.

unzip4(Tuples) ->
    list_to_tuple([[element(N, Tuple) || Tuple <- Tuples] || N <- [1, 2, 3, 4]]).

isolated_host() ->
    [Host] = [H || #{module := bench_isolated} = H <- cordon_nif:hosts()],
    Host.

%% --- memory --------------------------------------------------------------------------------

memory() ->
    3 = bench_isolated:add(1, 2),
    timer:sleep(300),
    #{os_pid := Host} = isolated_host(),
    io:format("~nPrivate memory (Private_Clean + Private_Dirty of smaps_rollup)~n"
              "  idle host  ~8w kB~n  keeper     ~8w kB~n",
              [private_kb(Host), private_kb(cordon_nif:keeper())]).

private_kb(OsPid) ->
    {ok, Text} = file:read_file(io_lib:format("/proc/~w/smaps_rollup", [OsPid])),
    {match, Found} = re:run(Text, "^Private_(?:Clean|Dirty): +(\\d+) kB",
                            [global, multiline, {capture, all_but_first, list}]),
    lists:sum([list_to_integer(Kb) || [Kb] <- Found]).

%% --- helpers -------------------------------------------------------------------------------

%% In a process of its own, so that the garbage of one part costs no other.
alone(Fun) ->
    {Pid, Ref} = spawn_opt(fun() -> exit({alone, Fun()}) end,
                           [monitor, {min_heap_size, 100_000}]),
    receive
        {'DOWN', Ref, process, Pid, {alone, Result}} -> Result;
        {'DOWN', Ref, process, Pid, Reason} -> error(Reason)
    end.

timed(Fun) ->
    Start = erlang:monotonic_time(nanosecond),
    _ = Fun(),
    erlang:monotonic_time(nanosecond) - Start.

-spec stats([number()]) -> stats().
stats(Samples) ->
    Sorted = list_to_tuple(lists:sort(Samples)),
    Size = tuple_size(Sorted),
    At = fun(Percent) -> element(min(Size, Size * Percent div 100 + 1), Sorted) end,
    #{min => At(0), p50 => At(50), p90 => At(90), p99 => At(99)}.

-spec print({Title :: string(), [row()]}) -> ok.
print({Title, Rows}) ->
    io:format("~n~ts~n  ~-36s~12s~12s~12s~12s~n", [Title, "", "min", "p50", "p90", "p99"]),
    [io:format("  ~-36ts~12s~12s~12s~12s~n",
               [Name | [time(maps:get(Key, Stats)) || Key <- [min, p50, p90, p99]]])
     || {Name, Stats} <- Rows],
    ok.

time(Ns) when Ns < 1.0e6 -> io_lib:format("~.3f us", [Ns / 1000]);
time(Ns) -> io_lib:format("~.2f ms", [Ns / 1.0e6]).
