%%% What the suites of load, upgrade and unload share: instances of fx_life, what they write down,
%%% and processes that use them.
-module(life).

-export([init/2]).
-export([load/3, reload/3, reload/4, settings/5, info/3, is_isolated/1, logged/2, at_on_load/1,
         spawn_server/0, ask/2, stop/1, dropped/1]).
-export([load_from/3, all_functions/0, on_load/1, path/0, own_info/0]).

-include_lib("stdlib/include/assert.hrl").

%% For init_per_testcase, with `mode' in the configuration.
init(Case, Config) ->
    ok = at_on_load(load),
    case_log:init(Case, Config).

load(Config, Value, Actions) ->
    fx:try_load(fx_life, settings(Config, Value, Actions, a, none)).

reload(Config, Value, Actions) ->
    reload(Config, Value, Actions, a).

%% Build: a, b, or the path of another file.
reload(Config, Value, Actions, Build) ->
    _ = code:purge(fx_life),
    fx:reload(fx_life, settings(Config, Value, Actions, Build, none)).

settings(Config, Value, Actions, Build, Options) ->
    Settings = #{shim => is_isolated(Config), info => info(Config, Value, Actions),
                 path => case Build of
                             a -> fx:library(fx_life);
                             b -> fx:library(fx_life_b);
                             Path -> Path
                         end},
    case Options of
        none -> Settings;
        _ -> Settings#{options => Options}
    end.

info(Config, Value, Actions) ->
    {case_log:file(Config), Value, Actions}.

is_isolated(Config) ->
    proplists:get_value(mode, Config) =:= isolated.

%% In OTP 27 a library is unloaded a moment after the purge.
logged(Config, Expected) ->
    try fx:wait_until(fun() -> case_log:lines(Config) =:= Expected end, 2000)
    catch error:{condition_never_held, _} -> ?assertEqual(Expected, case_log:lines(Config))
    end.

%% See fx_life:init/0.
at_on_load(What) ->
    persistent_term:put({fx_life, on_load}, What).

spawn_server() ->
    spawn(fx_life, serve, []).

ask(Server, What) ->
    Monitor = monitor(process, Server),
    Server ! {self(), What},
    receive
        {Server, Answer} -> demonitor(Monitor, [flush]), Answer;
        {'DOWN', Monitor, process, Server, Reason} -> error(Reason)
    end.

stop(Process) ->
    Monitor = monitor(process, Process),
    exit(Process, kill),
    receive {'DOWN', Monitor, process, Process, _} -> ok end.

%% The caller has no use for the term from here on.
dropped(_Term) ->
    erlang:garbage_collect().

%% Code of the module that differs from its file: loads the library with its own text.
load_from(Config, Module, Text) ->
    fx:unload(Module),
    Whole = lists:concat(["-module(", Module, "). -on_load(on_load/0). ",
                          Text,
                          "on_load() -> life:on_load(fun load/0). "
                          "load() -> erlang:load_nif(life:path(), "
                          "life:own_info()). "]),
    Path = case is_isolated(Config) of
               true -> cordon:shim(fx:library(fx_life));
               false -> fx:library(fx_life)
           end,
    persistent_term:put({?MODULE, load_nif}, {Path, info(Config, 1, [])}),
    {ok, Module, Binary} = compile:forms(forms(Whole), [nowarn_unused_function]),
    _ = code:load_binary(Module, atom_to_list(Module) ++ ".beam", Binary),
    persistent_term:get({?MODULE, result}).

path() -> element(1, persistent_term:get({?MODULE, load_nif})).
own_info() -> element(2, persistent_term:get({?MODULE, load_nif})).

on_load(Load) ->
    Result = Load(),
    persistent_term:put({?MODULE, result}, Result),
    Result.

forms(Text) ->
    {ok, Tokens, _} = erl_scan:string(Text),
    forms(Tokens, []).

forms([], []) ->
    [];
forms([{dot, _} = Dot | Rest], Form) ->
    {ok, Parsed} = erl_parse:parse_form(lists:reverse([Dot | Form])),
    [Parsed | forms(Rest, [])];
forms([Token | Rest], Form) ->
    forms(Rest, [Token | Form]).

all_functions() ->
    "-export([variant/0, value/0, statics/0, os_pid/0, new_resource/2, resource/2, "
    "wait_ms/1, wait_later/2, wait_for_file/1]). "
    "variant() -> 0. value() -> 0. statics() -> 0. os_pid() -> 0. new_resource(_, _) -> 0. "
    "resource(_, _) -> 0. wait_ms(_) -> 0. wait_later(_, _) -> 0. "
    "wait_for_file(_) -> 0. ".
