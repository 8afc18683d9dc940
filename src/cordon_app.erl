%%% @doc The application `cordon'. The isolation of applications named by
%%% the environment variable `isolate' is part of its start: when it can't be
%%% done the start fails, and nothing runs half isolated.
-module(cordon_app).
-behaviour(application).

-export([start/2, stop/1]).

-spec start(application:start_type(), term()) ->
          {ok, pid()} | {error, {cordon, [string()]} | term()}.
start(_Type, _Args) ->
    case cordon_isolate:install(application:get_env(cordon, isolate, [])) of
        ok -> cordon_sup:start_link();
        {error, Texts} -> {error, {cordon, Texts}}
    end.

-spec stop(term()) -> ok.
stop(_State) ->
    cordon_isolate:uninstall().
