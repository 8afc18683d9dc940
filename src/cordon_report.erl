%%% @private
%%% What the log says of hosts: one event for each thing that happened.
-module(cordon_report).

-export([log/2, format/1]).

-include_lib("kernel/include/logger.hrl").

%% No domain: the default handler drops those that it does not know.
-define(META, #{report_cb => fun ?MODULE:format/1}).

-spec log(atom(), map()) -> ok.
log(Event, Info) ->
    ?LOG(level(Event, Info), Info#{label => {cordon, Event}}, ?META).

-spec level(atom(), map()) -> logger:level().
level(host_started, #{generation := Generation}) when Generation > 1 -> notice;
level(host_started, _) -> info;
level(host_down, #{reason := stopped}) -> info;
level(host_down, _) -> error;
level(keeper_down, _) -> error;
level(_, _) -> warning.

-spec format(map()) -> {io:format(), [term()]}.
format(#{label := {cordon, host_started}} = Info) ->
    {"cordon: host ~ts (OS process ~w, generation ~w) started for ~ts",
     [name(Info), get(os_pid, Info), get(generation, Info), get(library, Info)]};
format(#{label := {cordon, host_down}, reason := stopped} = Info) ->
    {"cordon: host ~ts (OS process ~w) stopped", [name(Info), get(os_pid, Info)]};
format(#{label := {cordon, host_down}} = Info) ->
    {"cordon: host ~ts is gone: ~0tp~n"
     "  in flight:  ~ts~n"
     "~ts"
     "  OS process: ~w, generation ~w, lived ~w ms~n"
     "  library:    ~ts~ts",
     [name(Info), get(reason, Info), calls(Info), fault(Info),
      get(os_pid, Info), get(generation, Info), get(age_ms, Info),
      get(library, Info), backtrace(Info)]};
format(#{label := {cordon, enif_unsupported}} = Info) ->
    {"cordon: the library of host ~ts called ~tp, which isolated libraries can't use~ts",
     [name(Info), get(function, Info),
      case Info of
          #{mfa := {M, F, A}} -> [" (in ", mfa({M, F, A}), ")"];
          _ -> ""
      end]};
format(#{label := {cordon, keeper_down}} = Info) ->
    {"cordon: the keeper ended (~0tp), and with it all hosts; "
     "the next call starts new ones", [get(reason, Info)]};
format(#{label := {cordon, guard_missing}} = Info) ->
    {"cordon: the guard of hosts is not whole on this machine, without ~tp: ~ts. "
     "The rest of it holds", [get(part, Info), get(text, Info)]};
format(#{label := {cordon, Event}} = Info) ->
    {"cordon: ~tp ~tp", [Event, maps:remove(label, Info)]}.

-spec name(map()) -> iolist().
name(Info) ->
    io_lib:format("~w (~tp)", [get(host, Info), get(module, Info)]).

-spec calls(map()) -> iolist().
calls(#{calls := [_ | _] = Calls}) -> lists:join(", ", [mfa(Call) || Call <- Calls]);
calls(_) -> "no call".

-spec mfa({module(), atom(), arity()}) -> iolist().
mfa({M, F, A}) ->
    io_lib:format("~tp:~tp/~w", [M, F, A]).

-spec fault(map()) -> iolist().
fault(#{fault_address := Address}) when is_integer(Address) ->
    io_lib:format("  fault at:   0x~.16b~n", [Address]);
fault(_) ->
    "".

-spec backtrace(map()) -> iolist().
backtrace(#{backtrace := [_ | _] = Lines}) ->
    ["\n  backtrace:", [["\n    ", Line] || Line <- Lines]];
backtrace(_) ->
    "".

-spec get(atom(), map()) -> term().
get(Key, Info) ->
    maps:get(Key, Info, unknown).
