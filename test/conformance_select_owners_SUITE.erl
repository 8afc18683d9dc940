%%% enif_select natively and isolated: the resource that has a descriptor, the process that is told,
%%% and messages of the library's own.
-module(conformance_select_owners_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include("selecting.hrl").

-import(selecting, [a_file/0, close/1, drain/1, flush/1, fresh/1, load/1, next/0, paired/0,
                    piped/0, piped/1, quiet/0, select/3, source/1, stop/2, stop/4]).

-define(CASES,
        [steal, steal_back, steal_by_stop, steal_by_cancel, custom, custom_kinds,
         custom_needs_no_env, custom_failed, custom_big, thread, dirty, dead_process, process_dies,
         caller_dies_at_once, kept_until_stop, kept_until_stolen, term_is_the_same,
         destructor_selects, down_stops, upgraded]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 120}}].
init_per_group(Mode, Config) -> selecting:init_group(Mode, Config).
end_per_group(_Mode, _Config) -> selecting:end_group().

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

%%% Helpers

select_and_forget(Fd) ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(
                       fun() ->
                               Source = source(1),
                               ok = fx_select:watched_by(Source, Self),
                               0 = fx_select:select(Source, Fd, ?READ, Self, undefined)
                       end),
    receive {'DOWN', Monitor, process, Pid, normal} -> ok end.
