%%% Runs the same test on two nodes. On one, the VM has loaded the NIF libraries of an application;
%%% on the other they are isolated, by configuration alone. What a caller can see must be equal:
%%% results, exceptions, messages. Notes of which NIF functions that was shown.
-module(both_ways).

-export([start/3, stop/1, same/2, isolated/1, every_function/1, every_function/2, node/3, node/4,
         ends_the_vm/4]).
-export([try_all/3, try_call/1, at_once/2, pieces/2, library_rss/1, collect/1]).
-export([run/1, begin_counting/1, counted/1, first_difference/2]).

-include_lib("stdlib/include/assert.hrl").

-type mode() :: native | isolated.
-type config() :: [{atom(), term()}].
-type outcome() :: {ok, term()} | {error | exit | throw, term()}.

-define(NOTED(App), {?MODULE, noted, App}).

%% @doc Starts both nodes, for init_per_suite. The modules are those that have a NIF library each.
-spec start(config(), atom(), [module()]) -> config().
start(Config, App, Modules) ->
    Setup = #{app => App, modules => Modules},
    [Native, Isolated] = Nodes = [start_node(Mode, Setup, [], #{}) || Mode <- [native, isolated]],
    [Functions, Functions] = [test_node:call(Node, ?MODULE, begin_counting, [Modules])
                              || Node <- Nodes],
    persistent_term:put(?NOTED(App), []),
    [{?MODULE, Setup#{native => Native, isolated => Isolated, functions => Functions}} | Config].

%% @doc For end_per_suite.
-spec stop(config()) -> ok.
stop(Config) ->
    #{native := Native, isolated := Isolated} = proplists:get_value(?MODULE, Config),
    [ok, ok] = [test_node:stop(Node) || Node <- [Native, Isolated]],
    ok.

%% @doc Runs the fun natively and isolated, and fails unless both are equal.
-spec same(config(), fun(() -> term())) -> ok.
same(Config, Fun) ->
    #{app := App, functions := Functions, native := Native, isolated := Isolated} =
        proplists:get_value(?MODULE, Config),
    [{NativeUs, InVm}, {IsolatedUs, InHost}] =
        [timer:tc(fun() -> test_node:call(Node, ?MODULE, run, [Fun], 60000) end)
         || Node <- [Native, Isolated]],
    ct:log("native ~b us, isolated ~b us", [NativeUs, IsolatedUs]),
    case InVm =:= InHost of
        true ->
            Counted = [test_node:call(Node, ?MODULE, counted, [Functions])
                       || Node <- [Native, Isolated]],
            [] = lists:subtract(hd(Counted), lists:last(Counted)),
            Noted = lists:umerge(persistent_term:get(?NOTED(App)), lists:sort(hd(Counted))),
            persistent_term:put(?NOTED(App), Noted),
            {Outcome, _Messages} = InVm,
            case Outcome of
                {ok, _} -> ok;
                _ -> error({both_failed, Outcome})
            end;
        false ->
            error({differs, first_difference(InVm, InHost)})
    end.

%% @doc The VM of the isolated node has none of the libraries mapped, its hosts have; the native
%% one does.
-spec isolated(config()) -> ok.
isolated(Config) ->
    #{modules := Modules, native := Native, isolated := Isolated} =
        proplists:get_value(?MODULE, Config),
    [begin
         Library = <<"/", (atom_to_binary(Module))/binary, ".so\n">>,
         InVm = [Line || Line <- binary:split(fx:maps(test_node:os_pid(Isolated)), <<"\n">>, [global]),
                         binary:match(<<Line/binary, "\n">>, Library) =/= nomatch,
                         binary:match(Line, <<"/usr/lib/erlang/lib/">>) =/= nomatch],
         ?assertEqual([], InVm),
         ?assertMatch({_, _}, binary:match(fx:maps(test_node:os_pid(Native)), Library)),
         #{os_pid := Host} = test_node:call(Isolated, fx, host, [Module]),
         ?assertMatch({_, _}, binary:match(fx:maps(Host), Library))
     end || Module <- Modules],
    ok.

%% @doc The last case of a suite: no NIF function is left out. Writes the list that
%% scripts/test makes its figure from.
-spec every_function(config()) -> ok.
every_function(Config) ->
    every_function(Config, []).

%% @doc The same, but for functions that only the library calls (enif_schedule_nif): such calls
%% are not counted.
-spec every_function(config(), [mfa()]) -> ok.
every_function(Config, Scheduled) ->
    #{app := App, functions := Functions} = proplists:get_value(?MODULE, Config),
    Noted = persistent_term:get(?NOTED(App)),
    ?assertEqual(Scheduled, Functions -- Noted),
    File = filename:join([filename:dirname(filename:absname(os:getenv("CORDON_FIXTURES"))),
                          "tested-libraries", App]),
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, [io_lib:format("~s ~s ~s/~b~n", [App, M, F, A])
                                || {M, F, A} <- Noted]),
    ct:pal("~s: ~b NIF functions, native = isolated: ~p", [App, length(Noted), Noted]).

%% @doc One more node with the application, for what may end it. Stop it by test_node:stop/1.
-spec node(config(), mode(), [string()]) -> pid().
node(Config, Mode, Args) ->
    node(Config, Mode, Args, #{}).

-spec node(config(), mode(), [string()], map()) -> pid().
node(Config, Mode, Args, Options) ->
    start_node(Mode, proplists:get_value(?MODULE, Config), Args, Options).

%% @doc Natively, this call ends the whole VM.
-spec ends_the_vm(config(), module(), atom(), [term()]) -> ok.
ends_the_vm(Config, Module, Function, Arguments) ->
    Node = node(Config, native, []),
    OsPid = test_node:os_pid(Node),
    try test_node:call(Node, Module, Function, Arguments) of
        Result -> error({vm_survived, Result})
    catch
        exit:{timeout, _} -> error(vm_hangs);
        exit:_ -> ok
    after
        os:cmd("kill -KILL " ++ OsPid ++ " 2>/dev/null") % one that hangs does not see us go
    end.

start_node(Mode, #{app := App, modules := Modules}, Args, Options) ->
    {ok, Node} = test_node:start(Args),
    [ok = test_node:call(Node, fx, isolate, [[{App, Options}]]) || Mode =:= isolated],
    {ok, _} = test_node:call(Node, application, ensure_all_started, [App]),
    [{module, M} = test_node:call(Node, code, ensure_loaded, [M]) || M <- Modules],
    Node.

%%% On the nodes

%% @doc What a fun does in a process of its own: its result, and the messages that are left.
-spec run(fun(() -> term())) -> {outcome(), [term()]}.
run(Fun) ->
    {Pid, Ref} = spawn_monitor(fun() ->
                                       Outcome = try_call(Fun),
                                       exit({done, plain(Outcome), plain(collect(0))})
                               end),
    receive
        {'DOWN', Ref, process, Pid, {done, Outcome, Messages}} -> {Outcome, Messages};
        {'DOWN', Ref, process, Pid, Reason} -> {{exit, plain(Reason)}, []}
    end.

-spec try_call(fun(() -> term())) -> outcome().
try_call(Fun) ->
    try {ok, Fun()}
    catch Class:Reason -> {Class, Reason}
    end.

%% @doc What a function says to each of these lists of arguments.
-spec try_all(module(), atom(), [[term()]]) -> [{[term()], outcome()}].
try_all(Module, Function, Arguments) ->
    [{A, try_call(fun() -> apply(Module, Function, A) end)} || A <- Arguments].

%% @doc Results of as many processes that run at the same time.
-spec at_once(pos_integer(), fun((pos_integer()) -> term())) -> [outcome()].
at_once(N, Fun) ->
    Started = [spawn_monitor(fun() -> exit({done, try_call(fun() -> Fun(I) end)}) end)
               || I <- lists:seq(1, N)],
    [receive
         {'DOWN', Ref, process, Pid, {done, Outcome}} -> Outcome;
         {'DOWN', Ref, process, Pid, Reason} -> {exit, Reason}
     end || {Pid, Ref} <- Started].

%% @doc The messages that come until there was none for so many milliseconds.
-spec collect(non_neg_integer()) -> [term()].
collect(Ms) ->
    receive Message -> [Message | collect(Ms)] after Ms -> [] end.

%% @doc A binary in pieces of so many bytes.
-spec pieces(binary(), pos_integer()) -> [binary()].
pieces(Binary, Size) when byte_size(Binary) =< Size -> [Binary];
pieces(Binary, Size) ->
    <<Piece:Size/binary, Rest/binary>> = Binary,
    [Piece | pieces(Rest, Size)].

%% @doc Kilobytes of memory of the process in which the library is.
-spec library_rss(module()) -> non_neg_integer().
library_rss(Module) ->
    OsPid = case application:get_env(cordon, isolate) of
                undefined -> os:getpid();
                {ok, _} -> integer_to_list(maps:get(os_pid, fx:host(Module)))
            end,
    {ok, Status} = file:read_file("/proc/" ++ OsPid ++ "/status"),
    {match, [Kb]} = re:run(Status, "VmRSS:\\s+([0-9]+) kB", [{capture, all_but_first, binary}]),
    binary_to_integer(Kb).

-spec begin_counting([module()]) -> [mfa()].
begin_counting(Modules) ->
    Functions = lists:sort([{M, F, A} || M <- Modules, {F, A} <- M:module_info(nifs)]),
    [1 = erlang:trace_pattern(Function, true, [call_count]) || Function <- Functions],
    Functions.

%% @doc Those of the functions that were called.
-spec counted([mfa()]) -> [mfa()].
counted(Functions) ->
    [Function || Function <- Functions,
                 {call_count, N} <- [erlang:trace_info(Function, call_count)], N > 0].

%%% Comparison

%% Two nodes have other pids, ports, references and funs: they are equal by their kind.
plain(Pid) when is_pid(Pid), Pid =:= self() -> '$self';
plain(Pid) when is_pid(Pid) -> '$pid';
plain(Port) when is_port(Port) -> '$port';
plain(Ref) when is_reference(Ref) -> '$reference';
plain(Fun) when is_function(Fun) -> {'$fun', erlang:fun_info(Fun, arity)};
plain([Head | Tail]) -> [plain(Head) | plain(Tail)];
plain(Tuple) when is_tuple(Tuple) -> list_to_tuple(plain(tuple_to_list(Tuple)));
plain(Map) when is_map(Map) -> maps:from_list(plain(maps:to_list(Map)));
plain(Term) -> Term.

%% The first part in which two terms differ: they may be large.
first_difference(A, B) when is_tuple(A), is_tuple(B), tuple_size(A) =:= tuple_size(B) ->
    first_difference(tuple_to_list(A), tuple_to_list(B));
first_difference([Same | A], [Same | B]) -> first_difference(A, B);
first_difference([A | _], [B | _]) when is_list(A), is_list(B); is_tuple(A), is_tuple(B) ->
    first_difference(A, B);
first_difference(A, B) -> [{native, A}, {isolated, B}].
