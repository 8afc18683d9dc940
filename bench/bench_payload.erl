%%% arg.*: a binary argument whose bytes are all read. result.*: a binary result.
-module(bench_payload).

-export([sizes/0, ways/1, contenders/1]).

-spec sizes() -> [{Name :: string(), Bytes :: pos_integer()}].
sizes() ->
    [{"64B", 64}, {"4kB", 4096}, {"64kB", 65536}, {"1MB", 1 bsl 20}, {"16MB", 16 bsl 20}].

-spec ways(arg | result) -> [bench_way:way()].
ways(arg) -> bench_way:all();
ways(result) -> bench_way:all() ++ [zero_copy].

-spec contenders(bench_way:nodes()) -> [bench_sampler:contender()].
contenders(Nodes) ->
    [contender(What, Size, Way, Nodes) || What <- [arg, result], Size <- sizes(), Way <- ways(What)].

contender(What, {Name, Bytes}, Way, Nodes) ->
    #{key => lists:concat([What, ".", Name, ".", Way]),
      batch => if Bytes =< 4096 -> 10; true -> 1 end,
      open => fun() -> {bench_way:open(Way, Nodes), payload(What, Bytes)} end,
      run => fun({State, Payload}, Batch) -> again(What, Way, State, Payload, Batch) end,
      close => fun({State, _}) -> bench_way:close(Way, State) end}.

payload(arg, Bytes) -> binary:copy(<<3>>, Bytes);
payload(result, Bytes) -> Bytes.

again(_, _, _, _, 0) ->
    ok;
again(arg, Way, State, Bytes, N) ->
    Sum = bench_way:take(Way, State, Bytes),
    true = Sum > 0,
    again(arg, Way, State, Bytes, N - 1);
again(result, Way, State, Size, N) ->
    Size = byte_size(bench_way:give(Way, State, Size)),
    again(result, Way, State, Size, N - 1).
