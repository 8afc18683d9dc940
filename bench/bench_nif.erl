%%% The Erlang side of bench_nif.c. Compiled once for each module that the library is built for (see
%%% bench_library): the same code, loaded once from the library and once from its shim.
-module(?BENCH_MODULE).

-export([add/2, add_dirty/2, os_pid/0, crash/1, sum/1, sum_dirty/1, fill/1, fill_dirty/1,
         take/1, walk/2, build/1, deflate/1, hash/1, hang/0, loop/1, loop_dirty/1]).

-on_load(init/0).

-define(NIF, erlang:nif_error(not_loaded)).

init() ->
    erlang:load_nif(persistent_term:get({?MODULE, library}), 0).

add(_A, _B) -> ?NIF.
add_dirty(_A, _B) -> ?NIF.
os_pid() -> ?NIF.
crash(_File) -> ?NIF.
sum(_Bytes) -> ?NIF.
sum_dirty(_Bytes) -> ?NIF.
fill(_Size) -> ?NIF.
fill_dirty(_Size) -> ?NIF.
take(_Term) -> ?NIF.
walk(_Term, _Times) -> ?NIF.
build(_Term) -> ?NIF.
deflate(_Bytes) -> ?NIF.
hash(_Bytes) -> ?NIF.
hang() -> ?NIF.

%% N calls, one after the other, each checked.
loop(0) -> ok;
loop(N) -> case ?MODULE:add(N, 2) of Sum when Sum =:= N + 2 -> loop(N - 1) end.

loop_dirty(0) -> ok;
loop_dirty(N) -> case ?MODULE:add_dirty(N, 2) of Sum when Sum =:= N + 2 -> loop_dirty(N - 1) end.
