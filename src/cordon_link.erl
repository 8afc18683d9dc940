%%% @private
%%% What the dynamic loader will find for a library that a host opens: the shared
%%% libraries that it needs, and from there and the host every symbol.
-module(cordon_link).

-export([check/2]).

-export_type([found/0]).

-type found() :: #{libraries := [{Name :: string(), file:filename() | not_found}],
                   undefined := [binary()]}. % symbols that nobody has

%% @doc The libraries that `File' needs, those that these need and the host doesn't have
%% already, and the symbols that neither they nor `NifHost' with its libraries define.
-spec check(file:filename(), file:filename()) -> {ok, found()} | {error, string()}.
check(File, NifHost) ->
    case {cordon_elf:read(File), cordon_elf:read(NifHost)} of
        {{ok, Elf}, {ok, Host}} ->
            Search = search_path(),
            OfHost = closure([{NifHost, Host}], Search, #{}),
            All = closure([{File, Elf}], Search, OfHost),
            Others = maps:keys(OfHost) -- maps:get(needed, Elf),
            Libraries = maps:without(Others, All),
            {ok, #{libraries => lists:sort([{Name, path(Found)}
                                            || {Name, Found} <- maps:to_list(Libraries)]),
                   undefined => missing(Elf, [Host | [E || {_, E} <- maps:values(All)]])}};
        {{error, _} = Error, _} -> Error;
        {_, {error, Text}} -> {error, NifHost ++ ": " ++ Text}
    end.

path({Path, _Elf}) -> Path;
path(not_found) -> not_found.

missing(#{undefined := Undefined, defined := Own}, Elfs) ->
    [Symbol || Symbol <- Undefined, not is_map_key(Symbol, Own),
               not lists:any(fun(#{defined := D}) -> is_map_key(Symbol, D) end, Elfs)].

%% By name, as the loader knows libraries that are loaded already.
closure([], _Search, Found) ->
    Found;
closure([{File, #{needed := Needed} = Elf} | Rest], Search, Found) ->
    New = [Name || Name <- Needed, not is_map_key(Name, Found)],
    Resolved = [{Name, resolve(Name, File, Elf, Search)} || Name <- New],
    closure([Place || {_, {_, _} = Place} <- Resolved] ++ Rest, Search,
            maps:merge(Found, maps:from_list(Resolved))).

resolve(Name, File, #{paths := Paths}, {Environment, Cache, Directories}) ->
    Own = [origin(Dir, File) || Path <- Paths, Dir <- string:lexemes(Path, ":")],
    Candidates = case lists:member($/, Name) of
                     true -> [Name];
                     false -> [filename:join(Dir, Name) || Dir <- Environment ++ Own] ++
                                  maps:get(Name, Cache, []) ++
                                  [filename:join(Dir, Name) || Dir <- Directories]
                 end,
    first_readable(Candidates).

first_readable([]) ->
    not_found;
first_readable([Path | Paths]) ->
    case cordon_elf:read(Path) of
        {ok, Elf} -> {Path, Elf};
        {error, _} -> first_readable(Paths)
    end.

origin(Dir, File) ->
    Origin = filename:dirname(File),
    lists:foldl(fun(Token, D) -> lists:append(string:replace(D, Token, Origin, all)) end,
                Dir, ["${ORIGIN}", "$ORIGIN"]).

search_path() ->
    Environment = case os:getenv("LD_LIBRARY_PATH") of
                      false -> [];
                      Value -> string:lexemes(Value, ":;")
                  end,
    {Environment, cache("/etc/ld.so.cache"), ["/lib64", "/usr/lib64", "/lib", "/usr/lib"]}.

%% The loader's cache of names and paths (ldconfig(8)): a header, entries of 24 bytes that
%% point to strings. Older ones have an older table before it.
-spec cache(file:filename()) -> #{string() => [file:filename()]}.
cache(File) ->
    Magic = <<"glibc-ld.so.cache1.1">>,
    case file:read_file(File) of
        {ok, Content} ->
            case binary:match(Content, Magic) of
                {At, _} -> cache_entries(binary:part(Content, At, byte_size(Content) - At));
                nomatch -> #{}
            end;
        {error, _} ->
            #{}
    end.

cache_entries(<<_Magic:20/binary, Count:32/little, _:24/binary, Rest/binary>> = Table) ->
    Entries = [{text(Key, Table), text(Value, Table)}
               || <<_:32, Key:32/little, Value:32/little, _:96>>
                      <= binary:part(Rest, 0, min(byte_size(Rest), Count * 24))],
    lists:foldr(fun({Name, Path}, Map) ->
                        maps:update_with(Name, fun(Paths) -> [Path | Paths] end, [Path], Map)
                end, #{}, Entries);
cache_entries(_) ->
    #{}.

text(At, Table) when At < byte_size(Table) ->
    [Text | _] = binary:split(binary:part(Table, At, byte_size(Table) - At), <<0>>),
    binary_to_list(Text);
text(_, _) ->
    "".
