%%% What the suites of enif_select share: descriptors, selecting them, and what was told. The
%%% fixture is fx_select; it is loaded with ?DATA.
-module(selecting).

-export([init_group/2, end_group/0]).
-export([load/1, modes/0, source/1, a_file/0, piped/0, piped/1, paired/0, fresh/1, select/3,
         stop/2, stop/3, stop/4, close/1, drain/1, next/0, quiet/0, flush/1, told/0]).

-include_lib("stdlib/include/assert.hrl").
-include("selecting.hrl").

init_group(Mode, Config) ->
    ok = load([{mode, Mode} | Config]),
    both_modes:init_group(Mode, Config).

end_group() ->
    drop_barrier(),
    fx:unload(fx_select).

load(Config) ->
    drop_barrier(),
    ok = fx:load(proplists:get_value(mode, Config), fx_select, #{info => ?DATA}),
    {Barrier, R, W} = piped(0),
    1 = fx_select:write(W, "x"),
    persistent_term:put({?MODULE, barrier}, {Barrier, R, W}),
    ok.

drop_barrier() ->
    case persistent_term:get({?MODULE, barrier}, none) of
        none ->
            ok;
        {Barrier, R, W} ->
            _ = quiet(),
            _ = persistent_term:erase({?MODULE, barrier}),
            ?STOP_CALLED = select(Barrier, R, ?STOP), % who made it is gone: nobody is told
            close([R, W])
    end.

modes() ->
    [?READ, ?WRITE, ?ERROR, ?READ bor ?WRITE, ?READ bor ?ERROR, ?WRITE bor ?ERROR,
     ?READ bor ?WRITE bor ?ERROR].

source(Number) ->
    fx_select:source(source, Number, 0).

a_file() ->
    fx:library(fx_select) ++ ".so".

piped() ->
    piped(1).

piped(Number) ->
    {R, W} = fx_select:pipe(),
    {source(Number), R, W}.

paired() ->
    {A, B} = fx_select:socket_pair(),
    {source(1), A, B}.

%% What a case leaves of a descriptor that was closed too early, or stopped while an error was
%% waited for, the VM finds again when the number comes back: here none does.
fresh({Source, Fd, Other}) ->
    {Source, fresh(Fd), Other};
fresh(Fd) ->
    Number = new_number(),
    Number = fx_select:duplicate(Fd, Number),
    0 = fx_select:close(Fd),
    Number.

%% They are counted over all suites: natively the VM is the same one.
new_number() ->
    case persistent_term:get({?MODULE, numbers}, none) of
        none ->
            persistent_term:put({?MODULE, numbers}, counters:new(1, [])),
            new_number();
        Numbers ->
            ok = counters:add(Numbers, 1, 1),
            300 + counters:get(Numbers, 1)
    end.

select(Source, Fd, Mode) ->
    fx_select:select(Source, Fd, Mode, null, undefined).

%% Stops the first of these descriptors, and closes all.
stop(Source, Fds) ->
    stop(Source, Fds, ?STOP_CALLED).

stop(Source, Fds, Result) ->
    stop(Source, Fds, Result, 1).

stop(Source, [Fd | _] = Fds, Result, Number) ->
    ?assertEqual(Result, select(Source, Fd, ?STOP) band (Result bor 3)),
    {stopped, Number, Fd, _, _, false, ?DATA, 0} = next(),
    close(Fds).

close(Fds) ->
    [0 = fx_select:close(Fd) || Fd <- Fds],
    ok.

drain(Fd) ->
    case fx_select:read(Fd) of
        <<_, _/binary>> -> drain(Fd);
        _ -> ok
    end.

next() ->
    receive Message -> Message after 5000 -> error(no_message) end.

%% All messages until nothing is under way. Events come in order, so what has happened before the
%% barrier was selected is told before it. Of files another thread of the VM tells.
quiet() ->
    {Barrier, R, _} = persistent_term:get({?MODULE, barrier}),
    Ref = make_ref(),
    0 = fx_select:select(Barrier, R, ?READ, null, Ref),
    Before = until(Ref),
    Before ++ flush(20).

until(Ref) ->
    receive
        {select, _, Ref, ready_input} -> [];
        Message -> [Message | until(Ref)]
    after 10000 ->
            error(no_barrier)
    end.

flush(Ms) ->
    receive Message -> [Message | flush(Ms)] after Ms -> [] end.

%% What quiet/0 gives, of events the kind alone.
told() ->
    [case Message of
         {select, _, _, Event} -> Event;
         _ -> Message
     end || Message <- quiet()].
