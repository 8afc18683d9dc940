%%% What was measured: as a table, as bench/results/latest.json, as charts.
-module(bench_report).

-export([table/2, write_json/3, draw_charts/2]).

%% @doc Prints the figures whose keys begin so, in microseconds (kB, ns a word where the key says so).
-spec table(Prefix :: string(), bench_sampler:results()) -> ok.
table(Prefix, Results) ->
    Rows = lists:sort([Row || {Key, _} = Row <- maps:to_list(Results), lists:prefix(Prefix, Key)]),
    io:format("~n  ~-36s~12s~12s~12s~12s~8s~n", [Prefix, "p50", "p90", "p99", "min", "n"]),
    [io:format("  ~-36ts~12s~12s~12s~12s~8w~ts~n",
               [Key | [number(Key, maps:get(Part, Stats)) || Part <- [p50, p90, p99, min]]]
               ++ [maps:get(n, Stats), more(Stats)])
     || {Key, Stats} <- Rows],
    ok.

number(Key, Value) ->
    case unit(Key) of
        ns_word -> io_lib:format("~.2f ns/w", [float(Value)]);
        gbps -> io_lib:format("~.1f GB/s", [float(Value)]);
        kb -> io_lib:format("~w kB", [round(Value)]);
        ns when Value < 1.0e6 -> io_lib:format("~.3f us", [Value / 1000]);
        ns -> io_lib:format("~.2f ms", [Value / 1.0e6])
    end.

unit("terms." ++ _) -> ns_word;
unit("memory." ++ _) -> kb;
unit(Key) ->
    case lists:last(string:split(Key, "_", all)) of
        "word" -> ns_word;
        "gbps" -> gbps;
        _ -> ns
    end.

more(#{per_s := PerSecond}) -> io_lib:format("  ~.2f M/s", [PerSecond / 1.0e6]);
more(#{max := Max}) -> io_lib:format("  max ~.1f ms", [Max / 1.0e6]);
more(_) -> "".

%% @doc One object a key; nanoseconds unless the key names another unit.
-spec write_json(file:filename(), map(), bench_sampler:results()) -> ok.
write_json(File, About, Results) ->
    %% In order, so that two files can be compared line by line.
    Object = {maps:to_list(About)
              ++ [{results, {[{list_to_binary(Key), {lists:sort(rounded(Stats))}}
                              || {Key, Stats} <- lists:sort(maps:to_list(Results))]}}]},
    ok = filelib:ensure_dir(File),
    ok = file:write_file(File, [jiffy:encode(Object, [pretty]), "\n"]).

rounded(Stats) ->
    [{Part, case is_integer(Value) of
                true -> Value;
                false -> round(Value * 1000) / 1000
            end} || {Part, Value} <- maps:to_list(Stats)].

%% @doc latency.svg, percentiles.svg, throughput.svg, from charts.gnuplot.
-spec draw_charts(file:filename(), bench_sampler:results()) -> ok | {error, string()}.
draw_charts(Dir, Results) ->
    case os:find_executable("gnuplot") of
        false ->
            {error, "there is no gnuplot"};
        Gnuplot ->
            Data = filename:join(Dir, "data"),
            ok = filelib:ensure_path(Data),
            [ok = file:write_file(filename:join(Data, Name), Lines) || {Name, Lines} <- data(Results)],
            Script = filename:join(filename:dirname(Dir), "charts.gnuplot"),
            Out = os:cmd(["cd '", Dir, "' && '", Gnuplot, "' '", Script, "' 2>&1 || echo failed"]),
            ok = file:del_dir_r(Data),
            case string:find(Out, "failed") of
                nomatch -> ok;
                _ -> {error, Out}
            end
    end.

data(Results) ->
    [{lists:concat([What, ".dat"]),
      [[integer_to_list(Bytes),
        [[" ", us(maps:get(lists:concat([What, ".", Name, ".", Way]), Results))]
         || Way <- bench_payload:ways(What)], "\n"]
       || {Name, Bytes} <- bench_payload:sizes()]}
     || What <- [arg, result]]
    ++ [{"percentiles.dat",
         [[$", Title, "\" ", [[" ", float_to_list(maps:get(Part, maps:get(Key, Results)) / 1000, [{decimals, 4}])]
                              || Part <- [p50, p90, p99]], "\n"]
          || {Key, Title} <- percentiles()]},
        {"throughput.dat",
         [[integer_to_list(Count),
           [[" ", float_to_list(maps:get(per_s, maps:get(lists:concat(["scale.", SetUp, "cordon.", Count]),
                                                         Results)) / 1.0e6, [{decimals, 4}])]
            || SetUp <- ["", "s1.", "cpu1."]], "\n"]
          || Count <- [1, 2, 4, 8, 16]]}].

percentiles() ->
    [{"limit.spin_rtt", "limit: spinning"}, {"call.inproc", "NIF in process"},
     {"call.cordon_hot", "isolated"}, {"call.dirty", "dirty NIF in process"},
     {"call.cordon_parked", "isolated, after 2 ms"}, {"limit.futex_rtt", "limit: futex, after 2 ms"},
     {"call.port", "port"}, {"call.cnode", "C node"}, {"call.erpc", "erpc"}].

us(#{p50 := Ns}) -> float_to_list(Ns / 1000, [{decimals, 4}]).
