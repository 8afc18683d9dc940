%%% The whole of it where much is missing: a container as most are (see programs/container.sh).
-module(container_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

all() ->
    [what_is_missing_there, example, attacks, noexec_cache, no_cache_configured].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    Tools = [os:find_executable(T) || T <- ["unshare", "setpriv", "chroot", "mount"]],
    case {os:cmd("id -u"), lists:member(false, Tools)} of
        {"0\n", false} ->
            case os:cmd("unshare --mount --pid --fork mount -t proc proc /proc && echo -n ok") of
                "ok" -> [{app, app(proplists:get_value(priv_dir, Config))} | Config];
                Why -> {skip, "no mounts can be made here: " ++ Why}
            end;
        _ ->
            {skip, "only root can make a container"}
    end.

end_per_suite(_Config) ->
    ok.

%% What is mounted at /opt. There is no writing to it, so all is copied.
app(Priv) ->
    App = filename:join(Priv, "app"),
    [ok = test_node:copy_dir(From, filename:join(App, To))
     || {From, To} <- [{filename:dirname(code:which(cordon)), "cordon/ebin"},
                       {code:priv_dir(cordon), "cordon/priv"},
                       {filename:dirname(code:which(fx)), "test"},
                       {filename:dirname(fx:library(fx_crash)), "fixtures"}]],
    [ok = file:write_file(filename:join(App, Name ++ ".config"),
                          io_lib:format("~p.~n", [[{cordon, [{isolate, [jiffy]} | More]}]]))
     || {Name, More} <- [{"sys", [{cache_dir, "/srv/cache"}]},
                         {"noexec", [{cache_dir, "/tmp/cache"}]},
                         {"plain", []}]],
    App.

%% Else this suite would prove nothing.
what_is_missing_there(Config) ->
    Node = node(Config, "sys"),
    ?assertEqual("65534\n", call(Node, os, cmd, ["id -u"])),
    ?assertEqual(<<"0">>, cap_set(Node)),
    [?assertEqual({Dir, {error, erofs}},
                  {Dir, call(Node, file, write_file, [Dir ++ "/x", <<>>])})
     || Dir <- ["/opt", "/opt/cordon/priv"]],
    [?assertMatch({error, _}, call(Node, file, write_file, [Dir ++ "/x", <<>>]))
     || Dir <- ["/", "/etc", "/var/tmp", "/usr/lib/erlang"]],
    ?assertEqual(ok, call(Node, file, write_file, ["/tmp/x", <<"#!/bin/sh\n">>])),
    ?assertEqual(ok, call(Node, file, change_mode, ["/tmp/x", 8#755])),
    ?assertMatch([_ | _], string:find(call(Node, os, cmd, ["/tmp/x"]), "ermission denied")),
    ?assertMatch([_ | _], string:find(call(Node, os, cmd, ["unshare --user true"]), "not permitted")),
    ?assertEqual("0\n", call(Node, os, cmd, ["ls /sys | wc -l"])),
    test_node:stop(Node).

cap_set(Node) ->
    {ok, Status} = call(Node, file, read_file, ["/proc/self/status"]),
    {match, [Caps]} = re:run(Status, "^CapBnd:\t0*([0-9a-f]+)$",
                             [multiline, {capture, [1], binary}]),
    Caps.

%% A dependency isolated by configuration, a crash, and the next call.
example(Config) ->
    Node = node(Config, "sys"),
    {ok, _} = call(Node, application, ensure_all_started, [cordon]),
    ?assertEqual({[{<<"a">>, [1]}]}, call(Node, jiffy, decode, [<<"{\"a\":[1]}">>])),
    [#{module := jiffy, host := Host}] = call(Node, cordon, which_hosts, []),
    ok = call(Node, cordon_nif, stop_host, [Host]),
    ?assertEqual([1], call(Node, jiffy, decode, [<<"[1]">>])),
    ok = call(Node, fx, load, [isolated, fx_crash]),
    ?assertMatch({error, {nif_host_down, #{reason := {signal, sigsegv}}}},
                 call(Node, guard_SUITE, outcome, [fx_crash, segv, []])),
    ?assert(is_integer(call(Node, fx_crash, os_pid, []))),
    ok = call(Node, fx, load, [isolated, fx_legit]),
    [?assertEqual({F, 0}, {F, call(Node, fx_legit, F, [])})
     || F <- [threads, own_signals, children, group_of_child, programs, files, memory, sockets,
              descriptors, timers, own_limits]],
    #{guard := #{holds := Holds, missing := Missing}} = call(Node, cordon, info, []),
    ct:pal("missing in the container: ~0tp", [Missing]),
    ?assertEqual(9, length(Holds) + length(Missing)),
    ?assertEqual([], [no_new_privs, descriptors, core_dumps, oom_score, system_calls] -- Holds),
    test_node:stop(Node).

%% The VM is process 1 there.
attacks(Config) ->
    Node = node(Config, "sys"),
    {ok, _} = call(Node, application, ensure_all_started, [cordon]),
    [ok = call(Node, fx, load, [isolated, Module]) || Module <- [fx_attack, fx_bystander]],
    Vm = list_to_integer(call(Node, os, getpid, [])),
    Targets = [Vm, call(Node, cordon_nif, keeper, []), call(Node, fx_bystander, os_pid, [])],
    [?assertNotEqual({Attack, Pid, ok},
                     {Attack, Pid, call(Node, fx_attack, attack, [Attack, Pid])})
     || Attack <- [trace, vm_write, proc_mem, proc_fd, takes_fd, kills, tgkills, by_owner,
                   from_child, limits, pins, renices],
        Pid <- Targets],
    ?assertEqual(1, call(Node, fx_bystander, count, [])),
    test_node:stop(Node).

noexec_cache(Config) ->
    refused_for_noexec(Config, "noexec", "/tmp/cache").

no_cache_configured(Config) ->
    refused_for_noexec(Config, "plain", "/tmp/cordon-65534").

refused_for_noexec(Config, Name, Dir) ->
    Node = node(Config, Name),
    {error, Reason} = call(Node, application, ensure_all_started, [cordon]),
    Text = lists:flatten(io_lib:format("~tp", [Reason])),
    [?assertMatch([_ | _], string:find(Text, Part)) || Part <- [Dir, "noexec", "cache_dir"]],
    %% Nothing is half isolated: natively it goes on.
    ?assertEqual([1], call(Node, jiffy, decode, [<<"[1]">>])),
    test_node:stop(Node).

%%% Helpers

call(Node, M, F, A) ->
    test_node:call(Node, M, F, A).

node(Config, Name) ->
    Root = filename:join(proplists:get_value(priv_dir, Config), "root"),
    ok = filelib:ensure_path(Root),
    Script = filename:join([filename:dirname(?FILE), "programs", "container.sh"]),
    {ok, Node} = test_node:start(
                   #{exec => {os:find_executable("unshare"),
                              ["--mount", "--pid", "--fork", "--kill-child",
                               filename:absname(Script), Root, proplists:get_value(app, Config),
                               os:find_executable("erl")]},
                     env => [{"HOME", "/nonexistent"}, {"CORDON_FIXTURES", "/opt/fixtures"}],
                     args => ["-config", "/opt/" ++ Name],
                     path => ["/opt/cordon/ebin", "/opt/test"]}),
    Node.
