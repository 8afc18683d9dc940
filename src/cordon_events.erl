%%% @private
%%% Receives what the native side has to tell: logs it, keeps the
%%% {@link cordon_host} processes up to date, prints what hosts write to their
%%% standard output and error.
%%%
%%% It may be started without the application, by the first shim; the supervisor
%%% adopts it later. Nothing depends on it but observation.
-module(cordon_events).
-behaviour(gen_server).

-export([start_link/0, ensure_started/0, hosts/0]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

%% A host keeps its observer over all its generations.
-type key() :: {module, module()} | {group, string()}.
-type state() :: #{key() => pid()}.

%% @doc Start function of the supervisor: takes over the process that runs
%% already, or starts one.
-spec start_link() -> {ok, pid()} | {error, term()}.
start_link() ->
    case gen_server:start_link({local, ?MODULE}, ?MODULE, [], []) of
        {error, {already_started, Pid}} ->
            ok = gen_server:call(Pid, {adopt, self()}, infinity),
            {ok, Pid};
        Started ->
            Started
    end.

-spec ensure_started() -> ok | cordon_nif:error().
ensure_started() ->
    case whereis(?MODULE) of
        undefined ->
            case gen_server:start({local, ?MODULE}, ?MODULE, [], []) of
                {ok, _} -> ok;
                {error, {already_started, _}} -> ok;
                {error, Reason} ->
                    Text = io_lib:format("cordon_events did not start: ~0tp", [Reason]),
                    {error, {cordon_events, lists:flatten(Text)}}
            end;
        _ ->
            ok
    end.

%% @doc The observers of hosts.
-spec hosts() -> state().
hosts() ->
    gen_server:call(?MODULE, hosts).

-spec init([]) -> {ok, state()}.
init([]) ->
    %% Whoever happened to start it may end; this process and its output stay.
    true = group_leader(whereis(init), self()),
    case code:ensure_loaded(cordon_nif) of
        {module, _} ->
            ok = cordon_nif:set_observer(self()),
            {ok, observe_all(#{})};
        {error, _} ->
            %% Without the native side there are no hosts to observe. The error is
            %% reported where a shim is asked for.
            {ok, #{}}
    end.

-spec handle_call({adopt, pid()} | hosts, gen_server:from(), state()) ->
          {reply, ok | state(), state()}.
handle_call({adopt, Supervisor}, _From, Hosts) ->
    true = link(Supervisor),
    %% The supervisor of the hosts is a sibling that already runs, so this doesn't
    %% call the one that waits for the answer.
    {reply, ok, observe_all(Hosts)};
handle_call(hosts, _From, Hosts) ->
    {reply, Hosts, Hosts}.

-spec handle_cast(term(), state()) -> {noreply, state()}.
handle_cast(_Request, Hosts) ->
    {noreply, Hosts}.

-spec handle_info(term(), state()) -> {noreply, state()}.
handle_info({cordon_event, host_output, #{host := Host, data := Data}}, Hosts) ->
    print(Data),
    _ = cordon_nif:output_done(Host),
    {noreply, Hosts};
handle_info({cordon_event, Event, Info}, Hosts) ->
    cordon_report:log(Event, Info),
    {noreply, observe(Event, Info, Hosts)};
handle_info({'DOWN', _, process, Pid, _}, Hosts) ->
    {noreply, maps:filter(fun(_, P) -> P =/= Pid end, Hosts)};
handle_info(_Other, Hosts) ->
    {noreply, Hosts}.

-spec observe_all(state()) -> state().
observe_all(Hosts) ->
    lists:foldl(fun(Info, Acc) -> observe(host_known, Info, Acc) end,
                Hosts, cordon_nif:hosts()).

-spec observe(atom(), map(), state()) -> state().
observe(Event, #{module := Module} = Info, Hosts)
  when Event =:= host_started; Event =:= host_down; Event =:= host_known ->
    Key = case Info of
              #{group := Group} -> {group, Group};
              #{} -> {module, Module}
          end,
    case Hosts of
        #{Key := Pid} ->
            cordon_host:event(Pid, Event, Info),
            Hosts;
        #{} when Event =/= host_down ->
            start_host(Key, Info, Hosts);
        #{} ->
            Hosts
    end;
observe(_Event, _Info, Hosts) ->
    Hosts.

-spec start_host(key(), map(), state()) -> state().
start_host(Key, Info, Hosts) ->
    case cordon_host_sup:start_host(Info) of
        {ok, Pid} ->
            _ = monitor(process, Pid),
            Hosts#{Key => Pid};
        {error, _} ->
            Hosts
    end.

%% A library's output is bytes: those that aren't UTF-8 are taken as Latin-1.
-spec print(binary()) -> ok.
print(Data) ->
    Text = case unicode:characters_to_binary(Data) of
               Utf8 when is_binary(Utf8) -> Utf8;
               _ -> unicode:characters_to_binary(Data, latin1)
           end,
    _ = io:put_chars(standard_error, Text),
    ok.
