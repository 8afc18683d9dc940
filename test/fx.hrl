%% What every fixture module begins with: its library is opened natively or through
%% a shim, as fx:load/3 says.
-on_load(init/0).

-define(NIF, erlang:nif_error({not_loaded, ?MODULE})).

init() ->
    Result = erlang:load_nif(fx:path(?MODULE), fx:load_info(?MODULE)),
    fx:loaded(?MODULE, Result).
