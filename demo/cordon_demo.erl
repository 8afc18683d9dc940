%%% What `make demo' runs. Every "yes" that it prints was checked here and now; a "NO" makes
%%% the whole demo fail.
-module(cordon_demo).

-export([main/0, log/2, nested/1, crash_natively/1]).

-define(JSON, "/usr/share/iso-codes/json/iso_639-3.json").
-define(LOG, cordon_demo_log).

-spec main() -> no_return().
main() ->
    ok = io:setopts([{encoding, unicode}]),
    try
        put(failures, 0),
        true = register(?LOG, self()),
        _ = logger:remove_handler(default),
        ok = logger:add_handler(?MODULE, ?MODULE, #{}),
        {ok, _} = application:ensure_all_started(cordon),
        json(),
        xml(),
        on_disk(),
        table(),
        finish(get(failures))
    catch
        Class:Reason:Stack ->
            say("~nThe demo itself failed: ~tp", [{Class, Reason, Stack}]),
            print_log(),
            halt(1)
    end.

-spec finish(non_neg_integer()) -> no_return().
finish(0) ->
    say("~nAll of this was checked while it was shown. It took ~w s.", [uptime_ms() div 1000]),
    halt(0);
finish(Failures) ->
    say("~n~w of the statements above turned out not to be true.", [Failures]),
    print_log(),
    halt(1).

%% --- 1: a library at work outside the VM ---------------------------------------------------

json() ->
    title("1. A JSON library, written in C, outside the Erlang VM"),
    say("jiffy is as Debian built it: nothing of it was changed, and nothing in how it is called.~n"
        "The configuration of this VM says {cordon, [{isolate, [jiffy, fast_xml]}]}.~n", []),
    {ok, Json} = file:read_file(?JSON),
    {NativeDecode, Native, NativeEncode, NativeText} = natively(Json),
    {Decode, Term} = median(fun() -> jiffy:decode(Json, [return_maps]) end),
    {Encode, Text} = median(fun() -> iolist_to_binary(jiffy:encode(Term)) end),
    say("  ~ts, ~w bytes", [?JSON, byte_size(Json)]),
    say("  decoded to ~w languages in ~.1f ms (in process: ~.1f ms)",
        [length(maps:get(<<"639-3">>, Term)), Decode, NativeDecode]),
    say("  encoded again in ~.1f ms (in process: ~.1f ms)~n", [Encode, NativeEncode]),
    check("the decoded term is the one that jiffy gives in process", Term =:= Native),
    check("and so is the encoded text", Text =:= NativeText),
    Library = filename:join(native_dir("jiffy"), "priv/jiffy.so"),
    Host = host(jiffy),
    Vm = os:getpid(),
    say("~n  this VM is process ~s, jiffy runs in process ~s (~ts)",
        [Vm, Host, filename:basename(exe(Host))]),
    check("that process has " ++ Library ++ " mapped", maps(Host, Library)),
    check("this VM has not", not maps(Vm, Library)).

%% The same in a VM without cordon.
natively(Json) ->
    {ok, Peer, _} = peer:start_link(#{connection => standard_io}),
    Run = fun(Fun, Args) ->
                  Times = [peer:call(Peer, timer, tc, [jiffy, Fun, Args]) || _ <- lists:seq(1, 5)],
                  {_, Result} = hd(Times),
                  {middle([Us || {Us, _} <- Times]), Result}
          end,
    {Decode, Term} = Run(decode, [Json, [return_maps]]),
    {Encode, Text} = Run(encode, [Term]),
    ok = peer:stop(Peer),
    {Decode, Term, Encode, iolist_to_binary(Text)}.

%% --- 2: a crash ----------------------------------------------------------------------------

xml() ->
    title("2. A crash, and where it ends"),
    Depth = 20_000,
    Size = byte_size(expected(Depth)),
    say("fast_xml, as Debian built it, calls itself for each level of a document. A deep one is~n"
        "too much for the small stacks of a VM: fxml:element_to_binary/1, ~w levels.~n", [Depth]),
    say("  In process, in an Erlang node that was started to be thrown away:", []),
    {Status, LastWords} = in_throw_away_node(Depth),
    [say("    | ~ts", [Line]) || Line <- string:lexemes(LastWords, "\n")],
    check("the whole node is gone (status 139: killed by SIGSEGV)", Status =:= 139),
    say("~n  Isolated, in this VM:", []),
    Result = fxml:element_to_binary(nested(Depth)),
    check(io_lib:format("the right ~w bytes, for a host has bigger stacks", [Size]),
          Result =:= expected(Depth)),

    Deeper = 1_000_000,
    say("~n  Isolated, ~w levels, too many for any stack:", [Deeper]),
    Tree = nested(Deeper),
    {Before, HostBefore} = {uptime_ms(), host(fxml)},
    flush_log(),
    Outcome = try fxml:element_to_binary(Tree) of
                  Binary -> {returned, byte_size(Binary)}
              catch
                  error:Reason -> Reason
              end,
    say("~ts", [indent(io_lib:format("error:~tp", [Outcome]))]),
    check("the caller got an error term that names the function and the signal",
          is_crash_of(fxml, element_to_binary, 1, Outcome)),
    Report = logged("element_to_binary", 2000),
    say("~n  The log says:~n~ts", [indent(Report)]),
    check("it names fxml:element_to_binary/1 and the signal",
          contains(Report, "fxml:element_to_binary/1") andalso
          (contains(Report, "SIGSEGV") orelse contains(Report, "sigsegv"))),
    check("the next call works",
          fxml:element_to_binary(nested(5)) =:= expected(5)),
    HostAfter = host(fxml),
    After = uptime_ms(),
    say("    process ~s is gone, process ~s has taken its place", [HostBefore, HostAfter]),
    check("jiffy's process did not notice",
          maps(host(jiffy), filename:join(native_dir("jiffy"), "priv/jiffy.so"))),
    check(io_lib:format("this VM goes on: process ~s, up for ~.1f s before the crash and ~.1f s now",
                        [os:getpid(), Before / 1000, After / 1000]),
          After > Before andalso HostBefore =/= HostAfter).

%% A document of one element in another, Depth levels of them.
-spec nested(pos_integer()) -> term().
nested(Depth) -> nested(Depth - 1, {xmlel, <<"a">>, [], []}).

nested(0, Element) -> Element;
nested(Depth, Element) -> nested(Depth - 1, {xmlel, <<"a">>, [], [Element]}).

expected(Depth) ->
    iolist_to_binary([binary:copy(<<"<a>">>, Depth - 1), <<"<a/>">>,
                      binary:copy(<<"</a>">>, Depth - 1)]).

in_throw_away_node(Depth) ->
    Shell = "erl -noshell -pa '" ++ filename:dirname(code:which(?MODULE)) ++ "' -eval '"
        ++ ?MODULE_STRING ++ ":crash_natively(" ++ integer_to_list(Depth) ++ ").'; exit $?",
    Port = open_port({spawn_executable, "/bin/sh"},
                     [{args, ["-c", Shell]}, exit_status, stderr_to_stdout, binary]),
    collect(Port, []).

collect(Port, Output) ->
    receive
        {Port, {data, Data}} -> collect(Port, [Output, Data]);
        {Port, {exit_status, Status}} -> {Status, unicode:characters_to_list(Output)}
    after 30_000 ->
        true = port_close(Port),
        {still_running, unicode:characters_to_list(Output)}
    end.

-spec crash_natively(pos_integer()) -> no_return().
crash_natively(Depth) ->
    io:format("node ~s is up, calling fxml:element_to_binary/1 ...~n", [os:getpid()]),
    Result = fxml:element_to_binary(nested(Depth)),
    io:format("it returned ~w bytes~n", [byte_size(Result)]),
    halt(0).

is_crash_of(M, F, A, {nif_host_down, #{module := M, function := F, arity := A,
                                       reason := {signal, _}, generation := _}}) -> true;
is_crash_of(_, _, _, _) -> false.

%% --- 3: a library on disk ------------------------------------------------------------------

%% A node without any configuration, with a copy of jiffy's application in front.
on_disk() ->
    title("3. The same on disk, by a command, for releases that are not to be configured"),
    Copy = filename:absname("build/demo/" ++ filename:basename(native_dir("jiffy"))),
    _ = file:del_dir_r(Copy),
    "" = os:cmd("cp -a '" ++ native_dir("jiffy") ++ "' '" ++ Copy ++ "'"),
    Library = filename:join(Copy, "priv/jiffy.so"),
    {ok, Before} = file:read_file(Library),
    command(["install", Library]),
    command(["status", Copy]),
    {ok, Node, _} = peer:start_link(#{connection => standard_io,
                                      args => ["-pa", filename:join(Copy, "ebin")]}),
    Result = peer:call(Node, jiffy, decode, [<<"[1,2]">>]),
    Maps = maps(peer:call(Node, os, getpid, []), Library ++ ".native"),
    ok = peer:stop(Node),
    check("a node that knows nothing of cordon decodes [1,2] with it", Result =:= [1, 2]),
    check("and has not the library mapped, only the shim", not Maps),
    command(["uninstall", Library]),
    {ok, After} = file:read_file(Library),
    check("the library is what it was, byte for byte", After =:= Before).

command(Args) ->
    Words = ["'" ++ Arg ++ "'" || Arg <- Args],
    Output = os:cmd("bin/cordon " ++ lists:join(" ", Words) ++ "; echo \"(status $?)\""),
    [Status | Lines] = lists:reverse(string:lexemes(Output, "\n")),
    say("    $ cordon ~ts ~ts", [hd(Args), filename:basename(lists:last(Args))]),
    [say("    | ~ts", [Line]) || Line <- lists:reverse(Lines)],
    check("it ends with status 0", Status =:= "(status 0)").

%% --- 4: what it costs ----------------------------------------------------------------------

table() ->
    title("4. What a call costs, measured here and now"),
    say("add(1, 2), written in C, per call. A machine that is busy shows it here.", []),
    ok = cordon_bench:prepare(filename:absname("build/bench")),
    Calls = cordon_bench:calls(#{rounds => 3, slice_ms => 20}),
    say("", []),
    [say("  ~-26ts ~10.3f us", [Title, maps:get(p50, maps:get(Key, Calls)) / 1000])
     || {Key, Title} <- [{"call.inproc", "NIF, in process"}, {"call.cordon_hot", "NIF, isolated"},
                         {"call.dirty", "dirty NIF, in process"}, {"call.port", "port (C program)"},
                         {"call.cnode", "C node"}, {"call.erpc", "another node (erpc)"}]],
    check("every call gave the right sum", is_map_key("call.erpc", Calls)).

%% --- the log -------------------------------------------------------------------------------

%% A logger handler that hands what is logged to the demo as text.
-spec log(logger:log_event(), logger:handler_config()) -> term().
log(Event, _Config) ->
    Text = logger_formatter:format(Event, #{single_line => false, template => [msg]}),
    ?LOG ! {?LOG, unicode:characters_to_list(Text)}.

logged(Wanted, Timeout) ->
    receive
        {?LOG, Text} ->
            case contains(Text, Wanted) of
                true -> Text;
                false -> logged(Wanted, Timeout)
            end
    after Timeout -> "(nothing)"
    end.

flush_log() -> receive {?LOG, _} -> flush_log() after 0 -> ok end.

print_log() ->
    receive {?LOG, Text} -> say("log: ~ts", [Text]), print_log() after 0 -> ok end.

%% --- what the operating system says --------------------------------------------------------

host(Module) ->
    [OsPid] = [Pid || #{module := M, os_pid := Pid, state := running} <- cordon_nif:hosts(),
                      M =:= Module],
    integer_to_list(OsPid).

maps(OsPid, Library) ->
    {ok, Maps} = file:read_file(["/proc/", OsPid, "/maps"]),
    {ok, Real} = real_path(Library),
    contains(unicode:characters_to_list(Maps), Real).

exe(OsPid) ->
    {ok, Path} = file:read_link(["/proc/", OsPid, "/exe"]),
    Path.

%% Where Debian put an application: beside the standard library.
native_dir(Name) ->
    [Dir] = filelib:wildcard(filename:join(code:lib_dir(), Name ++ "-*")),
    Dir.

real_path(Path) ->
    case string:trim(os:cmd("readlink -e '" ++ Path ++ "'")) of
        "" -> {error, {no_such_file, Path}};
        Real -> {ok, Real}
    end.

uptime_ms() -> element(1, erlang:statistics(wall_clock)).

%% --- helpers -------------------------------------------------------------------------------

median(Fun) ->
    Runs = [timer:tc(Fun) || _ <- lists:seq(1, 5)],
    {_, Result} = hd(Runs),
    {middle([Us || {Us, _} <- Runs]), Result}.

middle(Times) -> lists:nth((length(Times) + 1) div 2, lists:sort(Times)) / 1000.

contains(Text, Part) -> string:find(Text, Part) =/= nomatch.

indent(Text) ->
    lists:join("\n", ["    | " ++ Line || Line <- string:split(lists:flatten(Text), "\n", all)]).

title(Text) ->
    say("~n~ts~n~ts", [Text, lists:duplicate(string:length(Text), $-)]).

check(Text, true) ->
    say("    yes: ~ts", [Text]);
check(Text, _) ->
    put(failures, get(failures) + 1),
    say("    NO!  not true that: ~ts", [Text]).

say(Format, Args) ->
    io:format(Format ++ "~n", Args).
