%%% enif_select natively and isolated: what fires, cancel and stop, and many of each.
-module(conformance_select_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include("selecting.hrl").

-import(selecting, [close/1, drain/1, flush/1, fresh/1, modes/0, next/0, paired/0, piped/0,
                    quiet/0, select/3, source/1, stop/2, stop/4]).

-define(EVENTS, 100000).

-define(CASES,
        [read, write, both, ready_at_once, one_shot, reference, any_ref, other_process, cancel,
         cancel_after_event, cancel_bits, select_again_replaces, stop, stop_cancels,
         stop_of_unknown, stop_in_each_thread, stop_callback_selects, stop_while_event_pending,
         many_descriptors, many_in_a_row, order, racing_stops]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 120}}].
init_per_group(Mode, Config) -> selecting:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> selecting:end_group().

%%% What fires

read(_) ->
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    [] = quiet(),
    1 = fx_select:write(W, "x"),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    stop(Source, [R, W]).

write(_) ->
    {Source, R, W} = piped(),
    0 = select(Source, W, ?WRITE),
    ?assertEqual({select, Source, undefined, ready_output}, next()),
    true = fx_select:fill(W) > 0,
    0 = select(Source, W, ?WRITE),
    [] = quiet(),
    drain(R),
    ?assertEqual({select, Source, undefined, ready_output}, next()),
    stop(Source, [R, W]).

both(_) ->
    {Source, A, B} = paired(),
    0 = select(Source, A, ?READ bor ?WRITE),
    ?assertEqual({select, Source, undefined, ready_output}, next()),
    1 = fx_select:write(B, "x"),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    0 = select(Source, A, ?READ bor ?WRITE),
    ?assertEqual([{select, Source, undefined, ready_input},
                  {select, Source, undefined, ready_output}], [next(), next()]),
    stop(Source, [A, B]).

ready_at_once(_) ->
    {Source, R, W} = piped(),
    5 = fx_select:write(W, "hello"),
    0 = select(Source, R, ?READ),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    <<"hello">> = fx_select:read(R),
    0 = select(Source, R, ?READ),
    [] = quiet(),
    stop(Source, [R, W]).

one_shot(_) ->
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    1 = fx_select:write(W, "x"),
    {select, Source, undefined, ready_input} = next(),
    1 = fx_select:write(W, "y"),
    ?assertEqual([], quiet()),
    0 = select(Source, R, ?READ),
    {select, Source, undefined, ready_input} = next(),
    stop(Source, [R, W]).

reference(_) ->
    {Source, R, W} = piped(),
    Ref = make_ref(),
    0 = fx_select:select(Source, R, ?READ, null, Ref),
    1 = fx_select:write(W, "x"),
    receive {select, Source, Ref, ready_input} -> ok after 5000 -> error(no_event) end,
    stop(Source, [R, W]).

%% More than the manual allows.
any_ref(_) ->
    {Source, R, W} = piped(),
    1 = fx_select:write(W, "x"),
    [begin
         0 = fx_select:select(Source, R, ?READ, null, Ref),
         ?assertEqual({select, Source, Ref, ready_input}, next())
     end || Ref <- [foo, 17, self(), [], {a, <<"b">>}, "abc", Source]],
    stop(Source, [R, W]).

other_process(_) ->
    {Source, R, W} = piped(),
    Self = self(),
    Pid = spawn_link(fun() -> Self ! {got, next()} end),
    0 = fx_select:select(Source, R, ?READ, Pid, undefined),
    1 = fx_select:write(W, "x"),
    ?assertEqual({got, {select, Source, undefined, ready_input}}, next()),
    stop(Source, [R, W]).

%%% Cancel

cancel(_) ->
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    ?READ_CANCELLED = select(Source, R, ?CANCEL bor ?READ),
    0 = select(Source, R, ?CANCEL bor ?READ),
    1 = fx_select:write(W, "x"),
    ?assertEqual([], quiet()),
    0 = select(Source, R, ?READ),
    {select, Source, undefined, ready_input} = next(),
    stop(Source, [R, W]).

cancel_after_event(_) ->
    {Source, R, W} = piped(),
    1 = fx_select:write(W, "x"),
    0 = select(Source, R, ?READ),
    {select, Source, undefined, ready_input} = next(),
    0 = select(Source, R, ?CANCEL bor ?READ),
    stop(Source, [R, W]).

cancel_bits(Config) ->
    {Source, A, B} = paired(),
    fx_select:fill(A),
    Results = [{Mode, Cancel, select(Source, A, Mode), select(Source, A, ?CANCEL bor Cancel),
                select(Source, A, ?CANCEL bor ?READ bor ?WRITE bor ?ERROR)}
               || Mode <- modes(), Cancel <- [0 | modes()]],
    [] = quiet(),
    fx:same(Config, cancel_bits, Results),
    stop(Source, [A, B]).

%% Of two selects of the same event the last one counts.
select_again_replaces(_) ->
    {Source, R, W} = piped(),
    Self = self(),
    Pid = spawn_link(fun() -> Self ! {got, next()} end),
    0 = select(Source, R, ?READ),
    0 = fx_select:select(Source, R, ?READ, Pid, again),
    1 = fx_select:write(W, "x"),
    ?assertEqual([{got, {select, Source, again, ready_input}}], [next() | quiet()]),
    stop(Source, [R, W]).

%%% Stop

stop(_) ->
    {Source, R, W} = piped(),
    1 = fx_select:write(W, "x"),
    0 = select(Source, R, ?READ),
    {select, Source, undefined, ready_input} = next(),
    ?assertEqual(?STOP_CALLED, select(Source, R, ?STOP)),
    %% By the caller, on its thread, with the environment of no process.
    ?assertEqual({stopped, 1, R, 1, 1, false, ?DATA, 0}, next()),
    close([R, W]).

stop_cancels(_) ->
    [begin
         {Source, A, B} = fresh(paired()),
         fx_select:fill(A),
         0 = select(Source, A, Mode),
         ?assertEqual(?STOP_CALLED bor cancelled(Mode), select(Source, A, ?STOP)),
         {stopped, 1, A, 1, 1, false, ?DATA, 0} = next(),
         1 = fx_select:write(B, "x"),
         close([A, B])
     end || Mode <- modes()],
    ?assertEqual([], quiet()).

%% The callback is called all the same.
stop_of_unknown(_) ->
    {Source, R, W} = piped(),
    [begin
         ?assertEqual(?STOP_CALLED, select(Source, Fd, ?STOP bor Mode)),
         ?assertEqual({stopped, 1, Fd, 1, 1, false, ?DATA, 0}, next())
     end || Fd <- [R, W, R, 900], Mode <- [0, ?READ, ?CANCEL bor ?WRITE]],
    close([R, W]).

stop_in_each_thread(_) ->
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    17 = fx_select:select_dirty(Source, R, ?STOP, null, undefined),
    {stopped, 1, R, 1, 3, false, ?DATA, 0} = next(),
    0 = select(Source, R, ?READ),
    17 = fx_select:select_in_thread(Source, R, ?STOP, self()),
    {stopped, 1, R, 1, 0, false, ?DATA, 0} = next(),
    close([R, W]).

stop_callback_selects(_) ->
    {R, W} = fx_select:pipe(),
    Again = fx_select:source(source, 3, 3),
    0 = select(Again, R, ?READ),
    17 = select(Again, R, ?STOP),
    {stopped, 3, R, 1, 1, false, ?DATA, 0} = next(),
    1 = fx_select:write(W, "x"),
    ?assertEqual({select, Again, undefined, ready_input}, next()),
    {Helper, R2, W2} = piped(),
    Source = fx_select:source(source, 4, 2),
    ok = fx_select:helper(Source, Helper, R2),
    0 = select(Source, W, ?READ),
    17 = select(Source, W, ?STOP),
    {stopped, 4, W, 1, 1, false, ?DATA, 0} = next(),
    1 = fx_select:write(W2, "x"),
    ?assertEqual({select, Helper, undefined, ready_input}, next()),
    stop(Helper, [R2, W2]),
    %% It would select again for ever.
    Other = fx_select:source(other, 5, 0),
    0 = select(Other, R, ?READ),
    {select, Other, undefined, ready_input} = next(),
    stop(Other, [R, W], ?STOP_CALLED, 5).

%% The event is there, nobody knows whether it was told: what the call says is true.
stop_while_event_pending(_) ->
    [begin
         {Source, R, W} = piped(),
         0 = select(Source, R, ?READ),
         1 = fx_select:write(W, "x"),
         [erlang:yield() || _ <- lists:seq(1, N rem 7)],
         Messages = case select(Source, R, ?STOP) of
                        ?STOP_CALLED -> [stopped, select];
                        17 -> [stopped]
                    end,
         ?assertEqual(Messages, lists:sort(fun(A, B) -> A >= B end,
                                           [element(1, next()) || _ <- Messages])),
         close([R, W])
     end || N <- lists:seq(1, 200)],
    ?assertEqual([], quiet()).

%%% Many

many_descriptors(_) ->
    Source = source(1),
    Pipes = maps:from_list([{make_ref(), fx_select:pipe()} || _ <- lists:seq(1, 100)]),
    maps:foreach(fun(Ref, {R, _}) -> 0 = fx_select:select(Source, R, ?READ, null, Ref) end, Pipes),
    [] = quiet(),
    maps:foreach(fun(_, {_, W}) -> 1 = fx_select:write(W, "x") end, Pipes),
    Refs = [receive {select, Source, Ref, ready_input} -> Ref after 5000 -> error(no_event) end
            || _ <- maps:to_list(Pipes)],
    ?assertEqual(lists:sort(maps:keys(Pipes)), lists:sort(Refs)),
    maps:foreach(fun(_, {R, W}) ->
                         ?STOP_CALLED = select(Source, R, ?STOP),
                         {stopped, 1, R, 1, 1, false, ?DATA, 0} = next(),
                         close([R, W])
                 end, Pipes).

%% Each event is waited for before the next one is made; the library makes it itself.
many_in_a_row(Config) ->
    {Source, R, W} = piped(),
    1 = fx_select:write(W, "x"),
    0 = select(Source, R, ?READ),
    {Us, ok} = timer:tc(fun() -> in_a_row(Source, R, W, ?EVENTS) end),
    {select, Source, undefined, ready_input} = next(),
    stop(Source, [R, W]),
    PerEvent = Us / ?EVENTS,
    persistent_term:put({?MODULE, proplists:get_value(mode, Config)}, PerEvent),
    ct:pal("~b events in a row, ~p: ~.2f us each (native: ~p)",
           [?EVENTS, proplists:get_value(mode, Config), PerEvent,
            persistent_term:get({?MODULE, native}, unknown)]).

in_a_row(_, _, _, 0) ->
    ok;
in_a_row(Source, R, W, Left) ->
    receive {select, Source, undefined, ready_input} -> ok after 5000 -> error(no_event) end,
    0 = fx_select:pass_on(Source, R, W),
    in_a_row(Source, R, W, Left - 1).

%% What a call has sent before an event is selected comes before that event.
order(_) ->
    {Source, A, B} = paired(),
    1 = fx_select:write(B, "x"),
    [begin
         0 = fx_select:select(Source, A, ?READ, null, N),
         ?assertEqual({select, Source, N, ready_input}, next()),
         {0, _} = fx_select:select_x(Source, A, write, null, {N, write}, own),
         ?assertEqual({N, write}, next())
     end || N <- lists:seq(1, 1000)],
    stop(Source, [A, B]).

%% Several processes select and stop the same descriptors: no callback twice at a time, no
%% message of what was cancelled, and an end.
racing_stops(_) ->
    Self = self(),
    Pids = [spawn_link(fun() ->
                               {Source, R, W} = piped(),
                               race(Source, R, W, 300),
                               close([R, W]),
                               Self ! {done, self()}
                       end) || _ <- lists:seq(1, 4)],
    [receive {done, Pid} -> ok after 60000 -> error(no_end) end || Pid <- Pids].

race(_, _, _, 0) ->
    ok;
race(Source, R, W, Left) ->
    0 = select(Source, R, ?READ),
    Writer = spawn_link(fun() -> 1 = fx_select:write(W, "x") end),
    case select(Source, R, ?CANCEL bor ?READ) of
        ?READ_CANCELLED -> ok;
        0 -> {select, Source, undefined, ready_input} = next()
    end,
    wait_for_end(Writer),
    [] = flush(0),
    ?STOP_CALLED = select(Source, R, ?STOP),
    {stopped, 1, R, 1, 1, false, ?DATA, 0} = next(),
    <<"x">> = fx_select:read(R),
    race(Source, R, W, Left - 1).

wait_for_end(Pid) ->
    Monitor = monitor(process, Pid),
    receive {'DOWN', Monitor, process, Pid, _} -> ok end.

%%% Helpers

%% By a stop: it says nothing of errors.
cancelled(Mode) ->
    lists:sum([Bit || {Event, Bit} <- [{?READ, ?READ_CANCELLED}, {?WRITE, ?WRITE_CANCELLED}],
                      Mode band Event =/= 0]).
