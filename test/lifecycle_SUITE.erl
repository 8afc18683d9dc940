%%% Load, upgrade and unload that hang, crash or exit: natively that is the end of the VM. Isolated
%%% it is an error, in time, and everything else goes on.
-module(lifecycle_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(TIMEOUT, 300).

all() ->
    [load_hangs, load_spins, upgrade_hangs, upgrade_from_native_hangs, load_ends_the_host,
     upgrade_ends_the_host, upgrade_ends_the_host_with_resources, unload_ends_the_host,
     unload_hangs, constructor_and_init, constructor_and_init_later, no_entry,
     others_in_the_group, purged_while_the_host_is_down, crash_while_unload_waits].

suite() -> [{timetrap, {seconds, 60}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_testcase(Case, Config) -> life:init(Case, [{mode, isolated} | Config]).
end_per_testcase(_Case, _Config) ->
    fx:unload(fx_life),
    fx:unload(fx_life_init).

%%% Hanging

load_hangs(Config) ->
    load_hangs(Config, hang).

load_spins(Config) ->
    load_hangs(Config, spin).

load_hangs(Config, How) ->
    Tickers = start_tickers(),
    Error = ended_in_time(fun() -> load(Config, 1, [{now, How}], #{load_timeout => ?TIMEOUT}) end),
    ?assertMatch({error, {load, _}}, Error),
    %% As natively it holds the scheduler that it is on. Nobody else has waited.
    ?assert(lists:max(stop_tickers(Tickers)) > ?TIMEOUT div 20),
    all_goes_on(Config).

%% Meanwhile all schedulers stand still, but no longer than that.
upgrade_hangs(Config) ->
    Options = #{upgrade_timeout => ?TIMEOUT},
    ok = load(Config, 1, [], Options),
    Before = fx_life:os_pid(),
    Error = ended_in_time(fun() -> reload(Config, 2, [{now, hang}], Options) end),
    ?assertMatch({error, {upgrade, _}}, Error),
    %% Its host had to go: the old code goes on in a new one.
    ?assertEqual(1, fx_life:value()),
    ?assertNotEqual(Before, fx_life:os_pid()),
    ok = reload(Config, 3, [], Options),
    ?assertEqual(3, fx_life:value()),
    all_goes_on(Config).

%% For the library that is a load; for the VM it is an upgrade nonetheless.
upgrade_from_native_hangs(Config) ->
    ok = fx:try_load(fx_life, #{info => info(Config, 1, [])}),
    Error = ended_in_time(fun() -> reload(Config, 2, [{now, hang}],
                                          #{upgrade_timeout => ?TIMEOUT, load_timeout => 20000})
                          end),
    ?assertMatch({error, {upgrade, _}}, Error),
    ?assertEqual({1, list_to_integer(os:getpid())}, {fx_life:value(), fx_life:os_pid()}),
    all_goes_on(Config).

ended_in_time(Fun) ->
    {Us, Result} = timer:tc(Fun),
    ?assert(Us >= ?TIMEOUT * 1000),
    ?assert(Us < ?TIMEOUT * 1000 + 2000000),
    Result.

start_tickers() ->
    Self = self(),
    [spawn_opt(fun() -> tick(Self, 0) end, [link, {scheduler, N}])
     || N <- lists:seq(1, erlang:system_info(schedulers_online))].

tick(Parent, Ticks) ->
    receive stop -> Parent ! {self(), Ticks}
    after 5 -> tick(Parent, Ticks + 1)
    end.

stop_tickers(Tickers) ->
    [Ticker ! stop || Ticker <- Tickers],
    [receive {Ticker, Ticks} -> Ticks end || Ticker <- Tickers].

%% Each scheduler runs processes, code is loaded, other libraries and this one work.
all_goes_on(Config) ->
    Self = self(),
    Online = erlang:system_info(schedulers_online),
    [spawn_opt(fun() -> Self ! {on, erlang:system_info(scheduler_id)} end, [{scheduler, N}])
     || N <- lists:seq(1, Online)],
    [receive {on, N} -> ok after 1000 -> error({scheduler_stands_still, N}) end
     || N <- lists:seq(1, Online)],
    _ = code:purge(loopback),
    {module, loopback} = code:load_file(loopback),
    ok = fx:load(isolated, fx_bystander),
    ?assert(is_integer(fx_bystander:count())),
    fx:unload(fx_bystander),
    ok = load(Config, 77, [], #{}),
    ?assertEqual({77, {1, 1, 1}}, {fx_life:value(), fx_life:statics()}).

%%% Ending

load_ends_the_host(Config) ->
    [begin
         ?assertMatch({error, {load, _}}, load(Config, 1, [{now, How}], #{})),
         ?assertEqual(false, code:is_loaded(fx_life)),
         ?assertEqual([], fx:hosts(fx_life))
     end || How <- [crash, abort, exit]],
    all_goes_on(Config).

upgrade_ends_the_host(Config) ->
    ok = load(Config, 1, [], #{}),
    [begin
         ?assertMatch({error, {upgrade, _}}, reload(Config, 2, [{now, How}], #{})),
         ?assertEqual({1, {1, 1, 1}}, {fx_life:value(), fx_life:statics()})
     end || How <- [crash, abort, exit]],
    all_goes_on(Config).

%% They are stale, and no worse.
upgrade_ends_the_host_with_resources(Config) ->
    ok = load(Config, 1, [{open, thing, 1, true}], #{}),
    Thing = fx_life:new_resource(thing, 5),
    {error, {upgrade, _}} = reload(Config, 2, [{open, thing, 2, true}, {now, crash}], #{}),
    ?assertError({stale_resource, _}, fx_life:resource(thing, Thing)),
    ?assertEqual(6, fx_life:resource(thing, fx_life:new_resource(thing, 6))),
    ok = reload(Config, 3, [{open, thing, 3, true}], #{}),
    ?assertEqual(7, fx_life:resource(thing, fx_life:new_resource(thing, 7))).

unload_ends_the_host(Config) ->
    [begin
         ok = load(Config, 1, [{at_unload, How}], #{}),
         OsPid = fx_life:os_pid(),
         fx:unload(fx_life),
         fx:wait_until(fun() -> is_gone(OsPid) end)
     end || How <- [crash, abort, exit]],
    all_goes_on(Config).

unload_hangs(Config) ->
    ok = load(Config, 1, [{at_unload, hang}], #{}),
    OsPid = fx_life:os_pid(),
    {Us, _} = timer:tc(fun() -> fx:unload(fx_life) end),
    ?assert(Us < 6000000),
    fx:wait_until(fun() -> is_gone(OsPid) end, 6000),
    all_goes_on(Config).

is_gone(OsPid) ->
    not filelib:is_dir(lists:concat(["/proc/", OsPid])).

%%% Before the library has said what it is

constructor_and_init(Config) ->
    Path = copy(Config),
    [begin
         ok = file:write_file(File = lists:concat([Path, ".so.", When]), How),
         Error = load_init(Path, #{load_timeout => ?TIMEOUT}),
         ?assertMatch({error, {load_failed, _}}, Error),
         {error, {load_failed, Text}} = Error,
         [?assertMatch({Part, [_ | _]}, {Part, string:find(Text, Part)})
          || Part <- ["fx_life_init.so", Expected]],
         ok = file:delete(File)
     end || When <- [constructor, init],
            {How, Expected} <- [{"hang", "did not answer in time"}, {"crash", "sigsegv"},
                                {"exit", "exit"}]],
    ok = load_init(Path, #{}),
    ?assertEqual(1, fx_life_init:value()).

%% They were quiet when the shim was made.
constructor_and_init_later(Config) ->
    Path = copy(Config),
    Options = #{load_timeout => ?TIMEOUT},
    Shim = cordon:shim(Path, Options),
    [begin
         ok = file:write_file(File = lists:concat([Path, ".so.", When]), How),
         ?assertMatch({error, {load, _}}, fx:try_load(fx_life_init, #{path => Shim})),
         ok = file:delete(File)
     end || When <- [constructor, init], How <- ["hang", "crash", "exit"]],
    ok = load_init(Path, Options),
    ?assertEqual(1, fx_life_init:value()).

no_entry(_Config) ->
    {error, {load_failed, Text}} = fx:try_load(fx_life_null, #{shim => true}),
    [?assertMatch({Part, [_ | _]}, {Part, string:find(Text, Part)})
     || Part <- ["fx_life_null.so", "nif_init returned NULL"]].

copy(Config) ->
    Path = filename:join([proplists:get_value(priv_dir, Config),
                          filename:basename(proplists:get_value(log, Config), ".log"),
                          "fx_life_init"]),
    ok = filelib:ensure_dir(Path),
    {ok, _} = file:copy(fx:library(fx_life_init) ++ ".so", Path ++ ".so"),
    Path.

load_init(Path, Options) ->
    fx:try_load(fx_life_init, #{path => Path, shim => true, options => Options}).

%%% Others

%% A load that fails by its host's end takes the others of the group with it, and they come back.
others_in_the_group(Config) ->
    Group = #{group => "lifecycle"},
    ok = fx:load(isolated, fx_group_a, #{options => Group}),
    Before = fx_group_a:os_pid(),
    {error, {load, _}} = load(Config, 1, [{now, crash}], Group),
    After = fx_group_a:os_pid(),
    ?assertNotEqual(Before, After),
    {error, {load, _}} = load(Config, 1, [{now, hang}], Group#{load_timeout => ?TIMEOUT}),
    ok = load(Config, 1, [], Group),
    ?assertEqual(fx_life:os_pid(), fx_group_a:os_pid()),
    fx:unload(fx_group_a).

%% There is nothing left to unload.
purged_while_the_host_is_down(Config) ->
    ok = load(Config, 1, [], #{}),
    ok = cordon_nif:stop_host(maps:get(host, fx:host(fx_life))),
    fx:wait_until(fun() -> fx:hosts(fx_life) =:= [] end),
    fx:unload(fx_life),
    ?assertEqual(["load 1 by 1, init 1"], case_log:lines(Config)),
    all_goes_on(Config).

%% The host in which an old instance waits for its last resource goes down, and with it all that
%% is to be waited for.
crash_while_unload_waits(Config) ->
    ok = load(Config, 1, [{open, thing, 1, true}], #{}),
    Thing = fx_life:new_resource(thing, 5),
    ok = reload(Config, 2, [], #{}),
    true = code:soft_purge(fx_life),
    ok = cordon_nif:stop_host(maps:get(host, fx:host(fx_life))),
    fx:wait_until(fun() -> fx:hosts(fx_life) =:= [] end),
    ?assertEqual(2, fx_life:value()),
    ?assertError({stale_resource, _}, fx_life:resource(thing, Thing)),
    fx:unload(fx_life),
    fx:wait_until(fun() -> fx:hosts(fx_life) =:= [] end).

load(Config, Value, Actions, Options) ->
    fx:try_load(fx_life, settings(Config, Value, Actions, Options)).

reload(Config, Value, Actions, Options) ->
    _ = code:purge(fx_life),
    fx:reload(fx_life, settings(Config, Value, Actions, Options)).

settings(Config, Value, Actions, Options) ->
    life:settings(Config, Value, Actions, a, Options).

info(Config, Value, Actions) ->
    life:info(Config, Value, Actions).
