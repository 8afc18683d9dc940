%%% @private
%%% Gets the native side ready: its own library is loaded, the keeper runs, the
%%% observer listens. Works before the application is started, since modules with
%%% NIFs may be loaded at any time.
-module(cordon_native).

-export([ensure_started/0, discover/2, read_sidecar/1, edit_sidecar/2, digest/1, is_noexec/1, files/0,
         priv_dir/0, unsupported/0]).

-type error() :: cordon_nif:error().

%% @doc Idempotent, and called for each shim: a `nif_host' that has been replaced
%% or can't be run is found here rather than at the first call.
-spec ensure_started() -> ok | error().
ensure_started() ->
    load_application(),
    case code:ensure_loaded(cordon_nif) of
        {module, _} -> start();
        {error, Reason} -> {error, {nif_host, not_loaded(Reason)}}
    end.

-spec start() -> ok | error().
start() ->
    #{nif_host := NifHost, proxy := Proxy} = files(),
    case cordon_nif:start(bytes(NifHost), bytes(Proxy)) of
        ok -> cordon_events:ensure_started();
        {error, _} = Error -> decoded(Error)
    end.

-spec discover(file:filename(), cordon_options:options()) ->
          {ok, cordon_nif:manifest(), binary()} | error().
discover(Library, Options) ->
    decoded(cordon_nif:discover(bytes(Library), Options)).

-spec read_sidecar(file:filename()) -> {ok, cordon_nif:sidecar()} | error().
read_sidecar(File) ->
    case decoded(cordon_nif:read_sidecar(bytes(File))) of
        {ok, Sidecar} ->
            {ok, maps:map(fun(Key, Path) when Key =:= proxy; Key =:= nif_host; Key =:= library ->
                                  characters(Path);
                             (_, Value) -> Value
                          end, Sidecar)};
        {error, _} = Error ->
            Error
    end.

-spec edit_sidecar(binary(), map()) -> {ok, binary()} | error().
edit_sidecar(Sidecar, Changes) ->
    decoded(cordon_nif:edit_sidecar(
              Sidecar,
              maps:map(fun(Key, Path) when Key =:= proxy; Key =:= nif_host; Key =:= library;
                                           Key =:= application ->
                               bytes(Path);
                          (_, Value) -> Value
                       end, Changes))).

-spec digest(file:filename()) -> {ok, binary()} | {error, file:posix()}.
digest(File) ->
    cordon_nif:digest(bytes(File)).

-spec is_noexec(file:filename()) -> boolean().
is_noexec(Directory) ->
    cordon_nif:is_noexec(bytes(Directory)).

%% The native side knows names of files as the bytes that they are in the file system.
-spec bytes(file:filename_all()) -> binary().
bytes(Name) when is_binary(Name) ->
    Name;
bytes(Name) ->
    case unicode:characters_to_binary(Name, unicode, file:native_name_encoding()) of
        Bytes when is_binary(Bytes) -> Bytes;
        _ -> unicode:characters_to_binary(Name)
    end.

-spec characters(string()) -> string().
characters(Bytes) ->
    case unicode:characters_to_list(list_to_binary(Bytes), file:native_name_encoding()) of
        Characters when is_list(Characters) -> Characters;
        _ -> Bytes
    end.

decoded({error, {Reason, Text}}) -> {error, {Reason, characters(Text)}};
decoded(Result) -> Result.

%% @doc cordon's own native files.
-spec files() -> #{proxy | shim | nif_host => file:filename()}.
files() ->
    Priv = priv_dir(),
    #{proxy => filename:join(Priv, "cordon_nif.so"),
      shim => filename:join(Priv, "cordon_shim.so"),
      nif_host => filename:join(Priv, "nif_host")}.

%% @doc The directory that holds cordon's native files: beside `ebin'. To be
%% found also when cordon_nif can't be loaded.
-spec priv_dir() -> file:filename().
priv_dir() ->
    %% code:priv_dir/1 only where the module has no file (cover): any directory named
    %% "cordon" on the code path would do for that, another checkout too.
    Dir = case {code:which(cordon_nif), code:priv_dir(cordon)} of
              {File, _} when is_list(File), File =/= [] ->
                  filename:join(filename:dirname(filename:dirname(File)), "priv");
              {_, Found} when is_list(Found) ->
                  Found;
              _ ->
                  "priv"
          end,
    filename:absname(Dir).

%% @doc What is to happen on a machine that can't run hosts: refuse to isolate, or
%% load natively.
-spec unsupported() -> {ok, refuse | native} | {error, string()}.
unsupported() ->
    load_application(),
    case application:get_env(cordon, unsupported, refuse) of
        Policy when Policy =:= refuse; Policy =:= native ->
            {ok, Policy};
        Other ->
            {error, lists:flatten(io_lib:format("unsupported of the application cordon is ~0tp, "
                                                "expected refuse or native", [Other]))}
    end.

%% So that the configuration is there. Early in the boot of a release there is no
%% application controller yet; then the defaults hold.
-spec load_application() -> ok.
load_application() ->
    case whereis(application_controller) of
        undefined -> ok;
        _ -> _ = application:load(cordon), ok
    end.

-spec not_loaded(atom()) -> string().
not_loaded(Reason) ->
    Path = filename:join(priv_dir(), "cordon_nif.so"),
    Why = case filelib:is_regular(Path) of
              true -> "could not be loaded (" ++ atom_to_list(Reason) ++
                          "; the log of this node has the details)";
              false -> "does not exist" ++ other_system()
          end,
    "cordon's own library " ++ Path ++ " " ++ Why ++
        "; build cordon again with rebar3 compile".

%% Elsewhere the native half is not built.
-spec other_system() -> string().
other_system() ->
    case os:type() of
        {unix, linux} -> "";
        {_, Name} -> " (hosts run on Linux, this is " ++ atom_to_list(Name) ++ ")"
    end.
