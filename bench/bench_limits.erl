%%% limit.*: what this machine can do at best, without a VM; see limits.cpp.
-module(bench_limits).

-export([contenders/1]).

%% @doc The sizes are those of which copies are measured.
-spec contenders([{Name :: string(), Bytes :: pos_integer()}]) -> [bench_sampler:contender()].
contenders(Sizes) ->
    [program("limit.spin_rtt", fun(Ms) -> ["spin ", integer_to_list(Ms * 50)] end),
     %% 2 ms idle before each.
     program("limit.futex_rtt", fun(Ms) -> ["futex ", integer_to_list(max(3, Ms div 2))] end)
     | [program("limit.memcpy." ++ Name,
                fun(Ms) ->
                        Count = max(3, min(5000, Ms * 5_000_000 div Bytes)),
                        ["memcpy ", integer_to_list(Count), " ", integer_to_list(Bytes)]
                end)
        || {Name, Bytes} <- Sizes]].

program(Key, Arguments) ->
    #{key => Key,
      samples => fun(Ms) ->
                         Out = os:cmd(["'", bench_library:file("limits"), "' ", Arguments(Ms)]),
                         [list_to_float(Line) || Line <- string:lexemes(Out, "\n")]
                 end}.
