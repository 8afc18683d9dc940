%%% @private
%%% Steps on a directory, each of which a power cut leaves done or not done, and
%%% the lock under which they are taken.
%%%
%%% A file that others may have mapped or open is never written: it is written anew
%%% beside its place, made durable, and renamed.
-module(cordon_disk).

-export([run/1, with_lock/2, same_file/2, format_error/1]).

-export_type([step/0, error/0]).

-include_lib("kernel/include/file.hrl").

-type step() ::
        {link, From :: file:filename(), To :: file:filename()} |
        %% with the owner of `Like', and its mode but for execution
        {write, file:filename(), binary(), Like :: file:filename()} |
        {rename, From :: file:filename(), To :: file:filename()} |
        {delete, file:filename()} |
        {sync, Directory :: file:filename()} |
        %% both names are of one file still: what is replaced next is what was linked
        {unchanged, file:filename(), file:filename()}.
-type error() :: {step(), file:posix() | badarg | changed}.

-define(EXECUTABLE, 8#111).

%% @doc Takes the steps in order, up to the first that can't be taken.
-spec run([step()]) -> ok | {error, error()}.
run([]) ->
    ok;
run([Step | Steps]) ->
    case take(Step) of
        ok -> run(Steps);
        {error, Reason} -> {error, {Step, Reason}}
    end.

take({link, From, To}) -> file:make_link(From, To);
take({write, File, Data, Like}) -> write(File, Data, Like);
take({rename, From, To}) -> file:rename(From, To);
take({sync, Directory}) -> sync(Directory, [read, raw, directory]);
take({delete, File}) ->
    case file:delete(File) of
        {error, enoent} -> ok;
        Deleted -> Deleted
    end;
take({unchanged, A, B}) ->
    case same_file(A, B) of
        true -> ok;
        false -> {error, changed}
    end.

%% Whatever a run that was interrupted has left there is not written to but replaced.
write(File, Data, Like) ->
    maybe_all([fun() -> take({delete, File}) end,
               fun() -> file:write_file(File, Data, [exclusive, raw]) end,
               fun() -> make_like(File, Like) end,
               fun() -> sync(File, [read, write, raw]) end]).

make_like(File, Like) ->
    case file:read_file_info(Like) of
        {ok, #file_info{mode = Mode, uid = Uid, gid = Gid}} ->
            %% Only a privileged user may give it away; for others it is theirs.
            _ = file:change_owner(File, Uid, Gid),
            file:change_mode(File, Mode band 8#777 band bnot ?EXECUTABLE);
        {error, _} = Error ->
            Error
    end.

sync(Path, Modes) ->
    case file:open(Path, Modes) of
        {ok, Device} ->
            Synced = file:sync(Device),
            _ = file:close(Device),
            Synced;
        {error, _} = Error ->
            Error
    end.

maybe_all([]) ->
    ok;
maybe_all([Do | More]) ->
    case Do() of
        ok -> maybe_all(More);
        {error, _} = Error -> Error
    end.

%% @doc Whether two names are of one file.
-spec same_file(file:filename(), file:filename()) -> boolean().
same_file(A, B) ->
    case {file:read_link_info(A), file:read_link_info(B)} of
        {{ok, #file_info{inode = Inode, major_device = Device}},
         {ok, #file_info{inode = Inode, major_device = Device}}} -> true;
        _ -> false
    end.

%% @doc Runs a function while no other cordon changes the directory. The lock is a
%% socket's abstract name (unix(7)): the kernel lets it go when this process ends,
%% however it ends, so nobody finds a stale one.
-spec with_lock(file:filename(), fun(() -> T)) -> T | {error, busy | file:posix()}.
with_lock(Directory, Do) ->
    case file:read_file_info(Directory) of
        {ok, #file_info{inode = Inode, major_device = Device}} ->
            Name = iolist_to_binary(io_lib:format("cordon-~w-~w", [Device, Inode])),
            case gen_tcp:listen(0, [{ifaddr, {local, <<0, Name/binary>>}}]) of
                {ok, Socket} ->
                    try Do()
                    after gen_tcp:close(Socket)
                    end;
                {error, eaddrinuse} -> {error, busy};
                {error, Reason} -> {error, Reason}
            end;
        {error, Reason} ->
            {error, Reason}
    end.

-spec format_error(error()) -> string().
format_error({{unchanged, File, _}, changed}) ->
    File ++ " was changed by somebody else at the same time; try again";
format_error({{link, File, Link}, Reason}) when Reason =:= eperm; Reason =:= enotsup ->
    text("~ts can't be linked to ~ts (~ts); expected a file of this user on a file system "
         "with hard links: run it as the owner of the file, or install before the file is "
         "copied there", [File, Link, file:format_error(Reason)]);
format_error({Step, Reason}) ->
    text("~ts can't be changed (~ts); expected a directory that this user may write, with "
         "space left", [path(Step), file:format_error(Reason)]).

path({link, _, To}) -> To;
path({rename, _, To}) -> To;
path({write, File, _, _}) -> File;
path({delete, File}) -> File;
path({sync, Directory}) -> Directory.

text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args)).
