%%% @private
%%% How a shim that can't be made is told: as a path that `erlang:load_nif/2' can't
%%% open. So a module's `-on_load' sees the error shape that it knows, with our text.
-module(cordon_refusal).

-export([path/2]).

%% @doc A path for which `erlang:load_nif/2' returns `{error, {load_failed, _}}' with
%% this text in it.
-spec path(Library :: term(), string()) -> string().
path(Library, Text) ->
    Message = printable("cordon: " ++ sentence_end(without_prefix(Text)) ++
                            " No shim was made for: " ++ name(Library)),
    %% A '/' makes it a path; without one dlopen would search the system's libraries.
    Slashed = case lists:member($/, Message) of
                  true -> Message;
                  false -> "./" ++ Message
              end,
    case file:read_link_info(Slashed ++ ".so") of
        {error, _} -> Slashed;
        {ok, _} -> "/dev/null/" ++ Slashed
    end.

%% load_nif/2 takes what can be a file's name, dlopen's error shows it on one line.
-spec printable(string()) -> string().
printable(Text) ->
    Max = case file:native_name_encoding() of
              utf8 -> 16#10ffff;
              latin1 -> 255
          end,
    [if C =:= $\n -> $\s; C < $\s; C > Max -> $?; true -> C end || C <- Text].

-spec name(term()) -> string().
name(Library) ->
    try unicode:characters_to_list(filename:basename(filename:flatten(Library))) of
        Name when is_list(Name) -> Name;
        _ -> "the library"
    catch
        error:_ -> "the library"
    end.

%% load_nif/2 says this itself, and it may be what the native side quotes.
-spec without_prefix(string()) -> string().
without_prefix(Text) ->
    case string:prefix(Text, "Failed to load NIF library: ") of
        nomatch -> Text;
        Rest -> Rest
    end.

-spec sentence_end(string()) -> string().
sentence_end(Text) ->
    case lists:suffix(".", Text) of
        true -> Text;
        false -> Text ++ "."
    end.
