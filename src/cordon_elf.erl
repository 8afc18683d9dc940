%%% @private
%%% Reads what an ELF file of this machine says to the dynamic loader: which shared
%%% libraries it needs, which symbols it defines and which it expects of others.
%%% Nothing in the file is executed.
-module(cordon_elf).

-export([read/1, is_nif/1, is_shim/1]).

-export_type([elf/0]).

-type elf() :: #{needed := [string()],             % DT_NEEDED, in order
                 paths := [string()],              % RUNPATH, or RPATH where there is none
                 defined := #{binary() => []},
                 undefined := [binary()],          % without weak ones
                 size := non_neg_integer()}.

-define(ELFCLASS64, 2).
-define(LITTLE_ENDIAN, 1).
-define(SHT_DYNAMIC, 6).
-define(SHT_DYNSYM, 11).
-define(DT_NEEDED, 1).
-define(DT_RPATH, 15).
-define(DT_RUNPATH, 29).
-define(SHN_UNDEF, 0).
-define(STB_WEAK, 2).

-spec read(file:filename_all()) -> {ok, elf()} | {error, Text :: string()}.
read(File) ->
    case file:read_file(File) of
        {ok, <<16#7f, "ELF", ?ELFCLASS64, ?LITTLE_ENDIAN, _/binary>> = Content} ->
            try {ok, (parse(Content))#{size => byte_size(Content)}}
            catch
                error:_ -> {error, "a damaged ELF file: its tables point beyond its end; "
                                   "expected a shared library: build it again"}
            end;
        {ok, <<16#7f, "ELF", _/binary>>} ->
            {error, "an ELF file for another kind of machine; expected one of 64 bits, "
                    "little-endian: build the library for this machine"};
        {ok, _} ->
            {error, "not an ELF file; expected a shared library"};
        {error, Reason} ->
            {error, "can't be read: " ++ file:format_error(Reason)}
    end.

%% @doc Whether `erlang:load_nif/2' would find what it calls first.
-spec is_nif(elf()) -> boolean().
is_nif(#{defined := Defined}) ->
    is_map_key(<<"nif_init">>, Defined) orelse is_map_key(<<"_nif_init">>, Defined).

%% @doc Whether it is a copy of cordon's shim, of whichever build.
-spec is_shim(elf()) -> boolean().
is_shim(#{defined := Defined}) ->
    is_map_key(<<"cordon_shim_mark">>, Defined).

parse(Content) ->
    <<_:40/binary, SectionsAt:64/little, _:10/binary, EntrySize:16/little, Count:16/little,
      _/binary>> = Content,
    Sections = [section(binary:part(Content, SectionsAt + I * EntrySize, EntrySize))
                || I <- lists:seq(0, Count - 1)],
    Dynamic = entries(?SHT_DYNAMIC, Sections, Content),
    Symbols = [symbol(Entry, Strings)
               || {Entry, Strings} <- entries(?SHT_DYNSYM, Sections, Content)],
    Runpath = strings(?DT_RUNPATH, Dynamic),
    #{needed => strings(?DT_NEEDED, Dynamic),
      paths => case Runpath of
                   [] -> strings(?DT_RPATH, Dynamic);
                   _ -> Runpath
               end,
      defined => maps:from_list([{Name, []} || {defined, Name} <- Symbols]),
      undefined => lists:usort([Name || {undefined, Name} <- Symbols])}.

section(<<_Name:32, Type:32/little, _:16/binary, At:64/little, Size:64/little, Link:32/little,
          _:12/binary, EntrySize:64/little, _/binary>>) ->
    {Type, At, Size, Link, EntrySize}.

%% The entries of the tables of one type, each with the strings that it refers to.
entries(Type, Sections, Content) ->
    [{binary:part(Content, At + I * EntrySize, EntrySize), Strings}
     || {T, At, Size, Link, EntrySize} <- Sections, T =:= Type,
        Strings <- [string_table(lists:nth(Link + 1, Sections), Content)],
        I <- lists:seq(0, Size div EntrySize - 1)].

string_table({_Type, At, Size, _Link, _EntrySize}, Content) ->
    binary:part(Content, At, Size).

strings(Tag, Dynamic) ->
    [binary_to_list(name(At, Strings))
     || {<<T:64/little, At:64/little, _/binary>>, Strings} <- Dynamic, T =:= Tag].

symbol(<<Name:32/little, Info, _Other, Section:16/little, _/binary>>, Strings) ->
    case {Section, Info bsr 4} of
        {?SHN_UNDEF, ?STB_WEAK} -> weak;
        {?SHN_UNDEF, _} when Name =:= 0 -> none;
        {?SHN_UNDEF, _} -> {undefined, name(Name, Strings)};
        {_, _} -> {defined, name(Name, Strings)}
    end.

name(At, Strings) ->
    [Name, _] = binary:split(binary:part(Strings, At, byte_size(Strings) - At), <<0>>),
    Name.
