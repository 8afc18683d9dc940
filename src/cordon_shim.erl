%%% @private
%%% Makes shims: for each library a copy of `cordon_shim.so' and beside it the
%%% sidecar, which tells that copy what it stands for.
%%%
%%% A copy and never a link: the dynamic linker takes two names of one file for
%%% one library, and a shim finds its sidecar by its own file's name.
-module(cordon_shim).

-export([make/2, make_or_leave/2, check/2, sidecar/2, sidecar/3, application/1, copy/2]).

-export_type([shim/0]).

%% Path of the shim, without ".so".
-type shim() :: file:filename().
-type error() :: {error, {Reason :: atom(), Text :: string()}}.

%% @doc Makes the shim of a library, or finds the one that was made before. The
%% library's path is what `erlang:load_nif/2' takes.
-spec make(term(), term()) -> {ok, shim()} | error().
make(Path, Options) ->
    with_checked(Path, Options, fun in_cache/3).

%% @doc A shim, unless the library is to be loaded natively: it is switched off, or no
%% host can run here and that is allowed then. The log has a warning then.
-spec make_or_leave(term(), term()) -> {ok, shim()} | {native, Why :: string()} | error().
make_or_leave(Path, Options) ->
    case cordon_switch:is_disabled(names(Path)) of
        true ->
            leave(Path, "the environment variable CORDON_DISABLE says so");
        false ->
            case {make(Path, Options), cordon_native:unsupported()} of
                {{error, {nif_host, Text}}, {ok, native}} -> leave(Path, Text);
                {{ok, Shim}, _} -> unless_module_disabled(Path, Shim);
                {Error, _} -> Error
            end
    end.

%% Which module a library is for is known only now.
unless_module_disabled(Path, Shim) ->
    case cordon_native:read_sidecar(Shim ++ ".cordon") of
        {ok, #{manifest := #{module := Module}}} ->
            case cordon_switch:is_disabled([atom_to_list(Module)]) of
                true -> leave(Path, "the environment variable CORDON_DISABLE says so");
                false -> {ok, Shim}
            end;
        {error, _} = Error ->
            Error
    end.

leave(Path, Why) ->
    ok = cordon_switch:warn_native(Path, Why),
    {native, Why}.

%% @doc What a library is called in CORDON_DISABLE, as far as its path tells. None for
%% what is no path.
-spec names(term()) -> [string()].
names(Path) ->
    case library(Path) of
        {ok, Library} -> [filename:basename(Library, ".so"), application(Library)];
        {error, _} -> []
    end.

%% @doc Opens the library in a host, as {@link make/2} does for a new one.
-spec check(term(), term()) -> {ok, cordon_nif:manifest()} | error().
check(Path, Options) ->
    with_checked(Path, Options,
                 fun(Library, Given, _Cache) ->
                         case sidecar(Library, Given) of
                             {ok, Manifest, _Sidecar} -> {ok, Manifest};
                             {error, _} = Error -> Error
                         end
                 end).

%% @doc Opens the library in a host, and decides on its options. `Sidecar' is what goes
%% beside a shim of it.
-spec sidecar(file:filename(), cordon_options:given()) ->
          {ok, cordon_nif:manifest(), Sidecar :: binary()} | error().
sidecar(Path, Given) ->
    case cordon_native:ensure_started() of
        ok ->
            maybe_installed(Path,
                            fun(Library, Before) -> sidecar(Library, Given, Before) end);
        {error, _} = Error ->
            Error
    end.

%% @doc The same for exactly this file, whatever lies beside it. `Before' gives options
%% that count less than `Given'.
-spec sidecar(file:filename(), cordon_options:given(), cordon_options:given()) ->
          {ok, cordon_nif:manifest(), binary()} | error().
sidecar(Library, Given, Before) ->
    {ok, Options, _} = cordon_options:merge(Given, Before, #{}),
    case cordon_native:discover(Library, Options) of
        {ok, Manifest, Sidecar} -> with_options(Library, Given, Before, Manifest, Sidecar);
        {error, _} = Error -> Error
    end.

with_options(Library, Given, Before, Manifest, Sidecar) ->
    Record = maps:get(requirements, Manifest, #{}),
    case {cordon_options:merge(Given, Before, Record), cordon_native:unsupported()} of
        {{ok, Options, Names}, {ok, Unsupported}} ->
            Changes = #{options => Options, given => Names, unsupported => Unsupported,
                        application => application(Library)},
            case cordon_native:edit_sidecar(Sidecar, Changes) of
                {ok, Changed} -> {ok, Manifest, Changed};
                {error, _} = Error -> Error
            end;
        {{error, Texts}, _} ->
            {error, {requirements, text("~ts: ~ts", [Library, join(Texts)])}};
        {_, {error, Text}} ->
            {error, {options, Text}}
    end.

%% A shim that was installed in the place of a library: what counts is the library
%% behind it, and what its sidecar says explicitly.
-spec maybe_installed(file:filename(), fun((file:filename(), cordon_options:given()) -> T | error())) ->
          T | error().
maybe_installed(Path, Continue) ->
    Sidecar = filename:rootname(Path, ".so") ++ ".cordon",
    case filelib:is_regular(Sidecar) andalso cordon_native:read_sidecar(Sidecar) of
        false ->
            Continue(Path, #{});
        {ok, #{library := Library, options := Options, given := Names}} ->
            Continue(Library, maps:with(Names, Options));
        {error, {sidecar, Text}} ->
            {error, {load_failed, Text}}
    end.

%% @doc The application of a library below `priv', by its directory's name; empty if it
%% is not in one.
-spec application(file:filename()) -> string().
application(Library) ->
    application_of(lists:reverse(filename:split(Library))).

application_of(["priv", Dir | _]) -> hd(string:split(Dir, "-"));
application_of([_ | Above]) -> application_of(Above);
application_of([]) -> "".

%% All that can be wrong with the arguments is told at once.
-spec with_checked(term(), term(),
                   fun((file:filename(), cordon_options:given(), file:filename()) ->
                              {ok, T} | error())) -> {ok, T} | error().
with_checked(Path, Options, Continue) ->
    case {library(Path), cordon_options:normalise(Options)} of
        {{ok, Library}, {ok, _}} ->
            case {cordon_native:ensure_started(), cordon_cache:dir()} of
                {ok, {ok, Cache}} -> Continue(Library, Options, Cache);
                {ok, {error, Text}} -> {error, {cache_dir, Text}};
                {{error, _} = Error, _} -> Error
            end;
        {{error, Text}, {error, Texts}} ->
            {error, {options, join(Texts ++ [Text])}};
        {{ok, _}, {error, Texts}} ->
            {error, {options, join(Texts)}};
        {{error, Text}, {ok, _}} ->
            {error, {load_failed, Text}}
    end.

%% @doc The library's file for a path as in `erlang:load_nif/2'. Made absolute at
%% once: the working directory may be another when the host opens it.
-spec library(term()) -> {ok, file:filename()} | {error, string()}.
library(Path) ->
    try to_string(filename:absname(filename:flatten(Path))) of
        Name when Path =/= [], Path =/= <<>> -> existing(Name, Name ++ ".so");
        _ -> {error, "the library's path is empty"}
    catch
        error:_ ->
            {error, text("the library's path is ~0tp, expected a string as "
                         "for erlang:load_nif/2", [Path])}
    end.

-spec existing(file:filename(), file:filename()) -> {ok, file:filename()} | {error, string()}.
existing(Name, Library) ->
    case {filelib:is_regular(Library), filelib:is_dir(Library)} of
        {true, _} ->
            case file:open(Library, [read, raw]) of
                {ok, Device} -> _ = file:close(Device), {ok, Library};
                {error, Reason} -> {error, unreadable(Library, Reason)}
            end;
        {false, true} ->
            {error, text("~ts is a directory, expected a NIF library", [Library])};
        {false, false} ->
            Hint = case filelib:is_regular(Name) of
                       true -> "leave out the \".so\" of the path, as for "
                                   "erlang:load_nif/2";
                       false -> "check the path, and that the library was built"
                   end,
            {error, text("no such file: ~ts; expected a NIF library there. ~ts",
                         [Library, sentence(Hint)])}
    end.

-spec in_cache(file:filename(), cordon_options:given(), file:filename()) -> {ok, shim()} | error().
in_cache(Path, Given, Cache) ->
    maybe_installed(Path,
                    fun(Library, Before) -> in_cache(Library, Given, Before, Cache) end).

in_cache(Library, Given, Before, Cache) ->
    #{shim := Shim, proxy := Proxy, nif_host := NifHost} = cordon_native:files(),
    case {file:read_file(Shim), digests([Shim, Library, Proxy, NifHost], [])} of
        {{ok, Template}, {ok, Digests}} ->
            Hash = cordon_cache:hash({Library, maps:merge(Before, Given),
                                      cordon_native:unsupported(), cordon_native:priv_dir(),
                                      Digests}),
            Name = filename:basename(Library, ".so"),
            ensure(filename:join([Cache, "shims", Hash, Name]), Template,
                   fun() -> sidecar(Library, Given, Before) end);
        {{error, Reason}, _} ->
            {error, {load_failed, unreadable(Shim, Reason)}};
        {_, {error, {File, Reason}}} ->
            {error, {load_failed, unreadable(File, Reason)}}
    end.

%% What a shim depends on: the library and cordon's own files. Anything newer
%% gives another hash.
-spec digests([file:filename()], [binary()]) -> {ok, [binary()]} |
          {error, {file:filename(), file:posix()}}.
digests([], Digests) ->
    {ok, lists:reverse(Digests)};
digests([Path | Paths], Digests) ->
    case cordon_native:digest(Path) of
        {ok, Digest} -> digests(Paths, [Digest | Digests]);
        {error, Reason} -> {error, {Path, Reason}}
    end.

%% A shim that is there but isn't whole (a full disk, a hand) is made again.
-spec ensure(shim(), binary(),
             fun(() -> {ok, cordon_nif:manifest(), binary()} | error())) ->
          {ok, shim()} | error().
ensure(Shim, Template, MakeSidecar) ->
    case {file:read_file(Shim ++ ".so"), cordon_native:read_sidecar(Shim ++ ".cordon")} of
        {{ok, Template}, {ok, _}} ->
            {ok, Shim};
        _ ->
            case MakeSidecar() of
                {ok, _Manifest, Sidecar} -> write(Shim, Template, Sidecar);
                {error, _} = Error -> Error
            end
    end.

%% The shim itself comes last: where it is, its sidecar is too.
-spec write(shim(), binary(), binary()) -> {ok, shim()} | error().
write(Shim, Template, Sidecar) ->
    case write_files([{Shim ++ ".cordon", Sidecar}, {Shim ++ ".so", Template}]) of
        ok -> {ok, Shim};
        {error, Reason} -> unwritten(Reason)
    end.

-spec write_files([{file:filename(), binary()}]) ->
          ok | {error, {file:filename(), file:posix()}}.
write_files([]) ->
    ok;
write_files([{Path, Data} | Files]) ->
    case filelib:ensure_dir(Path) of
        ok ->
            case cordon_cache:write_file(Path, Data) of
                ok -> write_files(Files);
                {error, _} = Error -> Error
            end;
        {error, Reason} ->
            {error, {Path, Reason}}
    end.

%% @doc Puts a copy of a shim at another path (both without ".so").
-spec copy(shim(), shim()) -> ok | {error, {file:filename(), file:posix()}}.
copy(Shim, To) ->
    case {file:read_file(Shim ++ ".so"), file:read_file(Shim ++ ".cordon")} of
        {{ok, Template}, {ok, Sidecar}} ->
            write_files([{To ++ ".cordon", Sidecar}, {To ++ ".so", Template}]);
        {{error, Reason}, _} -> {error, {Shim ++ ".so", Reason}};
        {_, {error, Reason}} -> {error, {Shim ++ ".cordon", Reason}}
    end.

-spec to_string(file:filename_all()) -> string().
to_string(Name) when is_binary(Name) ->
    List = unicode:characters_to_list(Name, file:native_name_encoding()),
    true = is_list(List),
    List;
to_string(Name) ->
    true = io_lib:char_list(Name),
    Name.

-spec unreadable(file:filename(), file:posix() | badarg | system_limit) -> string().
unreadable(Path, Reason) ->
    text("~ts can't be read (~ts); expected a file that the user of this VM may read",
         [Path, file:format_error(Reason)]).

-spec unwritten({file:filename(), file:posix()}) -> error().
unwritten({Path, Reason}) ->
    {error, {cache_dir, text("~ts can't be written (~ts); see to the space and rights of "
                             "cordon's cache directory", [Path, file:format_error(Reason)])}}.

-spec join([string()]) -> string().
join(Texts) ->
    lists:append(lists:join("; ", Texts)).

-spec sentence(string()) -> string().
sentence([First | Rest]) ->
    [string:to_upper(First) | Rest].

-spec text(string(), [term()]) -> string().
text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args, [{chars_limit, 2000}])).
