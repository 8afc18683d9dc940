%%% fast_xml (Debian's erlang-p1-xml), natively and isolated. Its directory has another name, p1_xml.
-module(fast_xml_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(both_ways, [same/2]).

-record(xmlel, {name, attrs = [], children = []}).

all() ->
    [isolated, element, element_attributes, element_text, element_errors, header, header_errors,
     parse, parse_namespaces, parse_entities, parse_utf8, parse_errors, parse_wrong_arguments,
     parse_with_options, round_trips, big_element, many_children, documents_with_dtd,
     stream, stream_in_pieces, stream_two_parsers, stream_errors, stream_cdata, stream_namespaces,
     stream_reset, stream_close, after_close, stream_callback_pid, stream_dead_pid,
     stream_options, stream_maps, stream_size_limit, size_limit_of_each_element,
     stream_wrong_arguments, stream_of_another_process, order_of_messages, streams_at_once,
     many_elements, collected, xmpp, pure_functions, xmlrpc, every_function,
     nested_20000, nested_1000000].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    both_ways:start(Config, fast_xml, [fxml, fxml_stream]).

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

%%% fxml: trees to text

element(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"<a/>">>, fxml:element_to_binary(#xmlel{name = <<"a">>})),
        ?assertEqual(<<"<a><b/><c><d/></c></a>">>,
                     fxml:element_to_binary(
                       tree(<<"a">>, [tree(<<"b">>, []), tree(<<"c">>, [tree(<<"d">>, [])])])))
    end).

element_attributes(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"<a b='1' c='&amp;&lt;>&quot;&apos;'/>">>,
                     fxml:element_to_binary(#xmlel{name = <<"a">>,
                                                   attrs = [{<<"b">>, <<"1">>}, {<<"c">>, <<"&<>\"'">>}]}))
    end).

element_text(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"<a>x &amp; y &lt;</a>">>,
                     fxml:element_to_binary(tree(<<"a">>, [{xmlcdata, <<"x & y <">>}]))),
        ?assertEqual(<<"text">>, fxml:element_to_binary({xmlcdata, <<"text">>}))
    end).

element_errors(Config) ->
    same(Config, fun() ->
        Bad = [a, [], {xmlel, a, [], []}, {xmlel, <<"a">>, x, []}, {xmlel, <<"a">>, [], x},
               {xmlcdata, 1}, {xmlel, <<"a">>, [{a}], []}, tree(<<"a">>, [b])],
        both_ways:try_all(fxml, element_to_binary, [[B] || B <- Bad])
    end).

header(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"<?xml version='1.0'?><a b='1'>">>,
                     fxml:element_to_header(#xmlel{name = <<"a">>, attrs = [{<<"b">>, <<"1">>}],
                                                   children = [tree(<<"c">>, [])]}))
    end).

header_errors(Config) ->
    same(Config, fun() ->
        ?assertError(badarg, fxml:element_to_header({xmlcdata, <<>>})),
        both_ways:try_all(fxml, element_to_header,
                          [[B] || B <- [a, 1, {}, {xmlel, a, [], []}, {xmlel, <<"a">>, x, []},
                                        {xmlel, <<"a">>, [{1, <<>>}], []}, {xmlel, "a", [{"b", "c"}], []},
                                        {xmlel, <<"a">>, [{<<"b">>, <<"1">>} | x], []}, self()]])
    end).

%%% fxml_stream:parse_element: text to trees

parse(Config) ->
    same(Config, fun() ->
        ?assertEqual(#xmlel{name = <<"a">>, attrs = [{<<"x">>, <<"1">>}],
                            children = [{xmlcdata, <<"t">>}, tree(<<"b">>, []), {xmlcdata, <<"u">>}]},
                     fxml_stream:parse_element(<<"<a x='1'>t<b/>u</a>">>)),
        ?assertEqual(tree(<<"a">>, []), fxml_stream:parse_element(<<"<?xml version='1.0'?><a></a>">>))
    end).

parse_namespaces(Config) ->
    same(Config, fun() ->
        [fxml_stream:parse_element(X)
         || X <- [<<"<a xmlns='x'/>">>, <<"<p:a xmlns:p='x'><p:b/><c xmlns='y'/></p:a>">>,
                  <<"<a p:b='1' xmlns:p='x' q:b='2' xmlns:q='y'/>">>, <<"<a xmlns=''/>">>,
                  <<"<p:a xmlns:p='x'><q:b xmlns:q='x'/><b xmlns='x'/></p:a>">>,
                  <<"<a xml:lang='en'/>">>, <<"<p:a/>">>, <<"<a p:b='1'/>">>]]
    end).

parse_entities(Config) ->
    same(Config, fun() ->
        [fxml_stream:parse_element(X)
         || X <- [<<"<a>&amp;&lt;&gt;&quot;&apos;&#233;&#x1F600;</a>">>,
                  <<"<a b='&amp;'/>">>, <<"<a><![CDATA[<raw>&]]></a>">>,
                  <<"<a><!-- no -->b</a>">>]]
    end).

parse_utf8(Config) ->
    same(Config, fun() ->
        Text = unicode:characters_to_binary([16#e9, 16#1f600]),
        ?assertEqual(tree(<<"a">>, [{xmlcdata, Text}]),
                     fxml_stream:parse_element(<<"<a>", Text/binary, "</a>">>))
    end).

parse_errors(Config) ->
    same(Config, fun() ->
        Bad = [<<>>, <<"<">>, <<"<a">>, <<"<a>">>, <<"</a>">>, <<"<a></b>">>, <<"<a b></a>">>,
               <<"text">>, <<"<a/><b/>">>, <<"<a>&nope;</a>">>, <<"<a>", 16#ff, "</a>">>],
        Errors = [{X, fxml_stream:parse_element(X)} || X <- Bad],
        [?assertMatch({_, {error, _}}, E) || E <- Errors],
        Errors
    end).

%% Of fast_xml 1.1.55; older ones have one without options.
parse_with_options(Config) ->
    same(Config, fun() ->
        case erlang:function_exported(fxml_stream, parse_element, 2) of
            true ->
                Text = <<"<a x='1'>t<b/>u</a>">>,
                [Plain, #{}] = [fxml_stream:parse_element(Text, O) || O <- [[], [use_maps]]],
                ?assertEqual(fxml_stream:parse_element(Text), Plain),
                both_ways:try_all(fxml_stream, parse_element,
                                  [[X, O] || X <- [Text, <<"<a>">>, <<>>, "list", a],
                                             O <- [[], [use_maps], [no_such], [use_maps | x], #{}]]);
            false ->
                not_there
        end
    end).

parse_wrong_arguments(Config) ->
    same(Config, fun() ->
        Results = both_ways:try_all(fxml_stream, parse_element,
                                    [[B] || B <- [a, 1, "<a/>", [<<"<a/>">>], {}, #{}, <<1:3>>, self()]]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        Results
    end).

round_trips(Config) ->
    same(Config, fun() ->
        [begin
             Tree = random_tree(4),
             ?assertEqual(Tree, fxml_stream:parse_element(fxml:element_to_binary(Tree)))
         end || _ <- lists:seq(1, 200)]
    end).

big_element(Config) ->
    same(Config, fun() ->
        Tree = tree(<<"all">>, [#xmlel{name = <<"e">>, attrs = [{<<"n">>, integer_to_binary(N)}],
                                       children = [{xmlcdata, binary:copy(<<"x">>, 1 + N rem 100)}]}
                                || N <- lists:seq(1, 50000)]),
        Text = fxml:element_to_binary(Tree),
        ?assert(byte_size(Text) > 2000000),
        Parsed = fxml_stream:parse_element(Text),
        ?assertEqual(50000, length(Parsed#xmlel.children)),
        ?assertEqual(Text, fxml:element_to_binary(Parsed)),
        erlang:md5(Text)
    end).

many_children(Config) ->
    same(Config, fun() ->
        Tags = [<<"a", (integer_to_binary(N))/binary>> || N <- lists:seq(1, 20000)],
        Text = iolist_to_binary(["<root>", [[$<, Tag, "/>"] || Tag <- Tags], "</root>"]),
        ?assertEqual(tree(<<"root">>, [tree(Tag, []) || Tag <- Tags]), fxml_stream:parse_element(Text))
    end).

%% The library refuses documents that define entities.
documents_with_dtd(Config) ->
    same(Config, fun() ->
        Laughs = <<"<?xml version='1.0'?><!DOCTYPE t [<!ENTITY l 'lol'><!ENTITY m '&l;&l;&l;&l;'>]>",
                   "<t a='&m;'>&m;</t>">>,
        _ = fxml_stream:parse(fxml_stream:new(self()), Laughs),
        [{xmlstreamerror, _}] = Errors = messages(),
        [Errors, fxml_stream:parse_element(Laughs), fxml_stream:parse_element(<<"<!DOCTYPE a><a/>">>)]
    end).

%%% fxml_stream: a parser that sends messages

stream(Config) ->
    same(Config, fun() ->
        State = fxml_stream:new(self()),
        _ = fxml_stream:parse(State, <<"<stream xmlns='x'><a>1</a><b c='d'/></stream>">>),
        ?assertEqual([{xmlstreamstart, <<"stream">>, [{<<"xmlns">>, <<"x">>}]},
                      {xmlstreamelement, tree(<<"a">>, [{xmlcdata, <<"1">>}])},
                      {xmlstreamelement, #xmlel{name = <<"b">>, attrs = [{<<"c">>, <<"d">>}]}},
                      {xmlstreamend, <<"stream">>}], messages())
    end).

stream_in_pieces(Config) ->
    same(Config, fun() ->
        Text = <<"<s><a><b>text &amp; more</b></a><a/></s>">>,
        Feed = fun(State0) ->
                       lists:foldl(fun(Byte, State) -> fxml_stream:parse(State, <<Byte>>) end,
                                   State0, binary_to_list(Text))
               end,
        _ = Feed(fxml_stream:new(self())),
        messages()
    end).

stream_two_parsers(Config) ->
    same(Config, fun() ->
        [A0, B0] = [fxml_stream:new(self()), fxml_stream:new(self())],
        A1 = fxml_stream:parse(A0, <<"<a>">>),
        B1 = fxml_stream:parse(B0, <<"<b>">>),
        _ = fxml_stream:parse(A1, <<"<x/></a>">>),
        _ = fxml_stream:parse(B1, <<"<y/></b>">>),
        ?assertEqual([{xmlstreamstart, <<"a">>, []}, {xmlstreamstart, <<"b">>, []},
                      {xmlstreamelement, tree(<<"x">>, [])}, {xmlstreamend, <<"a">>},
                      {xmlstreamelement, tree(<<"y">>, [])}, {xmlstreamend, <<"b">>}], messages())
    end).

stream_errors(Config) ->
    same(Config, fun() ->
        [begin
             State = fxml_stream:parse(fxml_stream:new(self()), Text),
             _ = fxml_stream:parse(State, <<"<more/>">>),
             messages()
         end || Text <- [<<"<a></b>">>, <<"nothing">>, <<"<a><b c=d/></a>">>, <<"<a>&x;</a>">>,
                         <<"<a/><b/>">>, <<"<a", 16#ff, "/>">>, <<0>>]]
    end).

%% Text between the elements of a stream.
stream_cdata(Config) ->
    same(Config, fun() ->
        _ = fxml_stream:parse(fxml_stream:new(self()), <<"<a>one<b/>two<b>three</b> </a>">>),
        Events = drain(),
        _ = fxml_stream:parse(fxml_stream:new(self(), infinity, [no_gen_server]),
                              <<"<a>one<b/>two<b>three</b> </a>">>),
        [Events, drain()]
    end).

stream_namespaces(Config) ->
    same(Config, fun() ->
        Text = <<"<p:root p:r='1' xmlns='ns0' xmlns:t='ns1' xmlns:p='ns'><a/>",
                 "<t:a><s:b xmlns:s='ns2'><c/></s:b></t:a><p:n1 xmlns:p='ns'/>",
                 "<p:n5 xmlns:p='n4'><e1/><p:e2/></p:n5></p:root>">>,
        _ = fxml_stream:parse(fxml_stream:new(self()), Text),
        messages()
    end).

stream_reset(Config) ->
    same(Config, fun() ->
        State0 = fxml_stream:new(self()),
        State1 = fxml_stream:parse(State0, <<"<a><b>">>),
        State2 = fxml_stream:reset(State1),
        _ = fxml_stream:parse(State2, <<"<c/>">>),
        messages()
    end).

stream_close(Config) ->
    same(Config, fun() ->
        State = fxml_stream:parse(fxml_stream:new(self()), <<"<a>">>),
        ?assertEqual(true, fxml_stream:close(State)),
        messages()
    end).

after_close(Config) ->
    same(Config, fun() ->
        State = fxml_stream:new(self()),
        true = fxml_stream:close(State),
        ?assertError(badarg, fxml_stream:close(State)),
        ?assertError(badarg, fxml_stream:parse(State, <<"<a/>">>)),
        ?assertError(badarg, fxml_stream:change_callback_pid(State, self())),
        both_ways:try_call(fun() -> fxml_stream:parse(State, <<>>) end)
    end).

stream_callback_pid(Config) ->
    same(Config, fun() ->
        Self = self(),
        Other = spawn_link(fun() -> receive M -> Self ! {other_got, M} end end),
        State0 = fxml_stream:parse(fxml_stream:new(self()), <<"<a>">>),
        State1 = fxml_stream:change_callback_pid(State0, Other),
        _ = fxml_stream:parse(State1, <<"<b/>">>),
        ?assertEqual({'$gen_event', {xmlstreamstart, <<"a">>, []}}, next()),
        ?assertEqual({other_got, {'$gen_event', {xmlstreamelement, tree(<<"b">>, [])}}}, next())
    end).

stream_dead_pid(Config) ->
    same(Config, fun() ->
        {Pid, Ref} = spawn_monitor(fun() -> ok end),
        receive {'DOWN', Ref, process, Pid, _} -> ok end,
        State = fxml_stream:parse(fxml_stream:new(Pid), <<"<a><b/>">>),
        State2 = fxml_stream:change_callback_pid(State, self()),
        _ = fxml_stream:parse(State2, <<"<c/></a>">>),
        messages()
    end).

stream_options(Config) ->
    same(Config, fun() ->
        _ = fxml_stream:parse(fxml_stream:new(self(), infinity, [no_gen_server]), <<"<a><b/></a>">>),
        Plain = drain(),
        ?assertMatch([{xmlstreamstart, <<"a">>, []} | _], Plain),
        Plain
    end).

stream_maps(Config) ->
    same(Config, fun() ->
        State = fxml_stream:new(self(), infinity, [use_maps]),
        State2 = fxml_stream:parse(State, <<"<a x='1'><b c='1'>t<d/></b>">>),
        State3 = fxml_stream:reset(State2),
        _ = fxml_stream:parse(State3, <<"<a></a></b>">>),
        Maps = messages(),
        ?assertMatch(#{'__struct__' := 'Elixir.FastXML.StreamStart', name := <<"a">>}, hd(Maps)),
        [Maps | [begin
                     _ = fxml_stream:parse(fxml_stream:new(self(), infinity, Options), <<"<a><b/></a>">>),
                     drain()
                 end || Options <- [[no_gen_server, use_maps], [use_maps, no_gen_server]]]]
    end).

stream_size_limit(Config) ->
    same(Config, fun() ->
        _ = fxml_stream:parse(fxml_stream:new(self(), 100),
                              <<"<a><b>", (binary:copy(<<"x">>, 1000))/binary, "</b></a>">>),
        messages()
    end).

%% The limit is one of each child of the root.
size_limit_of_each_element(Config) ->
    same(Config, fun() ->
        Feed = fun(Text, State) -> fxml_stream:parse(State, Text) end,
        _ = lists:foldl(Feed, fxml_stream:new(self(), 5),
                        [<<"<a>">>, <<"<b/>">>, <<"<c/>">>, <<"<de/>">>, <<"<f/>">>]),
        Small = messages(),
        _ = lists:foldl(Feed, fxml_stream:new(self(), 30),
                        [<<"<start>">>, <<"<foo><a t='1' ">>, binary:copy(<<"x">>, 50), <<"z='1'/>">>]),
        [Small, messages()]
    end).

stream_wrong_arguments(Config) ->
    same(Config, fun() ->
        State = fxml_stream:new(self()),
        Bad = [a, 1, {}, self(), make_ref(), "text", [<<"io">>], #{}, <<1:3>>],
        Results = [both_ways:try_all(fxml_stream, F, Arguments)
                   || {F, Arguments} <- [{parse, [[B, <<"<a/>">>] || B <- Bad] ++ [[State, B] || B <- Bad]},
                                         {reset, [[B] || B <- Bad]}, {close, [[B] || B <- Bad]},
                                         {change_callback_pid, [[B, self()] || B <- Bad] ++
                                              [[State, B] || B <- [a, 1, "x", {}, make_ref()]]}]],
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- lists:append(Results)],
        New = both_ways:try_all(fxml_stream, new, [[1], [a], [self(), unlimited], [self(), -1],
                                                   [self(), 1.5], [self(), infinity, a],
                                                   [a, fun() -> ok end], [self(), 0, [a | b]]]),
        Options = [element(1, both_ways:try_call(fun() -> fxml_stream:new(self(), 9, O) end))
                   || O <- [[], [no_such_option], [1, 2]]],
        [Results, New, Options]
    end).

stream_of_another_process(Config) ->
    same(Config, fun() ->
        Self = self(),
        [{ok, State}] = both_ways:at_once(1, fun(_) -> fxml_stream:parse(fxml_stream:new(Self), <<"<a>">>) end),
        [{ok, _}] = both_ways:at_once(1, fun(_) -> fxml_stream:parse(State, <<"<b/>">>), ok end),
        _ = fxml_stream:parse(binary_to_term(term_to_binary(State)), <<"</a>">>),
        messages()
    end).

%% A message that a call sends is there when the call returns, and in order with others.
order_of_messages(Config) ->
    same(Config, fun() ->
        lists:foldl(fun(N, State) ->
                            self() ! {before, N},
                            Next = fxml_stream:parse(State, <<"<x n='", (integer_to_binary(N))/binary, "'/>">>),
                            self() ! {later, N},
                            Next
                    end, fxml_stream:parse(fxml_stream:new(self()), <<"<e>">>), lists:seq(1, 200)),
        drain()
    end).

streams_at_once(Config) ->
    same(Config, fun() ->
        both_ways:at_once(20, fun(N) ->
            lists:foldl(fun(I, State) ->
                                fxml_stream:parse(State, <<"<e>", (integer_to_binary(I * N))/binary, "</e>">>)
                        end, fxml_stream:parse(fxml_stream:new(self()), <<"<s>">>), lists:seq(1, 50)),
            messages()
        end)
    end).

many_elements(Config) ->
    same(Config, fun() ->
        State = fxml_stream:parse(fxml_stream:new(self()), <<"<root>">>),
        _ = fxml_stream:parse(State, binary:copy(<<"<e a='1'>text</e>">>, 20000)),
        Elements = messages(),
        ?assertEqual(20001, length(Elements)),
        erlang:phash2(Elements)
    end).

%% 20000 parsers of some 10 kB each.
collected(Config) ->
    same(Config, fun() ->
        Before = both_ways:library_rss(fxml_stream),
        [both_ways:at_once(1, fun(_) ->
             [fxml_stream:parse(fxml_stream:new(self()), <<"<a><b>unfinished">>) || _ <- lists:seq(1, 200)],
             ok
         end) || _ <- lists:seq(1, 100)],
        ok = fx:wait_until(fun() -> both_ways:library_rss(fxml_stream) < Before + 50000 end)
    end).

%% A stream as XMPP's, with a new beginning in the midst of it.
xmpp(Config) ->
    same(Config, fun() ->
        Start = <<"<?xml version='1.0'?><stream:stream to='s' version='1.0' xml:lang='pl' ",
                  "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>">>,
        State = fxml_stream:parse(fxml_stream:new(self()), Start),
        State2 = fxml_stream:parse(State, <<"<stream:features><register xmlns='r'/></stream:features>">>),
        State3 = fxml_stream:parse(fxml_stream:reset(State2), Start),
        _ = fxml_stream:parse(State3, <<"<iq type='get'><q xmlns='x'/></iq></stream:stream>">>),
        messages()
    end).

%%% fxml without its library

pure_functions(Config) ->
    same(Config, fun() ->
        Tree = fxml_stream:parse_element(<<"<a><b x='1'>t</b><b/><c xmlns='u'/></a>">>),
        ?assertEqual(<<"t">>, fxml:get_subtag_cdata(Tree, <<"b">>)),
        ?assertEqual({value, <<"1">>}, fxml:get_tag_attr(<<"x">>, fxml:get_subtag(Tree, <<"b">>))),
        ?assertEqual(2, length(fxml:get_subtags(Tree, <<"b">>))),
        ?assertEqual(<<"&amp;&lt;">>, fxml:crypt(<<"&<">>))
    end).

%% What the application makes of its library.
xmlrpc(Config) ->
    same(Config, fun() ->
        Call = {call, method, [1, 2.5, {base64, <<"x">>}, {array, [<<"a">>, true]}, {struct, [{k, <<"v">>}]}]},
        Text = fxml:element_to_binary(fxmlrpc:encode(Call)),
        [Text, fxmlrpc:decode(fxml_stream:parse_element(Text))]
    end).

every_function(Config) ->
    both_ways:every_function(Config).

%%% What overflows the stack in the VM

%% Hosts have bigger stacks.
nested_20000(Config) ->
    ok = both_ways:ends_the_vm(Config, ?MODULE, nested_to_binary, [20000]),
    Isolated = both_ways:node(Config, isolated, []),
    Expected = <<(binary:copy(<<"<a>">>, 19999))/binary, "<a/>",
                 (binary:copy(<<"</a>">>, 19999))/binary>>,
    ?assertEqual({ok, Expected}, test_node:call(Isolated, ?MODULE, nested_to_binary, [20000])),
    ok = test_node:stop(Isolated).

%% Too deep for any stack.
nested_1000000(Config) ->
    Isolated = both_ways:node(Config, isolated, []),
    ?assertEqual({ok, <<"<a/>">>}, test_node:call(Isolated, ?MODULE, nested_to_binary, [1])),
    #{generation := Generation} = test_node:call(Isolated, fx, host, [fxml]),
    ?assertMatch({error, {nif_host_down,
                          #{module := fxml, function := element_to_binary, arity := 1,
                            reason := {signal, sigsegv}, generation := Generation}}},
                 test_node:call(Isolated, ?MODULE, nested_to_binary, [1000000])),
    ?assertEqual({ok, <<"<a/>">>}, test_node:call(Isolated, ?MODULE, nested_to_binary, [1])),
    ?assertEqual(Generation + 1, maps:get(generation, test_node:call(Isolated, fx, host, [fxml]))),
    ok = test_node:stop(Isolated).

nested_to_binary(N) ->
    both_ways:try_call(fun() -> fxml:element_to_binary(nested(N)) end).

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
    both_ways:collect(0).

next() ->
    receive Message -> Message after 2000 -> error(no_message) end.
