%%% Common Test hook: which test cases call which functions of the NIF API. The fixtures set bytes in
%%% a file (test/coverage/enif_calls.c); what is set during a case is that case's. Beside the file
%%% it writes `cases', a line for each function, kind of process and case, and `table', which
%%% scripts/test prints. Does nothing unless the environment names the file (CORDON_ENIF_CALLS).
%%%
%%% What is called while a group or suite begins (a library's load) is no case's, and not counted.
-module(cth_enif_calls).

-export([init/2, pre_init_per_testcase/4, post_end_per_testcase/5, terminate/1]).

-define(ROWS, [native, isolated, exported]). % of the file, in this order

init(_Id, _Options) ->
    case os:getenv("CORDON_ENIF_CALLS") of
        false -> {ok, off};
        File ->
            Functions = functions(File),
            ok = clear(File, Functions),
            ok = file:change_mode(File, 8#666), % some hosts are another user's
            {ok, #{file => File, functions => Functions, calls => #{}, exported => []}}
    end.

pre_init_per_testcase(_Suite, _Case, Config, off) ->
    {Config, off};
pre_init_per_testcase(_Suite, _Case, Config, #{file := File, functions := Functions} = State) ->
    ok = clear(File, Functions),
    {Config, State}.

post_end_per_testcase(_Suite, _Case, _Config, Result, off) ->
    {Result, off};
post_end_per_testcase(Suite, Case, _Config, Result,
                      #{file := File, functions := Functions, calls := Calls,
                        exported := Exported} = State) ->
    #{exported := ExportedNow} = Marked = marked(File, Functions),
    Called = [{{Function, Mode}, [{Suite, Case}]} || Mode <- [native, isolated],
                                                     Function <- maps:get(Mode, Marked)],
    Add = fun({Key, Cases}, Map) -> maps:update_with(Key, fun(Old) -> Cases ++ Old end, Cases, Map) end,
    {Result, State#{calls := lists:foldl(Add, Calls, Called),
                    exported := lists:usort(ExportedNow ++ Exported)}}.

terminate(off) ->
    ok;
terminate(#{file := File, calls := Calls} = State) ->
    Dir = filename:dirname(File),
    ok = file:write_file(filename:join(Dir, "cases"),
                         [io_lib:format("~s ~s ~s:~s~n", [Function, Mode, Suite, Case])
                          || {{Function, Mode}, Cases} <- lists:sort(maps:to_list(Calls)),
                             {Suite, Case} <- lists:usort(Cases)]),
    ok = file:write_file(filename:join(Dir, "table"), table(State)).

%% Their order is that of the bytes in a row.
functions(File) ->
    {ok, Names} = file:read_file(filename:join(filename:dirname(File), "names")),
    string:lexemes(binary_to_list(Names), "\n").

%% Hosts and the VM have the file mapped: it is written in place, never made shorter.
clear(File, Functions) ->
    file:write_file(File, binary:copy(<<0>>, length(?ROWS) * length(Functions)), [read]).

marked(File, Functions) ->
    {ok, Bytes} = file:read_file(File),
    Size = length(Functions),
    maps:from_list(
      [{Row, [Function || {Function, 1} <- lists:zip(Functions,
                                                     binary_to_list(Bytes, At, At + Size - 1))]}
       || {Row, At} <- lists:zip(?ROWS, lists:seq(1, byte_size(Bytes), Size))]).

%%% The table

table(#{functions := Functions, calls := Calls, exported := Exported}) ->
    Cases = fun(Function, Mode) -> lists:usort(maps:get({Function, Mode}, Calls, [])) end,
    Rows = [{Function, lists:member(Function, Exported), Cases(Function, native),
             Cases(Function, isolated)} || Function <- Functions],
    Empty = [Function || {Function, InVm, Native, Isolated} <- Rows,
                         Isolated =:= [] orelse (InVm andalso Native =:= [])],
    [io_lib:format("~-30s ~8s ~8s  ~s~n", ["function", "native", "isolated", "for example"]),
     [row(Row) || Row <- Rows],
     io_lib:format("API coverage: ~b of ~b functions; ~b are not in this VM and tested isolated only~n",
                   [length(Functions) - length(Empty), length(Functions),
                    length([F || {F, false, _, _} <- Rows])]),
     io_lib:format("Conformance cases that called them: ~b native, ~b isolated~n",
                   [length(conformance(Mode, Calls)) || Mode <- [native, isolated]]),
     [io_lib:format("WITHOUT A CASE: ~s~n", [lists:join(" ", Empty)]) || Empty =/= []]].

row({Function, InVm, Native, Isolated}) ->
    Count = fun([], true) -> "NONE";
               ([], false) -> "-";
               (Cases, _) -> integer_to_list(length(Cases))
            end,
    Example = [io_lib:format("~s:~s", [Suite, Case])
               || {Suite, Case} <- lists:sublist([C || C <- Isolated, lists:member(C, Native)]
                                                 ++ Isolated ++ Native, 1)],
    io_lib:format("~-30s ~8s ~8s  ~s~n", [Function, Count(Native, InVm), Count(Isolated, true), Example]).

conformance(Mode, Calls) ->
    lists:usort([Case || {{_, M}, Cases} <- maps:to_list(Calls), M =:= Mode,
                         {Suite, _} = Case <- Cases,
                         lists:prefix("conformance_", atom_to_list(Suite))]).
