%%% Load, upgrade, unload and their order: see fixtures/fx_life.h.
-module(fx_life).

-on_load(init/0).

-export([variant/0, value/0, statics/0, os_pid/0, new_resource/2, resource/2,
         wait_ms/1, wait_later/2, wait_for_file/1]).
-export([load_nif/2, serve/0, fun_of_value/0, again/2]).

-define(NIF, erlang:nif_error({not_loaded, ?MODULE})).

%% When it is loaded: `load' its library, `skip' that, or load it and call a fun whose result is
%% that of on_load.
init() ->
    case persistent_term:get({?MODULE, on_load}, load) of
        skip ->
            fx:loaded(?MODULE, ok);
        What ->
            Result = erlang:load_nif(fx:path(?MODULE), fx:load_info(?MODULE)),
            _ = fx:loaded(?MODULE, Result),
            case What of
                load -> Result;
                _ -> What()
            end
    end.

load_nif(Path, Info) ->
    erlang:load_nif(Path, Info).

%% A process that runs this instance of the module until it is told to stop.
serve() ->
    receive
        {From, value} -> From ! {self(), value()};
        {From, variant} -> From ! {self(), variant()};
        {From, {wait_ms, Ms}} -> From ! {self(), wait_ms(Ms)};
        {From, {load_nif, Path, Info}} -> From ! {self(), erlang:load_nif(Path, Info)};
        {From, {new_resource, Type, Value}} -> From ! {self(), new_resource(Type, Value)}
    end,
    serve().

%% Goes on with this instance.
again(Thing, How) ->
    _ = case How of
            wait -> wait_ms(2);
            later -> wait_later(2, 1);
            resource -> resource(thing, Thing)
        end,
    again(Thing, How).

fun_of_value() ->
    Self = self(),
    fun() -> {Self, value()} end.

variant() -> ?NIF.
value() -> ?NIF.
statics() -> ?NIF.
os_pid() -> ?NIF.
new_resource(_, _) -> ?NIF.
resource(_, _) -> ?NIF.
wait_ms(_) -> ?NIF.
wait_later(_, _) -> ?NIF.
wait_for_file(_) -> ?NIF.
