%%% The guard: what a library can't do to other processes and to the machine, and what it still
%%% can. Each attack is really tried from inside a NIF, against the VM, the keeper and another
%%% host; and natively, by the same code against a process of the same user, so that it is seen to
%%% be one. All of it in throw-away nodes, as root and as a user without rights.
-module(guard_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(PARTS, [capabilities, core_dumps, descriptors, landlock, no_new_privs, oom_score,
                scheduling, signals, system_calls]).
-define(MEMORY, [trace, attach, vm_read, vm_write, proc_mem, proc_maps, proc_environ, proc_fd,
                 proc_root, proc_cwd, takes_fd, compares, advises, robust_list]).
-define(SIGNALS, [kills, kills_group, tkills, tgkills, kills_by_wide_number, queues,
                  queues_to_thread, signals_by_pidfd, signals_by_proc, by_owner, by_owner_ex,
                  by_owner_ioctl, from_child, from_shell, daemon]).
-define(SCHEDULING, [moves_pages, limits, pins, reschedules, sets_parameter, sets_attributes,
                     renices, renices_group, deprioritises]).
%% Natively these would reach everybody of the user.
-define(OF_USER, [renices_user, deprioritises_user]).
-define(POOL, [pool_remove, pool_poison, pool_reopen, pool_unprotect]).
-define(FORBIDDEN, [ns_user, ns_mount, ns_net, ns_pid, ns_ipc, ns_uts, ns_cgroup, ns_time,
                    ns_user_and_files, clone_user, clone_pid, clone3_user, enters_ns, mounts,
                    unmounts, pivots, opens_tree, opens_fs, loads_bpf, faults, uring, perf,
                    key_add, key_ctl, key_request, handle_open, module, module_of_file,
                    unload_module, kexec, reboots, swaps_on, swaps_off, sets_time, accounts, quota,
                    kernel_log, names_host, hangs_up, types, types_wide, removes, poisons,
                    device_node, realtime, raises_limit]).
%% Of these root's kernel may have been built without, or the machine forbids them to all.
-define(MAY_BE_MISSING, [ns_user, ns_net, ns_ipc, ns_uts, ns_cgroup, ns_time, ns_pid,
                         ns_user_and_files, clone_user, clone_pid, clone3_user, loads_bpf, faults,
                         uring, perf, key_add, key_ctl, key_request, module, module_of_file,
                         unload_module, kexec, swaps_on, swaps_off, accounts, quota, types,
                         types_wide, poisons, realtime, raises_limit, handle_open, compares,
                         advises, takes_fd, moves_pages]).
-define(REFUSED, ['EPERM', 'EACCES', 'ENOSYS']).
-define(LEGIT, [threads, own_signals, children, group_of_child, programs, files, memory, sockets,
                descriptors, timers, own_limits]).

all() ->
    [{group, as_started}, {group, as_nobody}].

groups() ->
    [{Name, [], [attacks_on_processes, attacks_on_shared_memory, forbidden_calls,
                 calls_of_other_kinds, legitimate, what_holds, status_of_host,
                 nothing_is_dumped, descriptors_of_host, without_landlock, landlock_fails,
                 without_notifications, without_seccomp, without_anything]}
     || Name <- [as_started, as_nobody]].

suite() ->
    [{timetrap, {seconds, 120}}].

init_per_group(as_started, Config) ->
    User = string:trim(os:cmd("id -u")),
    [{start, fun start/2}, {root, User =:= "0"} | Config];
init_per_group(as_nobody, Config) ->
    Root = filename:join("/tmp", "cordon_guard." ++ os:getpid()),
    case {os:cmd("id -u"), os:find_executable("setpriv")} of
        {"0\n", [_ | _]} ->
            [{start, fun(Wrapper, _) -> start_nobody(Root, Wrapper) end}, {root, false},
             {nobody, Root} | Config];
        _ ->
            {skip, "only root can start a node of another user"}
    end.

end_per_group(as_nobody, Config) ->
    _ = file:del_dir_r(proplists:get_value(nobody, Config));
end_per_group(_, _Config) ->
    ok.

%%% Attacks

attacks_on_processes(Config) ->
    Victim = victim(Config, []),
    Attacker = attacker(Config),
    Targets = targets(Victim),
    Attacks = ?MEMORY ++ ?SIGNALS ++ ?SCHEDULING,
    Natively = [{Attack, natively(Attacker, Attack)} || Attack <- Attacks],
    Isolated = [{Attack, Name, attack(Victim, Attack, Pid)}
                || Attack <- Attacks, {Name, Pid} <- Targets],
    OfUser = [{Attack, vm, attack(Victim, Attack, 0)} || Attack <- ?OF_USER],
    Open = [A || {_, _, Result} = A <- Isolated ++ OfUser, Result =:= ok],
    ct:pal("~w attacks on ~w processes, ~w of them natively possible, ~w stopped~n~0tp",
           [length(Attacks), length(Targets), length([ok || {_, ok} <- Natively]),
            length(Isolated ++ OfUser) - length(Open), Isolated]),
    ?assertEqual([], Open),
    ?assertEqual([], [A || {Attack, Result} = A <- Natively, Result =/= ok,
                           not lists:member(Attack, ?MAY_BE_MISSING)]),
    unharmed(Victim),
    stop([Victim, Attacker]).

attacks_on_shared_memory(Config) ->
    Victim = victim(Config, []),
    [?assertEqual({Attack, refused}, {Attack, refused(attack(Victim, Attack, 0))})
     || Attack <- ?POOL],
    ?assertEqual('EIO', attack(Victim, pool_write, 0)), % the memory is read-only for everybody
    [{_, Vm} | _] = targets(Victim),
    ?assertEqual(refused, refused(attack(Victim, pool_of_vm, Vm))),
    unharmed(Victim),
    stop([Victim]).

forbidden_calls(Config) ->
    Victim = victim(Config, []),
    Attacker = attacker(Config),
    Natively = [{Name, test_node:call(Attacker, fx_forbidden, forbidden, [Name])}
                || Name <- ?FORBIDDEN],
    Isolated = [{Name, test_node:call(Victim, fx_forbidden, forbidden, [Name])}
                || Name <- ?FORBIDDEN],
    Possible = [Name || {Name, Result} <- Natively, not lists:member(Result, ?REFUSED)],
    ct:pal("~w forbidden calls, ~w of them natively possible~n~0tp~n~0tp",
           [length(?FORBIDDEN), length(Possible), Natively, Isolated]),
    ?assertEqual([], [R || {_, Result} = R <- Isolated, not lists:member(Result, ?REFUSED)]),
    case proplists:get_value(root, Config) of
        true -> ?assertEqual([], (?FORBIDDEN -- Possible) -- ?MAY_BE_MISSING);
        false -> ?assert(lists:member(removes, Possible))
    end,
    unharmed(Victim),
    stop([Victim, Attacker]).

%% They would pass by a filter that knows one table of system calls only.
calls_of_other_kinds(Config) ->
    Victim = victim(Config, []),
    case erlang:system_info(system_architecture) of
        "x86_64" ++ _ ->
            [?assertMatch({error, {nif_host_down, #{reason := {signal, sigsys}}}},
                          test_node:call(Victim, ?MODULE, outcome, [fx_attack, Function, []]))
             || Function <- [by_int80, by_x32]];
        _ ->
            ok
    end,
    unharmed(Victim),
    stop([Victim]).

%%% What libraries may do

legitimate(Config) ->
    Victim = victim(Config, []),
    Attacker = attacker(Config),
    [?assertEqual({Function, 0, 0},
                  {Function, test_node:call(Attacker, fx_legit, Function, []),
                   test_node:call(Victim, fx_legit, Function, [])})
     || Function <- ?LEGIT],
    unharmed(Victim),
    stop([Victim, Attacker]).

%%% What is told, and what is

what_holds(Config) ->
    Victim = victim(Config, []),
    #{guard := #{holds := Holds, missing := Missing, confined_ns := Time}} =
        test_node:call(Victim, cordon, info, []),
    ?assertEqual(?PARTS, lists:sort(Holds ++ [Part || {Part, [_ | _]} <- Missing])),
    ?assert(Time > 0),
    stop([Victim]).

status_of_host(Config) ->
    Victim = victim(Config, []),
    [{vm, Vm}, {keeper, _}, {host, Host}] = targets(Victim),
    {ok, Status} = file:read_file(proc(Host, "status")),
    [?assertMatch({Line, {match, _}}, {Line, re:run(Status, Line, [multiline])})
     || Line <- ["^NoNewPrivs:\t1$", "^Seccomp:\t2$"]],
    {match, [Caps]} = re:run(Status, "^CapPrm:\t([0-9a-f]+)$", [multiline, {capture, [1], list}]),
    ?assertEqual(0, list_to_integer(Caps, 16) band (1 bsl 21 bor (1 bsl 19))), % ADMIN, PTRACE
    ?assertEqual(min(1000, number(Vm, "oom_score_adj") + 1000), number(Host, "oom_score_adj")),
    {ok, Limits} = file:read_file(proc(Host, "limits")),
    ?assertMatch({match, _}, re:run(Limits, "^Max core file size +0 +0 ", [multiline])),
    {ok, Stat} = file:read_file(proc(Host, "stat")),
    [_, After] = string:split(Stat, ") ", trailing),
    [_State, _Parent, Group, Session | _] = string:lexemes(After, " "),
    ?assertEqual({Host, Host}, {binary_to_integer(Group), binary_to_integer(Session)}),
    stop([Victim]).

%% A dump of the sparse memory would fill it, on either side.
nothing_is_dumped(Config) ->
    Victim = victim(Config, []),
    [{vm, Vm}, {keeper, _}, {host, Host}] = targets(Victim),
    [begin
         {ok, Maps} = file:read_file(proc(Pid, "smaps")),
         {match, Flags} = re:run(Maps, "memfd:cordon_(?:.*\n)+?VmFlags: (.*)\n",
                                 [global, {capture, [1], list}]),
         ?assert(length(Flags) >= 2),
         [?assertMatch({_, [_ | _]}, {F, string:find(F, "dd")}) || [F] <- Flags]
     end || Pid <- [Vm, Host]],
    stop([Victim]).

%% Its own socket, doorbell and output; nothing of the keeper or of another host.
descriptors_of_host(Config) ->
    Victim = victim(Config, []),
    [{vm, _}, {keeper, Keeper}, {host, Host}] = targets(Victim),
    Other = test_node:call(Victim, fx_attack, os_pid, []),
    Links = fun(Pid) ->
                %% The keeper's can be seen by root only.
                Names = case file:list_dir(proc(Pid, "fd")) of
                            {ok, All} -> All;
                            {error, eacces} when Pid =:= Keeper -> []
                        end,
                [Link || N <- Names, {ok, Link} <- [file:read_link(proc(Pid, "fd/" ++ N))]]
            end,
    Named = fun(List) -> [L || L <- List, lists:prefix("socket:", L)
                                  orelse lists:prefix("pipe:", L)] end,
    Own = Named(Links(Host)),
    ?assertMatch([_], [S || "socket:" ++ S <- Own]),
    ?assertEqual([], [L || L <- Own, lists:member(L, Links(Keeper) ++ Links(Other))]),
    ?assertEqual([], [L || L <- Links(Host), string:find(L, "memfd") =/= nomatch
                               orelse string:find(L, "seccomp") =/= nomatch
                               orelse string:find(L, "landlock") =/= nomatch
                               orelse string:find(L, "pidfd") =/= nomatch]),
    stop([Victim]).

%%% What the machine lacks

%% The keeper then decides about signals. Only the files in /proc are open, and only to those
%% whom nothing else keeps out; that is told.
without_landlock(Config) ->
    Victim = victim(Config, ["landlock"]),
    missing(Victim, [landlock]),
    [?assertEqual([], [{Attack, Name} || {Name, Pid} <- targets(Victim),
                                         attack(Victim, Attack, Pid) =:= ok])
     || Attack <- ?SIGNALS ++ ?SCHEDULING -- [moves_pages]],
    [?assertEqual({Attack, refused}, {Attack, refused(attack(Victim, Attack, Pid))})
     || Attack <- [trace, attach, vm_read, vm_write, takes_fd, compares, advises],
        {_, Pid} <- targets(Victim)],
    #{guard := #{missing := [{landlock, Text}]}} = test_node:call(Victim, cordon, info, []),
    [{vm, Vm} | _] = targets(Victim),
    ?assertEqual(attack(Victim, proc_mem, Vm) =:= ok,
                 string:find(Text, "can write the memory of the VM") =/= nomatch),
    [?assertEqual({Function, 0}, {Function, test_node:call(Victim, fx_legit, Function, [])})
     || Function <- ?LEGIT],
    unharmed(Victim),
    stop([Victim]).

%% It seemed to be there until a host wanted to enter it.
landlock_fails(Config) ->
    Victim = victim(Config, ["domain"]),
    missing(Victim, [landlock]),
    [?assertEqual([], [{Attack, Name} || {Name, Pid} <- targets(Victim),
                                         attack(Victim, Attack, Pid) =:= ok])
     || Attack <- ?SIGNALS],
    unharmed(Victim),
    stop([Victim]).

without_notifications(Config) ->
    Victim = victim(Config, ["landlock,listener"]),
    missing(Victim, [landlock, scheduling, signals]),
    [?assertEqual([], [{Attack, Name} || {Name, Pid} <- targets(Victim),
                                         attack(Victim, Attack, Pid) =:= ok])
     || Attack <- ?SIGNALS],
    unharmed(Victim),
    stop([Victim]).

without_seccomp(Config) ->
    Victim = victim(Config, ["seccomp"]),
    missing(Victim, [scheduling, system_calls]),
    [?assertEqual([], [{Attack, Name} || {Name, Pid} <- targets(Victim),
                                         attack(Victim, Attack, Pid) =:= ok])
     || Attack <- ?MEMORY ++ ?SIGNALS],
    unharmed(Victim),
    stop([Victim]).

without_anything(Config) ->
    Victim = victim(Config, ["landlock,seccomp"]),
    missing(Victim, [landlock, scheduling, signals, system_calls]),
    [?assertEqual({Function, 0}, {Function, test_node:call(Victim, fx_legit, Function, [])})
     || Function <- ?LEGIT],
    unharmed(Victim),
    stop([Victim]).

%%% Helpers

%% In the nodes.

outcome(Module, Function, Args) ->
    try apply(Module, Function, Args)
    catch Class:Reason -> {Class, Reason}
    end.

%% Keeps what is logged from now on.
collect_log() ->
    ok = logger:add_handler(?MODULE, ?MODULE, #{level => warning}).

log(#{msg := {report, #{label := {cordon, guard_missing}, part := Part}}}, _) ->
    persistent_term:put({?MODULE, told}, [Part | persistent_term:get({?MODULE, told}, [])]);
log(_, _) ->
    ok.

told() ->
    persistent_term:get({?MODULE, told}, []).

%% A process with a session and a group of its own.
spawn_target() ->
    Sh = "echo $$; exec sleep 1000 </dev/null >/dev/null 2>&1",
    Port = open_port({spawn_executable, os:find_executable("setsid")},
                     [{args, ["sh", "-c", Sh]}, {line, 100}]),
    Pid = receive {Port, {data, {eol, Line}}} -> list_to_integer(Line) end,
    %% Not while its memory is exchanged for that of another program.
    fx:wait_until(fun() -> file:read_file(proc(Pid, "comm")) =:= {ok, <<"sleep\n">>} end),
    Pid.

%% Here.

start(Wrapper, _Config) ->
    Erl = os:find_executable("erl"),
    Settings = case Wrapper of
                   [] -> #{};
                   [Features] -> #{exec => {older_kernel(), [Features, Erl]}}
               end,
    {ok, Node} = test_node:start(Settings),
    Node.

%% With a copy of its own: what runs can't be written.
start_nobody(Root, Wrapper) ->
    Copy = filename:join(Root, integer_to_list(erlang:unique_integer([positive]))),
    Prefix = case Wrapper of
                 [] -> [];
                 [Features] -> [filename:join(Copy, "fixtures/older_kernel"), Features]
             end,
    {ok, Node} = test_node:start_nobody(Copy, Prefix),
    Node.

older_kernel() ->
    filename:join(os:getenv("CORDON_FIXTURES"), "older_kernel").

%% A node with hosts: of an attacker, and of somebody else.
victim(Config, Wrapper) ->
    Node = (proplists:get_value(start, Config))(Wrapper, Config),
    ok = test_node:call(Node, ?MODULE, collect_log, []),
    [ok = test_node:call(Node, fx, load, [isolated, Module])
     || Module <- [fx_attack, fx_forbidden, fx_legit, fx_bystander]],
    Node.

attacker(Config) ->
    Node = (proplists:get_value(start, Config))([], Config),
    [ok = test_node:call(Node, fx, load, [native, Module])
     || Module <- [fx_attack, fx_forbidden, fx_legit]],
    Node.

targets(Victim) ->
    [{vm, list_to_integer(test_node:os_pid(Victim))},
     {keeper, test_node:call(Victim, cordon_nif, keeper, [])},
     {host, test_node:call(Victim, fx_bystander, os_pid, [])}].

attack(Node, daemon, Pid) ->
    test_node:call(Node, fx_attack, daemon_kills, [Pid]);
attack(Node, Attack, Pid) ->
    test_node:call(Node, fx_attack, attack, [Attack, Pid]).

natively(Attacker, Attack) ->
    Target = test_node:call(Attacker, ?MODULE, spawn_target, []),
    Result = attack(Attacker, Attack, Target),
    _ = os:cmd("kill -9 " ++ integer_to_list(Target)),
    Result.

refused(Result) ->
    case lists:member(Result, ?REFUSED) of
        true -> refused;
        false -> Result
    end.

%% The VM, its keeper and all its hosts are the ones that they were, and answer.
unharmed(Victim) ->
    [?assertMatch(#{generation := 1}, Host)
     || #{module := fx_bystander} = Host <- test_node:call(Victim, cordon, which_hosts, [])],
    ?assert(is_integer(test_node:call(Victim, fx_bystander, count, []))).

%% Each part is named once in the log, however many hosts there are, and kept for cordon:info/0.
missing(Victim, Parts) ->
    #{guard := #{missing := Missing, holds := Holds}} = test_node:call(Victim, cordon, info, []),
    ?assertEqual(Parts, lists:sort([Part || {Part, _} <- Missing])),
    ?assertEqual(?PARTS -- Parts, lists:sort(Holds)),
    fx:wait_until(fun() -> length(test_node:call(Victim, ?MODULE, told, [])) >= length(Parts) end),
    ?assertEqual(Parts, lists:sort(test_node:call(Victim, ?MODULE, told, []))).

proc(Pid, Name) ->
    lists:concat(["/proc/", Pid, "/", Name]).

number(Pid, Name) ->
    {ok, Text} = file:read_file(proc(Pid, Name)),
    binary_to_integer(string:trim(Text)).

stop(Nodes) ->
    lists:foreach(fun test_node:stop/1, Nodes).
