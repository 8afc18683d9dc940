%%% Loading natively where that is asked for: CORDON_DISABLE, and machines on which
%%% no host can run. Each in a node of its own that looks like that.
-module(switch_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").
-include_lib("kernel/include/file.hrl").

all() ->
    [application_off, one_of_two_off, all_off, library_of_application_off, shim_off_by_file,
     shim_off_by_application, shim_off_by_module, shim_not_off, installed_off, installed_unloads,
     unknown_names, policy_ill_typed, {group, machine}, installed_without_proxy].

groups() ->
    [{machine, [], [refused, native, native_installed, refused_installed]}].

suite() -> [{timetrap, {seconds, 120}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_testcase(Case, Config) -> case_dir:init(Case, Config).

%%% CORDON_DISABLE

application_off(Config) ->
    with_node(Config, "jiffy", fun(Node) ->
        ok = call(Node, fx, isolate, [[jiffy, fast_xml]]),
        ?assertEqual(<<"[1]">>, call(Node, jiffy, encode, [[1]])),
        ?assertEqual([fast_xml], isolated(Node)),
        ?assertEqual([], call(Node, cordon, which_hosts, [])),
        ok = call(Node, fx, isolate, [[jiffy, fast_xml]]),
        ?assertMatch([_], warnings(Node, ["jiffy is loaded into the VM", "CORDON_DISABLE"]))
    end).

one_of_two_off(Config) ->
    with_node(Config, " fast_xml,, nothing ", fun(Node) ->
        ok = call(Node, fx, isolate, [[jiffy, fast_xml]]),
        ?assertEqual(<<"[1]">>, call(Node, jiffy, encode, [[1]])),
        ?assertMatch([#{module := jiffy}], call(Node, cordon, which_hosts, []))
    end).

all_off(Config) ->
    with_node(Config, "all", fun(Node) ->
        ok = call(Node, fx, isolate, [[jiffy, fast_xml]]),
        ok = call(Node, fx, load, [isolated, fx_bystander]),
        ?assertEqual(1, call(Node, fx_bystander, count, [])),
        ?assertEqual(<<"[1]">>, call(Node, jiffy, encode, [[1]])),
        ?assertEqual([], isolated(Node)),
        ?assertEqual([], call(Node, cordon, which_hosts, [])),
        ?assertEqual(3, length(warnings(Node, ["is loaded into the VM, not isolated"])))
    end).

%% fast_xml has two libraries.
library_of_application_off(Config) ->
    with_node(Config, "fxml", fun(Node) ->
        ok = call(Node, fx, isolate, [[fast_xml]]),
        Doc = call(Node, fxml_stream, parse_element, [<<"<a/>">>]),
        ?assertEqual(<<"<a/>">>, call(Node, fxml, element_to_binary, [Doc])),
        ?assertMatch([#{module := fxml_stream}], call(Node, cordon, which_hosts, [])),
        ?assertMatch([_], warnings(Node, ["fxml\" is loaded into the VM"]))
    end).

shim_off_by_file(Config) ->
    with_node(Config, "fx_bystander", fun native_by_shim/1).

%% The library lies in the priv of an application.
shim_off_by_application(Config) ->
    with_node(Config, "my_app", fun(Node) ->
        Path = filename:join(dir(Config), "my_app-1.2.3/priv/sub/lib"),
        ok = copy(fx:library(fx_bystander) ++ ".so", Path ++ ".so"),
        ?assertEqual(Path, call(Node, cordon, shim, [Path]))
    end).

%% The file has another name than the module.
shim_off_by_module(Config) ->
    with_node(Config, "fx_bystander", fun(Node) ->
        Path = filename:join(dir(Config), "other"),
        ok = copy(fx:library(fx_bystander) ++ ".so", Path ++ ".so"),
        ?assertEqual(Path, call(Node, cordon, shim, [Path])),
        ?assertEqual(list_to_binary(Path), call(Node, cordon, shim, [list_to_binary(Path)]))
    end).

shim_not_off(Config) ->
    with_node(Config, "fx_bystander_,x", fun(Node) ->
        ok = call(Node, fx, load, [isolated, fx_bystander]),
        ?assertMatch([#{module := fx_bystander}], call(Node, cordon, which_hosts, []))
    end).

native_by_shim(Node) ->
    ok = call(Node, fx, load, [isolated, fx_bystander]),
    ?assertEqual(1, call(Node, fx_bystander, count, [])),
    ?assertEqual(test_node:os_pid(Node), integer_to_list(call(Node, fx_bystander, os_pid, []))),
    ?assertEqual([], call(Node, cordon, which_hosts, [])),
    ok = call(Node, fx, load, [isolated, fx_bystander]),
    ?assertMatch([_], warnings(Node, ["fx_bystander\" is loaded into the VM"])).

%% A shim on disk decides by itself, without cordon's Erlang side.
installed_off(Config) ->
    [begin
         {Shim, Library} = installed(Config, refuse),
         with_node(Config, Name, fun(Node) ->
             ok = call(Node, fx, try_load, [fx_bystander, #{path => Shim}]),
             ?assertEqual({Name, IsNative}, {Name, is_native(Node)}),
             Expected = [Library ++ " is loaded into the VM, not isolated: the environment "
                         "variable CORDON_DISABLE says so" || IsNative],
             ?assertEqual(Expected, [lists:nthtail(length("cordon: warning: "), Line)
                                     || Line <- standard_error(Config)])
         end)
     end || {Name, IsNative} <- [{"fx_bystander", true}, {"real", true}, {"shim", true},
                                 {"fx_app", true}, {"x,\treal ", true}, {"all", true},
                                 {"realm", false}, {"rea", false}, {"", false}]].

%% The library is closed with its shim: static variables start anew.
installed_unloads(Config) ->
    {Shim, Library} = installed(Config, refuse),
    with_node(Config, "all", fun(Node) ->
        [begin
             ok = call(Node, fx, try_load, [fx_bystander, #{path => Shim}]),
             ?assertEqual(1, call(Node, fx_bystander, count, [])),
             ?assertEqual(2, call(Node, fx_bystander, count, [])),
             ok = call(Node, fx, unload, [fx_bystander])
         end || _ <- [1, 2, 3]],
        ?assertEqual(nomatch, binary:match(fx:maps(test_node:os_pid(Node)),
                                           list_to_binary(Library)))
    end).

%% A mistake is said once and stops nothing.
unknown_names(Config) ->
    with_node(Config, "jify,stdlib,lists,jiffy_", fun(Node) ->
        ok = call(Node, fx, isolate, [[jiffy]]),
        ok = call(Node, fx, isolate, [[jiffy]]),
        ?assertEqual([jiffy], isolated(Node)),
        ?assertMatch([_, _], warnings(Node, ["CORDON_DISABLE names"])),
        ?assertMatch([_], warnings(Node, ["names jify, which is no application", "is jiffy meant?"]))
    end).

%%% Machines without

refused(Config) ->
    [with_node(Config, Settings, fun(Node) ->
         {error, {load_failed, Text}} = call(Node, fx, try_load, [fx_bystander, #{shim => true}]),
         contains(Text, ["cordon: " | Parts]),
         {error, {{cordon, Texts}, _}} = call(Node, fx, isolate, [[jiffy]]),
         contains(lists:append(Texts), Parts),
         {error, {nif_host, Checked}} = call(Node, cordon, check, [fx:library(fx_bystander)]),
         contains(Checked, Parts)
     end) || {Settings, Parts} <- machines(Config)].

native(Config) ->
    [with_node(Config, Settings#{unsupported => native}, fun(Node) ->
         native_by_shim(Node),
         ok = call(Node, fx, isolate, [[jiffy]]),
         ?assertEqual(<<"[1]">>, call(Node, jiffy, encode, [[1]])),
         ?assertEqual([], isolated(Node)),
         ?assertMatch([_], warnings(Node, ["jiffy is loaded into the VM" | Parts]))
     end) || {Settings, Parts} <- machines(Config)].

%% What a machine can lack, and what is said of it.
machines(Config) ->
    Without = fun(Call) ->
                      #{exec => [filename:join(filename:dirname(fx:library(x)), "without_syscall"),
                                 Call]}
              end,
    Damaged = fun(Name, Damage) ->
                      Root = filename:join([dir(Config), Name, "cordon"]),
                      ok = test_node:copy_dir(ebin(), filename:join(Root, "ebin")),
                      ok = test_node:copy_dir(code:priv_dir(cordon), filename:join(Root, "priv")),
                      ok = Damage(filename:join([Root, "priv", "nif_host"])),
                      #{ebin => filename:join(Root, "ebin")}
              end,
    NoProxy = fun(Host) -> file:delete(filename:join(filename:dirname(Host), "cordon_nif.so")) end,
    [{Without("memfd_create"), ["no host can run on this machine", "Function not implemented"]},
     {Without("shared_futex"), ["no host can run on this machine", "futexes don't work"]},
     {Damaged("noexec", fun(Host) -> file:change_mode(Host, 8#644) end),
      ["nif_host", "cannot be executed"]},
     {Damaged("missing", fun file:delete/1), ["nif_host", "is missing"]},
     {Damaged("not_built", NoProxy), ["cordon_nif.so", "does not exist"]}].

native_installed(Config) ->
    {Shim, Library} = installed(Config, native),
    [with_node(Config, Settings, fun(Node) ->
         ok = call(Node, fx, try_load, [fx_bystander, #{path => Shim}]),
         ?assert(is_native(Node)),
         [Line] = standard_error(Config),
         contains(Line, [Library, "not isolated" | Parts])
     end) || {#{exec := _} = Settings, Parts} <- machines(Config)].

refused_installed(Config) ->
    {Shim, _} = installed(Config, refuse),
    [with_node(Config, Settings, fun(Node) ->
         {error, {bad_lib, Text}} = call(Node, fx, try_load, [fx_bystander, #{path => Shim}]),
         contains(Text, ["cordon: " | Parts])
     end) || {#{exec := _} = Settings, Parts} <- machines(Config)].

%% Not even the proxy can be loaded.
installed_without_proxy(Config) ->
    [begin
         {Shim, _} = installed(Config, Policy, #{proxy => "gone/cordon_nif.so"}),
         with_node(Config, "", fun(Node) ->
             Result = call(Node, fx, try_load, [fx_bystander, #{path => Shim}]),
             case Policy of
                 native ->
                     ok = Result,
                     ?assert(is_native(Node)),
                     contains(lists:append(standard_error(Config)), ["gone/cordon_nif.so"]);
                 refuse ->
                     {error, {bad_lib, Text}} = Result,
                     contains(Text, ["the proxy that the sidecar names", "gone/cordon_nif.so"])
             end
         end)
     end || Policy <- [refuse, native]].

policy_ill_typed(Config) ->
    with_node(Config, #{unsupported => maybe_so}, fun(Node) ->
        Parts = ["unsupported of the application cordon is maybe_so", "refuse or native"],
        {error, {{cordon, Texts}, _}} = call(Node, fx, isolate, [[jiffy]]),
        contains(lists:append(Texts), Parts),
        {error, {load_failed, Text}} = call(Node, fx, try_load, [fx_bystander, #{shim => true}]),
        contains(Text, Parts)
    end).

%%% Helpers

%% A node with that list, or these settings: exec, ebin (of cordon), unsupported.
with_node(Config, Disable, Fun) when is_list(Disable) ->
    with_node(Config, #{disable => Disable}, Fun);
with_node(Config, Settings, Fun) ->
    Erl = maps:get(exec, Settings, []) ++ [os:find_executable("erl")],
    [Errors, Log] = [filename:join(dir(Config), Name) || Name <- ["stderr", "log"]],
    _ = [file:delete(File) || File <- [Errors, Log]],
    Ebin = maps:get(ebin, Settings, ebin()),
    {ok, Node} = test_node:start(
                   #{exec => {"/bin/sh", ["-c", "f=$1; shift; exec \"$@\" 2>\"$f\"", "sh",
                                          Errors | Erl]},
                     path => [Ebin | lists:delete(ebin(), code:get_path())],
                     env => [{"CORDON_DISABLE", maps:get(disable, Settings, "")},
                             {"CORDON_FIXTURES", filename:dirname(fx:library(x))}]}),
    try
        ok = call(Node, logger, add_handler,
                  [to_file, logger_std_h, #{config => #{file => Log}}]),
        ok = call(Node, application, load, [cordon]),
        [ok = call(Node, application, set_env, [cordon, unsupported, Policy])
         || #{unsupported := Policy} <- [Settings]],
        _ = Fun(Node),
        ok
    after
        test_node:stop(Node)
    end.

%% Events in the log that have all these parts.
warnings(Node, Parts) ->
    ok = call(Node, logger_std_h, filesync, [to_file]),
    {ok, #{config := #{file := File}}} = call(Node, logger, get_handler_config, [to_file]),
    {ok, Log} = file:read_file(File),
    Events = re:split(Log, "^20\\d\\d-", [multiline, {return, list}]),
    [Event || Event <- Events, lists:all(fun(Part) -> string:find(Event, Part) =/= nomatch end,
                                         Parts)].

%% What shims have said.
standard_error(Config) ->
    {ok, Text} = file:read_file(filename:join(dir(Config), "stderr")),
    [Line || Line <- string:lexemes(unicode:characters_to_list(Text), "\n"),
             string:find(Line, "cordon: warning: ") =/= nomatch].

isolated(Node) ->
    [App || #{application := App} <- maps:get(isolated, call(Node, cordon, info, []))].

is_native(Node) ->
    integer_to_list(call(Node, fx_bystander, os_pid, [])) =:= test_node:os_pid(Node).

installed(Config, Policy) ->
    installed(Config, Policy, #{}).

installed(Config, Policy, Changes) ->
    Library = filename:join(dir(Config), "real.so"),
    ok = copy(fx:library(fx_bystander) ++ ".so", Library),
    {ok, _, Plain} = cordon_shim:sidecar(Library, #{}),
    {ok, Sidecar} = cordon_nif:edit_sidecar(Plain, Changes#{application => "fx_app",
                                                            unsupported => Policy}),
    Shim = filename:join(dir(Config), "shim"),
    ok = copy(filename:join(code:priv_dir(cordon), "cordon_shim.so"), Shim ++ ".so"),
    ok = file:write_file(Shim ++ ".cordon", Sidecar),
    {Shim, Library}.

copy(From, To) ->
    ok = filelib:ensure_dir(To),
    _ = file:delete(To),
    {ok, _} = file:copy(From, To),
    {ok, #file_info{mode = Mode}} = file:read_file_info(From),
    file:change_mode(To, Mode).

call(Node, Module, Function, Args) ->
    test_node:call(Node, Module, Function, Args).

contains(Text, Parts) ->
    [?assertMatch({Part, [_ | _], _}, {Part, found(Text, Part), Text}) || Part <- Parts],
    ok.

found(Text, Part) ->
    case string:find(Text, Part) of
        nomatch -> nomatch;
        Found -> Found
    end.

ebin() ->
    filename:dirname(code:which(cordon)).

dir(Config) ->
    proplists:get_value(dir, Config).
