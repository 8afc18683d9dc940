%%% @private
%%% Supervisor of the {@link cordon_host} processes, one for each host.
-module(cordon_host_sup).
-behaviour(supervisor).

-export([start_link/0, start_host/1, init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

%% @doc Starts the observer of a host. `{error, not_running}' when the
%% application has not been started: hosts do without an observer.
-spec start_host(cordon_host:info()) -> {ok, pid()} | {error, term()}.
start_host(Info) ->
    case whereis(?MODULE) of
        undefined -> {error, not_running};
        Pid -> supervisor:start_child(Pid, [Info])
    end.

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Host = #{id => cordon_host, restart => temporary,
             start => {cordon_host, start_link, []}},
    {ok, {#{strategy => simple_one_for_one}, [Host]}}.
