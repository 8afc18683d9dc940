%%% Messages that a library sends: order, return values, environments, and what tracing shows of
%%% them; natively and isolated.
-module(conformance_messages_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [arrive, to_itself, before_the_result, in_order_with_own, from_many_callers,
         nobody_there, undefined_process, killed_meanwhile, message_environment,
         not_sent_is_kept, any_term, large, in_a_dirty_call, in_a_long_call, in_steps, from_threads,
         after_the_call, after_the_call_in_vain, send_traced, send_traced_dirty, send_traced_long,
         send_traced_in_steps, send_traced_in_vain, send_traced_env, threads_not_traced, receive_traced,
         seq_traced, seq_traced_env, seq_traced_dirty, seq_traced_long, seq_traced_receiver]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_messages]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_messages]).

%%% Order and return values

arrive(_) ->
    Messages = lists:seq(1, 1000),
    ?assertEqual(lists:duplicate(1000, 1), fx_messages:send_each(self(), Messages)),
    ?assertEqual(Messages, received(1000)),
    ?assertEqual(lists:duplicate(1000, 1), fx_messages:send_each_env(self(), Messages)),
    ?assertEqual(Messages, received(1000)).

to_itself(_) ->
    [1] = fx_messages:send_each(self(), [hello]),
    receive hello -> ok after 0 -> error(no_message) end.

%% Whoever has a call's result finds its messages in the mailbox.
before_the_result(_) ->
    Self = self(),
    [begin
         Caller = spawn_link(fun() -> Self ! {result, fx_messages:send_each(Self, [{message, N}])} end),
         receive {result, [1]} -> ok end,
         receive {message, N} -> ok after 0 -> error({no_message, N, Caller}) end
     end || N <- lists:seq(1, 500)].

%% Signals from one process to another stay in order, whichever way they are sent.
in_order_with_own(_) ->
    [begin
         self() ! {N, 1},
         [1] = fx_messages:send_each(self(), [{N, 2}]),
         self() ! {N, 3},
         [1] = fx_messages:send_each_dirty(self(), [{N, 4}]),
         self() ! {N, 5},
         ?assertEqual([{N, I} || I <- lists:seq(1, 5)], received(5))
     end || N <- lists:seq(1, 200)].

from_many_callers(_) ->
    Self = self(),
    Callers = [spawn_link(fun() ->
                                  [fx_messages:send_each(Self, [{self(), I}]) || I <- lists:seq(1, 300)]
                          end) || _ <- lists:seq(1, 10)],
    [[receive {Caller, I} -> ok after 5000 -> error(no_message) end || I <- lists:seq(1, 300)]
     || Caller <- Callers],
    nothing().

nobody_there(_) ->
    Gone = gone(),
    ?assertEqual([0, 0], fx_messages:send_each(Gone, [a, b])),
    ?assertEqual([0, 0], fx_messages:send_each_env(Gone, [a, b])),
    ?assertEqual([0], fx_messages:send_each_dirty(Gone, [a])),
    ?assertEqual([0], fx_messages:send_each(list_to_pid("<0.12345.67>"), [a])).

undefined_process(_) ->
    ?assertEqual(0, fx_messages:send_undefined(a)).

killed_meanwhile(_) ->
    [begin
         Pid = spawn(fun() -> receive never -> ok end end),
         Killer = spawn(fun() -> timer:sleep(N rem 3), exit(Pid, kill) end),
         Sent = fx_messages:send_each(Pid, lists:seq(1, 3000)),
         %% results come last one first: once gone, gone for good
         ?assertEqual(Sent, lists:sort(Sent)),
         wait_gone(Killer),
         wait_gone(Pid),
         ?assertEqual([0], fx_messages:send_each(Pid, [a]))
     end || N <- lists:seq(1, 10)].

%%% Environments and terms

message_environment(_) ->
    ?assertEqual(500, fx_messages:send_again(self(), [{tuple}, <<"text">>, 1.5], 500)),
    ?assertEqual([{I, [{tuple}, <<"text">>, 1.5]} || I <- lists:seq(0, 499)], received(500)).

not_sent_is_kept(_) ->
    Message = [{a, binary:copy(<<"b">>, 1000)}, #{c => make_ref()}],
    ?assertEqual({0, Message}, fx_messages:send_in_vain(gone(), Message)).

any_term(_) ->
    Fun = fun(X) -> X end,
    Terms = [a, 1, -1, 1 bsl 100, 1.5, "text", <<>>, <<1:3>>, binary:copy(<<7>>, 5000), {}, {a, {b}},
             [], [a | b], #{}, #{a => #{b => c}}, maps:from_list([{I, I} || I <- lists:seq(1, 100)]),
             self(), make_ref(), Fun, fun erlang:self/0, hd(erlang:ports())],
    ?assertEqual([1], lists:usort(fx_messages:send_each(self(), Terms))),
    ?assertEqual(Terms, received(length(Terms))).

large(_) ->
    Message = [lists:seq(1, 200_000), binary:copy(<<"large">>, 1_000_000)],
    [1] = fx_messages:send_each_env(self(), [Message]),
    ?assertEqual([Message], received(1)).

%%% From where it is sent

in_a_dirty_call(_) ->
    [1, 1] = fx_messages:send_each_dirty(self(), [a, b]),
    ?assertEqual([a, b], received(2)).

%% The first is there while the call goes on.
in_a_long_call(_) ->
    Self = self(),
    Caller = spawn_link(fun() -> Self ! {result, fx_messages:send_long(Self, 300, [first, second])} end),
    receive first -> ok after 250 -> error(too_late) end,
    receive Message -> ?assertEqual(second, Message) after 5000 -> error(no_message) end,
    receive {result, 2} -> ok after 5000 -> error({no_result, Caller}) end.

in_steps(_) ->
    ?assertEqual(done, fx_messages:send_in_steps(self(), 20)),
    ?assertEqual([{step, I} || I <- lists:seq(20, 0, -1)], received(21)).

from_threads(_) ->
    ?assertEqual(300, fx_messages:send_from_threads(self(), x, 100)),
    All = received(300),
    ?assertEqual(lists:sort(lists:append(lists:duplicate(3, [{I, x} || I <- lists:seq(0, 99)]))),
                 lists:sort(All)),
    ?assertEqual(0, fx_messages:send_from_threads(gone(), x, 100)).

after_the_call(_) ->
    ok = fx_messages:send_later(self(), y, 3, 50),
    nothing(),
    ?assertEqual([{0, y}, {1, y}, {2, y}], received(3)),
    ?assertEqual(3, fx_messages:sent_later()).

after_the_call_in_vain(_) ->
    ok = fx_messages:send_later(gone(), y, 3, 20),
    ?assertEqual(0, fx_messages:sent_later()).

%%% Tracing: what the tracer is told, with the caller and the receiver named

send_traced(Config) ->
    traced(Config, send_traced, [send], fun(To) -> fx_messages:send_each(To, [a, {b, [c]}]) end).

send_traced_dirty(Config) ->
    traced(Config, send_traced_dirty, [send], fun(To) -> fx_messages:send_each_dirty(To, [a, b]) end).

send_traced_long(Config) ->
    traced(Config, send_traced_long, [send], fun(To) -> fx_messages:send_long(To, 100, [a, b]) end).

send_traced_in_steps(Config) ->
    traced(Config, send_traced_in_steps, [send], fun(To) -> fx_messages:send_in_steps(To, 6) end).

send_traced_in_vain(Config) ->
    Gone = gone(),
    traced(Config, send_traced_in_vain, [send], fun(_) -> fx_messages:send_each(Gone, [a]) end).

send_traced_env(Config) ->
    traced(Config, send_traced_env, [send], fun(To) -> fx_messages:send_each_env(To, [a, b]) end).

threads_not_traced(Config) ->
    traced(Config, threads_not_traced, [send], fun(To) -> fx_messages:send_from_threads(To, a, 1) end).

receive_traced(Config) ->
    Sink = sink(),
    erlang:trace(Sink, true, ['receive']),
    [1, 1] = fx_messages:send_each(Sink, [a, b]),
    Events = events(Sink, none),
    fx:same(Config, receive_traced, Events),
    ?assertEqual([{trace, sink, 'receive', a}, {trace, sink, 'receive', b}], Events).

%% Runs it in a process that is traced; the events must be as natively, and name the two.
traced(Config, Key, Flags, Fun) ->
    Sink = sink(),
    Self = self(),
    Caller = spawn_link(fun() ->
                                receive go -> ok end,
                                Result = Fun(Sink),
                                erlang:trace(self(), false, [all]),
                                Self ! {self(), Result}
                        end),
    erlang:trace(Caller, true, Flags),
    Caller ! go,
    Result = receive {Caller, R} -> R after 10000 -> error(no_result) end,
    Events = events(Sink, Caller),
    ct:log("~p~n~p", [Result, Events]),
    fx:same(Config, Key, {Result, Events}).

events(Sink, Caller) ->
    Reference = erlang:trace_delivered(all),
    receive {trace_delivered, all, Reference} -> ok end,
    [plain(E, Sink, Caller) || E <- drain(), is_tuple(E), element(1, E) =:= trace].

plain(Event, Sink, Caller) ->
    list_to_tuple([case Part of
                       Sink -> sink;
                       Caller -> caller;
                       Pid when is_pid(Pid) -> pid;
                       _ -> Part
                   end || Part <- tuple_to_list(Event)]).

%%% Sequential tracing: the token of the caller goes with the message

seq_traced(Config) ->
    seq_traced(Config, seq_traced, fun(To) -> fx_messages:send_each(To, [a, b]) end).

seq_traced_env(Config) ->
    seq_traced(Config, seq_traced_env, fun(To) -> fx_messages:send_each_env(To, [a, b]) end).

seq_traced_dirty(Config) ->
    seq_traced(Config, seq_traced_dirty, fun(To) -> fx_messages:send_each_dirty(To, [a, b]) end).

seq_traced_long(Config) ->
    seq_traced(Config, seq_traced_long, fun(To) -> fx_messages:send_long(To, 100, [a, b]) end).

seq_traced(Config, Key, Fun) ->
    Sink = sink(),
    Self = self(),
    _ = seq_trace:set_system_tracer(Self),
    Caller = spawn_link(fun() ->
                                seq_trace:set_token(label, 17),
                                [seq_trace:set_token(F, true) || F <- [send, 'receive', print]],
                                Result = Fun(Sink),
                                Serial = seq_trace:get_token(serial),
                                seq_trace:set_token([]),
                                Self ! {self(), Result, Serial}
                        end),
    {Result, Serial} = receive {Caller, R, S} -> {R, S} after 10000 -> error(no_result) end,
    timer:sleep(50),
    _ = seq_trace:set_system_tracer(false),
    Events = [{Label, plain(Event, Sink, Caller)}
              || {seq_trace, Label, Event} <- drain()],
    ct:log("~p ~p~n~p", [Result, Serial, Events]),
    fx:same(Config, Key, {Result, Serial, Events}).

%% The receiver has the token with the message.
seq_traced_receiver(Config) ->
    Self = self(),
    Receiver = spawn_link(fun() ->
                                  Tokens = [receive {token, N} -> seq_trace:get_token(label) end
                                            || N <- [1, 2, 3]],
                                  seq_trace:set_token([]),
                                  Self ! {tokens, Tokens}
                          end),
    Caller = spawn_link(fun() ->
                                seq_trace:set_token(label, 18),
                                fx_messages:send_each(Receiver, [{token, 1}]),
                                fx_messages:send_each_dirty(Receiver, [{token, 2}]),
                                fx_messages:send_each_env(Receiver, [{token, 3}]),
                                seq_trace:set_token([])
                        end),
    Tokens = receive {tokens, T} -> T after 5000 -> error({no_tokens, Caller}) end,
    ct:log("~p", [Tokens]),
    fx:same(Config, seq_traced_receiver, Tokens).

%%% Helpers

sink() ->
    spawn_link(fun Loop() -> receive never -> ok end, Loop() end).

gone() ->
    Pid = spawn(fun() -> ok end),
    wait_gone(Pid),
    Pid.

wait_gone(Pid) ->
    Ref = erlang:monitor(process, Pid),
    receive {'DOWN', Ref, process, Pid, _} -> ok end.

received(Count) ->
    [receive Message -> Message after 5000 -> error({no_message, N}) end || N <- lists:seq(1, Count)].

nothing() ->
    receive Message -> error({unexpected, Message}) after 0 -> ok end.

drain() ->
    receive Message -> [Message | drain()] after 0 -> [] end.
