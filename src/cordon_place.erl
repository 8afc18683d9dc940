%%% @private
%%% What stands at a library's place on disk. Isolated, `foo.so' is a shim,
%%% `foo.so.native' the real library, and `foo.cordon' the sidecar.
-module(cordon_place).

-export([resolve/1, real_path/1, examine/1, of_file/1, files/1, digest/1]).

-export_type([place/0, state/0, content/0]).

-include_lib("kernel/include/file.hrl").

-define(REAL, ".native").
-define(NEW, ".cordon-new").

-type content() :: absent | {shim | nif | plain, cordon_elf:elf()} | {unreadable, string()}.
-type sidecar() :: absent | {ok, map()} | {error, string()}.
-type state() ::
        native |                    % a NIF library, nothing of cordon's beside it
        plain |                     % a file that is no NIF library
        isolated |
        elsewhere |                 % a shim whose real library lies somewhere else
        {broken, Why :: string()} |
        %% what an install or uninstall that was cut short has left beside a native library
        interrupted |
        %% the shim was replaced by another library, which is native
        upgraded |
        {unknown, file:filename()} | % a file that has a name of cordon's but is not
        absent.
-type place() ::
        #{file := file:filename(), real := file:filename(), sidecar := file:filename(),
          new_shim := file:filename(), new_sidecar := file:filename(),
          front := content(), behind := content(), says := sidecar(), state := state()}.

%% @doc The file that is meant: as given or without ".so", with all links followed,
%% since that is where a shim looks for its sidecar.
-spec resolve(file:filename()) -> {ok, file:filename()} | {error, string()}.
resolve(Given) ->
    Path = filename:absname(Given),
    Named = case exists(Path) orelse filename:extension(Path) =:= ".so" of
                true -> Path;
                false -> Path ++ ".so"
            end,
    case {real_path(Named), filelib:is_dir(Named)} of
        {_, true} ->
            {error, text("~ts is a directory, expected a NIF library's file", [Given])};
        {{error, Reason}, _} ->
            {error, text("~ts: ~ts", [Given, file:format_error(Reason)])};
        {{ok, Real}, _} ->
            resolved(Given, Real, lists:any(fun exists/1, maps:values(files(Real))))
    end.

resolved(Given, _Real, false) ->
    {error, text("~ts: no such file; expected a NIF library: check the path, and that the "
                 "library was built", [Given])};
resolved(Given, Real, true) ->
    case {filename:extension(Real), of_file(Real)} of
        {".so", _} ->
            {ok, Real};
        {_, {ok, File}} ->
            {error, text("~ts belongs to an isolated library; give its own name, ~ts",
                         [Given, File])};
        {_, none} ->
            {error, text("~ts is the file ~ts, expected a name that ends in .so",
                         [Given, Real])}
    end.

exists(Path) ->
    case file:read_link_info(Path) of
        {ok, _} -> true;
        {error, _} -> false
    end.

%% The path without links in it. The last part need not be there.
-spec real_path(file:filename()) -> {ok, file:filename()} | {error, file:posix()}.
real_path(Path) ->
    real_path(filename:split(Path), "", 40).

real_path(_, _, 0) ->
    {error, eloop};
real_path([], Done, _) ->
    {ok, Done};
real_path([".." | Parts], Done, Left) ->
    real_path(Parts, filename:dirname(Done), Left);
real_path(["." | Parts], Done, Left) ->
    real_path(Parts, Done, Left);
real_path([Part | Parts], Done, Left) ->
    Path = filename:join(Done, Part),
    case file:read_link_all(Path) of
        {ok, Target} -> real_path(filename:split(to_list(Target)) ++ Parts, Done, Left - 1);
        {error, _} -> real_path(Parts, Path, Left)
    end.

to_list(Name) when is_binary(Name) -> binary_to_list(Name);
to_list(Name) -> Name.

%% @doc The place that a file belongs to, by its name: of a library, of what stands
%% beside it, or none.
-spec of_file(file:filename()) -> {ok, file:filename()} | none.
of_file(File) ->
    Root = filename:rootname(File),
    case {filename:extension(File), filename:extension(Root)} of
        {".so", _} -> {ok, File};
        {".cordon", _} -> {ok, Root ++ ".so"};
        {Suffix, ".so"} when Suffix =:= ?REAL; Suffix =:= ?NEW -> {ok, Root};
        {?NEW, ".cordon"} -> {ok, filename:rootname(Root) ++ ".so"};
        _ -> none
    end.

%% @doc The names of a place.
-spec files(file:filename()) -> #{atom() => file:filename()}.
files(File) ->
    Sidecar = filename:rootname(File) ++ ".cordon",
    #{file => File, real => File ++ ?REAL, sidecar => Sidecar,
      new_shim => File ++ ?NEW, new_sidecar => Sidecar ++ ?NEW}.

-spec examine(file:filename()) -> place().
examine(File) ->
    #{real := Real, sidecar := Sidecar} = Files = files(File),
    Place = Files#{front => content(File), behind => content(Real), says => says(Sidecar)},
    Place#{state => state(Place)}.

-spec content(file:filename()) -> content().
content(File) ->
    case {file:read_link_info(File), cordon_elf:read(File)} of
        {{error, enoent}, _} -> absent;
        {{ok, #file_info{type = regular}}, {ok, Elf}} ->
            case {cordon_elf:is_shim(Elf), cordon_elf:is_nif(Elf)} of
                {true, _} -> {shim, Elf};
                {false, true} -> {nif, Elf};
                {false, false} -> {plain, Elf}
            end;
        {_, {error, Text}} -> {unreadable, Text};
        {_, _} -> {unreadable, "not a regular file"}
    end.

-spec says(file:filename()) -> sidecar().
says(File) ->
    case filelib:is_regular(File) of
        true ->
            case cordon_native:read_sidecar(File) of
                {ok, Map} -> {ok, Map};
                {error, {_, Text}} -> {error, Text}
            end;
        false ->
            absent
    end.

-spec state(map()) -> state().
state(#{front := {shim, _}, behind := absent, says := {ok, #{library := Library}},
        real := Real}) when Library =/= Real ->
    case filelib:is_regular(Library) of
        true -> elsewhere;
        false -> {broken, text("the real library ~ts is missing", [Library])}
    end;
state(#{front := {shim, _}, behind := absent, real := Real}) ->
    {broken, text("the real library ~ts is missing", [Real])};
state(#{front := {shim, _}, says := absent, sidecar := Sidecar}) ->
    {broken, text("the sidecar ~ts is missing", [Sidecar])};
state(#{front := {shim, _}, says := {error, Text}}) ->
    {broken, Text};
state(#{front := {shim, _}, behind := {nif, _}, real := Real,
        says := {ok, #{library := Real} = Says}}) ->
    behind_shim(Real, Says);
state(#{front := {shim, _}, behind := {nif, _}, real := Real, sidecar := Sidecar,
        says := {ok, #{library := Other}}}) ->
    {broken, text("the sidecar ~ts names ~ts, expected ~ts", [Sidecar, Other, Real])};
state(#{front := {shim, _}, behind := {What, _}, real := Real}) ->
    {broken, text("~ts is ~ts, expected the real library",
                  [Real, case What of
                             shim -> "a shim itself";
                             _ -> "no NIF library"
                         end])};
state(#{front := absent, behind := {nif, _}, file := File}) ->
    {broken, text("~ts is missing, the real library is still there", [File])};
state(#{front := Front, behind := absent, says := absent} = Place) ->
    case {[File || Key <- [new_shim, new_sidecar], File <- [maps:get(Key, Place)],
                   filelib:is_regular(File)], Front} of
        {[_ | _], _} -> interrupted;
        {[], absent} -> absent;
        {[], {nif, _}} -> native;
        {[], {_, _}} -> plain
    end;
state(#{behind := absent, says := {error, _}, sidecar := Sidecar}) ->
    {unknown, Sidecar};
state(#{behind := absent}) ->
    interrupted;
state(#{file := File, real := Real, front := Front, says := Says}) ->
    case {Front, Says} of
        {{nif, _}, {ok, #{library := Real}}} ->
            case same_content(File, Real) of
                true -> interrupted;
                false -> upgraded
            end;
        {{nif, _}, _} ->
            case same_content(File, Real) of
                true -> interrupted;
                false -> {unknown, Real}
            end;
        {_, {ok, #{library := Real}}} ->
            {broken, text("~ts is neither a shim nor a NIF library", [File])};
        {_, _} ->
            {unknown, Real}
    end.

%% A library that was written anew in its place may have other functions than the sidecar
%% tells the VM.
behind_shim(Real, Says) ->
    case {digest(Real), Says} of
        {Same, #{library_digest := Same}} -> cordons_files(Says);
        {_, #{library_digest := _}} ->
            {broken, text("the real library ~ts was changed since it was isolated", [Real])};
        {_, #{}} -> cordons_files(Says)
    end.

cordons_files(#{proxy := Proxy, nif_host := NifHost}) ->
    case cordon_build:fits(Proxy, NifHost) of
        ok -> isolated;
        {error, Text} -> {broken, Text}
    end.

same_content(A, B) ->
    cordon_disk:same_file(A, B) orelse digest(A) =:= digest(B).

%% @doc By which a library is known to be the one that was isolated.
-spec digest(file:filename()) -> string() | {error, file:posix()}.
digest(File) ->
    case cordon_native:digest(File) of
        {ok, Digest} -> "blake2b:" ++ string:lowercase(binary_to_list(binary:encode_hex(Digest)));
        {error, Reason} -> {error, Reason}
    end.

text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args, [{chars_limit, 2000}])).
