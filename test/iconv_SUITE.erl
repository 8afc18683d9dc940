%%% iconv (Debian's erlang-p1-iconv), natively and isolated.
-module(iconv_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-import(both_ways, [same/2]).

all() ->
    [isolated, charsets, round_trips, stateful, unknown_charsets, same_charset, empty,
     latin1_fallback, invalid_input, wrong_arguments, names_as_iodata, transliteration, big_input,
     every_byte, at_once, reload, every_function].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_suite(Config) ->
    case code:which(iconv) of
        non_existing -> {skip, "this Debian has no package erlang-p1-iconv"};
        _ -> both_ways:start(Config, iconv, [iconv])
    end.

end_per_suite(Config) ->
    both_ways:stop(Config).

isolated(Config) ->
    both_ways:isolated(Config).

charsets(Config) ->
    same(Config, fun() ->
        [?assertEqual({Charset, Bytes}, {Charset, iconv:convert("utf-8", Charset, Text)})
         || {Charset, Text, Bytes} <-
                [{"iso-8859-1", <<"é"/utf8>>, <<16#e9>>}, {"iso-8859-15", <<"€"/utf8>>, <<16#a4>>},
                 {"koi8-r", <<"Привет"/utf8>>, <<16#f0, 16#d2, 16#c9, 16#d7, 16#c5, 16#d4>>},
                 {"cp1251", <<"Привет"/utf8>>, <<16#cf, 16#f0, 16#e8, 16#e2, 16#e5, 16#f2>>},
                 {"utf-16be", <<"aé"/utf8>>, <<0, $a, 0, 16#e9>>},
                 {"utf-16le", <<16#1f600/utf8>>, <<16#3d, 16#d8, 0, 16#de>>},
                 {"utf-32be", <<16#1f600/utf8>>, <<0, 1, 16#f6, 0>>},
                 {"shift_jis", <<"日本"/utf8>>, <<16#93, 16#fa, 16#96, 16#7b>>},
                 {"euc-jp", <<"日本"/utf8>>, <<16#c6, 16#fc, 16#cb, 16#dc>>},
                 {"gb18030", <<"中文"/utf8>>, <<16#d6, 16#d0, 16#ce, 16#c4>>},
                 {"us-ascii", <<"plain">>, <<"plain">>}]]
    end).

round_trips(Config) ->
    same(Config, fun() ->
        Text = <<"Zażółć gęślą jaźń, Ünïcödé, 日本語, العربية, Ελληνικά."/utf8>>,
        [?assertEqual(Text, iconv:convert(C, "utf-8", iconv:convert("utf-8", C, Text)))
         || C <- ["utf-16", "utf-16be", "utf-16le", "utf-32", "ucs-4", "utf-7", "gb18030"]]
    end).

%% A charset that switches by escape sequences.
stateful(Config) ->
    same(Config, fun() ->
        iconv:convert("utf-8", "iso-2022-jp", <<"a日本b語"/utf8>>)
    end).

%% Which characters are alike depends on the locale of the process.
transliteration(Config) ->
    same(Config, fun() ->
        [iconv:convert("utf-8", To, <<"é € œ ½"/utf8>>)
         || To <- ["us-ascii//TRANSLIT", "us-ascii//IGNORE", "iso-8859-1//TRANSLIT"]]
    end).

%% The library gives back what it got.
unknown_charsets(Config) ->
    same(Config, fun() ->
        [?assertEqual(<<"text">>, iconv:convert(From, To, <<"text">>))
         || {From, To} <- [{"no-such", "utf-8"}, {"utf-8", "no-such"}, {"no", "such"},
                           {lists:duplicate(5000, $x), "utf-8"}]],
        both_ways:try_all(iconv, convert, [["", "", "text"], ["utf-8", "", "é"], [[0], [0], "a"]])
    end).

same_charset(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"é"/utf8>>, iconv:convert("utf-8", "utf-8", <<"é"/utf8>>))
    end).

empty(Config) ->
    same(Config, fun() ->
        [?assertEqual(<<>>, iconv:convert("utf-8", "koi8-r", Empty)) || Empty <- [<<>>, [], [[]]]]
    end).

%% The special name that takes what is no UTF-8 as Latin-1.
latin1_fallback(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<"é"/utf8>>, iconv:convert("utf-8+latin-1", "utf-8", <<16#e9>>)),
        ?assertEqual(<<"aéb"/utf8>>, iconv:convert("utf-8+latin-1", "utf-8", <<$a, 16#c3, 16#a9, $b>>)),
        [iconv:convert("utf-8+latin-1", "utf-8+latin-1", <<N>>) || N <- lists:seq(0, 255)]
    end).

invalid_input(Config) ->
    same(Config, fun() ->
        [{To, iconv:convert("utf-8", To, Bytes)}
         || To <- ["iso-8859-1", "utf-16be", "us-ascii"],
            Bytes <- [<<16#ff>>, <<"a", 16#c3>>, <<16#c3, "a">>, <<16#ed, 16#a0, 16#80>>,
                      <<16#f4, 16#90, 16#80, 16#80>>, <<16#80, 16#80, "ok", 16#80>>,
                      <<"日本"/utf8>>, <<"a€b"/utf8>>]]
    end).

wrong_arguments(Config) ->
    same(Config, fun() ->
        Bad = [a, 1, 1.5, {}, #{}, self(), make_ref(), fun() -> ok end, <<1:3>>, [a], [256], [-1],
               [1 | 2], [<<1:7>>]],
        Results = both_ways:try_all(iconv, convert,
                                    [Arguments || B <- Bad,
                                                  Arguments <- [[B, "utf-8", "x"], ["utf-8", B, "x"],
                                                                ["utf-8", "koi8-r", B]]]),
        [?assertEqual({A, {error, badarg}}, {A, Outcome}) || {A, Outcome} <- Results],
        ?assertError(undef, apply(iconv, convert, ["utf-8", "utf-8"])),
        Results
    end).

names_as_iodata(Config) ->
    same(Config, fun() ->
        ?assertEqual(<<16#e9>>, iconv:convert([<<"ut">>, $f, ["-8"]], <<"latin1">>,
                                              [[16#c3], <<16#a9>>]))
    end).

big_input(Config) ->
    same(Config, fun() ->
        Text = binary:copy(<<"текст "/utf8>>, 500000),
        Converted = iconv:convert("utf-8", "koi8-r", Text),
        ?assertEqual(3000000, byte_size(Converted)),
        ?assertEqual(Text, iconv:convert("koi8-r", "utf-8", Converted)),
        erlang:md5(Converted)
    end).

every_byte(Config) ->
    same(Config, fun() ->
        All = list_to_binary(lists:seq(0, 255)),
        [{C, iconv:convert(C, "utf-8", All)}
         || C <- ["iso-8859-" ++ integer_to_list(N) || N <- lists:seq(1, 16)] ++
                ["cp125" ++ integer_to_list(N) || N <- lists:seq(0, 8)] ++
                ["koi8-r", "koi8-u", "cp437", "cp850", "ebcdic-us", "macintosh"]]
    end).

at_once(Config) ->
    same(Config, fun() ->
        both_ways:at_once(30, fun(N) ->
            Text = unicode:characters_to_binary([$a + N rem 26, 1040 + N]),
            Long = binary:copy(Text, N * 100),
            [Long = iconv:convert("cp1251", "utf-8", iconv:convert("utf-8", "cp1251", Long))
             || _ <- lists:seq(1, 20)],
            Long
        end)
    end).

%% The library has no upgrade callback.
reload(Config) ->
    same(Config, fun() ->
        Outcomes = [iconv:load_nif(), iconv:load_nif("ignored")],
        ?assertEqual(<<"x">>, iconv:convert("utf-8", "latin1", "x")),
        Outcomes
    end).

every_function(Config) ->
    both_ways:every_function(Config).
