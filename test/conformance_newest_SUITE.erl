%%% Functions and encodings that OTP 26 and 29 have brought, natively where the VM has them, and
%%% isolated everywhere: there the host has them, whatever the VM.
-module(conformance_newest_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(OF_26, [string_lengths, strings, atom_texts, atom_lengths, new_atoms, existing_atoms,
                made_texts]).
-define(OF_29, [term_sizes, atom_cache]).

-define(ENCODINGS, [latin1, utf8]).
-define(UNTOUCHED, 12345). % the length, where there was none to tell

all() -> both_modes:all() ++ [atoms_past_the_quota].
groups() -> both_modes:groups(?OF_26 ++ ?OF_29).
suite() -> [{timetrap, {seconds, 60}}].
init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, [fx_newest]).
end_per_group(_Mode, _Config) -> both_modes:end_group([fx_newest]).

init_per_testcase(Case, Config) ->
    Mode = proplists:get_value(mode, Config),
    {Of26, Of29} = case Mode of
                       undefined -> {true, true};
                       _ -> fx_newest:has()
                   end,
    Has = case lists:member(Case, ?OF_29) of
              true -> Of29;
              false -> Of26
          end,
    case Has of
        true -> Config;
        false when Mode =:= native -> {skip, "this VM does not have it"}
    end.

strings_to_try() ->
    [[], "abc", [228, 246], [8364], [128512], [97, 8364, 98, 128512], [16#D800], [97, 16#DFFF],
     [16#110000], [-1], [a], [$a, b], [$a | b], foo, <<"x">>, ["abc"], [0], [97, 0, 98], [16#FFFF],
     [1 bsl 70], lists:seq(1, 255), lists:duplicate(1000, 8364)].

string_lengths(Config) ->
    Lengths = [begin
                   Got = fx_newest:string_length(String, Encoding),
                   Expected = case characters(String, Encoding) of
                                  {Characters, nil} -> {1, iolist_size(Characters)};
                                  {_, _} -> {0, ?UNTOUCHED}
                              end,
                   ?assertEqual({String, Encoding, Expected}, {String, Encoding, Got}),
                   Got
               end || String <- strings_to_try(), Encoding <- ?ENCODINGS],
    fx:same(Config, string_lengths, Lengths).

strings(Config) ->
    Strings = [begin
                   Got = fx_newest:string(String, Room, Encoding),
                   ?assertEqual({String, Encoding, Room, string_in(String, Encoding, Room)},
                                {String, Encoding, Room, Got}),
                   Got
               end || String <- strings_to_try(), not lists:member(String, [[0], [97, 0, 98]]),
                      Encoding <- ?ENCODINGS, Room <- [0, 1, 2, 3, 4, 5, 6, 9, 10, 64]],
    fx:same(Config, strings, Strings).

%% What of a string fits, and a negative number of bytes where that is not all.
string_in(_, _, 0) ->
    {0, none};
string_in(String, Encoding, Room) ->
    {Characters, Rest} = characters(String, Encoding),
    Fit = fitting(Characters, Room - 1),
    Bytes = iolist_to_binary(Fit),
    if length(Fit) < length(Characters) -> {-(byte_size(Bytes) + 1), Bytes};
       Rest =/= nil -> {0, none};
       true -> {byte_size(Bytes) + 1, Bytes}
    end.

fitting([Character | Characters], Room) when byte_size(Character) =< Room ->
    [Character | fitting(Characters, Room - byte_size(Character))];
fitting(_, _) ->
    [].

%% The characters of a list up to what is none, each encoded; what is there instead.
characters([Code | Rest], Encoding) ->
    case character(Code, Encoding) of
        none -> {[], other};
        Character ->
            {Characters, End} = characters(Rest, Encoding),
            {[Character | Characters], End}
    end;
characters([], _) -> {[], nil};
characters(_, _) -> {[], other}.

character(Code, latin1) when is_integer(Code), Code >= 0, Code =< 255 -> <<Code>>;
character(Code, utf8) when is_integer(Code), Code >= 0, Code =< 16#D7FF;
                           is_integer(Code), Code >= 16#E000, Code =< 16#10FFFF -> <<Code/utf8>>;
character(_, _) -> none.

atoms() ->
    ['', abc, 'ä', list_to_atom([8364]), list_to_atom([97, 128512]),
     list_to_atom(lists:duplicate(255, 8364))].

atom_texts(Config) ->
    Texts = [begin
                 Got = fx_newest:atom_text(Atom, Room, Encoding),
                 Expected = case text(Atom, Encoding) of
                                Bytes when is_binary(Bytes), byte_size(Bytes) < Room ->
                                    {byte_size(Bytes) + 1, Bytes};
                                _ -> {0, none}
                            end,
                 ?assertEqual({Atom, Encoding, Room, Expected}, {Atom, Encoding, Room, Got}),
                 Got
             end || Atom <- atoms(), Encoding <- ?ENCODINGS, Room <- [0, 1, 2, 3, 4, 5, 6, 765, 766]],
    fx:same(Config, atom_texts, Texts).

atom_lengths(Config) ->
    Lengths = [begin
                   Got = fx_newest:atom_length(Atom, Encoding),
                   Expected = case text(Atom, Encoding) of
                                  Bytes when is_binary(Bytes) -> {1, byte_size(Bytes)};
                                  _ -> {0, ?UNTOUCHED}
                              end,
                   ?assertEqual({Atom, Encoding, Expected}, {Atom, Encoding, Got}),
                   Got
               end || Atom <- [1, "abc" | atoms()], Encoding <- ?ENCODINGS],
    fx:same(Config, atom_lengths, Lengths).

text(Atom, Encoding) when is_atom(Atom) ->
    case unicode:characters_to_binary(atom_to_list(Atom), unicode, Encoding) of
        Bytes when is_binary(Bytes) -> Bytes;
        _ -> none
    end;
text(_, _) ->
    none.

names() ->
    [<<>>, <<"cordon_new">>, <<228>>, <<228, 246>>, <<"ä"/utf8>>, <<8364/utf8>>, <<97, 128512/utf8>>,
     <<16#C0, 16#80>>, <<16#ED, 16#A0, 16#80>>, <<16#F4, 16#90, 16#80, 16#80>>, <<255>>,
     <<"ab", 16#E2, 16#82>>, binary:copy(<<"x">>, 255), binary:copy(<<"x">>, 256),
     binary:copy(<<8364/utf8>>, 255), binary:copy(<<8364/utf8>>, 256)].

%% No exception, whatever the name; a name may have a zero in it where its length is told.
new_atoms(Config) ->
    Made = [begin
                Got = [fx_newest:F(Name, Encoding) || F <- [new_atom, new_atom_of_string]],
                Expected = atom_named(Name, Encoding),
                ?assertEqual({Name, Encoding, [Expected, Expected]}, {Name, Encoding, Got}),
                Got
            end || Name <- names(), Encoding <- ?ENCODINGS],
    ?assertEqual({1, 'a\0b', false}, fx_newest:new_atom(<<"a\0b">>, utf8)),
    ?assertEqual({1, a, false}, fx_newest:new_atom_of_string(<<"a\0b">>, utf8)),
    fx:same(Config, new_atoms, Made).

atom_named(Name, Encoding) ->
    case unicode:characters_to_list(Name, Encoding) of
        Characters when is_list(Characters), length(Characters) =< 255 ->
            {1, list_to_atom(Characters), false};
        _ ->
            {0, none, false}
    end.

existing_atoms(Config) ->
    [?assertEqual(atom_named(Name, Encoding), fx_newest:existing_atom(Name, Encoding))
     || Name <- names(), Encoding <- ?ENCODINGS], % which makes them exist
    Unknown = lists:concat(["cordon_unknown_", proplists:get_value(mode, Config)]),
    [?assertEqual({0, none, false}, fx_newest:existing_atom(list_to_binary(["ä", Unknown]), E))
     || E <- ?ENCODINGS].

made_texts(Config) ->
    Made = [begin
                Got = try fx_newest:make_text(Text, Encoding) catch error:Reason -> Reason end,
                Expected = case unicode:characters_to_list(Text, Encoding) of
                               String when is_list(String) -> String;
                               _ -> badarg
                           end,
                ?assertEqual({Text, Encoding, Expected}, {Text, Encoding, Got}),
                Got
            end || Text <- [<<"abc">>, <<0>>, binary:copy(<<8364/utf8>>, 1000) | names()],
                   Encoding <- ?ENCODINGS],
    fx:same(Config, made_texts, Made).

%% In bytes; without the word of the term itself.
term_sizes(_) ->
    [?assertEqual({Term, 8 * erts_debug:flat_size(Term)}, {Term, fx_newest:term_size(Term)})
     || Term <- [1, a, [], self(), {1}, {1, {2, 3}}, [1, 2, 3], "text", [{a, b}, c | d], 1.5,
                 #{a => 1, b => {2}}, lists:seq(1, 1000)]].

%% A host has no connections to other nodes, so its atoms are in no cache.
atom_cache(Config) ->
    {_, true} = Got = fx_newest:cache_index(ok),
    ?assert(proplists:get_value(mode, Config) =:= native orelse Got =:= {false, true}).

%% Unlike enif_make_atom these have a value for failure: the host need not end.
atoms_past_the_quota(_) ->
    ok = fx:try_load(fx_newest, fx:library(fx_newest), #{atom_limit => 5}),
    Names = [iolist_to_binary(["cordon_quota_", integer_to_list(erlang:unique_integer([positive]))])
             || _ <- lists:seq(1, 20)],
    Results = [fx_newest:new_atom(Name, utf8) || Name <- Names],
    ?assertEqual(lists:duplicate(5, 1) ++ lists:duplicate(15, 0), [element(1, R) || R <- Results]),
    ?assertMatch({1, ok, false}, fx_newest:new_atom(<<"ok">>, utf8)),
    fx:unload(fx_newest).
