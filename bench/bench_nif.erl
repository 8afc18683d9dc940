%%% The Erlang side of bench_nif.c. Compiled twice, as `bench_native' and as
%%% `bench_isolated' (see cordon_bench:load/2): the same code, loaded once from the
%%% library and once from its shim.
-module(?BENCH_MODULE).

-export([add/2, add_dirty/2, os_pid/0, crash/1, loop/1, loop_dirty/1]).

-on_load(init/0).

init() ->
    erlang:load_nif(persistent_term:get({?MODULE, library}), 0).

add(_A, _B) -> erlang:nif_error(not_loaded).
add_dirty(_A, _B) -> erlang:nif_error(not_loaded).
os_pid() -> erlang:nif_error(not_loaded).
crash(_File) -> erlang:nif_error(not_loaded).

%% N calls, one after the other, each checked.
loop(0) -> ok;
loop(N) -> case ?MODULE:add(N, 2) of Sum when Sum =:= N + 2 -> loop(N - 1) end.

loop_dirty(0) -> ok;
loop_dirty(N) -> case ?MODULE:add_dirty(N, 2) of Sum when Sum =:= N + 2 -> loop_dirty(N - 1) end.
