%%% What NIF libraries use of the driver API, natively and isolated.
-module(conformance_driver_SUITE).

-compile([export_all, nowarn_export_all, nowarn_deprecated_function]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [memory, binaries, vectors, threads, nameless, many_keys, errno_ids, system_info, times,
         environment, terms, monitors, libraries, functions_of_ports, messages]).

all() -> both_modes:all() ++ [environment_of_the_vm, a_port_that_is_none, end_of_a_thread].
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_driver, fx_driver_port]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_driver, fx_driver_port]).

memory(_) ->
    ?assertEqual(1, fx_driver:memory()).

binaries(Config) ->
    fx:same(Config, binaries, fx_driver:binaries()).

vectors(Config) ->
    fx:same(Config, vectors, [fx_driver:vector(N) || N <- [0, 2, 3, 5, 8, 20]]).

threads(Config) ->
    Seen = fx_driver:threads(),
    ?assertEqual([0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 1], lists:sublist(Seen, 11)),
    fx:same(Config, threads, Seen).

nameless(Config) ->
    fx:same(Config, nameless, fx_driver:nameless()).

many_keys(_) ->
    ?assertEqual({0, 0}, fx_driver:many_keys()),
    ?assertEqual({0, 0}, fx_driver:many_keys()).

errno_ids(Config) ->
    Ids = fx_driver:errno_ids(),
    ?assertEqual("enoent", proplists:get_value(2, Ids)),
    fx:same(Config, errno_ids, Ids).

system_info(_) ->
    ?assertEqual({true, erlang:system_info(schedulers)}, fx_driver:system_info()).

times(Config) ->
    Before = {erlang:monotonic_time(nanosecond), erlang:now()},
    [Monotonic, Offset, Converted, 0, Now, 1, -1] = fx_driver:times(),
    After = {erlang:monotonic_time(nanosecond), erlang:now()},
    ?assert(element(1, Before) =< Monotonic andalso Monotonic =< element(1, After)),
    ?assert(element(2, Before) < Now andalso Now < element(2, After)),
    ?assert(abs(Offset - erlang:time_offset(nanosecond)) < 1000000000),
    fx:same(Config, converted, Converted).

environment(Config) ->
    true = os:putenv("CORDON_TEST_DRIVER", "of the VM"),
    ?assertEqual({0, 0, "put"}, fx_driver:environment("CORDON_TEST_DRIVER", "put")),
    ?assertEqual({0, 0, ""}, fx_driver:environment("CORDON_TEST_EMPTY", "")),
    fx:same(Config, environment, [fx_driver:environment(Name, "x") || Name <- ["A=B", "=", "Ä", ""]]),
    [true = os:unsetenv(Name) || Name <- ["CORDON_TEST_DRIVER", "CORDON_TEST_EMPTY"]].

terms(_) ->
    ?assertEqual(['an atom'], fx_driver:terms()),
    ?assertEqual([1], fx_driver:nil()).

monitors(Config) ->
    fx:same(Config, monitors, fx_driver:monitors()).

libraries(Config) ->
    fx:same(Config, libraries,
            [fx_driver:libraries(Path) || Path <- ["/no/such/library", fx:library(fx_driver)]]).

%% All of them exist, and say to the port that is none what the VM says.
functions_of_ports(Config) ->
    Crash = [driver_pdl_lock, driver_pdl_unlock, driver_pdl_get_refc, driver_pdl_inc_refc,
             driver_pdl_dec_refc, add_driver_entry],
    Functions = fx_driver_port:port_functions() -- Crash,
    Nil = [driver_get_monitored_process, driver_mk_port, driver_connected, driver_caller],
    ?assertEqual(51, length(Functions)),
    fx:same(Config, of_ports,
            [{F, fx_driver_port:with_no_port(F, -1)} || F <- Functions -- Nil]),
    %% These answer with the word of []
    ?assertMatch([_], lists:usort([fx_driver_port:with_no_port(F, -1) || F <- Nil])).

%% A message in the name of a port.
messages(Config) ->
    Port = open_port({spawn, "cat"}, [binary]),
    {Dead, Ref} = spawn_monitor(fun() -> ok end),
    receive {'DOWN', Ref, process, Dead, _} -> ok end,
    Sent = [begin
                Result = fx_driver_port:send_term(P, To, LeftOut),
                {Result, received(Port)}
            end || P <- [Port, not_a_port], To <- [self(), Dead, not_a_pid], LeftOut <- [0, 1, 2, 3, 20]],
    port_close(Port),
    Closed = [fx_driver_port:send_term(Port, To, 0) || To <- [self(), Dead]],
    ?assertMatch({1, {[], atom, -5, 18446744073709551615, a_port, <<"inar">>, <<"buffer">>,
                      "string", "cons", self, 2.5, _, _, {1, 2}, #{1 := 2}, [1, 2]}},
                 hd(Sent)),
    fx:same(Config, messages, {Sent, Closed}).

received(Port) ->
    Self = self(),
    receive
        Message ->
            list_to_tuple([case Part of
                               Self -> self;
                               Port -> a_port;
                               _ -> Part
                           end || Part <- tuple_to_list(Message)])
    after 0 -> none
    end.

%% Natively erl_drv_putenv changes what programs find that the VM starts: not so from a host.
environment_of_the_vm(_) ->
    ok = fx:load(isolated, fx_driver),
    ?assertEqual({0, 0, "mine"}, fx_driver:environment("CORDON_TEST_MINE", "mine")),
    ?assertEqual(false, os:getenv("CORDON_TEST_MINE")),
    fx:unload(fx_driver).

%% A port that no driver can have: natively the VM crashes, or reads what is not its own.
a_port_that_is_none(_) ->
    ok = fx:load(isolated, fx_driver_port),
    [?assertError({enif_unsupported, F}, fx_driver_port:with_no_port(F, 0))
     || F <- [driver_output, driver_mk_port, driver_pdl_lock, add_driver_entry]],
    fx:unload(fx_driver_port).

%% Natively the VM aborts.
end_of_a_thread(_) ->
    ok = fx:load(isolated, fx_driver),
    ?assertError({nif_host_down, #{function := exit_thread, reason := {signal, sigabrt}}},
                 fx_driver:exit_thread()),
    ?assertEqual(1, fx_driver:memory()),
    fx:unload(fx_driver).
