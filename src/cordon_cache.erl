%%% @private
%%% The directory where shims and shadows are kept. Libraries are loaded into the
%%% VM from it, so nobody else may be able to write there.
%%%
%%% Entries are named by the hash of what they were made from and appear whole, by
%%% a rename: several VMs may make the same one at the same time.
-module(cordon_cache).

-export([dir/0, hash/1, ensure_entry/2, write_file/2]).

-include_lib("kernel/include/file.hrl").

-define(PRIVATE, 8#700).
-define(WRITABLE_BY_OTHERS, 8#022).

-type checked() :: {ok, file:filename()} | {error, {unusable | unsafe, string()}}.

%% @doc The cache directory; it exists, is ours and private. A configured one
%% (`cache_dir' of the application `cordon') is used or refused, never replaced.
-spec dir() -> {ok, file:filename()} | {error, Text :: string()}.
dir() ->
    Checked = case application:get_env(cordon, cache_dir) of
                  {ok, Dir} -> configured(Dir);
                  undefined -> default()
              end,
    case Checked of
        {ok, _} -> Checked;
        {error, {_, Text}} -> {error, Text}
    end.

-spec configured(term()) -> checked().
configured(Dir) ->
    try filename:absname(filename:flatten(Dir)) of
        Abs when is_list(Abs), Dir =/= [] -> usable(Abs);
        Abs when is_binary(Abs) -> usable(unicode:characters_to_list(Abs));
        _ -> ill_typed(Dir)
    catch
        error:_ -> ill_typed(Dir)
    end.

-spec ill_typed(term()) -> checked().
ill_typed(Dir) ->
    {error, {unusable, text("cache_dir is ~0tp, expected the path of a directory",
                            [Dir])}}.

%% Below /tmp for users without a home, or with one that can't be written. A
%% directory that somebody else could write to is never passed over in silence.
-spec default() -> checked().
default() ->
    try usable(filename:absname(filename:basedir(user_cache, "cordon"))) of
        {error, {unusable, _}} -> temporary();
        Checked -> Checked
    catch
        error:_ -> temporary()
    end.

-spec temporary() -> checked().
temporary() ->
    case own_uid("/tmp") of
        {ok, Uid} -> usable("/tmp/cordon-" ++ integer_to_list(Uid));
        {error, Reason} -> unusable("/tmp", Reason)
    end.

-spec usable(file:filename()) -> checked().
usable(Dir) ->
    IsNew = not filelib:is_dir(Dir),
    case filelib:ensure_path(Dir) of
        ok when IsNew ->
            _ = file:change_mode(Dir, ?PRIVATE),
            check(Dir);
        ok ->
            check(Dir);
        {error, Reason} ->
            unusable(Dir, Reason)
    end.

-spec check(file:filename()) -> checked().
check(Dir) ->
    case {own_uid(Dir), file:read_link_info(Dir)} of
        {{ok, Uid}, {ok, #file_info{uid = Uid, mode = Mode, type = directory}}}
          when Mode band ?WRITABLE_BY_OTHERS =:= 0 ->
            executable(Dir);
        {{ok, Uid}, {ok, #file_info{uid = Uid, type = directory, mode = Mode}}} ->
            unsafe(Dir, text("others can write to it (mode ~.8b)", [Mode band 8#7777]));
        {{ok, Uid}, {ok, #file_info{uid = Uid}}} ->
            unsafe(Dir, "it is not a directory but a link");
        {{ok, Uid}, {ok, #file_info{uid = Other}}} ->
            unsafe(Dir, text("it belongs to user ~w, this VM runs as ~w", [Other, Uid]));
        {{error, Reason}, _} ->
            unusable(Dir, Reason);
        {_, {error, Reason}} ->
            unusable(Dir, Reason)
    end.

%% Shims are libraries that the VM loads. Without the native side nobody can tell, and
%% nothing is loaded either.
-spec executable(file:filename()) -> checked().
executable(Dir) ->
    case code:ensure_loaded(cordon_nif) of
        {module, _} ->
            case cordon_native:is_noexec(Dir) of
                false -> {ok, Dir};
                true -> {error, {unusable, text("the cache directory ~ts is on a file system "
                                                "mounted noexec, from which no library can be "
                                                "loaded; set cache_dir of the application "
                                                "cordon to a directory on another one", [Dir])}}
            end;
        {error, _} ->
            {ok, Dir}
    end.

-spec unusable(file:filename(), file:posix() | badarg | system_limit | terminated) ->
          checked().
unusable(Dir, Reason) ->
    Why = case Reason of
              eexist -> "it is not a directory";
              _ -> file:format_error(Reason)
          end,
    {error, {unusable, text("the cache directory ~ts can't be written (~ts); set "
                            "cache_dir of the application cordon to one that can",
                            [Dir, Why])}}.

-spec unsafe(file:filename(), string()) -> checked().
unsafe(Dir, Why) ->
    {error, {unsafe, text("the cache directory ~ts is not safe: ~ts; expected a "
                          "directory that this user owns and only this user can "
                          "write to. Correct it, or set cache_dir of the application "
                          "cordon", [Dir, Why])}}.

%% There is no getuid in Erlang; a file that we make shows it, and that the
%% directory can be written.
-spec own_uid(file:filename()) -> {ok, non_neg_integer()} | {error, file:posix()}.
own_uid(Dir) ->
    Probe = temporary_name(filename:join(Dir, ".probe")),
    case file:write_file(Probe, <<>>, [exclusive]) of
        ok ->
            Info = file:read_link_info(Probe),
            _ = file:delete(Probe),
            case Info of
                {ok, #file_info{uid = Uid}} -> {ok, Uid};
                {error, _} = Error -> Error
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc The name of an entry: a hash in hexadecimal digits of any term.
-spec hash(term()) -> string().
hash(Term) ->
    Md5 = erlang:md5(term_to_binary(Term, [{minor_version, 2}, deterministic])),
    string:lowercase(binary_to_list(binary:encode_hex(Md5))).

%% @doc Makes the directory `Entry' unless it is there. `Fill' is called with a
%% directory beside it, which is renamed when all is in place.
-spec ensure_entry(file:filename(), fun((file:filename()) -> ok | {error, E})) ->
          ok | {error, E | {file:filename(), file:posix()}}.
ensure_entry(Entry, Fill) ->
    case filelib:is_dir(Entry) of
        true -> ok;
        false -> make_entry(Entry, Fill)
    end.

make_entry(Entry, Fill) ->
    Temporary = temporary_name(Entry),
    Result = case filelib:ensure_path(Temporary) of
                 ok -> Fill(Temporary);
                 {error, Reason} -> {error, {Temporary, Reason}}
             end,
    case Result of
        ok -> publish(Temporary, Entry);
        {error, _} ->
            _ = file:del_dir_r(Temporary),
            Result
    end.

%% When another VM was faster, its entry is as good as ours.
-spec publish(file:filename(), file:filename()) ->
          ok | {error, {file:filename(), file:posix()}}.
publish(Temporary, Entry) ->
    case file:rename(Temporary, Entry) of
        ok -> ok;
        {error, Reason} ->
            _ = file:del_dir_r(Temporary),
            case filelib:is_dir(Entry) of
                true -> ok;
                false -> {error, {Entry, Reason}}
            end
    end.

%% @doc Writes a file that is either whole or not there.
-spec write_file(file:filename(), binary()) -> ok | {error, {file:filename(), file:posix()}}.
write_file(Path, Data) ->
    Temporary = temporary_name(Path),
    case file:write_file(Temporary, Data, [exclusive]) of
        ok ->
            case file:rename(Temporary, Path) of
                ok -> ok;
                {error, Reason} ->
                    _ = file:delete(Temporary),
                    {error, {Path, Reason}}
            end;
        {error, Reason} ->
            {error, {Path, Reason}}
    end.

-spec temporary_name(file:filename()) -> file:filename().
temporary_name(Path) ->
    Unique = erlang:unique_integer([positive]),
    lists:concat([Path, ".", os:getpid(), ".", Unique, ".tmp"]).

-spec text(string(), [term()]) -> string().
text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args)).
