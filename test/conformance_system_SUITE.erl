%%% The system around a library, natively and isolated: threads, locks, I/O queues,
%%% time, environment, ports.
-module(conformance_system_SUITE).

-compile([export_all, nowarn_export_all, {nowarn_deprecated_function, [{erlang, now, 0}]}]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [system_info, system_info_of_old_libraries, environment, environment_changes,
         long_environment, convert_time, convert_time_limits, monotonic_exactly,
         now_is_increasing, unique_integers, unique_in_threads, dead_and_dying, closed_port, time_offset,
         monotonic_units, erlang_now, cpu_time, internal_hash, variadic_print, threads,
         locks, queues, vectors, undefined_pid, caller_alive, ports,
         ports_from_dirty, memory]).

%% As the fixture numbers them.
-define(UNITS, [{0, second}, {1, millisecond}, {2, microsecond}, {3, nanosecond}]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES, [closed_port_from_dirty]).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_system]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_system]).

system_info(Config) ->
    Info = fx_system:system_info(),
    ?assertEqual(erlang:system_info(version), lists:nth(3, Info)),
    ?assertEqual(erlang:system_info(otp_release), lists:nth(4, Info)),
    ?assertEqual(erlang:system_info(schedulers), lists:nth(8, Info)),
    fx:same(Config, system_info, Info).

%% A library that knows a shorter record gives its size.
system_info_of_old_libraries(Config) ->
    Ends = fx_system:system_info_ends(),
    fx:same(Config, system_info_part, [fx_system:system_info_part(End) || End <- Ends]),
    [?assertMatch({_, _, true}, fx_system:system_info_part(End)) || End <- Ends].

%% Longer than any buffer on the way, and not of ASCII.
long_environment(Config) ->
    [begin
         true = os:putenv("CORDON_TEST_LONG", Value),
         Bytes = unicode:characters_to_binary(Value),
         Size = byte_size(Bytes),
         ?assertEqual({0, Size, Bytes}, fx_system:get_long_env("CORDON_TEST_LONG", Size + 1)),
         ?assertMatch({1, _, <<>>}, fx_system:get_long_env("CORDON_TEST_LONG", Size)),
         fx:same(Config, {long_environment, Size},
                 [element(1, fx_system:get_long_env("CORDON_TEST_LONG", S))
                  || S <- [1, Size - 1, Size, Size + 1, Size + 2, 2 * Size + 10]])
     end || Value <- ["xy", lists:duplicate(255, $a), lists:duplicate(256, $b),
                      lists:duplicate(100000, $c), [16#e9, 16#3b1, 16#1f600]]],
    true = os:unsetenv("CORDON_TEST_LONG").

%% No conversion is so large that it differs, and none rounds towards zero.
convert_time_limits(Config) ->
    Limits = [9223372036, -9223372036, 1 bsl 62, -(1 bsl 62), 1 bsl 63 - 1, -(1 bsl 63) + 1, -1,
              -999999999, -1000000000, -1000000001],
    fx:same(Config, convert_time_limits,
            [{T, F, N, fx_system:convert_time(T, F, N)}
             || T <- Limits, {F, _} <- ?UNITS, {N, _} <- ?UNITS]).

%% Between two of its caller's, each time.
monotonic_exactly(_) ->
    [begin
         A = erlang:monotonic_time(nanosecond),
         B = fx_system:monotonic(3),
         C = erlang:monotonic_time(nanosecond),
         ?assert(A =< B andalso B =< C, {A, B, C})
     end || _ <- lists:seq(1, 10000)].

%% Neither the VM nor the library ever gets a time twice.
now_is_increasing(_) ->
    Times = [case I rem 2 of 0 -> erlang:now(); 1 -> fx_system:erlang_now() end
             || I <- lists:seq(1, 10000)],
    ?assertEqual(Times, lists:usort(Times)).

%% In one order with those that the VM gives. {positive, monotonic, both} are 1, 2 and 3.
unique_integers(_) ->
    Monotonic = [case I rem 2 of
                     0 -> erlang:unique_integer([monotonic]);
                     1 -> fx_system:unique(2)
                 end || I <- lists:seq(1, 5000)],
    ?assertEqual(Monotonic, lists:usort(Monotonic)),
    Both = [case I rem 2 of
                0 -> erlang:unique_integer([positive, monotonic]);
                1 -> fx_system:unique(3)
            end || I <- lists:seq(1, 5000)],
    ?assertEqual(Both, lists:usort(Both)),
    ?assert(hd(Both) > 0),
    Positive = [fx_system:unique(1) || _ <- lists:seq(1, 5000)],
    ?assert(lists:min(Positive) > 0),
    ?assertEqual(5000, length(lists:usort(Positive))),
    ?assertEqual(5000, length(lists:usort([fx_system:unique(0) || _ <- lists:seq(1, 5000)]))).

unique_in_threads(_) ->
    Lists = [[erlang:unique_integer([positive]) || _ <- lists:seq(1, 2000)]
             | fx_system:unique_together()],
    ?assertEqual([2000], lists:usort([length(List) || List <- Lists])),
    ?assertEqual(9 * 2000, length(lists:usort(lists:append(Lists)))).

dead_and_dying(_) ->
    Alive = spawn(fun() -> receive stop -> ok end end),
    ?assertEqual(true, fx_system:process_alive(Alive)),
    exit(Alive, kill),
    ?assertEqual(is_process_alive(Alive), fx_system:process_alive(Alive)),
    ?assertEqual(false, fx_system:process_alive(Alive)),
    ?assertEqual(true, fx_system:process_alive(self())).

closed_port(_) ->
    Port = open_port({spawn, "cat"}, [binary]),
    port_close(Port),
    ?assertEqual(false, fx_system:port_send(Port, <<"late">>)),
    ?assertEqual(false, fx_system:port_alive(Port)).

environment(Config) ->
    true = os:putenv("CORDON_TEST_A", "value"),
    true = os:putenv("CORDON_TEST_EMPTY", ""),
    %% The size told for a small buffer is the needed one by the manual, but not in OTP 25.
    fx:same(Config, environment,
            [case fx_system:get_env(Name, Size) of
                 {1, "", _} -> too_small;
                 Result -> Result
             end
             || Name <- ["CORDON_TEST_A", "CORDON_TEST_EMPTY", "CORDON_TEST_NONE"],
                Size <- [1, 5, 6, 7, 100]]),
    ?assertEqual({0, "value", 5}, fx_system:get_env("CORDON_TEST_A", 100)).

%% The VM's environment may change at any time.
environment_changes(_) ->
    [begin
         true = os:putenv("CORDON_TEST_B", Value),
         ?assertEqual({0, Value, length(Value)}, fx_system:get_env("CORDON_TEST_B", 100))
     end || Value <- ["one", "and two"]],
    true = os:unsetenv("CORDON_TEST_B"),
    ?assertMatch({-1, "", none}, fx_system:get_env("CORDON_TEST_B", 100)).

convert_time(Config) ->
    Times = [0, 1, -1, 999, -999, 1001, 1 bsl 32, -(1 bsl 32)],
    [?assertEqual(erlang:convert_time_unit(T, From, To), fx_system:convert_time(T, F, N))
     || T <- Times, {F, From} <- ?UNITS, {N, To} <- ?UNITS],
    fx:same(Config, convert_bad_unit, [fx_system:convert_time(1, 4, 0), fx_system:convert_time(1, 0, 4)]).

time_offset(_) ->
    [?assertEqual(erlang:time_offset(Unit), fx_system:time_offset(U)) || {U, Unit} <- ?UNITS].

monotonic_units(Config) ->
    [begin
         A = erlang:monotonic_time(Unit),
         B = fx_system:monotonic(U),
         C = erlang:monotonic_time(Unit),
         ?assert(A =< B andalso B =< C)
     end || {U, Unit} <- ?UNITS, _ <- lists:seq(1, 100)],
    fx:same(Config, monotonic_bad_unit, fx_system:monotonic(4)).

erlang_now(_) ->
    A = fx_system:erlang_now(),
    B = fx_system:erlang_now(),
    ?assert(A < B),
    ?assert(abs(timer:now_diff(B, os:timestamp())) < 1000000).

cpu_time(_) ->
    {_, _, _} = A = fx_system:cpu_time(),
    lists:foldl(fun(N, Sum) -> N + Sum end, 0, lists:seq(1, 1000000)),
    ?assert(fx_system:cpu_time() >= A).

%% Equal for equal terms and salts, and spread over different ones.
internal_hash(Config) ->
    Terms = [a, 1, {a, 1}, "text", <<"bin">>, #{a => 1}, 1 bsl 70, 1.5, []],
    [?assertEqual(fx_system:internal_hash(T, Salt),
                  fx_system:internal_hash(binary_to_term(term_to_binary(T)), Salt))
     || T <- Terms, Salt <- [0, 1, 12345]],
    Many = [fx_system:internal_hash(N, 0) || N <- lists:seq(1, 1000)],
    ?assert(length(lists:usort(Many)) > 950),
    %% As documented. The VM of OTP 27 gives more bits.
    Bits = case proplists:get_value(mode, Config) of native -> 64; isolated -> 32 end,
    ?assert(lists:all(fun(H) -> H >= 0 andalso H < 1 bsl Bits end, Many)).

variadic_print(Config) ->
    fx:same(Config, vformat, [fx_system:vformat(T) || T <- [a, {b, "c"}, #{}]]),
    ?assertEqual("a    42|ab   |ff -7 z % 1.50", fx_system:vformat(a)).

threads(_) ->
    [?assertEqual({N * 1000, N, N, true}, fx_system:threads(N)) || N <- [1, 2, 8]].

locks(_) ->
    ?assertEqual(["a mutex", "a rwlock", true, true, true, true, true, true], fx_system:locks()).

queues(Config) ->
    Parts = [<<"ab">>, <<>>, binary:copy(<<"c">>, 100), <<"def">>],
    All = iolist_to_binary(Parts),
    [?assertEqual({105, 105 - N, binary:part(All, N, 105 - N)}, fx_system:queue(Parts, N))
     || N <- [0, 1, 2, 3, 50, 102, 105]],
    fx:same(Config, queue_too_much, fx_system:queue(Parts, 106)),
    fx:same(Config, queue_empty, fx_system:queue([], 0)).

vectors(Config) ->
    Lists = [[], [<<>>], [<<"a">>], [<<"ab">>, binary:copy(<<"c">>, 100), <<"d">>],
             [binary:copy(<<"x">>, N) || N <- lists:seq(1, 50)], x, [a], [<<"a">> | b], [<<1:3>>]],
    fx:same(Config, vectors, [{L, Max, fx_system:vectors(L, Max)} || L <- Lists, Max <- [1, 2, 100]]).

undefined_pid(_) ->
    ?assertEqual([true, false, true, undefined], fx_system:undefined_pid()).

caller_alive(_) ->
    ?assertEqual(true, fx_system:caller_alive()).

%% From dirty schedulers too, and in order with what normal ones send.
ports_from_dirty(_) ->
    Port = open_port({spawn, "cat"}, [binary]),
    Lines = [{Send, <<(integer_to_binary(I))/binary, "\n">>}
             || I <- lists:seq(1, 100), Send <- [port_send, port_send_cpu, port_send_io]],
    [true = fx_system:Send(Port, Line) || {Send, Line} <- Lines],
    Expected = iolist_to_binary([Line || {_, Line} <- Lines]),
    ?assertEqual(Expected, from_port(Port, byte_size(Expected), <<>>)),
    port_close(Port).

from_port(_, Size, Data) when byte_size(Data) >= Size -> Data;
from_port(Port, Size, Data) ->
    receive {Port, {data, More}} -> from_port(Port, Size, <<Data/binary, More/binary>>)
    after 5000 -> {incomplete, Data}
    end.

%% Natively this ends the VM.
closed_port_from_dirty(_) ->
    Port = open_port({spawn, "cat"}, [binary]),
    port_close(Port),
    [?assertEqual(false, fx_system:Send(Port, <<"late">>))
     || _ <- lists:seq(1, 100), Send <- [port_send_cpu, port_send_io]].

ports(_) ->
    Port = open_port({spawn, "cat"}, [binary]),
    true = register(fx_port, Port),
    ?assertEqual(true, fx_system:port_alive(Port)),
    ?assertEqual(Port, fx_system:whereis_a_port(fx_port)),
    ?assertEqual(undefined, fx_system:whereis_a_port(no_such_port)),
    ?assertEqual(true, fx_system:port_send(Port, <<"through\n">>)),
    receive {Port, {data, Data}} -> ?assertEqual(<<"through\n">>, Data)
    after 2000 -> error(nothing_came)
    end,
    port_close(Port),
    ?assertEqual(false, fx_system:port_alive(Port)),
    ?assertEqual(no_port, fx_system:port_alive(self())).

memory(_) ->
    [ok = fx_system:hold(Size) || Size <- [1, 100, 1000000, 10]],
    ok = fx_system:let_go(),
    ok = fx_system:let_go().
