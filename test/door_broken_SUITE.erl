%%% Libraries isolated on disk: installs that are cut off, files that others alter.
-module(door_broken_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(door, [broken/3, contains/2, contents/1, copy/3, cordon/1, installed/1,
               installed_cordon/2, load/2, names/1, refused/3, script/2, so/1, stands/2,
               tree/1]).

all() ->
    [power_cut_in_install, power_cut_in_uninstall, half_written, failed_step_is_undone,
     killed_at_any_moment, uninstall_nothing, real_library_deleted, real_library_replaced,
     shim_replaced, shim_damaged, shim_deleted, sidecar_damaged, other_build].

suite() ->
    [{timetrap, {seconds, 120}}].

init_per_suite(Config) -> door:init_suite(Config).
end_per_suite(Config) -> door:end_suite(Config).

init_per_testcase(Case, Config) -> case_dir:init(Case, Config).

%%% Interrupted

%% After each step a VM can load the library, and what comes next puts all in order.
power_cut_in_install(Config) ->
    power_cuts(Config, "install", fun(File) -> cordon_install:prepare_install(File, #{}) end,
               fun(_File) -> ok end).

power_cut_in_uninstall(Config) ->
    power_cuts(Config, "uninstall", fun cordon_install:prepare_uninstall/1,
               fun(File) -> {0, _, ""} = cordon(["install", File]) end).

power_cuts(Config, What, Prepare, First) ->
    Original = copy(Config, What ++ "/original", fx_bystander),
    Whole = contents(tree(filename:dirname(Original))),
    Steps = fun(File) ->
                    {ok, #{steps := S}} = Prepare(File),
                    S
            end,
    Probe = copy(Config, What ++ "/probe", fx_bystander),
    First(Probe),
    Count = length(Steps(Probe)),
    ?assert(Count >= 4),
    Seen = [begin
                File = copy(Config, lists:concat([What, "/", N, "/", Next]), fx_bystander),
                First(File),
                ok = cordon_disk:run(lists:sublist(Steps(File), N)),
                Stands = stands(Config, File),
                {0, _, ""} = cordon(["status", filename:dirname(File)]),
                ok = in_order(Config, Next, File, Whole),
                Stands
            end || Next <- [install, uninstall, both], N <- lists:seq(0, Count)],
    ?assertEqual([isolated, native], lists:usort(Seen)).

in_order(Config, install, File, _) ->
    {0, _, ""} = cordon(["install", File]),
    ?assertEqual(["fx_bystander.cordon", "fx_bystander.so", "fx_bystander.so.native"],
                 names(filename:dirname(File))),
    ?assertEqual(isolated, stands(Config, File)),
    ok;
in_order(Config, uninstall, File, Whole) ->
    case cordon(["uninstall", File]) of
        {0, _, ""} -> ok;
        {1, "", Text} -> contains(Text, ["not isolated"])
    end,
    ?assertEqual(Whole, contents(tree(filename:dirname(File)))),
    ?assertEqual(native, stands(Config, File)),
    ok;
in_order(Config, both, File, Whole) ->
    in_order(Config, install, File, Whole),
    in_order(Config, uninstall, File, Whole).

%% A cut within a step: what it was writing has half of its bytes.
half_written(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Whole = contents(tree(filename:dirname(File))),
    {ok, #{steps := Steps}} = cordon_install:prepare_install(File, #{}),
    Writes = [N || {N, {write, _, _, _}} <- lists:zip(lists:seq(1, length(Steps)), Steps)],
    ?assertEqual(2, length(Writes)),
    [begin
         Copy = copy(Config, lists:concat([half, N]), fx_bystander),
         {ok, #{steps := Own}} = cordon_install:prepare_install(Copy, #{}),
         ok = cordon_disk:run(lists:sublist(Own, N - 1)),
         {write, To, Data, _} = lists:nth(N, Own),
         ok = file:write_file(To, binary:part(Data, 0, byte_size(Data) div 2)),
         ?assertEqual(native, stands(Config, Copy)),
         ok = in_order(Config, both, Copy, Whole)
     end || N <- Writes].

%% No space, no right: the library looks as if nothing had happened.
failed_step_is_undone(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Whole = contents(tree(filename:dirname(File))),
    {ok, #{steps := Steps} = Work} = cordon_install:prepare_install(File, #{}),
    [begin
         Failing = lists:sublist(Steps, N) ++ [{sync, "/no/such/dir"}],
         {error, Text} = cordon_install:carry_out(Work#{steps := Failing}),
         contains(Text, [File, "/no/such/dir", "can't be changed"]),
         ?assertEqual(Whole, contents(tree(filename:dirname(File))))
     end || N <- lists:seq(0, length(Steps) - 2)].

%% The command itself, killed wherever it happens to be.
killed_at_any_moment(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    Dir = filename:dirname(File),
    Whole = contents(tree(Dir)),
    {Script, _Root} = installed_cordon(Config, "cordon"),
    {Us, {0, _, _}} = timer:tc(fun() -> script(Script, ["install", File]) end),
    {0, _, _} = cordon(["uninstall", File]),
    rand:seed(exsss, {4, 5, 6}),
    [begin
         Delay = Us * (30 + rand:uniform(80)) div 100000,
         kill_after(Script, [What, File], Delay),
         ?assert(lists:member(stands(Config, File), [native, isolated])),
         case N rem 2 of
             0 -> {0, _, ""} = cordon(["install", File]);
             1 -> {Status, _, _} = cordon(["uninstall", File]),
                  ?assert(Status < 2),
                  ?assertEqual(Whole, contents(tree(Dir)))
         end
     end || N <- lists:seq(1, 12), What <- ["install", "uninstall"]].

kill_after(Script, Args, Ms) ->
    Port = open_port({spawn_executable, Script}, [{args, Args}, exit_status, stderr_to_stdout]),
    {os_pid, Pid} = erlang:port_info(Port, os_pid),
    timer:sleep(Ms),
    _ = os:cmd("kill -9 " ++ integer_to_list(Pid)),
    Drain = fun Drain() ->
                    receive
                        {Port, {exit_status, _}} -> ok;
                        {Port, _} -> Drain()
                    end
            end,
    Drain().

%%% Altered by others

uninstall_nothing(Config) ->
    File = copy(Config, "app/priv", fx_bystander),
    refused(Config, ["uninstall", File], [File, "is not isolated", "nothing to restore"]),
    {0, _, ""} = cordon(["install", File]),
    {0, _, ""} = cordon(["uninstall", File]),
    refused(Config, ["uninstall", File], ["is not isolated"]),
    {0, _, ""} = cordon(["install", File]),
    refused(Config, ["uninstall", File ++ ".native"], ["give its own name, " ++ File]).

real_library_deleted(Config) ->
    File = installed(Config),
    ok = file:delete(File ++ ".native"),
    broken(Config, File, ["real library", ".native is missing"]),
    refused(Config, ["uninstall", File], [".native is missing", "nothing can be restored"]),
    refused(Config, ["install", File], [".native is missing", "from where it came"]),
    {error, {_, Text}} = load(Config, File),
    contains(Text, [File ++ ".native", "is gone"]).

real_library_replaced(Config) ->
    File = installed(Config),
    ok = file:delete(File ++ ".native"),
    {ok, _} = file:copy(so(fx_terms), File ++ ".native"),
    broken(Config, File, ["was changed since it was isolated"]),
    {0, Said, ""} = cordon(["install", File]),
    contains(Said, ["fx_terms"]),
    {0, _, ""} = cordon(["status", filename:dirname(File)]),
    {0, _, ""} = cordon(["uninstall", File]),
    ?assertEqual(file:read_file(so(fx_terms)), file:read_file(File)).

%% As a package manager upgrades: the new library wins, whatever comes next.
shim_replaced(Config) ->
    [begin
         File = copy(Config, Next, fx_bystander),
         {0, _, ""} = cordon(["install", File]),
         {ok, _} = file:copy(so(fx_terms), File ++ ".dpkg-new"),
         ok = file:rename(File ++ ".dpkg-new", File),
         {0, Status, ""} = cordon(["status", filename:dirname(File)]),
         contains(Status, ["leftover", "it has replaced a shim"]),
         {0, Said, ""} = cordon([Next, File]),
         case Next of
             "install" ->
                 contains(Said, ["isolated", "(fx_terms)"]),
                 ?assertEqual(file:read_file(so(fx_terms)), file:read_file(File ++ ".native"));
             "uninstall" ->
                 contains(Said, ["kept " ++ File, "newer"]),
                 ?assertEqual(["fx_bystander.so"], names(filename:dirname(File))),
                 ?assertEqual(file:read_file(so(fx_terms)), file:read_file(File))
         end
     end || Next <- ["install", "uninstall"]].

%% Neither is the real library lost with it.
shim_damaged(Config) ->
    [begin
         File = copy(Config, lists:concat([Name, Next]), fx_bystander),
         Whole = contents(tree(filename:dirname(File))),
         {0, _, ""} = cordon(["install", File]),
         Damage(File),
         broken(Config, File, [Text]),
         ok = in_order(Config, Next, File, Whole)
     end || {Name, Damage, Text} <-
                [{"cut", fun(F) -> ok = file:write_file(F, <<16#7f, "ELF", 2, 1>>) end, "neither"},
                 {"text", fun(F) -> ok = file:write_file(F, "text") end, "neither"},
                 {"plain", fun(F) -> {ok, _} = file:copy(so(fx_noinit), F) end, "neither"}],
            Next <- [install, uninstall]].

shim_deleted(Config) ->
    [begin
         File = copy(Config, atom_to_list(Next), fx_bystander),
         Whole = contents(tree(filename:dirname(File))),
         {0, _, ""} = cordon(["install", File]),
         ok = file:delete(File),
         broken(Config, File, ["is missing, the real library is still there"]),
         ok = in_order(Config, Next, File, Whole)
     end || Next <- [install, uninstall]].

sidecar_damaged(Config) ->
    [begin
         File = copy(Config, lists:concat([Name, Next]), fx_bystander),
         Whole = contents(tree(filename:dirname(File))),
         {0, _, ""} = cordon(["install", File]),
         Damage(filename:rootname(File) ++ ".cordon"),
         broken(Config, File, Parts),
         {error, {_, Text}} = load(Config, File),
         contains(Text, ["cordon: the sidecar " ++ filename:rootname(File) ++ ".cordon"]),
         ok = in_order(Config, Next, File, Whole)
     end || {Name, Damage, Parts} <-
                [{"gone", fun(F) -> ok = file:delete(F) end, ["sidecar", "is missing"]},
                 {"empty", fun(F) -> ok = file:write_file(F, "") end, ["sidecar"]},
                 {"text", fun(F) -> ok = file:write_file(F, "{\"cordon\": ") end, ["sidecar"]}],
            Next <- [install, uninstall]].

%% cordon itself was removed, or built anew.
other_build(Config) ->
    {_, Root} = installed_cordon(Config, "cordon"),
    File = copy(Config, "app/priv", fx_bystander),
    {0, _, ""} = cordon(["install", File, "--cordon", Root]),
    {0, _, ""} = cordon(["status", filename:dirname(File)]),
    Host = filename:join(Root, "priv/nif_host"),
    ok = file:delete(Host),
    broken(Config, File, ["nif_host", "can't be run (no such file"]),
    ok = file:write_file(Host, "#!/bin/sh\necho 0123456789abcdef\n"),
    ok = file:change_mode(Host, 8#755),
    broken(Config, File, ["nif_host", "different builds"]),
    {1, "", Text} = cordon(["install", File, "--cordon", Root]),
    contains(Text, ["different builds"]),
    ok = file:delete(filename:join(Root, "priv/cordon_nif.so")),
    broken(Config, File, ["cordon_nif.so", "can't be read"]),
    {0, _, ""} = cordon(["install", File]),
    ?assertEqual(isolated, stands(Config, File)).
