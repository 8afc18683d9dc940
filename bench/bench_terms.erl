%%% terms.*: what it costs to pass a term, per heap word, beside what a library does with a term of the
%%% VM's own anyway: look at all of it (limit.walk_ns_word), build it anew (limit.build_ns_word).
-module(bench_terms).

-export([measure/1]).

-define(LANGUAGES, "/usr/share/iso-codes/json/iso_639-3.json").

-spec measure(bench_sampler:effort()) -> bench_sampler:results().
measure(Effort) ->
    Terms = terms(),
    Measured = bench_sampler:measure(lists:append([contenders(Name, Term) || {Name, Term} <- Terms]),
                                     Effort),
    PerWord = maps:map(fun("terms." ++ Rest, Stats) ->
                               {_, Term} = lists:keyfind(hd(string:lexemes(Rest, ".")), 1, Terms),
                               Words = erts_debug:flat_size(Term),
                               bench_sampler:shift(fun(Ns) -> Ns / Words end, Stats)
                       end, Measured),
    #{"terms.json.walk" := Walk, "terms.json.build" := Build} = PerWord,
    PerWord#{"limit.walk_ns_word" => Walk, "limit.build_ns_word" => Build}.

%% The tree is that of a real file of 0.9 MB.
terms() ->
    {ok, Languages} = file:read_file(?LANGUAGES),
    [{"list", lists:seq(1, 100_000)},
     {"map", maps:from_list([{<<"key ", (integer_to_binary(N))/binary>>, N}
                             || N <- lists:seq(1, 1000)])},
     {"json", jiffy:decode(Languages, [return_maps])}].

contenders(Name, Term) ->
    Key = fun(What) -> lists:concat(["terms.", Name, ".", What]) end,
    Words = erts_debug:flat_size(Term),
    %% A call's own time, which is not the term's, is below a hundredth of what is measured here but
    %% for the map.
    Times = max(3, 30_000 div Words),
    [#{key => Key(walk), run => fun(_, _) -> walk(bench_native, Term, Times) end},
     #{key => Key(host_walk), run => fun(_, _) -> walk(bench_isolated, Term, Times) end},
     #{key => Key(build), run => fun(_, _) -> build(bench_native, Term) end},
     #{key => Key(host_build), run => fun(_, _) -> build(bench_isolated, Term) end},
     #{key => Key(export), run => fun(_, _) -> 0 = bench_isolated:take(Term) end},
     #{key => Key(import), run => fun(_, _) -> import(Term) end}].

%% The last of some walks: the term is warm.
walk(Module, Term, Times) ->
    {Ns, _} = Module:walk(Term, Times),
    {sample, Ns}.

%% Without the walk that it begins with.
build(Module, Term) ->
    {WalkNs, _} = Module:walk(Term, 2),
    {Ns, _} = Module:build(Term),
    {sample, max(0, Ns - WalkNs)}.

%% What is left of a call without what it does in the host and the way of the argument.
import(Term) ->
    Export = bench_sampler:timed(fun() -> bench_isolated:take(Term) end),
    Start = erlang:monotonic_time(nanosecond),
    {InHost, _} = bench_isolated:build(Term),
    {sample, max(0, erlang:monotonic_time(nanosecond) - Start - InHost - Export)}.
