%%% Option zero_copy: large binaries of a library stay in its host's memory. What callers see is the
%%% same natively, copied and in place, for a library that leaves its binaries alone; the last group
%%% asks whether they really are in place, and for how long.
-module(zero_copy_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(SIZES, [0, 100, 16#3fff, 16#4000, 100_000, 5_000_000]).
-define(LARGE, 100_000).
-define(CASES, [contents, several_of_one, back_to_the_library, kept_by_the_library, sent_by_thread,
                in_a_message, compared]).
-define(IN_PLACE, [library_sees_its_own, changes_show, small_is_copied, part_is_in_place,
                   memory_comes_back, held_during_a_move, held_for_a_killed_caller,
                   outlives_the_host, unmapped_with_the_last, purged_while_held]).

suite() -> [{timetrap, {seconds, 60}}].
all() -> [{group, native}, {group, copied}, {group, in_place}].

groups() ->
    [{native, [], ?CASES}, {copied, [], ?CASES ++ [changes_do_not_show, option_is_checked]},
     {in_place, [], ?CASES ++ ?IN_PLACE}].

init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_group(native, Config) ->
    ok = fx:load(native, fx_zero_copy),
    Config;
init_per_group(Group, Config) ->
    ok = load(Group =:= in_place),
    Config.

end_per_group(_, _) ->
    fx:unload(fx_zero_copy).

load(ZeroCopy) ->
    fx:load(isolated, fx_zero_copy, #{options => #{zero_copy => ZeroCopy, pool_size => 64 bsl 20}}).

%%% In every mode

contents(_) ->
    [?assertEqual(bytes(Size), fx_zero_copy:Make(Size)) || Size <- ?SIZES, Make <- [make, make_owned]].

several_of_one(_) ->
    [begin
         Whole = bytes(Size),
         ?assertEqual([Whole, {binary:part(Whole, 1, Size - 1), Whole}, binary:part(Whole, 0, Size div 2)],
                      fx_zero_copy:several(Size))
     end || Size <- ?SIZES, Size > 0].

back_to_the_library(_) ->
    [begin
         Binary = fx_zero_copy:make(Size),
         ?assertEqual(bytes(Size), fx_zero_copy:same(Binary)),
         ?assertEqual(bytes(Size), fx_zero_copy:same(fx_zero_copy:same(Binary))),
         [?assertEqual(binary:part(bytes(Size), At, Length), fx_zero_copy:part(Binary, At, Length))
          || {At, Length} <- [{0, Size}, {Size div 3, Size div 2}, {Size, 0}]],
         ?assertEqual(binary:part(bytes(Size), 1, Size - 1), fx_zero_copy:same(binary:part(Binary, 1, Size - 1)))
     end || Size <- ?SIZES, Size > 0].

kept_by_the_library(_) ->
    _ = fx_zero_copy:keep(fx_zero_copy:make(?LARGE)),
    erlang:garbage_collect(),
    _ = [fx_zero_copy:make(?LARGE) || _ <- lists:seq(1, 20)],
    ?assertEqual(bytes(?LARGE), fx_zero_copy:keep(none)).

sent_by_thread(_) ->
    [begin
         ok = fx_zero_copy:send(self(), Size),
         receive Binary -> ?assertEqual(bytes(Size), Binary) after 5000 -> ct:fail(no_message) end
     end || Size <- ?SIZES].

in_a_message(_) ->
    Binary = fx_zero_copy:make(?LARGE),
    {Pid, Monitor} = spawn_monitor(fun() -> receive B -> exit({got, erlang:md5(B)}) end end),
    Pid ! Binary,
    receive {'DOWN', Monitor, process, Pid, Reason} -> ?assertEqual({got, erlang:md5(bytes(?LARGE))}, Reason) end.

compared(_) ->
    Binary = fx_zero_copy:make(?LARGE),
    ?assertEqual(erlang:phash2(bytes(?LARGE)), erlang:phash2(Binary)),
    ?assertEqual(term_to_binary(bytes(?LARGE)), term_to_binary(Binary)),
    ?assert(#{Binary => 1} =:= #{bytes(?LARGE) => 1}),
    ?assertEqual(<<(bytes(?LARGE))/binary, 1>>, <<Binary/binary, 1>>).

%%% Copied

changes_do_not_show(_) ->
    Binary = fx_zero_copy:make(?LARGE),
    ok = fx_zero_copy:poke(255),
    ?assertEqual(bytes(?LARGE), Binary).

option_is_checked(_) ->
    {error, [Text]} = cordon_options:normalise(#{zero_copy => 1}),
    ?assertEqual("option zero_copy is 1, expected true or false", Text).

%%% In place

library_sees_its_own(_) ->
    [begin
         Binary = fx_zero_copy:Make(?LARGE),
         Address = fx_zero_copy:address(Binary),
         ?assertEqual(Address, fx_zero_copy:address(fx_zero_copy:same(Binary))),
         ?assertEqual(Address + 10, fx_zero_copy:address(binary:part(Binary, 10, 50_000)))
     end || Make <- [make, make_owned]].

%% What the option is a matter of trust for.
changes_show(_) ->
    Binary = fx_zero_copy:make(?LARGE),
    ok = fx_zero_copy:poke(255),
    ?assertEqual(255, binary:first(Binary)).

small_is_copied(_) ->
    Binary = fx_zero_copy:make(16#3fff),
    ok = fx_zero_copy:poke(255),
    ?assertEqual(0, binary:first(Binary)).

part_is_in_place(_) ->
    Part = fx_zero_copy:part(fx_zero_copy:make(?LARGE), 0, ?LARGE div 2),
    erlang:garbage_collect(),
    ok = fx_zero_copy:poke(255),
    ?assertEqual(255, binary:first(Part)).

%% 64 MiB of address space, 1 GB of binaries; and some that are never let go of.
memory_comes_back(_) ->
    Generation = generation(),
    Kept = [fx_zero_copy:make(2_000_000) || _ <- lists:seq(1, 100)],
    ?assertEqual([bytes(2_000_000)], lists:usort(Kept)),
    [?assertEqual(5_000_000, byte_size(fx_zero_copy:make(5_000_000))) || _ <- lists:seq(1, 200)],
    ?assertEqual(Generation, generation()).

%% Longer than a scheduler waits.
held_during_a_move(_) ->
    sum_later(fx_zero_copy:make(?LARGE)).

held_for_a_killed_caller(_) ->
    Test = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> fx_zero_copy:sum_later(fx_zero_copy:make(?LARGE), 500, Test) end),
    fx:wait_until(fun() -> #{calls := Calls} = fx:host(fx_zero_copy), Calls =:= 1 end),
    timer:sleep(50),
    exit(Pid, kill),
    receive {'DOWN', Monitor, process, Pid, killed} -> ok end,
    %% They would take its memory.
    _ = [fx_zero_copy:make(?LARGE) || _ <- lists:seq(1, 50)],
    sum_is_told().

outlives_the_host(_) ->
    Binary = fx_zero_copy:make(?LARGE),
    ?assertError({nif_host_down, _}, fx_zero_copy:crash()),
    ?assertEqual(bytes(?LARGE), Binary),
    %% It is an argument of the new host as any other is.
    ?assertEqual(bytes(?LARGE), fx_zero_copy:same(Binary)),
    New = fx_zero_copy:make(?LARGE),
    ?assertEqual({Binary, New}, {bytes(?LARGE), bytes(?LARGE)}).

unmapped_with_the_last(_) ->
    erlang:garbage_collect(),
    fx:wait_until(fun() -> segments() =:= 1 end),
    Test = self(),
    Holder = spawn(fun() ->
                           Binary = fx_zero_copy:make(?LARGE),
                           Test ! made,
                           receive stop -> byte_size(Binary) end
                   end),
    receive made -> ok end,
    ?assertError({nif_host_down, _}, fx_zero_copy:crash()),
    ?assertEqual(<<>>, fx_zero_copy:make(0)),
    erlang:garbage_collect(),
    timer:sleep(100),
    ?assertEqual(2, segments()),
    Holder ! stop,
    fx:wait_until(fun() -> segments() =:= 1 end).

%% The binary belongs to no module.
purged_while_held(_) ->
    Binary = fx_zero_copy:make(?LARGE),
    fx:unload(fx_zero_copy),
    fx:wait_until(fun() -> fx:hosts(fx_zero_copy) =:= [] end),
    ?assertEqual(bytes(?LARGE), Binary),
    ok = load(true),
    ?assertEqual(bytes(?LARGE), fx_zero_copy:same(Binary)).

%%%

bytes(Size) ->
    Period = << <<(I * 7)>> || I <- lists:seq(0, 255) >>,
    binary:part(binary:copy(Period, Size div 256 + 1), 0, Size).

sum_later(Binary) ->
    ok = fx_zero_copy:sum_later(Binary, 100, self()),
    sum_is_told().

sum_is_told() ->
    Sum = lists:sum(binary_to_list(bytes(?LARGE))),
    receive {sum, Told} -> ?assertEqual(Sum, Told) after 5000 -> ct:fail(no_sum) end.

generation() ->
    #{generation := Generation} = fx:host(fx_zero_copy),
    Generation.

%% Host segments of this library that the VM has mapped.
segments() ->
    length(binary:matches(fx:maps(self), <<"fx_zero_copy_host">>)).
