%%% @private
%%% Writes JSON (RFC 8259): maps, lists, integers, booleans; `null'; all other atoms,
%%% binaries and `{string, Chars}' as strings.
-module(cordon_json).

-export([encode/1]).

-type value() :: #{atom() | binary() => value()} | [value()] | integer() | atom() | binary() |
                 {string, string()}.

-spec encode(value()) -> iodata().
encode(Map) when is_map(Map) ->
    Members = [[encode(Key), $:, encode(Value)] || {Key, Value} <- lists:sort(maps:to_list(Map))],
    [${, lists:join($,, Members), $}];
encode(List) when is_list(List) ->
    [$[, lists:join($,, [encode(Value) || Value <- List]), $]];
encode(Number) when is_integer(Number) ->
    integer_to_binary(Number);
encode(Word) when Word =:= true; Word =:= false; Word =:= null ->
    atom_to_binary(Word);
encode(Atom) when is_atom(Atom) ->
    encode(atom_to_binary(Atom));
encode({string, Chars}) ->
    string(Chars);
encode(Binary) when is_binary(Binary) ->
    case unicode:characters_to_list(Binary) of
        Chars when is_list(Chars) -> string(Chars);
        _ -> string(binary_to_list(Binary))
    end.

string(Chars) ->
    [$", unicode:characters_to_binary([character(C) || C <- Chars]), $"].

character($") -> "\\\"";
character($\\) -> "\\\\";
character(C) when C < $\s -> io_lib:format("\\u~4.16.0b", [C]);
character(C) -> C.
