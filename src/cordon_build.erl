%%% @private
%%% cordon's own native files: whether they belong together, what they offer, and
%%% where a shim on disk will find them.
-module(cordon_build).

-export([fits/2, api/1, at_run_time/2]).

-define(RUN_TIMEOUT, 10000).

%% @doc Whether a proxy and a nif_host are there and of one build.
-spec fits(file:filename(), file:filename()) -> ok | {error, string()}.
fits(Proxy, NifHost) ->
    case {file:read_file(Proxy), run(NifHost, ["--version"])} of
        {{ok, Content}, {ok, Output}} ->
            Id = string:trim(Output),
            case Id =/= <<>> andalso binary:match(Content, Id) =/= nomatch of
                true -> ok;
                false ->
                    {error, text("~ts and ~ts are of different builds of cordon; build it again",
                                 [Proxy, NifHost])}
            end;
        {{error, Reason}, _} ->
            {error, text("cordon's ~ts can't be read (~ts)",
                         [Proxy, file:format_error(Reason)])};
        {_, {error, Text}} ->
            {error, Text}
    end.

%% @doc Every function of the NIF API that cordon has.
-spec api(file:filename()) -> {ok, [binary()]} | {error, string()}.
api(NifHost) ->
    case run(NifHost, ["--api"]) of
        {ok, Output} ->
            {ok, [Name || Line <- binary:split(Output, <<"\n">>, [global, trim_all]),
                          [Name, _Since] <- [binary:split(Line, <<" ">>)]]};
        {error, _} = Error ->
            Error
    end.

-spec run(file:filename(), [string()]) -> {ok, binary()} | {error, string()}.
run(Program, Args) ->
    try open_port({spawn_executable, Program},
                  [{args, Args}, exit_status, binary, stderr_to_stdout, use_stdio]) of
        Port -> collect(Port, Program, <<>>)
    catch
        error:Reason when is_atom(Reason) ->
            {error, text("cordon's ~ts can't be run (~ts); expected the program nif_host",
                         [Program, file:format_error(Reason)])}
    end.

collect(Port, Program, Output) ->
    receive
        {Port, {data, Data}} -> collect(Port, Program, <<Output/binary, Data/binary>>);
        {Port, {exit_status, 0}} -> {ok, Output};
        {Port, {exit_status, Status}} ->
            {error, text("cordon's ~ts ended with status ~w; build cordon again",
                         [Program, Status])}
    after ?RUN_TIMEOUT ->
            true = port_close(Port),
            {error, text("cordon's ~ts does not answer; build cordon again", [Program])}
    end.

%% @doc The proxy and the program that the shim of `File' uses: those of the release
%% that it is in, else this cordon's own. Relative to the sidecar when both are in one
%% release, which then may be moved as a whole.
-spec at_run_time(file:filename(), file:filename() | undefined) ->
          {ok, #{proxy := file:filename(), nif_host := file:filename()}} | {error, string()}.
at_run_time(File, Given) ->
    Root = release_root(filename:dirname(File)),
    case priv_dir(Root, Given) of
        {ok, Priv} ->
            Proxy = filename:join(Priv, "cordon_nif.so"),
            NifHost = filename:join(Priv, "nif_host"),
            case same_build(Priv, Proxy, NifHost) of
                ok ->
                    Named = fun(Path) -> name(Path, File, Root) end,
                    {ok, #{proxy => Named(Proxy), nif_host => Named(NifHost)}};
                {error, _} = Error ->
                    Error
            end;
        {error, _} = Error ->
            Error
    end.

%% The nearest directory above with the two that every release has.
release_root(Dir) ->
    case filelib:is_dir(filename:join(Dir, "lib"))
        andalso filelib:is_dir(filename:join(Dir, "releases")) of
        true -> Dir;
        false ->
            case filename:dirname(Dir) of
                Dir -> none;
                Above -> release_root(Above)
            end
    end.

priv_dir(_Root, Given) when Given =/= undefined ->
    Priv = filename:join(Given, "priv"),
    case filelib:is_regular(filename:join(Priv, "nif_host")) of
        true -> cordon_place:real_path(filename:absname(Priv));
        false ->
            {error, text("--cordon ~ts: there is no ~ts; expected the directory of the "
                         "application cordon, as in lib/cordon-1.2.3", [Given, Priv ++ "/nif_host"])}
    end;
priv_dir(none, undefined) ->
    cordon_place:real_path(cordon_native:priv_dir());
priv_dir(Root, undefined) ->
    case filelib:wildcard("lib/cordon-*/priv/nif_host", Root) of
        [One] -> cordon_place:real_path(filename:dirname(filename:join(Root, One)));
        [] -> cordon_place:real_path(cordon_native:priv_dir());
        [_ | _] = Several ->
            {error, text("the release ~ts has ~w versions of cordon (~ts); say by --cordon DIR "
                         "which one will run",
                         [Root, length(Several),
                          lists:join(", ", [filename:dirname(filename:dirname(S))
                                            || S <- Several])])}
    end.

%% What this cordon writes only one of the same build is sure to read.
same_build(Priv, Proxy, NifHost) ->
    Own = cordon_native:priv_dir(),
    case fits(Proxy, NifHost) of
        ok ->
            case run(filename:join(Own, "nif_host"), ["--version"]) =:=
                run(NifHost, ["--version"]) of
                true -> ok;
                false ->
                    {error, text("the cordon in ~ts is of another build than this one in ~ts; "
                                 "use that one's bin/cordon", [Priv, Own])}
            end;
        {error, _} = Error ->
            Error
    end.

name(Path, _File, none) ->
    Path;
name(Path, File, Root) ->
    case lists:prefix(Root ++ "/", Path) of
        true -> relative(filename:split(Path), filename:split(filename:dirname(File)));
        false -> Path
    end.

relative([Part | Path], [Part | Dir]) -> relative(Path, Dir);
relative(Path, Dir) -> filename:join([".." || _ <- Dir] ++ Path).

text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args, [{chars_limit, 2000}])).
