%%% Sees what is logged, and what goes to standard error.
-module(fx_log).

-export([install/0, remove/0, wait/1, text/1, log/2]).
-export([capture_standard_error/0, captured/0]).

-spec install() -> ok.
install() ->
    logger:add_handler(?MODULE, ?MODULE, #{config => #{pid => self()}, level => all}).

-spec remove() -> ok.
remove() ->
    logger:remove_handler(?MODULE).

-spec log(logger:log_event(), logger:handler_config()) -> ok.
log(Event, #{config := #{pid := Pid}}) ->
    Pid ! {?MODULE, Event},
    ok.

%% @doc Waits for one event that is wanted, and returns all of those that came by then
%% and a little later.
-spec wait(fun((logger:log_event()) -> boolean())) -> [logger:log_event()].
wait(Wanted) ->
    wait(Wanted, 5000).

wait(Wanted, Ms) ->
    receive
        {?MODULE, Event} ->
            case Wanted(Event) of
                true -> [Event | wait(Wanted, 200)];
                false -> wait(Wanted, Ms)
            end
    after Ms ->
            []
    end.

-spec text(logger:log_event()) -> string().
text(Event) ->
    lists:flatten(logger_formatter:format(Event, #{single_line => false})).

%% @doc Takes the place of the device standard_error in this node.
-spec capture_standard_error() -> ok.
capture_standard_error() ->
    Pid = spawn(fun() -> device(<<>>) end),
    true = unregister(standard_error),
    true = register(standard_error, Pid),
    ok.

-spec captured() -> binary().
captured() ->
    standard_error ! {captured, self()},
    receive {?MODULE, captured, Data} -> Data end.

device(Data) ->
    receive
        {io_request, From, As, {put_chars, unicode, Chars}} ->
            From ! {io_reply, As, ok},
            device(<<Data/binary, (unicode:characters_to_binary(Chars))/binary>>);
        {io_request, From, As, _} ->
            From ! {io_reply, As, {error, enotsup}},
            device(Data);
        {captured, Pid} ->
            Pid ! {?MODULE, captured, Data},
            device(Data)
    end.
