%%% For suites whose cases run natively and isolated: the two groups, and the fixtures that each
%%% loads.
-module(both_modes).

-export([all/0, groups/1, groups/2, init_group/2, init_group/3, end_group/1]).

-type mode() :: native | isolated.
-type config() :: [{atom(), term()}].

-spec all() -> [{group, mode()}].
all() ->
    [{group, native}, {group, isolated}].

-spec groups([atom()]) -> [{mode(), [], [atom()]}].
groups(Cases) ->
    groups(Cases, []).

%% @doc With cases of the isolated group alone, which come last.
-spec groups([atom()], [atom()]) -> [{mode(), [], [atom()]}].
groups(Cases, Isolated) ->
    [{native, [], Cases}, {isolated, [], Cases ++ Isolated}].

%% @doc For init_per_group: `mode' of the configuration is what fx:same/3 and others go by.
-spec init_group(mode(), config()) -> config().
init_group(Mode, Config) ->
    init_group(Mode, Config, []).

%% @doc The same, with these modules loaded.
-spec init_group(mode(), config(), [module()]) -> config().
init_group(Mode, Config, Modules) ->
    [ok = fx:load(Mode, Module) || Module <- Modules],
    [{mode, Mode} | Config].

%% @doc For end_per_group: the last one that was loaded goes first.
-spec end_group([module()]) -> ok.
end_group(Modules) ->
    lists:foreach(fun fx:unload/1, lists:reverse(Modules)).
