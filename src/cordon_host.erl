%%% @private
%%% The observer of one host: what is known of it, over all its generations. It ends
%%% when the host was stopped because nothing uses its library any more.
-module(cordon_host).
-behaviour(gen_server).

-export([start_link/1, event/3, info/1]).
-export([init/1, handle_call/3, handle_cast/2]).

-export_type([info/0]).

%% As in cordon_nif:hosts/0, plus `last_down' after a crash.
-type info() :: #{host := pos_integer(), atom() => term()}.

-spec start_link(info()) -> {ok, pid()} | {error, term()}.
start_link(Info) ->
    gen_server:start_link(?MODULE, Info, []).

-type event() :: host_started | host_down | host_known.

-spec event(pid(), event(), info()) -> ok.
event(Pid, Event, Info) ->
    gen_server:cast(Pid, {Event, Info}).

-spec info(pid()) -> info().
info(Pid) ->
    gen_server:call(Pid, info).

-spec init(info()) -> {ok, info()}.
init(Info) ->
    {ok, Info#{state => maps:get(state, Info, running)}}.

-spec handle_call(info, gen_server:from(), info()) -> {reply, info(), info()}.
handle_call(info, _From, Info) ->
    {reply, Info, Info}.

-spec handle_cast({event(), info()}, info()) ->
          {noreply, info()} | {stop, normal, info()}.
handle_cast({host_down, #{reason := stopped}}, Info) ->
    {stop, normal, Info};
handle_cast({host_down, Down}, Info) ->
    {noreply, Info#{state => down, last_down => Down}};
handle_cast({_Started, New}, Info) ->
    {noreply, (maps:merge(Info, New))#{state => running}}.
