%%% @doc Runs NIF libraries in processes of their own, outside the VM.
%%%
%%% A module isolates its own library with one change in its `-on_load' function:
%%% ```
%%% init() ->
%%%     erlang:load_nif(cordon:shim(Path), 0).
%%% '''
%%% where `Path' is what `erlang:load_nif/2' took before. Installed dependencies
%%% are isolated by configuration alone, see `docs/isolating-a-dependency.md'.
%%%
%%% When the library crashes, each caller in flight gets
%%% `error:{nif_host_down, Info}', and the next call starts it again.
-module(cordon).

-export([shim/1, shim/2, check/1, check/2, which_hosts/0, info/0]).

%% @equiv shim(Path, #{})
-spec shim(file:name_all()) -> file:filename().
shim(Path) ->
    shim(Path, #{}).

%% @doc Makes a shim for a library, and returns the path to give to
%% `erlang:load_nif/2' in the place of `Path'.
%%
%% It never raises an exception. When no shim can be made, it returns a path for
%% which `erlang:load_nif/2' returns `{error, {load_failed, Text}}', where `Text'
%% says what is wrong. The options are those of {@link cordon_options}.
%%
%% It returns `Path' itself, after a warning in the log, when the environment variable
%% `CORDON_DISABLE' names the library (by its file's name without ".so", or by the
%% application whose `priv' it lies in), and when no host can run on this machine while
%% `unsupported' of the application `cordon' is `native'.
-spec shim(file:name_all(), map()) -> file:filename().
shim(Path, Options) ->
    try cordon_shim:make_or_leave(Path, Options) of
        {ok, Shim} -> Shim;
        {native, _Why} -> Path;
        {error, {_Reason, Text}} -> cordon_refusal:path(Path, Text)
    catch
        Class:Reason:Stack ->
            Text = io_lib:format("unexpected ~0tp:~0tp at ~0tp; please report it",
                                 [Class, Reason, hd(Stack ++ [unknown])],
                                 [{chars_limit, 1000}]),
            cordon_refusal:path(Path, lists:flatten(Text))
    end.

%% @equiv check(Path, #{})
-spec check(file:name_all()) -> ok | {error, {atom(), string()}}.
check(Path) ->
    check(Path, #{}).

%% @doc Whether {@link shim/2} would work: opens the library in a host of its own,
%% with the given options, and loads nothing into the VM.
-spec check(file:name_all(), map()) -> ok | {error, {Reason :: atom(), Text :: string()}}.
check(Path, Options) ->
    case cordon_shim:check(Path, Options) of
        {ok, _Manifest} -> ok;
        {error, _} = Error -> Error
    end.

%% @doc The hosts of this VM, one for each isolated library.
-spec which_hosts() -> [cordon_nif:host()].
which_hosts() ->
    case erlang:module_loaded(cordon_nif) of
        true -> cordon_nif:hosts();
        false -> []
    end.

%% @doc What runs, and with which settings.
-spec info() -> #{version := string() | undefined,
                  keeper := pos_integer() | undefined,
                  guard := cordon_nif:guard() | undefined,
                  hosts := [cordon_nif:host()],
                  isolated := [cordon_shadow:shadow()],
                  cache_dir := {ok, file:filename()} | {error, string()},
                  default_options := cordon_options:options()}.
info() ->
    {Keeper, Guard} = case erlang:module_loaded(cordon_nif) of
                          true -> {cordon_nif:keeper(), cordon_nif:guard()};
                          false -> {undefined, undefined}
                      end,
    _ = application:load(cordon),
    Version = case application:get_key(cordon, vsn) of
                  {ok, Vsn} -> Vsn;
                  undefined -> undefined
              end,
    #{version => Version,
      keeper => Keeper,
      guard => Guard,
      hosts => which_hosts(),
      isolated => cordon_isolate:installed(),
      cache_dir => cordon_cache:dir(),
      default_options => cordon_options:defaults()}.
