%%% Terms of a size at which quadratic time, recursion and copies show, natively and isolated: the
%%% same cases in both groups, and how long they took beside each other in the log.
-module(conformance_scale_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("common_test/include/ct.hrl").
-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [map_put_million, map_changed_argument, map_argument_million, map_drained,
         list_argument, list_results, list_reversed, list_kept_and_sent,
         strings, tuples, deep, deep_walks, deep_messages, shared_terms,
         binary_sizes, binary_messages, binary_kept, sub_binaries, binary_two_gigabytes,
         long_atoms, bignums, bitstrings, queues, iolists, environments_reused,
         environments_freed]).

-define(MILLION, 1000000).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 120}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_scale]).

end_per_group(Mode, _Config) ->
    fx:unload(fx_scale),
    [begin
         Lines = [io_lib:format("~-42s ~10.1f ms native ~10.1f ms isolated  x~.2f~n",
                                [io_lib:format("~w", [What]), Native / 1000, Isolated / 1000,
                                 Isolated / max(Native, 1)])
                  || {What, Isolated} <- times(isolated), {_, Native} <- [native_time(What)]],
         ct:log("~s", [Lines])
     end || Mode =:= isolated].

%%% Maps

%% A million keys, one after the other: quadratic time would be 100 times that of a tenth of them.
map_put_million(Config) ->
    Put = fun(N) -> timed(Config, {put_keys, N}, fun() -> fx_scale:put_keys(N, #{}) end) end,
    {Us, Small} = Put(?MILLION div 10),
    {LongUs, Map} = Put(?MILLION),
    ?assert(Small =:= a_map(?MILLION div 10)),
    ?assert(Map =:= a_map(?MILLION)),
    ct:log("ten times as many keys: ~.1f times as long", [LongUs / Us]),
    ?assert(LongUs < 50 * Us).

%% Changes of the same argument, again and again.
map_changed_argument(Config) ->
    Map = a_map(?MILLION div 10),
    {Us, One} = timed(Config, put_one, fun() -> fx_scale:put_on_same(1, Map) end),
    {LongUs, Last} = timed(Config, put_on_same, fun() -> fx_scale:put_on_same(1000, Map) end),
    ?assert(One =:= Map#{-1 => added}),
    ?assert(Last =:= Map#{-1 => added}),
    ct:log("a thousand changes: ~b us, one: ~b us", [LongUs, Us]),
    ?assert(LongUs < 50 * Us + 100000).

map_argument_million(Config) ->
    Map = a_map(?MILLION),
    {_, Found} = timed(Config, find_keys, fun() -> fx_scale:find_keys(?MILLION + 10, Map) end),
    ?assertEqual(?MILLION, Found),
    Sum = ?MILLION * (?MILLION + 1) div 2,
    {_, Seen} = timed(Config, iterate, fun() -> fx_scale:iterate(Map) end),
    ?assertEqual({?MILLION, Sum, true}, Seen),
    [?assertEqual({N, N * (N + 1) div 2, true}, fx_scale:iterate(fx_scale:put_keys(N, #{})))
     || N <- [0, 1, 2, 31, 32, 33, 34, 1000, 100000]].

%% From either end, a pair at a time.
map_drained(Config) ->
    N = 1000,
    [begin
         {_, Drained} = timed(Config, {drain, End}, fun() -> fx_scale:drain(a_map(N), End) end),
         ?assertEqual({N, N * (N + 1) div 2}, Drained)
     end || End <- [first, last]].

a_map(N) -> a_map(1, N).
a_map(From, To) -> maps:from_list([{K, -K} || K <- lists:seq(From, To)]).

%%% Lists, strings, tuples

list_argument(Config) ->
    N = 10 * ?MILLION,
    List = lists:seq(1, N),
    {_, Sum} = timed(Config, sum_list, fun() -> fx_scale:sum_list(List) end),
    ?assertEqual({N, N * (N + 1) div 2}, Sum),
    {_, Same} = timed(Config, echo_list, fun() -> fx_scale:echo(List) end),
    ?assert(List =:= Same),
    ?assertError(badarg, fx_scale:sum_list(List ++ the_end)).

list_results(Config) ->
    N = 10 * ?MILLION,
    [begin
         {_, List} = timed(Config, {make_list, How}, fun() -> fx_scale:make_list(N, How) end),
         ?assert(List =:= lists:seq(1, N))
     end || How <- [cells, array, reverse]].

list_reversed(Config) ->
    N = 10 * ?MILLION,
    {_, List} = timed(Config, reverse, fun() -> fx_scale:reverse(lists:seq(1, N)) end),
    ?assert(List =:= lists:seq(N, 1, -1)).

list_kept_and_sent(Config) ->
    List = lists:seq(1, 2 * ?MILLION),
    {_, Kept} = timed(Config, keep_list, fun() -> ok = fx_scale:keep(List), fx_scale:fetch() end),
    ?assert(List =:= Kept),
    {_, true} = timed(Config, send_list, fun() -> fx_scale:send_term(List) end),
    receive Sent -> ?assert(List =:= Sent) after 0 -> error(late) end.

strings(Config) ->
    N = 10 * ?MILLION,
    {_, Made} = timed(Config, make_string, fun() -> fx_scale:make_string(N) end),
    ?assert({true, lists:duplicate(N, $s)} =:= Made),
    {_, String} = Made,
    {_, Taken} = timed(Config, take_string, fun() -> fx_scale:take_string(String, N + 1) end),
    ?assertEqual({N + 1, N}, Taken),
    ?assertEqual({-N, N - 1}, fx_scale:take_string(String, N)).

%% An arity of 24 bits is the VM's limit.
tuples(Config) ->
    [begin
         {_, Tuple} = timed(Config, {make_tuple, N}, fun() -> fx_scale:make_tuple(N) end),
         ?assertEqual(N, tuple_size(Tuple)),
         ?assert(N =:= 0 orelse {1, N} =:= {element(1, Tuple), element(N, Tuple)}),
         {_, Sum} = timed(Config, {sum_tuple, N}, fun() -> fx_scale:sum_tuple(Tuple) end),
         ?assertEqual({N, N * (N + 1) div 2}, Sum)
     end || N <- [0, 1, 2, 65536, ?MILLION, 1 bsl 24 - 1]].

%%% Deep ones

deep(Config) ->
    [begin
         {_, Made} = timed(Config, {nest, How}, fun() -> fx_scale:nest(?MILLION, How, leaf) end),
         ?assert(Made =:= nested(How, ?MILLION)),
         {_, Dug} = timed(Config, {dig, How}, fun() -> fx_scale:dig(Made) end),
         ?assertEqual({?MILLION, leaf}, Dug),
         {_, Same} = timed(Config, {echo_deep, How}, fun() -> fx_scale:echo(Made) end),
         ?assert(Made =:= Same)
     end || How <- [tuple, list, map]].

%% Copied, compared, hashed, printed, encoded.
deep_walks(Config) ->
    [begin
         Term = nested(How, ?MILLION),
         {_, Results} = timed(Config, {walk, How},
                              fun() -> fx_scale:walk(Term, nested(How, ?MILLION)) end),
         [0, true, true, 0, Hash, true, Printed, Encoded] = Results,
         ?assertEqual(erlang:phash2(Term), Hash),
         ?assert(term_to_binary(Term) =:= Encoded),
         fx:same(Config, {printed, How}, Printed), % the VM stops after 100,000 parts
         Deeper = nested(How, ?MILLION + 1),
         [Order | _] = fx_scale:walk(Term, Deeper),
         ?assertEqual(case Term < Deeper of true -> -1; false -> 1 end, Order)
     end || How <- [tuple, list, map]].

deep_messages(_) ->
    [begin
         Term = nested(How, ?MILLION),
         true = fx_scale:send_term(Term),
         receive Sent -> ?assert(Sent =:= Term) after 0 -> error(late) end,
         ok = fx_scale:keep(Term),
         ?assert(Term =:= fx_scale:fetch())
     end || How <- [tuple, list, map]].

nested(tuple, N) -> lists:foldl(fun(_, T) -> {T} end, leaf, lists:seq(1, N));
nested(list, N) -> lists:foldl(fun(_, T) -> [T] end, leaf, lists:seq(1, N));
nested(map, N) -> lists:foldl(fun(_, T) -> #{in => T} end, leaf, lists:seq(1, N)).

%% As a tree this has 2^200 leaves. Whoever sends or copies it makes that tree: the VM too.
shared_terms(_) ->
    Shared = lists:foldl(fun(_, T) -> {T, T} end, [leaf], lists:seq(1, 200)),
    Same = fx_scale:echo(Shared),
    ?assert(erts_debug:size(Same) < 100000),
    {Inner, Inner2} = Same,
    ?assert(erts_debug:same(Inner, Inner2)).

%%% Binaries

%% Around the sizes at which the VM, or a host, keeps them otherwise.
binary_sizes(Config) ->
    Sizes = [0, 1, 7, 8, 63, 64, 65, 511, 512, 513, 4095, 4096, 4097, 1 bsl 20, 100 bsl 20],
    [begin
         {_, Made} = timed(Config, {make_binary, Way, Size},
                           fun() -> fx_scale:make_binary(Size, Way) end),
         right_bytes(Size, Made),
         {_, Checked} = timed(Config, {check_binary, Size},
                              fun() -> fx_scale:check_binary(Made) end),
         ?assertEqual({Size, true}, Checked),
         ?assert(Made =:= fx_scale:echo(Made))
     end || Size <- Sizes, Way <- [alloc, new, grown, shrunk],
            Size < 100 bsl 20 orelse Way =:= grown].

binary_messages(_) ->
    [begin
         true = fx_scale:send_binary(Size, Way),
         Sent = receive Message -> Message after 0 -> error(late) end,
         right_bytes(Size, Sent),
         true = fx_scale:send_term(Sent),
         receive Again -> ?assert(Again =:= Sent) after 0 -> error(late) end
     end || Size <- [0, 1, 64, 65, 512, 513, 4096, 1 bsl 20, 100 bsl 20], Way <- [new, grown],
            Size < 100 bsl 20 orelse Way =:= new].

binary_kept(_) ->
    [begin
         Made = fx_scale:make_binary(Size, alloc),
         ok = fx_scale:keep(Made),
         ?assert(Made =:= fx_scale:fetch())
     end || Size <- [0, 1, 64, 65, 512, 513, 4096, 1 bsl 20, 100 bsl 20]].

sub_binaries(_) ->
    [begin
         Made = fx_scale:make_binary(Size, alloc),
         [begin
              Part = fx_scale:sub_binary(Made, From, Length),
              ?assert(Part =:= binary:part(Made, From, Length)),
              ?assert(Part =:= fx_scale:echo(Part))
          end || From <- [0, 1, Size div 2, Size], Length <- [0, 1, Size div 2, Size - From],
                 From + Length =< Size]
     end || Size <- [1, 16, 64, 65, 513, 4097, 1 bsl 20, 10 bsl 20]].

%% Lengths that do not fit 31 bits, as result, argument and message.
binary_two_gigabytes(Config) ->
    Needed = 9,
    case gigabytes_available() of
        Available when Available < Needed ->
            {skip, lists:concat(["binaries of 2 GB need ", Needed, " GB of free memory; there are ",
                                 Available])};
        _ ->
            [in_process(fun() -> two_gigabytes(Config, Size, Way) end)
             || {Size, Way} <- [{1 bsl 31, new}, {1 bsl 31 + 1, grown}]],
            ok
    end.

two_gigabytes(Config, Size, Way) ->
    {_, Made} = timed(Config, {make_binary, Way, Size},
                      fun() -> fx_scale:make_binary(Size, Way) end),
    right_bytes(Size, Made),
    {_, Checked} = timed(Config, {check_binary, Size}, fun() -> fx_scale:check_binary(Made) end),
    ?assertEqual({Size, true}, Checked),
    Part = fx_scale:sub_binary(Made, Size - 10, 10),
    ?assert(Part =:= binary:part(Made, Size - 10, 10)).

gigabytes_available() ->
    {ok, Info} = file:read_file("/proc/meminfo"),
    {match, [Kb]} = re:run(Info, "MemAvailable:\\s+([0-9]+) kB", [{capture, all_but_first, binary}]),
    binary_to_integer(Kb) bsr 20.

%% The bytes that the fixture writes; of big binaries only some.
right_bytes(Size, Binary) ->
    ?assertEqual(Size, byte_size(Binary)),
    Places = case Size =< 5000 of
                 true -> lists:seq(0, Size - 1);
                 false -> [0, 1, Size - 1 | [Size div 1000 * K || K <- lists:seq(1, 999)]]
             end,
    [?assertEqual({At, (At * 31 + (At bsr 12)) band 255}, {At, binary:at(Binary, At)})
     || At <- Places],
    ok.

%%% Atoms, numbers

long_atoms(_) ->
    [begin
         Atom = list_to_atom(lists:duplicate(255, Character)),
         ?assertEqual(Atom, fx_scale:echo(Atom)),
         ok = fx_scale:keep({Atom, [Atom]}),
         ?assertEqual({Atom, [Atom]}, fx_scale:fetch())
     end || Character <- [$a, 16#e9, 16#20ac, 16#1f600]].

%% Larger than what is written before sharing is looked for; none stays behind.
bitstrings(_) ->
    Bitstring = <<(binary:copy(<<7>>, 16 bsl 20))/binary, 1:1>>,
    ?assert(Bitstring =:= fx_scale:echo(Bitstring)),
    true = garbage_collect(),
    Before = erlang:memory(binary),
    [?assert(Bitstring =:= fx_scale:echo(Bitstring)) || _ <- lists:seq(1, 5)],
    true = garbage_collect(),
    ?assert(erlang:memory(binary) - Before < 32 bsl 20).

%% OTP 27 has none of more than 4,194,304 bits.
bignums(Config) ->
    [begin
         Number = Sign * ((1 bsl Bits) + 12345),
         {_, Same} = timed(Config, {bignum, Bits}, fun() -> fx_scale:echo(Number) end),
         ?assert(Number =:= Same),
         ok = fx_scale:keep([Number]),
         ?assert([Number] =:= fx_scale:fetch())
     end || Bits <- [64, 1000, 100000, ?MILLION, 4 * ?MILLION], Sign <- [1, -1]].

%%% I/O queues, iolists

%% The VM's own queues take quadratic time.
queues(Config) ->
    [begin
         Binaries = [binary:copy(<<I>>, 1 + I rem Longest) || I <- lists:seq(1, 2000)],
         {_, Result} = timed(Config, {queue, Longest}, fun() -> fx_scale:queue(Binaries, Max) end),
         fx:same(Config, {queue, Longest, Max}, Result),
         ?assertEqual(2000 + min(2000, Max), element(1, Result))
     end || {Longest, Max} <- [{1, 2000}, {100, 2000}, {1000, 3000}, {100, 1000}, {5, 17}]].

iolists(Config) ->
    Wide = [[I rem 256, <<I:16>>, [[]], [<<I:8>> | <<I:24>>]] || I <- lists:seq(1, ?MILLION div 2)],
    Left = lists:foldl(fun(I, T) -> [T, I rem 256] end, [], lists:seq(1, ?MILLION)),
    Right = lists:foldl(fun(I, T) -> [I rem 256 | [T]] end, [], lists:seq(1, ?MILLION)),
    [begin
         {_, Flat} = timed(Config, {flatten, What}, fun() -> fx_scale:flatten(IoList) end),
         ?assert(iolist_to_binary(IoList) =:= Flat)
     end || {What, IoList} <- [{wide, Wide}, {left, Left}, {right, Right}]].

%%% Environments

%% A million times filled and cleared or freed: no memory stays behind.
environments_reused(Config) ->
    no_growth(Config, clear_often).

environments_freed(Config) ->
    no_growth(Config, free_often).

no_growth(Config, Function) ->
    Term = {a, "list", [1.5, #{b => <<"binary">>}]},
    ok = fx_scale:Function(?MILLION div 10, Term),
    Before = library_rss(Config),
    {_, ok} = timed(Config, Function, fun() -> fx_scale:Function(?MILLION, Term) end),
    After = library_rss(Config),
    ct:log("~s: ~b kB before, ~b kB after", [Function, Before, After]),
    ?assert(After - Before < 4096).

library_rss(Config) ->
    OsPid = case ?config(mode, Config) of
                native -> list_to_integer(os:getpid());
                isolated -> maps:get(os_pid, fx:host(fx_scale))
            end,
    {ok, Status} = file:read_file(lists:concat(["/proc/", OsPid, "/status"])),
    {match, [Kb]} = re:run(Status, "VmRSS:\\s+([0-9]+) kB", [{capture, all_but_first, binary}]),
    binary_to_integer(Kb).

%%% Helpers

%% Microseconds and result; noted for the end of the group.
timed(Config, What, Fun) ->
    {Us, Result} = timer:tc(Fun),
    Key = {?MODULE, ?config(mode, Config)},
    persistent_term:put(Key, [{What, Us} | persistent_term:get(Key, [])]),
    {Us, Result}.

times(Mode) ->
    lists:reverse(persistent_term:get({?MODULE, Mode}, [])).

native_time(What) ->
    case lists:keyfind(What, 1, times(native)) of
        false -> {What, 0};
        Noted -> Noted
    end.

%% What it holds is given back before the next one.
in_process(Fun) ->
    {Pid, Ref} = spawn_monitor(fun() -> Fun(), exit(done) end),
    receive {'DOWN', Ref, process, Pid, Reason} -> ?assertEqual(done, Reason) end.
