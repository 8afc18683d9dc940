%%% cache_tab's ets_cache (Debian's erlang-p1-cache-tab), natively and isolated.
-module(ets_cache_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(both_ways, [same/2]).

all() ->
    [isolated, counters, wrong_counters, deleted_counters, more_than_there_is_room, counters_at_once,
     cache, expiry, max_size, missed, update_and_filter, invalidated_while_reading, increments,
     match_delete, many_caches, every_function].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    both_ways:start(Config, cache_tab, [ets_cache]).

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

%%% The library's own functions

counters(Config) ->
    same(Config, fun() ->
        {ok, C} = ets_cache:new_counter_nif(),
        ?assertEqual(0, ets_cache:get_counter_nif(C)),
        ?assertEqual(lists:seq(1, 1000), [ets_cache:incr_counter_nif(C) || _ <- lists:seq(1, 1000)]),
        ?assertEqual(1000, ets_cache:get_counter_nif(C)),
        ?assertEqual(ok, ets_cache:delete_counter_nif(C)),
        C
    end).

wrong_counters(Config) ->
    same(Config, fun() ->
        Bad = [-1, 1 bsl 32, 1 bsl 70, a, 1.0, <<>>, [], {}, self()],
        Results = [both_ways:try_all(ets_cache, F, [[B] || B <- Bad])
                   || F <- [get_counter_nif, incr_counter_nif, delete_counter_nif]],
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- lists:append(Results)],
        Results
    end).

deleted_counters(Config) ->
    same(Config, fun() ->
        {ok, C} = ets_cache:new_counter_nif(),
        ok = ets_cache:delete_counter_nif(C),
        ?assertError(badarg, ets_cache:get_counter_nif(C)),
        ?assertError(badarg, ets_cache:incr_counter_nif(C)),
        ?assertEqual(ok, ets_cache:delete_counter_nif(C))
    end).

%% The library forgets to note how many there may be (1024): one more is written past its array.
%% The VM does not survive that, a host may die of it.
more_than_there_is_room(Config) ->
    ok = both_ways:ends_the_vm(Config, ?MODULE, take_counters, [10000000]),
    Isolated = both_ways:node(Config, isolated, []),
    ?assertMatch({error, {nif_host_down, #{module := ets_cache, function := new_counter_nif,
                                           arity := 0, reason := {signal, _}}}},
                 test_node:call(Isolated, ?MODULE, take_counters, [10000000])),
    ?assertEqual({ok, 0}, test_node:call(Isolated, ets_cache, new_counter_nif, [])),
    ok = test_node:stop(Isolated).

take_counters(N) ->
    both_ways:try_call(fun() -> [{ok, _} = ets_cache:new_counter_nif() || _ <- lists:seq(1, N)] end).

counters_at_once(Config) ->
    same(Config, fun() ->
        {ok, C} = ets_cache:new_counter_nif(),
        both_ways:at_once(20, fun(_) ->
            [ets_cache:incr_counter_nif(C) || _ <- lists:seq(1, 1000)],
            ok
        end),
        ?assertEqual(20000, ets_cache:get_counter_nif(C)),
        ok = ets_cache:delete_counter_nif(C)
    end).

%%% The cache over it

cache(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(plain),
        ?assertEqual(true, ets_cache:insert(plain, key, 1)),
        ?assertEqual(false, ets_cache:insert(plain, key, 2)),
        ?assertEqual(true, ets_cache:insert_new(plain, other, 3)),
        ?assertEqual({ok, 1}, ets_cache:lookup(plain, key)),
        ?assertEqual(error, ets_cache:lookup(plain, nothing)),
        ?assertEqual({ok, read}, ets_cache:lookup(plain, third, fun() -> {ok, read} end)),
        ?assertEqual({ok, read}, ets_cache:lookup(plain, third)),
        ok = ets_cache:delete(plain, key),
        ?assertEqual(error, ets_cache:lookup(plain, key)),
        ok = ets_cache:clear(plain),
        ?assertEqual(0, ets_cache:info(plain, size)),
        Count = ets_cache:get_counter(plain),
        All = lists:sort(ets_cache:all()),
        ok = ets_cache:delete(plain),
        {Count, All, ets_cache:lookup(plain, key), ets_cache:insert(plain, key, 1)}
    end).

expiry(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(expiring, [{life_time, 50}]),
        settled(expiring),
        true = ets_cache:insert(expiring, key, 1),
        timer:sleep(80),
        ok = ets_cache:clean(expiring),
        settled(expiring),
        ?assertEqual(error, ets_cache:lookup(expiring, key)),
        Options = [ets_cache:info(expiring, O) || O <- [life_time, max_size, cache_missed, size]],
        ok = ets_cache:delete(expiring),
        Options
    end).

max_size(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(small, [{max_size, 10}]),
        settled(small),
        [true = ets_cache:insert(small, N, N) || N <- lists:seq(1, 10)],
        ets_cache:insert(small, 11, 11),
        settled(small),
        ?assert(ets_cache:info(small, size) < 11),
        ok = ets_cache:delete(small)
    end).

missed(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(missing, [{cache_missed, false}]),
        settled(missing),
        Results = [ets_cache:lookup(missing, a, fun() -> error end),
                   ets_cache:lookup(missing, b, fun() -> {error, notfound} end),
                   ets_cache:lookup(missing, c, fun() -> {nocache, {ok, 1}} end)],
        Size = ets_cache:info(missing, size),
        ok = ets_cache:setopts(missing, [{cache_missed, true}]),
        settled(missing),
        error = ets_cache:lookup(missing, a, fun() -> error end),
        {Results, Size, ets_cache:info(missing, size), ets_cache:delete(missing)}
    end).

update_and_filter(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(updated),
        settled(updated),
        Updates = [ets_cache:update(updated, N, {ok, N}, fun() -> ok end) || N <- lists:seq(1, 10)],
        Again = ets_cache:update(updated, 1, {ok, 1}, fun() -> error(not_called) end),
        Filtered = ets_cache:filter(updated, fun(_, {ok, N}) -> N rem 2 =:= 0 end),
        Sum = ets_cache:fold(fun(_, {ok, N}, Acc) -> N + Acc end, 0, updated),
        {Updates, Again, Filtered, Sum, ets_cache:get_counter(updated), ets_cache:delete(updated)}
    end).

%% That is what the counters are for: what was read before a delete may not be kept.
invalidated_while_reading(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(raced),
        settled(raced),
        Read = ets_cache:lookup(raced, key, fun() -> ets_cache:delete(raced, key), {ok, old} end),
        ?assertEqual(error, ets_cache:lookup(raced, key)),
        {Read, ets_cache:delete(raced)}
    end).

increments(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(counting),
        settled(counting),
        Before = ets_cache:get_counter(counting),
        ok = ets_cache:incr(counting, key, 5),
        ?assertEqual(Before + 1, ets_cache:get_counter(counting)),
        ?assertEqual(Before + 2, ets_cache:incr_counter(counting)),
        ok = ets_cache:delete(counting)
    end).

match_delete(Config) ->
    same(Config, fun() ->
        ok = ets_cache:new(matched),
        settled(matched),
        [true = ets_cache:insert(matched, {N rem 2, N}, N) || N <- lists:seq(1, 10)],
        ok = ets_cache:match_delete(matched, {0, '_'}),
        {ets_cache:info(matched, size), ets_cache:delete(matched)}
    end).

many_caches(Config) ->
    same(Config, fun() ->
        Names = [list_to_atom("cache_" ++ integer_to_list(N)) || N <- lists:seq(1, 50)],
        [ok = ets_cache:new(Name) || Name <- Names],
        Results = both_ways:at_once(50, fun(N) ->
            Name = lists:nth(N, Names),
            [begin
                 true = ets_cache:insert(Name, I, I),
                 ok = ets_cache:delete(Name, I)
             end || I <- lists:seq(1, 40)],
            ets_cache:get_counter(Name)
        end),
        ?assertEqual(lists:duplicate(50, {ok, 40}), Results),
        [ok = ets_cache:delete(Name) || Name <- Names]
    end).

every_function(Config) ->
    both_ways:every_function(Config).

%% All casts and messages that the cache's process was sent are served.
settled(Name) ->
    ok = gen_server:call(Name, anything).
