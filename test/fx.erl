%%% Loads fixture modules natively or isolated, and compares the two.
-module(fx).

-export([load/2, load/3, reload/2, unload/1, try_load/2, try_load/3]).
-export([path/1, load_info/1, loaded/2, library/1]).
-export([isolate/1, init_suite/1, end_suite/1]).
-export([same/3, host/1, hosts/1, wait_until/1, wait_until/2, maps/1]).

-type mode() :: native | isolated.
-type settings() :: #{path => term(), shim => boolean(), options => term(), info => term()}.

%% @doc Loads a module anew. Settings: `options' of the shim, `info' for load_nif,
%% `path' in the place of the fixture's own.
-spec load(mode(), module()) -> ok.
load(Mode, Module) ->
    load(Mode, Module, #{}).

-spec load(mode(), module(), settings()) -> ok.
load(Mode, Module, Settings) ->
    ok = try_load(Module, Settings#{shim => Mode =:= isolated}).

%% @doc What erlang:load_nif/2 returned.
-spec try_load(module(), settings()) -> term().
try_load(Module, Settings) ->
    unload(Module),
    reload(Module, Settings).

-spec try_load(module(), file:filename(), term()) -> term().
try_load(Module, Path, Options) ->
    try_load(Module, #{path => Path, shim => true, options => Options}).

%% @doc Loads the module's code again while the older instance is still there.
-spec reload(module(), settings()) -> term().
reload(Module, Settings) ->
    persistent_term:put({?MODULE, Module}, Settings),
    _ = persistent_term:erase({?MODULE, result, Module}),
    Loaded = code:load_file(Module),
    Result = persistent_term:get({?MODULE, result, Module}, Loaded),
    case Result of
        ok -> {module, Module} = Loaded;
        _ -> ok
    end,
    Result.

-spec unload(module()) -> ok.
unload(Module) ->
    _ = code:purge(Module),
    _ = code:delete(Module),
    _ = code:purge(Module),
    ok.

%% Called by the modules.
-spec path(module()) -> file:filename().
path(Module) ->
    Settings = settings(Module),
    Path = maps:get(path, Settings, library(Module)),
    case Settings of
        #{shim := true, options := Options} -> cordon:shim(Path, Options);
        #{shim := true} -> cordon:shim(Path);
        #{} -> Path
    end.

-spec load_info(module()) -> term().
load_info(Module) ->
    maps:get(info, settings(Module), 0).

-spec loaded(module(), term()) -> term().
loaded(Module, Result) ->
    persistent_term:put({?MODULE, result, Module}, Result),
    Result.

settings(Module) ->
    persistent_term:get({?MODULE, Module}, #{}).

%% @doc A fixture's library, as load_nif wants it.
-spec library(module()) -> file:filename().
library(Module) ->
    case os:getenv("CORDON_FIXTURES") of
        false -> error("CORDON_FIXTURES names no directory; run the tests by make test");
        Dir -> filename:join(filename:absname(Dir), atom_to_list(Module))
    end.

%% @doc Starts cordon with these applications isolated, as a sys.config would.
-spec isolate([term()]) -> ok | {error, term()}.
isolate(Apps) ->
    _ = application:stop(cordon),
    _ = application:load(cordon),
    ok = application:set_env(cordon, isolate, Apps),
    application:start(cordon).

%% @doc For init_per_suite: cordon runs, with no application isolated.
-spec init_suite([{atom(), term()}]) -> [{atom(), term()}].
init_suite(Config) ->
    ok = isolate([]),
    Config.

-spec end_suite([{atom(), term()}]) -> ok.
end_suite(_Config) ->
    ok = application:stop(cordon),
    application:unset_env(cordon, isolate).

%% @doc Results of the native group are kept, those of the isolated one must be equal.
-spec same([{atom(), term()}], term(), term()) -> ok.
same(Config, Key, Result) ->
    Kept = {?MODULE, same, Key},
    case proplists:get_value(mode, Config) of
        native -> persistent_term:put(Kept, Result);
        isolated ->
            case persistent_term:get(Kept, Result) of
                Result -> ok;
                Native -> error({differs, Key, [{native, Native}, {isolated, Result}]})
            end
    end.

%% @doc The one running host of a module.
-spec host(module()) -> cordon_nif:host().
host(Module) ->
    [Host] = hosts(Module),
    Host.

-spec hosts(module()) -> [cordon_nif:host()].
hosts(Module) ->
    [Host || #{module := M, state := running} = Host <- cordon:which_hosts(), M =:= Module].

%% @doc Waits until a condition holds.
-spec wait_until(fun(() -> boolean())) -> ok.
wait_until(Condition) ->
    wait_until(Condition, 5000).

-spec wait_until(fun(() -> boolean()), non_neg_integer()) -> ok.
wait_until(Condition, Ms) ->
    case Condition() of
        true -> ok;
        false when Ms > 0 ->
            timer:sleep(10),
            wait_until(Condition, Ms - 10);
        false ->
            error({condition_never_held, Condition})
    end.

%% @doc What an OS process has mapped.
-spec maps(string() | integer()) -> binary().
maps(OsPid) ->
    {ok, Maps} = file:read_file(lists:concat(["/proc/", OsPid, "/maps"])),
    Maps.
