%%% work.*: what libraries are used for, natively on one node and isolated, by configuration alone, on
%%% another. Both nodes run during all of it; what they do alternates.
-module(bench_work).

-export([measure/1]).
-export([serve/1, prepare/2]). % on the other nodes

-define(LANGUAGES, "/usr/share/iso-codes/json/iso_639-3.json").
-define(APPLICATIONS, [jiffy, fast_xml, stringprep, asn1]).

-spec measure(bench_sampler:effort()) -> bench_sampler:results().
measure(Effort) ->
    Nodes = [{Way, start(Way)} || Way <- [inproc, cordon]],
    Results = bench_sampler:measure([contender(Job, Way, Node) || Job <- jobs(), {Way, Node} <- Nodes],
                                    Effort),
    [bench_node:close(Node) || {_, Node} <- Nodes],
    Results.

start(Way) ->
    Node = bench_node:open_erlang(#{args => ["-kernel", "logger_level", "critical"]}),
    ok = erpc:call(bench_node:name(Node), ?MODULE, prepare, [Way, filename:dirname(bench_library:file("x"))]),
    Node.

-spec prepare(inproc | cordon, file:filename()) -> ok.
prepare(inproc, _) ->
    [{ok, _} = application:ensure_all_started(App) || App <- ?APPLICATIONS],
    ok;
prepare(cordon, Dir) ->
    ok = application:load(cordon),
    ok = application:set_env(cordon, isolate, ?APPLICATIONS),
    ok = bench_library:load_all(Dir),
    prepare(inproc, Dir).

%% The work is done by a process there, which takes the time itself.
contender(Job, Way, Node) ->
    #{key => lists:concat(["work.", Job, ".", Way]),
      samples => fun(Ms) -> erpc:call(bench_node:name(Node), ?MODULE, serve, [{Job, Way, Ms}]) end}.

-spec serve({Job :: string(), inproc | cordon, Ms :: pos_integer()}) -> [Ns :: number()].
serve({Job, Way, Ms}) ->
    Fun = persistent_job(Job, Way),
    _ = [Fun() || _ <- lists:seq(1, 3)],
    samples(Fun, erlang:monotonic_time(millisecond) + Ms, []).

samples(Fun, End, Taken) ->
    Ns = bench_sampler:timed(Fun),
    case erlang:monotonic_time(millisecond) < End orelse length(Taken) < 2 of
        true -> samples(Fun, End, [Ns | Taken]);
        false -> [Ns | Taken]
    end.

%% Its data is made once.
persistent_job(Job, Way) ->
    case persistent_term:get({?MODULE, Job}, none) of
        none ->
            Fun = job(Job, case Way of inproc -> bench_native; cordon -> bench_isolated end),
            persistent_term:put({?MODULE, Job}, Fun),
            Fun;
        Fun ->
            Fun
    end.

jobs() ->
    ["nodeprep_10kB", "xml_37kB", "asn1_3kB", "deflate_100kB", "hash_16kB", "hash_1MB",
     "json_decode_1kB", "json_decode_100kB", "json_decode_900kB",
     "json_encode_1kB", "json_encode_100kB", "json_encode_900kB"].

job("nodeprep_10kB", _) ->
    Text = binary:copy(<<"NodePrep">>, 1280),
    fun() -> true = is_binary(stringprep:nodeprep(Text)) end;
job("xml_37kB", _) ->
    Item = <<"<item id='1' to='somebody@example.org'><body>Some text &amp; more</body></item>">>,
    Text = <<"<list>", (binary:copy(Item, 37 * 1024 div byte_size(Item)))/binary, "</list>">>,
    fun() -> xmlel = element(1, fxml_stream:parse_element(Text)) end;
job("asn1_3kB", _) ->
    Tlv = asn1rt_nif:encode_ber_tlv({48, [{48, [{2, <<N:16>>}, {4, binary:copy(<<N>>, 20)}]}
                                          || N <- lists:seq(1, 117)]}),
    Bytes = iolist_to_binary(Tlv),
    fun() -> {_, <<>>} = asn1rt_nif:decode_ber_tlv(Bytes) end;
job("deflate_100kB", Module) ->
    <<Text:102400/binary, _/binary>> = languages(),
    fun() -> true = is_binary(Module:deflate(Text)) end;
job("hash_16kB", Module) -> hash(Module, 16 * 1024);
job("hash_1MB", Module) -> hash(Module, 1024 * 1024);
job("json_decode_" ++ Size, _) ->
    Text = json(Size),
    fun() -> _ = jiffy:decode(Text, [return_maps]) end;
job("json_encode_" ++ Size, _) ->
    Term = jiffy:decode(json(Size), [return_maps]),
    fun() -> _ = jiffy:encode(Term) end.

hash(Module, Size) ->
    Bytes = binary:copy(<<5>>, Size),
    fun() -> 32 = byte_size(Module:hash(Bytes)) end.

%% So many of the languages of a real file.
json("900kB") ->
    languages();
json(Size) ->
    Count = case Size of "1kB" -> 9; "100kB" -> 900 end,
    #{<<"639-3">> := List} = jiffy:decode(languages(), [return_maps]),
    iolist_to_binary(jiffy:encode(#{<<"639-3">> => lists:sublist(List, Count)})).

languages() ->
    {ok, Text} = file:read_file(?LANGUAGES),
    Text.
