%%% Binaries over the memory of a resource, and resources in external term format, natively and
%%% isolated.
-module(conformance_resource_binaries_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(SIZES, [0, 1, 8, 63, 64, 65, 512, 513, 100_000, 3_000_000]).
-define(CASES,
        [contents, is_the_resource, not_a_resource, wanderings, binary_keeps_resource,
         part_keeps_resource, sub_binary_keeps_resource, own_memory, written_later, returned, sent,
         kept_in_environment, parts_made_by_library, in_a_term, as_a_term, many,
         encoded, encoded_by_library, decoded_by_library, decoded_after_its_end]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES, [host_dies]).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_resource_binary]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_resource_binary]).

contents(_) ->
    [begin
         Thing = new(1, Size),
         ?assertEqual(bytes(Size), fx_resource_binary:part(Thing, 0, Size)),
         ?assertEqual(bytes(Size), fx_resource_binary:new_binary(1, self(), Size)),
         [?assertEqual(binary:part(bytes(Size), At, Length), fx_resource_binary:part(Thing, At, Length))
          || {At, Length} <- parts(Size)]
     end || Size <- ?SIZES],
    flush().

%% The binary is a handle of the resource too.
is_the_resource(_) ->
    [begin
         Binary = fx_resource_binary:new_binary(N, self(), Size),
         ?assertEqual({Size, N}, {Size, fx_resource_binary:number(Binary)}),
         ?assertEqual(false, fx_resource_binary:of_other_type(Binary)),
         Reference = fx_resource_binary:reference(Binary),
         ?assert(is_reference(Reference)),
         ?assertEqual(N, fx_resource_binary:number(Reference)),
         ?assert(Reference =:= fx_resource_binary:reference(Binary))
     end || {N, Size} <- lists:enumerate(?SIZES)],
    flush().

not_a_resource(_) ->
    ?assertEqual([none, none, none], [fx_resource_binary:number(B) || B <- [<<>>, bytes(64), bytes(1000)]]).

%% Whether it still is one after this and that: as natively.
wanderings(Config) ->
    Table = ets:new(table, []),
    Answers =
        [begin
             Binary = fx_resource_binary:new_binary(7, self(), Size),
             Elsewhere = [binary_to_term(term_to_binary(Binary)), binary:copy(Binary),
                          list_to_binary([Binary]), binary:part(Binary, 0, Size),
                          binary:part(Binary, 0, Size div 2), <<Binary/binary>>,
                          <<Binary/binary, 0>>, iolist_to_binary(Binary),
                          through_process(Binary), through_table(Table, Binary),
                          element(2, lists:keyfind(a, 1, [{a, Binary}]))],
             [{fx_resource_binary:number(B), byte_size(B)} || B <- Elsewhere]
         end || Size <- ?SIZES],
    ets:delete(Table),
    erlang:garbage_collect(),
    flush(),
    fx:same(Config, wanderings, Answers).

binary_keeps_resource(_) ->
    Binary = in_process(fun(Parent) -> fx_resource_binary:new_binary(8, Parent, 1000) end),
    erlang:garbage_collect(),
    nothing(100),
    ?assertEqual(8, fx_resource_binary:number(Binary)),
    drop(Binary),
    destroyed(8).

part_keeps_resource(_) ->
    Binary = in_process(fun(Parent) ->
                                fx_resource_binary:part(fx_resource_binary:new(9, Parent, 1000), 10, 20)
                        end),
    erlang:garbage_collect(),
    nothing(100),
    ?assertEqual(9, fx_resource_binary:number(Binary)),
    drop(Binary),
    destroyed(9).

sub_binary_keeps_resource(_) ->
    Binary = in_process(fun(Parent) ->
                                <<_:100/binary, Part:500/binary, _/binary>> =
                                    fx_resource_binary:new_binary(10, Parent, 1000),
                                Part
                        end),
    erlang:garbage_collect(),
    nothing(100),
    ?assertEqual(binary:part(bytes(1000), 100, 500), Binary),
    drop(Binary),
    destroyed(10).

%% The library gets its own bytes, in place.
own_memory(_) ->
    Thing = new(11, 1000),
    ?assertEqual([0, 100, 999, 1000],
                 [fx_resource_binary:position(fx_resource_binary:part(Thing, At, Size))
                  || {At, Size} <- [{0, 1000}, {100, 100}, {999, 1}, {1000, 0}]]).

written_later(_) ->
    Thing = new(12, 1000),
    Binary = fx_resource_binary:part(Thing, 100, 100),
    ?assertEqual(105, fx_resource_binary:read_byte(Binary, 5)),
    ok = fx_resource_binary:write_byte(Thing, 105, 17),
    ?assertEqual(17, fx_resource_binary:read_byte(Binary, 5)),
    ?assertEqual(17, fx_resource_binary:read_byte(fx_resource_binary:echo(Binary), 5)).

returned(_) ->
    [begin
         Binary = fx_resource_binary:new_binary(13, self(), Size),
         Again = fx_resource_binary:echo(Binary),
         ?assertEqual(Binary, Again),
         ?assertEqual(13, fx_resource_binary:number(Again)),
         ?assertEqual({[Binary], #{x => Binary}}, fx_resource_binary:echo({[Binary], #{x => Binary}}))
     end || Size <- ?SIZES],
    erlang:garbage_collect(),
    [destroyed(13) || _ <- ?SIZES].

sent(_) ->
    Thing = new(14, 1000),
    ?assertEqual(1, fx_resource_binary:send(self(), Thing)),
    receive Binary ->
            ?assertEqual(bytes(1000), Binary),
            ?assertEqual(14, fx_resource_binary:number(Binary))
    after 1000 ->
            error(no_message)
    end.

%% The library's copy lives on when Erlang has dropped the binary.
kept_in_environment(_) ->
    [begin
         in_process(fun(Parent) ->
                            fx_resource_binary:keep(fx_resource_binary:new_binary(15, Parent, Size))
                    end),
         nothing(50),
         ?assertEqual(15, fx_resource_binary:kept_number()),
         in_process(fun(_) ->
                            Binary = fx_resource_binary:kept_term(),
                            ?assertEqual(bytes(Size), Binary),
                            ?assertEqual(15, fx_resource_binary:number(Binary))
                    end),
         nothing(50),
         ok = fx_resource_binary:forget(),
         destroyed(15)
     end || Size <- [0, 100, 100_000]].

parts_made_by_library(_) ->
    Binary = fx_resource_binary:new_binary(16, self(), 1000),
    [?assertEqual(binary:part(bytes(1000), At, Size), fx_resource_binary:sub(Binary, At, Size))
     || {At, Size} <- parts(1000)],
    ?assertEqual(binary:part(bytes(1000), 250, 500), fx_resource_binary:sub_of_new(17, self(), 1000)),
    drop(Binary),
    erlang:garbage_collect(),
    destroyed_each([16, 17]).

in_a_term(_) ->
    {Whole, [Whole], Half, Map} = fx_resource_binary:all_of_it(18, self(), 1000),
    ?assertEqual([bytes(1000), binary:part(bytes(1000), 500, 500)], [Whole, Half]),
    #{Whole := Reference} = Map,
    ?assertEqual([18, 18, 18], [fx_resource_binary:number(T) || T <- [Whole, Half, Reference]]).

%% For the library it is a binary like any other.
as_a_term(Config) ->
    [begin
         Binary = fx_resource_binary:new_binary(19, self(), Size),
         Seen = fx_resource_binary:seen(Binary, bytes(Size)),
         ?assertEqual(erlang:phash2(bytes(Size)), lists:last(Seen)),
         fx:same(Config, {seen, Size}, Seen),
         ?assertEqual(term_to_binary(bytes(Size)), fx_resource_binary:encoded(Binary))
     end || Size <- ?SIZES],
    erlang:garbage_collect(),
    flush().

many(_) ->
    in_process(fun(Parent) ->
                       Binaries = [fx_resource_binary:new_binary(20, Parent, 10_000)
                                   || _ <- lists:seq(1, 1000)],
                       ?assertEqual(lists:duplicate(1000, bytes(10_000)), Binaries)
               end),
    [destroyed(20) || _ <- lists:seq(1, 1000)].

%%% External term format of references to resources

encoded(_) ->
    Thing = new(21, 10),
    ?assertEqual(term_to_binary({a, Thing}), fx_resource_binary:encoded({a, Thing})),
    ?assertEqual(Thing, binary_to_term(fx_resource_binary:encoded(Thing))).

encoded_by_library(_) ->
    Thing = new(22, 10),
    {22, Back} = fx_resource_binary:encoded_and_back(Thing),
    ?assert(Back =:= Thing).

decoded_by_library(_) ->
    Thing = new(23, 10),
    {23, Back} = fx_resource_binary:decoded(term_to_binary(Thing)),
    ?assert(Back =:= Thing),
    ?assertMatch({none, [Thing, {Thing}]}, fx_resource_binary:decoded(term_to_binary([Thing, {Thing}]))).

decoded_after_its_end(_) ->
    Encoded = in_process(fun(Parent) -> term_to_binary(fx_resource_binary:new(24, Parent, 10)) end),
    destroyed(24),
    {none, Dead} = fx_resource_binary:decoded(Encoded),
    ?assert(is_reference(Dead)),
    ?assertEqual(none, fx_resource_binary:number(Dead)).

%%% The host

%% Erlang has the bytes; the resource is gone.
host_dies(_) ->
    Binary = fx_resource_binary:new_binary(25, self(), 1000),
    Thing = fx_resource_binary:reference(Binary),
    #{host := Host} = fx:host(fx_resource_binary),
    ok = cordon_nif:stop_host(Host),
    ?assertEqual(bytes(1000), Binary),
    ?assertEqual(none, fx_resource_binary:number(Binary)),
    ?assertEqual(bytes(1000), fx_resource_binary:echo(Binary)),
    ?assertError({stale_resource, _}, fx_resource_binary:number(Thing)),
    drop(Binary),
    nothing(50).

%%% Helpers

new(Number, Size) ->
    fx_resource_binary:new(Number, self(), Size).

bytes(Size) ->
    << <<(I band 255)>> || I <- lists:seq(0, Size - 1) >>.

parts(Size) ->
    [{At, Length} || At <- [0, 1, Size div 2, Size], Length <- [0, 1, 20, Size div 3],
                     At + Length =< Size].

through_process(Term) ->
    Self = self(),
    Pid = spawn_link(fun() -> receive T -> Self ! {self(), T} end end),
    Pid ! Term,
    receive {Pid, Back} -> Back end.

through_table(Table, Term) ->
    true = ets:insert(Table, {key, Term}),
    [{key, Back}] = ets:lookup(Table, key),
    true = ets:delete(Table, key),
    Back.

%% Gone from this process when the caller doesn't use it any more.
drop(_) ->
    erlang:garbage_collect().

destroyed(Number) ->
    erlang:garbage_collect(),
    receive {destroyed, Number} -> ok after 5000 -> error({not_destroyed, Number}) end.

destroyed_each(Numbers) ->
    [destroyed(N) || N <- Numbers].

nothing(Ms) ->
    receive Message -> error({unexpected, Message}) after Ms -> ok end.

flush() ->
    receive _ -> flush() after 100 -> ok end.

in_process(Fun) ->
    Self = self(),
    {Pid, Monitor} = spawn_monitor(fun() -> Self ! {self(), Fun(Self)} end),
    receive {'DOWN', Monitor, process, Pid, Reason} -> ?assertEqual(normal, Reason) end,
    receive {Pid, Result} -> Result end.
