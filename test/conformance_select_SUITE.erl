%%% enif_select natively and isolated: what fires, whom it tells, what the calls return.
-module(conformance_select_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

%% Modes and results, as erl_nif.h has them.
-define(READ, 1).
-define(WRITE, 2).
-define(STOP, 4).
-define(CANCEL, 8).
-define(CUSTOM, 16).
-define(ERROR, 32).
-define(STOP_CALLED, 1).
-define(STOP_SCHEDULED, 2).
-define(READ_CANCELLED, 16).
-define(WRITE_CANCELLED, 32).
-define(ERROR_CANCELLED, 64).
-define(INVALID, (-(1 bsl 31) bor 4)).
-define(FAILED, (-(1 bsl 31) bor 8)).

-define(DATA, 7). % what the library's private data hold
-define(EVENTS, 100000).

-define(CASES,
        [read, write, both, ready_at_once, one_shot, reference, any_ref, other_process,
         cancel, cancel_after_event, cancel_bits, select_again_replaces,
         stop, stop_cancels, stop_of_unknown, stop_in_each_thread, stop_callback_selects,
         stop_while_event_pending,
         errors, hang_ups, error_selected_once, fifo,
         kinds, child_ends, files, file_stops, file_stopped_twice, file_selected_while_stopping,
         invalid, not_open, closed, closed_and_reused, mode_without_event,
         steal, steal_back, steal_by_stop, steal_by_cancel,
         custom, custom_kinds, custom_needs_no_env, custom_failed, custom_big,
         thread, dirty, dead_process, process_dies, caller_dies_at_once,
         kept_until_stop, kept_until_stolen, term_is_the_same, destructor_selects, down_stops, upgraded,
         many_descriptors, many_in_a_row, order, racing_stops]).

all() ->
    [{group, native}, {group, isolated}].

groups() ->
    [{native, [], ?CASES}, {isolated, [], ?CASES ++ [is_invisible, does_not_spin]}].

suite() ->
    [{timetrap, {seconds, 120}}].

init_per_group(Mode, Config) ->
    persistent_term:put({?MODULE, numbers}, counters:new(1, [])),
    ok = load([{mode, Mode} | Config]),
    [{mode, Mode} | Config].

end_per_group(_Mode, _Config) ->
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

%%% Errors and hang-ups

%% The VM's thread for events runs without an end while there is an error that nobody selected,
%% and may then tell an old one of a new descriptor of the same number: all stay open to the end.
errors(Config) ->
    Sources = [begin
                   {Source, R, W} = piped(),
                   {Mode, {Source, R, fresh(W)}}
               end || Mode <- modes()],
    Results = [begin
                   fx_select:fill(W),
                   0 = select(Source, W, Mode),
                   [] = quiet(),
                   0 = fx_select:close(R),
                   Told = told(),
                   Again = [select_and_cancel(Source, W, M) || M <- modes()],
                   Stop = select(Source, W, ?STOP),
                   {stopped, 1, W, 1, 1, false, ?DATA, 0} = next(),
                   {Mode, Told, Again, Stop}
               end || {Mode, {Source, R, W}} <- Sources],
    fx:same(Config, errors, Results),
    close([W || {_, {_, _, W}} <- Sources]).

hang_ups(Config) ->
    fx:same(Config, hang_ups,
            [begin
                 {Source, R, W} = fresh(Make()),
                 Before = [select_and_cancel(Source, R, M) || M <- modes()],
                 _ = fx_select:write(W, "x"),
                 Data = [select_and_cancel(Source, R, M) || M <- modes()],
                 0 = fx_select:close(W),
                 Closed = [select_and_cancel(Source, R, M) || M <- modes()],
                 drain(R),
                 Drained = [select_and_cancel(Source, R, M) || M <- modes()],
                 Stop = select(Source, R, ?STOP),
                 {stopped, 1, R, 1, 1, false, ?DATA, 0} = next(),
                 close([R]),
                 {Before, Data, Closed, Drained, Stop}
             end || Make <- [fun piped/0, fun paired/0]]).

%% Once an error was selected, others are not told of errors until the relation ends.
error_selected_once(Config) ->
    {Source, R, W} = fresh(piped()),
    0 = fx_select:close(W),
    Steps = [{Mode, select(Source, R, Mode), told()}
             || Mode <- [?READ, ?WRITE, ?ERROR, ?READ, ?ERROR, ?CANCEL bor ?READ, ?READ, ?STOP,
                         ?READ, ?STOP]],
    fx:same(Config, error_selected_once, named(Steps, #{R => r})),
    close([R]).

%% A hang-up that passes: somebody opens the other end again.
fifo(Config) ->
    Path = filename:join(proplists:get_value(priv_dir, Config),
                         atom_to_list(proplists:get_value(mode, Config)) ++ ".fifo"),
    "" = os:cmd("mkfifo " ++ Path),
    R = fresh(fx_select:open(Path)),
    Source = source(1),
    Write = fun() -> "" = os:cmd("printf hello > " ++ Path) end,
    0 = select(Source, R, ?READ bor ?ERROR),
    [] = quiet(),
    Write(),
    ?assertEqual([ready_error, ready_input], lists:sort(told())),
    <<"hello">> = fx_select:read(R),
    0 = select(Source, R, ?READ),
    ?assertEqual([], told()), % hung up, but errors were selected before
    Write(),
    ?assertEqual([ready_input], told()),
    stop(Source, [R]).

%%% Kinds of descriptors

kinds(Config) ->
    Source = source(1),
    Fds = [{event, fx_select:event(0)}, {event_set, fx_select:event(1)},
           {timer, fx_select:timer(1)}, {mounts, fx_select:open("/proc/self/mounts")}],
    timer:sleep(50),
    fx:same(Config, kinds,
            [begin
                 Results = [select_and_cancel(Source, Fd, M) || M <- modes()],
                 stop(Source, [Fd]),
                 {Kind, Results}
             end || {Kind, Fd} <- Fds]),
    Late = fx_select:timer(100),
    0 = select(Source, Late, ?READ),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    stop(Source, [Late]).

child_ends(_) ->
    Source = source(1),
    {Fd, Pid} = fx_select:child(100),
    0 = select(Source, Fd, ?READ),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    _ = fx_select:reap(Pid),
    stop(Source, [Fd]).

%% What epoll doesn't take is always ready, and stopped by another thread.
files(_) ->
    [begin
         Source = source(1),
         Fd = fresh(fx_select:open(Path)),
         0 = select(Source, Fd, ?READ),
         ?assertEqual({select, Source, undefined, ready_input}, next()),
         0 = select(Source, Fd, ?READ bor ?WRITE),
         ?assertEqual({select, Source, undefined, ready_input}, next()),
         ?assertEqual({select, Source, undefined, ready_output}, next()),
         0 = select(Source, Fd, ?ERROR),
         ?assertEqual([], quiet()),
         ?ERROR_CANCELLED = select(Source, Fd, ?CANCEL bor ?ERROR),
         ?assertEqual(?STOP_SCHEDULED, select(Source, Fd, ?STOP)),
         ?assertEqual({stopped, 1, Fd, 0, 0, false, ?DATA, 0}, next()),
         ?assertEqual(?STOP_CALLED, select(Source, Fd, ?STOP)),
         ?assertEqual({stopped, 1, Fd, 1, 1, false, ?DATA, 0}, next()),
         close([Fd])
     end || Path <- [a_file(), "/", "/dev/null", "/dev/zero", "/proc/self/maps"]].

file_stops(_) ->
    Source = fx_select:source(source, 2, 1), % its callback closes
    [begin
         Fd = fresh(fx_select:open(a_file())),
         0 = select(Source, Fd, ?ERROR),
         ?assertEqual(?STOP_SCHEDULED, select(Source, Fd, ?STOP)),
         ?assertEqual({stopped, 2, Fd, 0, 0, false, ?DATA, 0}, next()),
         ?assertEqual({error, 9}, fx_select:close(Fd)) % EBADF
     end || _ <- lists:seq(1, 20)].

%% The second is the same stop, if the first has not been called yet.
file_stopped_twice(_) ->
    Source = source(1),
    Fd = fresh(fx_select:open(a_file())),
    [begin
         0 = select(Source, Fd, ?ERROR),
         ?STOP_SCHEDULED = select(Source, Fd, ?STOP),
         {stopped, 1, Fd, 0, 0, false, ?DATA, 0} =
             case select(Source, Fd, ?STOP) of
                 ?STOP_SCHEDULED -> next();
                 ?STOP_CALLED -> direct_and_scheduled(Fd, next(), next())
             end
     end || _ <- lists:seq(1, 50)],
    ?assertEqual([], quiet()),
    close([Fd]).

direct_and_scheduled(Fd, {stopped, 1, Fd, 1, 1, false, ?DATA, 0}, Scheduled) -> Scheduled;
direct_and_scheduled(Fd, Scheduled, {stopped, 1, Fd, 1, 1, false, ?DATA, 0}) -> Scheduled.

%% Then nobody is called, if it came in time.
file_selected_while_stopping(_) ->
    Source = source(1),
    Fd = fresh(fx_select:open(a_file())),
    [begin
         0 = select(Source, Fd, ?ERROR),
         ?STOP_SCHEDULED = select(Source, Fd, ?STOP),
         0 = select(Source, Fd, ?READ),
         {select, Source, undefined, ready_input} = last([next() | quiet()])
     end || _ <- lists:seq(1, 20)],
    stop(Source, [Fd], ?STOP_SCHEDULED).

last([Message]) -> Message;
last([{stopped, 1, _, 0, 0, false, ?DATA, 0}, Message]) -> Message.

%%% Descriptors that are none

invalid(_) ->
    Source = source(1),
    [?assertEqual(?INVALID, select(Source, Fd, Mode))
     || Fd <- [-1, -2, -(1 bsl 31), 1 bsl 30, (1 bsl 31) - 1],
        Mode <- [?READ, ?WRITE, ?ERROR, ?STOP, ?CANCEL bor ?READ]],
    ?assertEqual([], quiet()).

%% It is found out later, and nothing is said.
not_open(Config) ->
    Source = source(1),
    Results = [begin
                   Selected = select(Source, 900, Mode),
                   timer:sleep(50),
                   {Selected, select(Source, 900, ?CANCEL bor Mode), told()}
               end || Mode <- modes()],
    fx:same(Config, not_open, Results),
    {0, {consumed}} = fx_select:select_x(Source, 900, read, null, message, own),
    timer:sleep(50),
    ?STOP_CALLED = select(Source, 900, ?STOP),
    ?assertEqual([{stopped, 1, 900, 1, 1, false, ?DATA, 0}], quiet()).

%% Against the rules, and still the same.
closed(Config) ->
    {Source, R, W} = fresh(piped()),
    Steps = [close, ?READ, ?WRITE, ?WRITE, ?CANCEL bor ?READ, ?READ, ?ERROR, ?STOP, ?STOP, ?CANCEL],
    0 = select(Source, R, ?READ),
    fx:same(Config, closed, named(steps(Source, R, Steps), #{R => r})),
    {Fired, R2, W2} = fresh(piped()),
    1 = fx_select:write(W2, "x"),
    0 = select(Fired, R2, ?READ),
    [ready_input] = told(),
    fx:same(Config, closed_when_fired, named(steps(Fired, R2, Steps), #{R2 => r})),
    close([W, W2]).

closed_and_reused(Config) ->
    {Source, R, W} = fresh(piped()),
    {R2, W2} = fx_select:pipe(),
    0 = select(Source, R, ?READ),
    R = fx_select:duplicate(R2, R), % closes what was selected
    1 = fx_select:write(W2, "x"),
    Steps = steps(Source, R, [?READ, ?WRITE, ?CANCEL bor ?READ, ?STOP, ?READ, ?WRITE, ?STOP]),
    fx:same(Config, closed_and_reused, named(Steps, #{R => r})),
    0 = select(Source, R, ?READ),
    [ready_input] = told(),
    R = fx_select:duplicate(R2, R),
    Fired = steps(Source, R, [?READ, ?READ, ?STOP, ?READ, ?STOP]),
    fx:same(Config, closed_and_reused_when_fired, named(Fired, #{R => r})),
    close([R, W, R2, W2]).

mode_without_event(Config) ->
    fx:same(Config, mode_without_event,
            [begin
                 {Source, R, W} = fresh(piped()),
                 1 = fx_select:write(W, "x"),
                 Results = steps(Source, R, Modes),
                 close([R, W]),
                 named(Results, #{R => r})
             end || Modes <- [[0, ?STOP, ?READ, ?STOP],
                              [0, ?READ, ?READ, ?CUSTOM, ?READ, ?STOP, 0, ?STOP],
                              [?CANCEL, ?READ, ?CANCEL, ?STOP],
                              [?CANCEL bor ?READ, ?READ, ?STOP],
                              [?READ, 0, ?READ, 0, ?STOP]]]).

%%% Another resource

steal(_) ->
    {Source, R, W} = piped(),
    Thief = fx_select:source(other, 2, 0),
    0 = select(Source, R, ?READ bor ?ERROR),
    0 = select(Thief, R, ?READ),
    1 = fx_select:write(W, "x"),
    ?assertEqual([{select, Thief, undefined, ready_input}], [next() | quiet()]),
    ?STOP_CALLED = select(Thief, R, ?STOP),
    ?assertEqual({stopped, 2, R, 1, 1, false, ?DATA, 0}, next()),
    close([R, W]).

steal_back(_) ->
    {Source, R, W} = piped(),
    Thief = source(2),
    0 = select(Source, R, ?READ),
    0 = select(Thief, R, ?READ),
    0 = select(Source, R, ?READ),
    1 = fx_select:write(W, "x"),
    ?assertEqual([{select, Source, undefined, ready_input}], [next() | quiet()]),
    0 = select(Thief, R, ?READ),
    ?assertEqual([{select, Thief, undefined, ready_input}], [next() | quiet()]),
    stop(Thief, [R], ?STOP_CALLED, 2),
    close([W]).

steal_by_stop(_) ->
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    Thief = source(2),
    ?STOP_CALLED = select(Thief, R, ?STOP),
    {stopped, 2, R, 1, 1, false, ?DATA, 0} = next(),
    1 = fx_select:write(W, "x"),
    ?assertEqual([], quiet()),
    close([R, W]),
    Fd = fresh(fx_select:open(a_file())),
    0 = select(Source, Fd, ?ERROR),
    ?assertEqual(?STOP_CALLED, select(Thief, Fd, ?STOP)),
    ?assertEqual([{stopped, 2, Fd, 1, 1, false, ?DATA, 0}], [next() | quiet()]),
    close([Fd]).

steal_by_cancel(_) ->
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    Thief = source(2),
    0 = select(Thief, R, ?CANCEL bor ?READ),
    0 = select(Source, R, ?CANCEL bor ?READ),
    1 = fx_select:write(W, "x"),
    ?assertEqual([], quiet()),
    stop(Source, [R, W]).

%%% Messages of the library's own

custom(_) ->
    {Source, A, B} = paired(),
    fx_select:fill(A),
    Message = {my, [Source], self(), make_ref(), #{a => 1.5}},
    {0, {consumed}} = fx_select:select_x(Source, A, read, null, Message, own),
    [] = quiet(),
    1 = fx_select:write(B, "x"),
    ?assertEqual([Message], [next() | quiet()]),
    {0, {consumed}} = fx_select:select_x(Source, A, write, null, {w, Message}, own),
    drain(B),
    ?assertEqual([{w, Message}], [next() | quiet()]),
    {0, {consumed}} = fx_select:select_x(Source, A, error, null, {e, Message}, own),
    [] = quiet(),
    0 = fx_select:close(B),
    ?assertEqual([{e, Message}], [next() | quiet()]),
    stop(Source, [A]).

custom_kinds(_) ->
    {Source, A, B} = paired(),
    1 = fx_select:write(B, "x"),
    [begin
         ?assertMatch({0, _}, fx_select:select_x(Source, A, Mode, null, Message, Env)),
         ?assertEqual([Message || _ <- Times] , [next() || _ <- Times])
     end || Message <- [a, 1, [], <<>>, "text", {1, 2}, 1 bsl 100, fun erlang:self/0],
            Env <- [copied, own],
            {Mode, Times} <- [{read, [1]}, {write, [1]},
                              {?CUSTOM bor ?READ bor ?WRITE, [1, 2]}]],
    %% Without the flag it is the reference of the usual message.
    {0, copied} = fx_select:select_x(Source, A, ?READ, null, my_ref, copied),
    ?assertEqual([{select, Source, my_ref, ready_input}], [next() | quiet()]),
    {0, _} = fx_select:select_x(Source, A, ?CUSTOM bor ?CANCEL bor ?READ, null, m, copied),
    stop(Source, [A, B]).

%% The message was copied: it does not matter what becomes of the caller's terms.
custom_needs_no_env(_) ->
    {Source, R, W} = piped(),
    {Self, Big} = {self(), binary:copy(<<"big">>, 1000)},
    {Pid, Monitor} = spawn_monitor(
                       fun() ->
                               Message = {hello, lists:seq(1, 1000), binary:copy(<<"big">>, 1000)},
                               {0, copied} = fx_select:select_x(Source, R, read, Self, Message,
                                                                copied)
                       end),
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end,
    [erlang:garbage_collect(P) || P <- processes()],
    1 = fx_select:write(W, "x"),
    ?assertEqual({hello, lists:seq(1, 1000), Big}, next()),
    stop(Source, [R, W]).

%% A call that fails leaves the message as it was.
custom_failed(_) ->
    Message = {my, [message], <<"text">>},
    ?assertEqual({?INVALID, Message},
                 fx_select:select_x(source(1), -1, read, null, Message, own)),
    {Source, R, W} = fresh(piped()),
    0 = select(Source, R, ?READ),
    0 = fx_select:close(R),
    ?assertEqual({?FAILED, Message}, fx_select:select_x(Source, R, write, null, Message, own)),
    17 = select(Source, R, ?STOP) band (bnot ?WRITE_CANCELLED),
    {stopped, 1, R, 1, 1, false, ?DATA, 0} = next(),
    close([W]).

custom_big(_) ->
    {Source, R, W} = piped(),
    Message = [lists:seq(1, 100000), binary:copy(<<"big">>, 1000000)],
    {0, {consumed}} = fx_select:select_x(Source, R, read, null, Message, own),
    1 = fx_select:write(W, "x"),
    ?assertEqual(Message, next()),
    stop(Source, [R, W]).

%%% Who selects, who is told

thread(_) ->
    {Source, R, W} = piped(),
    0 = fx_select:select_in_thread(Source, R, ?READ, self()),
    1 = fx_select:write(W, "x"),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    0 = fx_select:select_in_thread(Source, R, ?CUSTOM bor ?READ, self()),
    ?assertEqual(threaded, next()),
    0 = fx_select:select_in_thread(Source, W, ?CANCEL bor ?READ, self()),
    17 = begin
             <<"x">> = fx_select:read(R),
             0 = select(Source, R, ?READ),
             fx_select:select_in_thread(Source, R, ?STOP, self())
         end,
    ?assertEqual({stopped, 1, R, 1, 0, false, ?DATA, 0}, next()),
    close([R, W]).

dirty(_) ->
    {Source, R, W} = piped(),
    0 = fx_select:select_dirty(Source, R, ?READ, null, undefined),
    1 = fx_select:write(W, "x"),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    stop(Source, [R, W]).

dead_process(_) ->
    {Source, R, W} = piped(),
    {Pid, Monitor} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end,
    0 = fx_select:select(Source, R, ?READ, Pid, undefined),
    ?READ_CANCELLED = select(Source, R, ?CANCEL bor ?READ),
    {0, {consumed}} = fx_select:select_x(Source, R, read, Pid, {message, Source}, own),
    1 = fx_select:write(W, "x"),
    [] = quiet(),
    0 = select(Source, R, ?CANCEL bor ?READ), % it has been sent, to nobody
    0 = select(Source, R, ?READ),
    ?assertEqual({select, Source, undefined, ready_input}, next()),
    stop(Source, [R, W]).

process_dies(_) ->
    {Source, R, W} = piped(),
    [begin
         {Pid, Monitor} = spawn_monitor(fun() -> receive never -> ok end end),
         0 = fx_select:select(Source, R, ?READ, Pid, make_ref()),
         exit(Pid, kill),
         receive {'DOWN', Monitor, process, Pid, killed} -> ok end,
         1 = fx_select:write(W, "x"),
         fx:wait_until(fun() -> select(Source, R, ?CANCEL bor ?READ) =:= 0 end),
         <<"x">> = fx_select:read(R)
     end || _ <- lists:seq(1, 50)],
    ?assertEqual([], quiet()),
    stop(Source, [R, W]).

%% Killed while it selects, again and again.
caller_dies_at_once(Config) ->
    {Source, R, W} = piped(),
    1 = fx_select:write(W, "x"),
    [begin
         {Pid, Monitor} = spawn_monitor(fun Loop() ->
                                                _ = fx_select:select(Source, R, ?READ, null, make_ref()),
                                                Loop()
                                        end),
         erlang:yield(),
         exit(Pid, kill),
         receive {'DOWN', Monitor, process, Pid, killed} -> ok end
     end || _ <- lists:seq(1, 100)],
    %% A call that has moved goes on without its caller, as one in a dirty scheduler does natively.
    proplists:get_value(mode, Config) =:= native orelse
        fx:wait_until(fun() -> maps:get(calls, fx:host(fx_select)) =:= 0 end),
    Ref = make_ref(),
    0 = fx_select:select(Source, R, ?READ, null, Ref),
    receive {select, Source, Ref, ready_input} -> ok after 5000 -> error(no_event) end,
    _ = quiet(),
    stop(Source, [R, W]).

%%% The resource

%% Erlang has no term of it any more, but an event gives it one.
kept_until_stop(_) ->
    {R, W} = fx_select:pipe(),
    select_and_forget(R),
    ?assertEqual([], quiet()),
    1 = fx_select:write(W, "x"),
    ?STOP_CALLED = select(element(2, next()), R, ?STOP),
    {stopped, 1, R, 1, 1, false, ?DATA, 0} = next(),
    [] = flush(0),
    erlang:garbage_collect(),
    ?assertEqual([{destroyed, 1}], [next() | quiet()]),
    close([R, W]).

kept_until_stolen(_) ->
    {Thief, R, W} = piped(2),
    select_and_forget(R),
    ?assertEqual([], quiet()),
    0 = select(Thief, R, ?READ),
    ?assertEqual([{destroyed, 1}], [next() | quiet()]),
    stop(Thief, [R], ?STOP_CALLED bor ?READ_CANCELLED, 2),
    close([W]).

term_is_the_same(_) ->
    {Source, R, W} = piped(),
    Known = #{Source => known},
    1 = fx_select:write(W, "x"),
    [begin
         0 = select(Source, R, ?READ),
         {select, Told, undefined, ready_input} = next(),
         ?assert(Told =:= Source),
         ?assertEqual(known, maps:get(Told, Known)),
         ?assertEqual(term_to_binary(Source), term_to_binary(Told))
     end || _ <- lists:seq(1, 100)],
    stop(Source, [R, W]).

destructor_selects(_) ->
    {Helper, R, W} = piped(2),
    1 = fx_select:write(W, "x"),
    Self = self(),
    _ = spawn_link(fun() ->
                           Source = fx_select:source(source, 1, 0),
                           ok = fx_select:watched_by(Source, Self),
                           ok = fx_select:helper(Source, Helper, R)
                   end),
    ?assertEqual([{destroyed, 1}, {select, Helper, undefined, ready_input}],
                 lists:sort(fun(A, _) -> element(1, A) =:= destroyed end, [next(), next()])),
    stop(Helper, [R], ?STOP_CALLED, 2),
    close([W]).

%% As erl_nif(3) advises: the process that waits is monitored, and when it is gone the descriptor
%% is stopped.
down_stops(_) ->
    {Source, R, W} = piped(),
    Pid = spawn(fun() -> receive stop -> ok end end),
    0 = fx_select:monitor(Source, R, Pid),
    0 = fx_select:select(Source, R, ?READ, Pid, undefined),
    Pid ! stop,
    ?assertEqual({stopped, 1, R, 1, 1, false, ?DATA, 0}, next()),
    ?assertEqual({down, ?STOP_CALLED bor ?READ_CANCELLED}, next()),
    close([R, W]).

%% The stop callback gets the private data of the instance that took the type over.
upgraded(Config) ->
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    ok = fx:reload(fx_select, #{shim => proplists:get_value(mode, Config) =:= isolated,
                                info => ?DATA + 1}),
    1 = fx_select:write(W, "x"),
    {select, Source, undefined, ready_input} = next(),
    true = code:soft_purge(fx_select),
    ?STOP_CALLED = select(Source, R, ?STOP),
    ?assertEqual({stopped, 1, R, 1, 1, false, ?DATA + 1, 0}, next()),
    close([R, W]),
    ok = load(Config).

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

%%% Isolated only

%% What the host needs for it lies where no library expects a descriptor of its own.
is_invisible(Config) ->
    ok = load(Config),
    Before = fx_select:descriptors(900),
    {Source, R, W} = piped(),
    0 = select(Source, R, ?READ),
    1 = fx_select:write(W, "x"),
    {select, Source, undefined, ready_input} = next(),
    ?assertEqual(Before + 2, fx_select:descriptors(900)),
    stop(Source, [R, W]).

%% The VM's own thread runs without an end when a hang-up is there that nobody has asked for.
does_not_spin(_) ->
    {Source, R, W} = fresh(piped()),
    0 = fx_select:close(W),
    0 = select(Source, R, ?ERROR),
    [ready_error] = told(),
    0 = select(Source, R, ?READ),
    #{os_pid := OsPid} = fx:host(fx_select),
    Before = cpu_ticks(OsPid),
    timer:sleep(500),
    ?assert(cpu_ticks(OsPid) - Before < 10),
    stop(Source, [R]).

cpu_ticks(OsPid) ->
    {ok, Stat} = file:read_file(lists:concat(["/proc/", OsPid, "/stat"])),
    [_, Fields] = string:split(binary_to_list(Stat), ") ", trailing),
    lists:sum([list_to_integer(lists:nth(N, string:lexemes(Fields, " "))) || N <- [12, 13]]).

%%% Helpers

modes() ->
    [?READ, ?WRITE, ?ERROR, ?READ bor ?WRITE, ?READ bor ?ERROR, ?WRITE bor ?ERROR,
     ?READ bor ?WRITE bor ?ERROR].

%% By a stop: it says nothing of errors.
cancelled(Mode) ->
    lists:sum([Bit || {Event, Bit} <- [{?READ, ?READ_CANCELLED}, {?WRITE, ?WRITE_CANCELLED}],
                      Mode band Event =/= 0]).

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
    Numbers = persistent_term:get({?MODULE, numbers}),
    ok = counters:add(Numbers, 1, 1),
    Number = 300 + counters:get(Numbers, 1),
    Number = fx_select:duplicate(Fd, Number),
    0 = fx_select:close(Fd),
    Number.

select(Source, Fd, Mode) ->
    fx_select:select(Source, Fd, Mode, null, undefined).

select_and_cancel(Source, Fd, Mode) ->
    Selected = select(Source, Fd, Mode),
    Told = told(),
    {Mode, Selected, lists:sort(Told), select(Source, Fd, ?CANCEL bor Mode)}.

%% Selects or closes, step by step: results, and what was told.
steps(Source, Fd, Steps) ->
    [{Step, case Step of
                close -> fx_select:close(Fd);
                _ -> select(Source, Fd, Step)
            end, told()} || Step <- Steps].

%% Numbers of descriptors are others in the host.
named(Steps, Names) ->
    [{Step, Result, [case Message of
                         {stopped, N, Fd, Direct, Thread, Pid, Data, Selected} ->
                             {stopped, N, maps:get(Fd, Names, Fd), Direct, Thread, Pid, Data, Selected};
                         _ ->
                             Message
                     end || Message <- Told]} || {Step, Result, Told} <- Steps].

select_and_forget(Fd) ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(
                       fun() ->
                               Source = source(1),
                               ok = fx_select:watched_by(Source, Self),
                               0 = fx_select:select(Source, Fd, ?READ, Self, undefined)
                       end),
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end.

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

%% The same, the events alone.
told() ->
    [case Message of
         {select, _, _, Event} -> Event;
         _ -> Message
     end || Message <- quiet()].
