%%% The host is hostile: whatever a library writes to the memory that it shares with the VM
%%% costs its own host, never the VM.
-module(hostile_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(BINARY, 5).
-define(BINARY_REF, 6).

all() ->
    [invalid_words, addresses_elsewhere, unknown_atom, forged_pid, pid_of_nobody, cycles, impossible_sizes,
     unknown_kinds, broken_maps, not_a_number, forged_externals, sharing_is_legal,
     sharing_that_the_vm_would_walk,
     printed_by_the_vm, endless_integers, order_of_a_broken_map, overlapping, foreign_memory, argument_is_read_only, scribbled_memory,
     scribbled_under_others, memory_vanishes, endless_upcalls, endless_upcalls_of_many,
     endless_upcalls_in_load, endless_monitors, endless_anchors, monitors_of_nothing,
     forged_monitors, monitors_of_the_killed, atoms_of_a_small_table,
     atoms_that_no_term_shows].

suite() -> [{timetrap, {seconds, 60}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_testcase(_Case, Config) ->
    ok = fx:load(isolated, fx_hostile),
    ok = fx:load(isolated, fx_bystander),
    Config.

end_per_testcase(_Case, _Config) ->
    fx:unload(fx_hostile),
    fx:unload(fx_bystander).

%% Tags that no term has; 0 is what a library returns that has forgotten to.
invalid_words(_) ->
    [violates(returns_raw, [Word], invalid_term) || Word <- [0, 2, 6, 16#22, 16#3B, 16#FF2]].

addresses_elsewhere(_) ->
    [violates(returns_raw, [Word], term_out_of_bounds)
     || Word <- [8, 16#1000, 16#7FFFFFFFFFF8, 16#FFFFFFFFFFFFFFF8, 16#7FFFFFFFFFF9]],
    violates(misaligned, [], misaligned_term).

unknown_atom(_) ->
    [violates(returns_raw, [16#0B bor (Index bsl 6)], unknown_atom)
     || Index <- [1 bsl 22, 1 bsl 40, (1 bsl 57) - 1]].

%% A VM takes some bits of a pid as an index, unchecked: a forged one must not get there, unless it
%% is one that the VM makes itself of external terms. With OTP 27 those are all.
forged_pid(_) ->
    [refused_or_harmless(returns_raw, Word bor Tag)
     || Tag <- [16#3, 16#7], Word <- [16#0FFFFFFFFFFFF000, 16#FFFFFFFFFFFFFFF0,
                                      16#7FFF0000000000, 16#FFFFFFFF00000000]].

refused_or_harmless(Function, Word) ->
    try fx_hostile:Function(Word) of
        Printed when is_integer(Printed) -> ?assert(Printed > 0);
        Pid when is_pid(Pid) ->
            ?assertEqual(Pid, binary_to_term(term_to_binary(Pid))),
            ?assertNot(is_process_alive(Pid));
        Port when is_port(Port) ->
            ?assertEqual(Port, binary_to_term(term_to_binary(Port))),
            ?assertEqual(undefined, erlang:port_info(Port))
    catch
        error:{nif_host_down, #{reason := {protocol, invalid_term}}} -> unharmed()
    end.

%% One that could exist is a pid like any other.
pid_of_nobody(_) ->
    Pid = list_to_pid("<0.12345.67>"),
    ?assertEqual(Pid, fx_hostile:forged_copy(Pid)),
    ?assertNot(is_process_alive(fx_hostile:forged_copy(Pid))).

cycles(_) ->
    [violates(Function, [], '_') || Function <- [cyclic_list, cyclic_tuple, cyclic_heads]].

impossible_sizes(_) ->
    [violates(object, [Kind, Size, 16#1F], '_')
     || Kind <- [1, ?BINARY, ?BINARY_REF, 7, 8, 11],
        Size <- [1 bsl 24, 1 bsl 40, (1 bsl 56) - 1]].

unknown_kinds(_) ->
    [violates(object, [Kind, 1, 16#1F], '_') || Kind <- [0, 9, 12, 100, 255]].

broken_maps(_) ->
    violates(cyclic_map, [], '_'),
    violates(duplicate_keys, [], duplicate_map_key),
    violates(object, [8, 50, 16#1F], invalid_map).

not_a_number(_) ->
    violates(not_a_number, [], float_not_finite).

%% What no enif_* can take apart comes back as it went out, or not at all.
forged_externals(_) ->
    Base = 7,
    Fun = fun(X) -> X + Base end,
    [begin
         violates(forged_external, [Term], forged_external),
         violates(external_of_other_type, [Term], forged_external)
     end || Term <- [Fun, make_ref(), 1 bsl 100, <<1:3>>]].

sharing_is_legal(_) ->
    Words = erts_debug:size(fx_hostile:sharing()),
    ?assert(Words < 1000).

%% The VM compares map keys, and encodes terms, as trees: these would never end.
sharing_that_the_vm_would_walk(_) ->
    violates(shared_keys, [], map_key_too_large),
    violates(encodes_shared, [], term_too_large).

%% The VM is given nothing to print that it has not checked.
printed_by_the_vm(_) ->
    [refused_or_harmless(prints_raw, 16#0FFFFFFFFFFFF000 bor Tag) || Tag <- [16#3, 16#7]],
    [violates(prints_forged, [Term], forged_external) || Term <- [make_ref(), fun() -> self() end]].

%% To print an integer takes the square of its length: hours for the largest.
endless_integers(_) ->
    Long = 1 bsl 20000,
    ?assert(is_integer(fx_hostile:prints(Long))),
    violates(prints, [1 bsl 4000000], term_too_large),
    violates(prints, [lists:duplicate(2000, Long)], term_too_large),
    violates(encodes_many, [Long, 1000000], term_too_large),
    ?assertEqual(term_to_binary([Long, Long]), fx_hostile:encodes_many(Long, 2)).

order_of_a_broken_map(_) ->
    violates(iterates_forged, [], duplicate_map_key).

overlapping(_) ->
    violates(overlapping, [], '_').

foreign_memory(_) ->
    violates(foreign_memory, [binary:copy(<<1>>, 1000)], term_out_of_bounds).

argument_is_read_only(_) ->
    ?assertEqual(-1, fx_hostile:unprotects_argument(binary:copy(<<1>>, 1000))),
    ends(writes_argument, [binary:copy(<<1>>, 1000)], {signal, sigsegv}).

%% Everything that the VM reads of this host holds one byte, over and over.
scribbled_memory(_) ->
    [begin
         Started = erlang:monotonic_time(millisecond),
         try fx_hostile:scribbles(Byte) of
             _ -> ok
         catch
             error:{nif_host_down, _} -> ok
         end,
         ?assert(erlang:monotonic_time(millisecond) - Started < 10_000),
         restart(),
         unharmed()
     end || Byte <- [16#00, 16#01, 16#7F, 16#80, 16#FF]].

scribbled_under_others(_) ->
    Self = self(),
    Callers = [spawn_link(fun() ->
                   Outcome = try fx_hostile:sleeps(300) catch error:Reason -> Reason end,
                   Self ! {self(), Outcome}
               end) || _ <- lists:seq(1, 8)],
    timer:sleep(100),
    catch fx_hostile:scribbles(16#FF),
    restart(),
    [receive
         {Caller, 300} -> ok;
         {Caller, {nif_host_down, _}} -> ok
     after 10_000 ->
         error(caller_hangs)
     end || Caller <- Callers],
    unharmed().

memory_vanishes(_) ->
    ends(lets_memory_vanish, [], {signal, sigsegv}).

%% Each upcall is answered, but the call's time runs on.
endless_upcalls(_) ->
    [begin
         ok = fx:load(isolated, fx_hostile, #{options => #{call_timeout => 500}}),
         {Ms, ok} = timed(fun() -> ends(Function, [], {timeout, 500}) end),
         ?assert(Ms >= 500 andalso Ms < 5000)
     end || Function <- [endless_upcalls, endless_upcalls_dirty]].

%% Each caller gets its one error, and the schedulers go on meanwhile.
endless_upcalls_of_many(_) ->
    ok = fx:load(isolated, fx_hostile, #{options => #{call_timeout => 500}}),
    Self = self(),
    Callers = [spawn_link(fun() ->
                   Outcome = try fx_hostile:endless_upcalls() catch error:Reason -> Reason end,
                   Self ! {self(), Outcome}
               end) || _ <- lists:seq(1, 4)],
    {Ms, _} = timed(fun() -> [fx_bystander:count() || _ <- lists:seq(1, 100)] end),
    ?assert(Ms < 5000),
    [receive
         {Caller, {nif_host_down, #{reason := {timeout, 500}}}} -> ok
     after 5000 ->
         error(caller_hangs)
     end || Caller <- Callers],
    unharmed().

endless_upcalls_in_load(_) ->
    {Ms, Result} = timed(fun() ->
                             fx:try_load(fx_hostile, #{shim => true, info => endless,
                                                       options => #{load_timeout => 1000}})
                         end),
    ?assertMatch({error, {_, [_ | _]}}, Result),
    ?assert(Ms >= 1000 andalso Ms < 5000),
    ok = fx:load(isolated, fx_hostile),
    unharmed().

%% A host has so many, and when it is gone nothing is left of them.
endless_monitors(_) ->
    ends(endless_monitors, [one_resource], {quota, monitors}),
    fx:wait_until(fun() -> monitored_by() =:= [] end, 20000).

endless_anchors(_) ->
    ends(endless_anchors, [], {quota, monitors}),
    ?assertEqual([], monitored_by()).

monitors_of_nothing(_) ->
    ?assertEqual(100, fx_hostile:monitors_of_nothing()),
    ?assertEqual(100, length(monitored_by())),
    restart(),
    fx:wait_until(fun() -> monitored_by() =:= [] end),
    unharmed().

%% A reference of the host's choice could revive a resource of another library.
forged_monitors(_) ->
    ?assertEqual(0, fx_hostile:forged_monitors()).

%% A host that is killed while processes have it monitor them.
monitors_of_the_killed(_) ->
    [begin
         #{os_pid := OsPid} = fx:host(fx_hostile),
         Callers = [spawn(fun() ->
                                  catch fx_hostile:endless_monitors(many_resources),
                                  receive stop -> ok end
                          end) || _ <- lists:seq(1, 4)],
         timer:sleep(20 * N),
         _ = os:cmd("kill -KILL " ++ integer_to_list(OsPid)),
         fx:wait_until(fun() -> lists:all(fun(Caller) -> monitored_by(Caller) =:= [] end, Callers) end),
         [Caller ! stop || Caller <- Callers],
         unharmed()
     end || N <- lists:seq(1, 5)].

monitored_by() ->
    monitored_by(self()).

monitored_by(Pid) ->
    {monitored_by, By} = process_info(Pid, monitored_by),
    By.

%% Fewer atoms than the quota of one library: the VM keeps half of what is free.
atoms_of_a_small_table(_) ->
    {ok, Node} = test_node:start(["+t", "65536"]),
    try
        ok = test_node:call(Node, fx, isolate, [[]]),
        ok = test_node:call(Node, fx, load, [isolated, fx_terms]),
        Free = test_node:call(Node, ?MODULE, free_atoms, []),
        Outcome = test_node:call(Node, ?MODULE, make_atoms, [Free]),
        ?assertMatch({error, {nif_host_down, #{reason := {quota, atoms}}}}, Outcome),
        Left = test_node:call(Node, ?MODULE, free_atoms, []),
        ?assert(Left > Free div 3 andalso Left < 2 * Free div 3)
    after
        test_node:stop(Node)
    end.

%% Atoms are made too by the node of a pid, by what a fun has, and by bytes that are refused in the
%% end.
atoms_that_no_term_shows(_) ->
    [begin
         {ok, Node} = test_node:start(["+t", "65536"]),
         try
             ok = test_node:call(Node, fx, isolate, [[]]),
             ok = test_node:call(Node, fx, load, [isolated, fx_data]),
             Free = test_node:call(Node, ?MODULE, free_atoms, []),
             Outcome = test_node:call(Node, ?MODULE, decode_atoms, [Kind, Free]),
             ?assertMatch({error, {nif_host_down, #{reason := {quota, atoms}}}}, Outcome, Kind),
             ?assert(test_node:call(Node, ?MODULE, free_atoms, []) > Free div 3, Kind)
         after
             test_node:stop(Node)
         end
     end || Kind <- [node_of_pid, refused_map, refused_map_compressed]].

decode_atoms(Kind, Count) ->
    try
        _ = [fx_data:from_external(naming(Kind, integer_to_binary(I)), any) || I <- lists:seq(1, Count)],
        ok
    catch Class:Reason -> {Class, Reason}
    end.

%% One atom more in each.
naming(node_of_pid, I) ->
    Name = <<"node_", I/binary, "@there">>,
    <<131, 88, 119, (byte_size(Name)), Name/binary, 1:32, 2:32, 3:32>>;
naming(refused_map, I) ->
    <<131, (two_equal_keys(I))/binary>>;
naming(refused_map_compressed, I) ->
    Term = two_equal_keys(I),
    <<131, 80, (byte_size(Term)):32, (zlib:compress(Term))/binary>>.

two_equal_keys(I) ->
    Name = <<"value_", I/binary>>,
    <<116, 2:32, 97, 1, 119, (byte_size(Name)), Name/binary, 97, 1, 106>>.

free_atoms() ->
    erlang:system_info(atom_limit) - erlang:system_info(atom_count).

make_atoms(Count) ->
    try
        _ = [fx_terms:make_atom(<<"new_atom_", (integer_to_binary(I))/binary>>) || I <- lists:seq(1, Count)],
        ok
    catch Class:Reason -> {Class, Reason}
    end.

%%% Helpers

timed(Fun) ->
    {Us, Result} = timer:tc(Fun),
    {Us div 1000, Result}.

violates(Function, Args, What) ->
    ends(Function, Args, {protocol, What}).

ends(Function, Args, Expected) ->
    #{generation := Generation} = fx:host(fx_hostile),
    try apply(fx_hostile, Function, Args) of
        Result -> error({Function, Args, returned, Result})
    catch
        error:{nif_host_down, #{reason := Reason, generation := Generation}} ->
            case {Expected, Reason} of
                {Same, Same} -> ok;
                {{protocol, '_'}, {protocol, _}} -> ok;
                _ -> error({Function, Args, expected, Expected, got, Reason})
            end
    end,
    unharmed().

%% The next call gets a host in good order, other hosts did not notice.
unharmed() ->
    ?assertEqual(1, fx_hostile:sleeps(1)),
    ?assert(is_integer(fx_bystander:count())).

restart() ->
    #{host := Host} = fx:host(fx_hostile),
    _ = cordon_nif:stop_host(Host),
    ok.
