%%% A module with a NIF library, as everybody writes them: nothing here knows of cordon.
-module(shaky).

-export([sum/1, crash/0, process/0]).

-on_load(init/0).

init() ->
    erlang:load_nif(filename:join(code:priv_dir(shaky), "shaky"), 0).

-spec sum([integer()]) -> integer().
sum(_Numbers) ->
    erlang:nif_error(not_loaded).

%% @doc Writes to where nothing is. Without cordon this is the end of the VM.
-spec crash() -> no_return().
crash() ->
    erlang:nif_error(not_loaded).

%% @doc The process of the operating system that the library runs in.
-spec process() -> pos_integer().
process() ->
    erlang:nif_error(not_loaded).
