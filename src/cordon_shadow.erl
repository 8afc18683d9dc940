%%% @private
%%% Shadows: a directory that looks like an installed application, made of links to
%%% its files, with a shim in the place of each NIF library. Put in front of the code
%%% path it makes `code:priv_dir/1', `code:lib_dir/1' and `code:which/1' lead to the
%%% shims. The installed application is only read.
-module(cordon_shadow).

-export([make/2]).

-export_type([shadow/0]).

-include_lib("kernel/include/file.hrl").

-type shadow() :: #{application := atom(),
                    directory := file:filename(),    % the installed one
                    ebins := [file:filename()],      % of the shadow, under each name it has
                    libraries := [file:filename()]}. % that are isolated

%% Files of priv, by path relative to the application's directory.
%% native: a library that is to be loaded as it is.
-type plan() :: [{Relative :: file:filename(), link | native | cordon_shim:shim()}].

%% @doc native: none of its libraries is to be isolated.
-spec make(atom(), cordon_options:given()) ->
          {ok, shadow()} | native | {error, [string()]}.
make(App, Options) ->
    case cordon_cache:dir() of
        {ok, Cache} ->
            Root = filename:join(Cache, "shadows"),
            case find(App, Root) of
                {ok, Dir} -> make(App, Dir, Root, Options);
                {error, Text} -> {error, [Text]}
            end;
        {error, Text} ->
            {error, [text("isolate ~tp: ~ts", [App, Text])]}
    end.

-spec make(atom(), file:filename(), file:filename(), cordon_options:given()) ->
          {ok, shadow()} | native | {error, [string()]}.
make(App, Dir, Root, Options) ->
    {Plan, Errors} = plan(Dir, Options),
    IsNative = lists:keymember(native, 2, Plan),
    case {Errors, [Relative || {Relative, Shim} <- Plan, Shim =/= link, Shim =/= native]} of
        {[_ | _], _} ->
            {error, [text("isolate ~tp: ~ts", [App, Text]) || Text <- Errors]};
        {[], []} when IsNative ->
            native;
        {[], []} ->
            {error, [text("isolate ~tp: there is no NIF library below ~ts, expected "
                          "an application that has one", [App, filename:join(Dir, "priv")])]};
        {[], Libraries} ->
            Names = names(Dir, Root),
            Hash = cordon_cache:hash({Dir, list_dir(Dir), list_dir(filename:join(Dir, "ebin")),
                                      Plan, Names}),
            Shadow = filename:join(Root, Hash),
            case cordon_cache:ensure_entry(Shadow, fun(New) -> fill(Dir, New, Names, Plan) end) of
                ok ->
                    {ok, #{application => App, directory => Dir,
                           ebins => [filename:join([Shadow, Name, "ebin"]) || Name <- Names],
                           libraries => [filename:join(Dir, L) || L <- Libraries]}};
                {error, {Path, Reason}} ->
                    {error, [text("isolate ~tp: ~ts: ~ts",
                                  [App, Path, file:format_error(Reason)])]}
            end
    end.

%% An application's directory need not have its name: its .app file tells, or else
%% the module of that name.
-spec find(atom(), file:filename()) -> {ok, file:filename()} | {error, string()}.
find(App, ShadowRoot) ->
    Found = [Dir || File <- [atom_to_list(App) ++ ".app",
                             atom_to_list(App) ++ ".beam"],
                    Dir <- installed_path(ShadowRoot),
                    filelib:is_regular(filename:join(Dir, File))],
    case Found of
        [Dir | _] ->
            case filename:basename(Dir) of
                "ebin" -> {ok, filename:dirname(Dir)};
                _ -> {error, text("isolate ~tp: found in ~ts, expected the directory "
                                  "ebin of an application", [App, Dir])}
            end;
        [] ->
            {error, text("isolate ~tp: no such application: neither ~tp.app nor the "
                         "module ~tp is in the code path; check the name, and that "
                         "the application is installed", [App, App, App])}
    end.

-spec installed_path(file:filename()) -> [file:filename()].
installed_path(ShadowRoot) ->
    [Dir || Dir0 <- code:get_path(), Dir <- [filename:absname(Dir0)],
            not lists:prefix(ShadowRoot ++ "/", Dir)].

%% Names of an application's directory, the one that was found first. Others are links to it that
%% are on the code path too: `code:lib_dir/1' goes by the name, so each must lead to the shadow.
-spec names(file:filename(), file:filename()) -> [file:filename(), ...].
names(Dir, ShadowRoot) ->
    Id = identity(Dir),
    Others = [filename:basename(Other) || Ebin <- installed_path(ShadowRoot),
                                          filename:basename(Ebin) =:= "ebin",
                                          Other <- [filename:dirname(Ebin)], Other =/= Dir,
                                          identity(Other) =:= Id],
    Own = filename:basename(Dir),
    [Own | lists:delete(Own, lists:usort(Others))].

identity(Dir) ->
    case file:read_file_info(Dir) of
        {ok, #file_info{major_device = Device, inode = Inode}} -> {Device, Inode};
        {error, _} -> {unreadable, Dir}
    end.

%% @doc What becomes of each file below priv.
-spec plan(file:filename(), cordon_options:given()) -> {plan(), [string()]}.
plan(Dir, Options) ->
    Planned = [{Relative, kind(filename:join(Dir, Relative), Options)}
               || Relative <- files(Dir, "priv", [])],
    {[{Relative, Kind} || {Relative, Kind} <- Planned, not is_error(Kind)],
     [Text || {_, {error, Text}} <- Planned]}.

is_error({error, _}) -> true;
is_error(_) -> false.

%% All files below a directory, links to directories followed, each directory once
%% on the way down.
-spec files(file:filename(), file:filename(), [term()]) -> [file:filename()].
files(Dir, Relative, Above) ->
    Path = filename:join(Dir, Relative),
    case file:read_file_info(Path) of
        {ok, #file_info{type = directory, major_device = Device, inode = Inode}} ->
            Id = {Device, Inode},
            case lists:member(Id, Above) of
                true -> [];
                false ->
                    lists:append([files(Dir, filename:join(Relative, Name), [Id | Above])
                                  || Name <- list_dir(Path)])
            end;
        {ok, #file_info{}} ->
            [Relative];
        {error, _} when Relative =:= "priv" ->
            [];
        {error, _} ->
            [Relative]
    end.

%% Only a file that can be a NIF library is opened in a host: opening runs code.
-spec kind(file:filename(), cordon_options:given()) ->
          link | native | cordon_shim:shim() | {error, string()}.
kind(Path, Options) ->
    case filename:extension(Path) =:= ".so" andalso file:read_file(Path) of
        {ok, <<16#7f, "ELF", _/binary>> = Content} ->
            case binary:match(Content, <<"nif_init">>) of
                nomatch -> link;
                _ -> shim(Path, Options)
            end;
        _ ->
            link
    end.

shim(Path, Options) ->
    case cordon_shim:make_or_leave(filename:rootname(Path), Options) of
        {ok, Shim} -> Shim;
        {native, _Why} -> native;
        {error, {bad_lib, _}} -> link; % no NIF library: load_nif refuses it as well
        {error, {_, Text}} -> {error, Text}
    end.

%% Real directories for ebin and priv, since the code server must find those; all
%% else is reached through a link.
-spec fill(file:filename(), file:filename(), [file:filename(), ...], plan()) ->
          ok | {error, {file:filename(), file:posix()}}.
fill(Dir, Shadow, [Own | Names], Plan) ->
    case fill(Dir, filename:join(Shadow, Own), Plan) of
        ok -> link_each(Own, Shadow, Names);
        {error, _} = Error -> Error
    end.

link_each(_Own, _Shadow, []) ->
    ok;
link_each(Own, Shadow, [Name | Names]) ->
    Link = filename:join(Shadow, Name),
    case file:make_symlink(Own, Link) of
        ok -> link_each(Own, Shadow, Names);
        {error, Reason} -> {error, {Link, Reason}}
    end.

fill(Dir, Shadow, Plan) ->
    Ebin = [filename:join("ebin", Name) || Name <- list_dir(filename:join(Dir, "ebin"))],
    Others = list_dir(Dir) -- ["ebin", "priv"],
    Links = [{Relative, link} || Relative <- Ebin ++ Others],
    fill_each(Dir, Shadow, Links ++ Plan).

fill_each(_Dir, _Shadow, []) ->
    ok;
fill_each(Dir, Shadow, [{Relative, Kind} | Rest]) ->
    To = filename:join(Shadow, Relative),
    case put_file(Kind, filename:join(Dir, Relative), To) of
        ok -> fill_each(Dir, Shadow, Rest);
        {error, {_, _}} = Error -> Error;
        {error, Reason} -> {error, {To, Reason}}
    end.

put_file(Kind, From, To) when Kind =:= link; Kind =:= native ->
    case filelib:ensure_dir(To) of
        ok -> file:make_symlink(From, To);
        {error, _} = Error -> Error
    end;
put_file(Shim, _From, To) ->
    cordon_shim:copy(Shim, filename:rootname(To)).

-spec list_dir(file:filename()) -> [file:filename()].
list_dir(Dir) ->
    case file:list_dir(Dir) of
        {ok, Names} -> lists:sort(Names);
        {error, _} -> []
    end.

-spec text(string(), [term()]) -> string().
text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args, [{chars_limit, 2000}])).
