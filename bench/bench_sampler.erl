%%% Takes samples of several contenders in turn, round after round, so that what the machine does
%%% beside them falls on all alike.
%%%
%%% A contender is a process of its own from the first round to the last: it keeps its port, its node
%%% and its data, and its garbage costs no other. Each round gives it a slice of time, in which it takes
%%% as many samples as fit, three at least. The first round warms up and is not counted.
-module(bench_sampler).

-export([measure/2, stats/1, shift/2, timed/1]).

-export_type([contender/0, stats/0, results/0, effort/0]).

%% A sample is the time of `batch' calls by `batch', for what is shorter than a clock read
%% (`run' is given that number); one call otherwise. `run' may return `{sample, Ns}' when it takes the time
%% itself. `before' is not measured. `samples' takes many at once, for a program that measures.
-type contender() ::
        #{key := string(),
          open => fun(() -> State :: term()),
          run => fun((State :: term(), Batch :: pos_integer()) -> term()),
          samples => fun((Ms :: pos_integer()) -> [number()]),
          before => fun(() -> term()),
          close => fun((State :: term()) -> term()),
          batch => pos_integer()}.
%% Nanoseconds.
-type stats() :: #{min := number(), p50 := number(), p90 := number(), p99 := number(),
                   n := pos_integer()}.
-type results() :: #{Key :: string() => stats()}.
-type effort() :: #{rounds := pos_integer(), slice_ms := pos_integer()}.

-spec measure([contender()], effort()) -> results().
measure(Contenders, #{rounds := Rounds, slice_ms := SliceMs}) ->
    Workers = [{Key, start(Contender)} || #{key := Key} = Contender <- Contenders],
    _ = [ask(Worker, SliceMs) || {_, Worker} <- Workers],
    Taken = [{Key, ask(Worker, SliceMs)} || _ <- lists:seq(1, Rounds), {Key, Worker} <- Workers],
    [ask(Worker, stop) || {_, Worker} <- Workers],
    maps:from_list([{Key, stats(lists:append([Samples || {K, Samples} <- Taken, K =:= Key]))}
                    || {Key, _} <- Workers]).

start(Contender) ->
    spawn_opt(fun() ->
                      State = (maps:get(open, Contender, fun() -> none end))(),
                      serve(Contender, State)
              end, [monitor, {min_heap_size, 100_000}]).

ask({Pid, Monitor}, What) ->
    Pid ! {self(), What},
    receive
        {Pid, Answer} -> Answer;
        {'DOWN', Monitor, process, Pid, Reason} -> error({contender_ended, Reason})
    end.

serve(Contender, State) ->
    receive
        {From, stop} ->
            _ = (maps:get(close, Contender, fun(_) -> ok end))(State),
            From ! {self(), ok};
        {From, SliceMs} ->
            From ! {self(), slice(Contender, State, SliceMs)},
            erlang:garbage_collect(),
            serve(Contender, State)
    end.

slice(#{samples := Take}, _, SliceMs) ->
    Take(SliceMs);
slice(#{run := Run} = Contender, State, SliceMs) ->
    Batch = maps:get(batch, Contender, 1),
    Before = maps:get(before, Contender, fun() -> ok end),
    samples(Run, State, Batch, Before, now_ns() + SliceMs * 1000_000, []).

samples(Run, State, Batch, Before, End, Taken) ->
    _ = Before(),
    Start = now_ns(),
    Result = Run(State, Batch),
    Now = now_ns(),
    Sample = case Result of
                 {sample, Ns} -> Ns;
                 _ -> (Now - Start) / Batch
             end,
    case Now < End orelse not is_enough(Taken) of
        true -> samples(Run, State, Batch, Before, End, [Sample | Taken]);
        false -> [Sample | Taken]
    end.

is_enough([_, _ | _]) -> true;
is_enough(_) -> false.

now_ns() -> erlang:monotonic_time(nanosecond).

-spec timed(fun(() -> term())) -> Ns :: integer().
timed(Fun) ->
    Start = now_ns(),
    _ = Fun(),
    now_ns() - Start.

-spec stats([number(), ...]) -> stats().
stats(Samples) ->
    Sorted = list_to_tuple(lists:sort(Samples)),
    Size = tuple_size(Sorted),
    At = fun(Percent) -> element(min(Size, Size * Percent div 100 + 1), Sorted) end,
    #{min => At(0), p50 => At(50), p90 => At(90), p99 => At(99), n => Size}.

%% @doc The same with each figure changed: for what is measured as a difference or in parts.
-spec shift(fun((number()) -> number()), stats()) -> stats().
shift(Fun, Stats) ->
    maps:map(fun(n, N) -> N; (_, Ns) -> Fun(Ns) end, Stats).
