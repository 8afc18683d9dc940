%%% enif_select natively and isolated: descriptors of every kind, those with an error or a hang-up,
%%% and those that are none.
-module(conformance_select_descriptors_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include("selecting.hrl").

-import(selecting, [a_file/0, close/1, drain/1, fresh/1, load/1, modes/0, next/0, piped/0, quiet/0,
                    select/3, source/1, stop/2, stop/3, told/0]).

-define(CASES,
        [errors, hang_ups, error_selected_once, fifo, kinds, child_ends, files, file_stops,
         file_stopped_twice, file_selected_while_stopping, invalid, not_open, closed,
         closed_and_reused, mode_without_event]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES, [is_invisible, does_not_spin]).
suite() -> [{timetrap, {seconds, 120}}].
init_per_group(Mode, Config) -> selecting:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> selecting:end_group().

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
             end || Make <- [fun selecting:piped/0, fun selecting:paired/0]]).

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
