%%% fast_xml as its users know it, natively and isolated (by configuration alone).
%%% Debian keeps it in a directory of another name, p1_xml.
-module(fast_xml_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-record(xmlel, {name, attrs = [], children = []}).

-define(CASES,
        [element, element_attributes, element_text, element_errors, header,
         parse, parse_entities, parse_utf8, parse_errors, round_trips, big_element,
         stream, stream_in_pieces, stream_two_parsers, stream_errors, stream_reset,
         stream_close, stream_callback_pid, stream_options, stream_size_limit, pure_functions]).

all() ->
    [{group, native}, {group, isolated}].

groups() ->
    [{native, [], ?CASES},
     {isolated, [], [not_in_this_vm | ?CASES] ++ [nested_20000, nested_1000000]}].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_group(native, Config) ->
    unload(),
    [{mode, native} | Config];
init_per_group(isolated, Config) ->
    ok = fx:isolate([fast_xml]),
    [{mode, isolated} | Config].

end_per_group(native, _Config) ->
    unload();
end_per_group(isolated, _Config) ->
    ok = fx:isolate_end(),
    unload().

unload() ->
    [fx:unload(M) || M <- [fxml, fxml_stream]].

not_in_this_vm(_) ->
    <<"<a/>">> = fxml:element_to_binary(#xmlel{name = <<"a">>}),
    #xmlel{} = fxml_stream:parse_element(<<"<a/>">>),
    Mapped = binary:split(fx:maps(os:getpid()), <<"\n">>, [global]),
    ?assertEqual([], [Line || Line <- Mapped,
                              binary:match(Line, <<"/usr/lib/erlang/lib/p1_xml">>) =/= nomatch]),
    [?assertMatch({_, _}, binary:match(fx:maps(maps:get(os_pid, fx:host(M))), Library))
     || {M, Library} <- [{fxml, <<"/priv/lib/fxml.so">>},
                         {fxml_stream, <<"/priv/lib/fxml_stream.so">>}]].

%%% fxml: trees to text

element(_) ->
    ?assertEqual(<<"<a/>">>, fxml:element_to_binary(#xmlel{name = <<"a">>})),
    ?assertEqual(<<"<a><b/><c><d/></c></a>">>,
                 fxml:element_to_binary(
                   tree(<<"a">>, [tree(<<"b">>, []), tree(<<"c">>, [tree(<<"d">>, [])])]))).

element_attributes(_) ->
    ?assertEqual(<<"<a b='1' c='&amp;&lt;>&quot;&apos;'/>">>,
                 fxml:element_to_binary(#xmlel{name = <<"a">>,
                                               attrs = [{<<"b">>, <<"1">>}, {<<"c">>, <<"&<>\"'">>}]})).

element_text(_) ->
    ?assertEqual(<<"<a>x &amp; y &lt;</a>">>,
                 fxml:element_to_binary(tree(<<"a">>, [{xmlcdata, <<"x & y <">>}]))),
    ?assertEqual(<<"text">>, fxml:element_to_binary({xmlcdata, <<"text">>})).

element_errors(Config) ->
    Bad = [a, [], {xmlel, a, [], []}, {xmlel, <<"a">>, x, []}, {xmlel, <<"a">>, [], x},
           {xmlcdata, 1}, {xmlel, <<"a">>, [{a}], []}, tree(<<"a">>, [b])],
    fx:same(Config, element_errors, [{B, failure(fun() -> fxml:element_to_binary(B) end)} || B <- Bad]).

header(_) ->
    ?assertEqual(<<"<?xml version='1.0'?><a b='1'>">>,
                 fxml:element_to_header(#xmlel{name = <<"a">>, attrs = [{<<"b">>, <<"1">>}],
                                               children = [tree(<<"c">>, [])]})).

%%% fxml_stream:parse_element: text to trees

parse(_) ->
    ?assertEqual(#xmlel{name = <<"a">>, attrs = [{<<"x">>, <<"1">>}],
                        children = [{xmlcdata, <<"t">>}, tree(<<"b">>, []), {xmlcdata, <<"u">>}]},
                 fxml_stream:parse_element(<<"<a x='1'>t<b/>u</a>">>)),
    ?assertEqual(tree(<<"a">>, []), fxml_stream:parse_element(<<"<?xml version='1.0'?><a></a>">>)).

parse_entities(Config) ->
    fx:same(Config, parse_entities,
            [fxml_stream:parse_element(X)
             || X <- [<<"<a>&amp;&lt;&gt;&quot;&apos;&#233;&#x1F600;</a>">>,
                      <<"<a b='&amp;'/>">>, <<"<a><![CDATA[<raw>&]]></a>">>,
                      <<"<a><!-- no -->b</a>">>]]).

parse_utf8(_) ->
    Text = unicode:characters_to_binary([16#e9, 16#1f600]),
    ?assertEqual(tree(<<"a">>, [{xmlcdata, Text}]),
                 fxml_stream:parse_element(<<"<a>", Text/binary, "</a>">>)).

parse_errors(Config) ->
    Bad = [<<>>, <<"<">>, <<"<a">>, <<"<a>">>, <<"</a>">>, <<"<a></b>">>, <<"<a b></a>">>,
           <<"text">>, <<"<a/><b/>">>, <<"<a>&nope;</a>">>, <<"<a>", 16#ff, "</a>">>],
    Errors = [{X, fxml_stream:parse_element(X)} || X <- Bad],
    fx:same(Config, parse_errors, Errors),
    [?assertMatch({_, {error, _}}, E) || E <- Errors],
    fx:same(Config, parse_not_binary, failure(fun() -> fxml_stream:parse_element(a) end)).

round_trips(_) ->
    [begin
         Tree = random_tree(4),
         ?assertEqual(Tree, fxml_stream:parse_element(fxml:element_to_binary(Tree)))
     end || _ <- lists:seq(1, 200)].

big_element(Config) ->
    Tree = tree(<<"all">>, [#xmlel{name = <<"e">>, attrs = [{<<"n">>, integer_to_binary(N)}],
                                   children = [{xmlcdata, binary:copy(<<"x">>, 1 + N rem 100)}]}
                            || N <- lists:seq(1, 50000)]),
    Text = fxml:element_to_binary(Tree),
    ?assert(byte_size(Text) > 2000000),
    fx:same(Config, big_element, erlang:md5(Text)),
    Parsed = fxml_stream:parse_element(Text),
    ?assertEqual(50000, length(Parsed#xmlel.children)),
    ?assertEqual(Text, fxml:element_to_binary(Parsed)).

%%% fxml_stream: a parser that sends messages

stream(Config) ->
    State = fxml_stream:new(self()),
    _ = fxml_stream:parse(State, <<"<stream xmlns='x'><a>1</a><b c='d'/></stream>">>),
    Messages = messages(),
    fx:same(Config, stream, Messages),
    ?assertEqual([{xmlstreamstart, <<"stream">>, [{<<"xmlns">>, <<"x">>}]},
                  {xmlstreamelement, tree(<<"a">>, [{xmlcdata, <<"1">>}])},
                  {xmlstreamelement, #xmlel{name = <<"b">>, attrs = [{<<"c">>, <<"d">>}]}},
                  {xmlstreamend, <<"stream">>}], Messages).

stream_in_pieces(Config) ->
    Text = <<"<s><a><b>text &amp; more</b></a><a/></s>">>,
    Feed = fun(State0) ->
                   lists:foldl(fun(Byte, State) -> fxml_stream:parse(State, <<Byte>>) end,
                               State0, binary_to_list(Text))
           end,
    _ = Feed(fxml_stream:new(self())),
    fx:same(Config, stream_in_pieces, messages()).

stream_two_parsers(_) ->
    [A0, B0] = [fxml_stream:new(self()), fxml_stream:new(self())],
    A1 = fxml_stream:parse(A0, <<"<a>">>),
    B1 = fxml_stream:parse(B0, <<"<b>">>),
    _ = fxml_stream:parse(A1, <<"<x/></a>">>),
    _ = fxml_stream:parse(B1, <<"<y/></b>">>),
    ?assertEqual([{xmlstreamstart, <<"a">>, []}, {xmlstreamstart, <<"b">>, []},
                  {xmlstreamelement, tree(<<"x">>, [])}, {xmlstreamend, <<"a">>},
                  {xmlstreamelement, tree(<<"y">>, [])}, {xmlstreamend, <<"b">>}], messages()).

stream_errors(Config) ->
    fx:same(Config, stream_errors,
            [begin
                 _ = fxml_stream:parse(fxml_stream:new(self()), Text),
                 messages()
             end || Text <- [<<"<a></b>">>, <<"nothing">>, <<"<a><b c=d/></a>">>, <<"<a>&x;</a>">>]]),
    fx:same(Config, stream_arguments,
            [failure(fun() -> fxml_stream:parse(T, <<"<a/>">>) end) || T <- [a, {no, parser}, 1]]).

stream_reset(Config) ->
    State0 = fxml_stream:new(self()),
    State1 = fxml_stream:parse(State0, <<"<a><b>">>),
    State2 = fxml_stream:reset(State1),
    _ = fxml_stream:parse(State2, <<"<c/>">>),
    fx:same(Config, stream_reset, messages()).

stream_close(_) ->
    State = fxml_stream:parse(fxml_stream:new(self()), <<"<a>">>),
    ?assertEqual(true, fxml_stream:close(State)),
    _ = messages().

stream_callback_pid(_) ->
    Self = self(),
    Other = spawn_link(fun() -> receive M -> Self ! {other_got, M} end end),
    State0 = fxml_stream:parse(fxml_stream:new(self()), <<"<a>">>),
    State1 = fxml_stream:change_callback_pid(State0, Other),
    _ = fxml_stream:parse(State1, <<"<b/>">>),
    ?assertEqual({'$gen_event', {xmlstreamstart, <<"a">>, []}}, next()),
    ?assertEqual({other_got, {'$gen_event', {xmlstreamelement, tree(<<"b">>, [])}}}, next()).

stream_options(Config) ->
    _ = fxml_stream:parse(fxml_stream:new(self(), infinity, [no_gen_server]), <<"<a><b/></a>">>),
    Plain = drain(),
    ?assertMatch([{xmlstreamstart, <<"a">>, []} | _], Plain),
    fx:same(Config, stream_options, Plain).

stream_size_limit(Config) ->
    _ = fxml_stream:parse(fxml_stream:new(self(), 100),
                          <<"<a><b>", (binary:copy(<<"x">>, 1000))/binary, "</b></a>">>),
    fx:same(Config, stream_size_limit, messages()).

%%% fxml without its library

pure_functions(_) ->
    Tree = fxml_stream:parse_element(<<"<a><b x='1'>t</b><b/><c xmlns='u'/></a>">>),
    ?assertEqual(<<"t">>, fxml:get_subtag_cdata(Tree, <<"b">>)),
    ?assertEqual({value, <<"1">>}, fxml:get_tag_attr(<<"x">>, fxml:get_subtag(Tree, <<"b">>))),
    ?assertEqual(2, length(fxml:get_subtags(Tree, <<"b">>))),
    ?assertEqual(<<"&amp;&lt;">>, fxml:crypt(<<"&<">>)).

%%% What overflows the stack in the VM

%% Natively this ends the node: hosts have bigger stacks.
nested_20000(_) ->
    Text = fxml:element_to_binary(nested(20000)),
    Expected = <<(binary:copy(<<"<a>">>, 19999))/binary, "<a/>",
                 (binary:copy(<<"</a>">>, 19999))/binary>>,
    ?assertEqual(byte_size(Expected), byte_size(Text)),
    ?assertEqual(Expected, Text).

%% Too deep for any stack.
nested_1000000(_) ->
    Tree = nested(1000000),
    <<"<a/>">> = fxml:element_to_binary(tree(<<"a">>, [])),
    #{generation := Generation} = fx:host(fxml),
    try fxml:element_to_binary(Tree) of
        Result -> error({no_crash, byte_size(Result)})
    catch
        error:{nif_host_down, Info} ->
            ?assertMatch(#{module := fxml, function := element_to_binary, arity := 1,
                           reason := {signal, sigsegv}, generation := Generation}, Info)
    end,
    ?assertEqual(<<"<a/>">>, fxml:element_to_binary(tree(<<"a">>, []))),
    ?assertEqual(Generation + 1, maps:get(generation, fx:host(fxml))).

%%% Helpers

tree(Name, Children) ->
    #xmlel{name = Name, children = Children}.

nested(N) ->
    lists:foldl(fun(_, T) -> tree(<<"a">>, [T]) end, tree(<<"a">>, []), lists:seq(2, N)).

random_tree(Depth) ->
    Names = [<<"a">>, <<"bc">>, <<"d-e">>],
    #xmlel{name = lists:nth(rand:uniform(3), Names),
           attrs = [{lists:nth(N, Names), base64:encode(rand:bytes(5))}
                    || N <- lists:seq(1, rand:uniform(3))],
           children = [random_tree(Depth - 1) || Depth > 0, _ <- lists:seq(1, rand:uniform(3))] ++
               [{xmlcdata, <<"text & '\"<">>} || Depth =:= 0]}.

%% The events sent so far.
messages() ->
    [Event || {'$gen_event', Event} <- drain()].

drain() ->
    receive Message -> [Message | drain()] after 50 -> [] end.

next() ->
    receive Message -> Message after 2000 -> error(no_message) end.

failure(Fun) ->
    try {no_failure, Fun()}
    catch Class:Reason -> {Class, Reason}
    end.
