%%% @private
%%% The top supervisor. Hosts are started and restarted by the native side (no
%%% Erlang process can run while a module is being upgraded); these processes
%%% observe them. They are restarted together because each knows the others' pids.
-module(cordon_sup).
-behaviour(supervisor).

-export([start_link/0, init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    HostSup = #{id => cordon_host_sup, type => supervisor,
                start => {cordon_host_sup, start_link, []}},
    Events = #{id => cordon_events,
               start => {cordon_events, start_link, []}},
    {ok, {#{strategy => one_for_all}, [HostSup, Events]}}.
