%%% @private
%%% The native side of cordon, as seen from Erlang. Its library,
%%% `priv/cordon_nif.so', is also what every shim calls into: one copy for the VM.
-module(cordon_nif).

-export([start/2, discover/2, read_sidecar/1, edit_sidecar/2, set_observer/1, output_done/1, hosts/0,
         stop_host/1, keeper/0, guard/0, digest/1, is_noexec/1, priv_dir/0]).

-export_type([manifest/0, requirements/0, sidecar/0, guard/0, host/0, error/0]).

-on_load(init/0).

-type error() :: {error, {Reason :: atom(), Text :: string()}}.
-type manifest() ::
        #{module := atom(), major := integer(), minor := integer(),
          functions := [{atom(), arity(), normal | dirty_cpu | dirty_io}],
          load := boolean(), upgrade := boolean(), unload := boolean(),
          vm_variant := string(), min_erts := string(),
          requirements => requirements()}.
%% What is in a library's record (include/cordon_requirements.h), without what it leaves
%% open. Flags that this cordon doesn't know are called bit_N.
-type requirements() ::
        #{version := pos_integer(), flags := [atom()],
          memory => pos_integer(), address_space => pos_integer(),
          pool_size => pos_integer(), stack_size => pos_integer(),
          call_timeout => pos_integer(), load_timeout => pos_integer(),
          upgrade_timeout => pos_integer(), atom_limit => pos_integer(),
          minimum_profile => none | default | strict, group => string()}.
%% Paths are absolute; application is empty when it is not known.
-type sidecar() ::
        #{proxy := string(), nif_host := string(), library := string(),
          application := string(), unsupported := refuse | native,
          library_digest => string(),
          options := cordon_options:options(), given := [atom()],
          manifest := manifest()}.
-type guard() ::
        #{holds := [atom()], missing := [{Part :: atom(), Text :: string()}],
          confined_ns := non_neg_integer()}.
-type host() ::
        #{host := pos_integer(), os_pid := integer(), generation := pos_integer(),
          module := atom(), library := string(), modules := [atom()],
          group => string(), state := running | down,
          calls := non_neg_integer(), age_ms := non_neg_integer()}.

-spec init() -> ok | error().
init() ->
    %% The other half of the atoms is for the VM itself, which ends when there is none left.
    FreeAtoms = erlang:system_info(atom_limit) - erlang:system_info(atom_count),
    Info = #{dirty_io_schedulers => erlang:system_info(dirty_io_schedulers),
             atoms_left => FreeAtoms div 2,
             port => hd(erlang:ports())},
    erlang:load_nif(filename:join(cordon_native:priv_dir(), "cordon_nif"), Info).

-spec priv_dir() -> file:filename().
priv_dir() ->
    cordon_native:priv_dir().

%% @doc Starts the keeper if none runs, and checks that the parts are of one version.
-spec start(NifHost :: file:filename_all(), Proxy :: file:filename_all()) -> ok | error().
start(_NifHost, _Proxy) ->
    erlang:nif_error(not_loaded).

%% @doc Opens a library in a fresh host and tells what is in it. The second
%% element is the content of the shim's sidecar.
-spec discover(file:filename_all(), cordon_options:options()) ->
          {ok, manifest(), Sidecar :: binary()} | error().
discover(_Library, _Options) ->
    erlang:nif_error(not_loaded).

%% @doc What the sidecar of a shim says.
-spec read_sidecar(file:filename_all()) -> {ok, sidecar()} | error().
read_sidecar(_File) ->
    erlang:nif_error(not_loaded).

%% @doc A sidecar with other paths (they may be relative to the directory it will lie
%% in), options, or policy.
-spec edit_sidecar(binary(), #{proxy | nif_host | library => file:filename_all(),
                               application => file:filename_all(), unsupported => refuse | native,
                               library_digest => string(),
                               options => cordon_options:options(), given => [atom()]}) ->
          {ok, binary()} | error().
edit_sidecar(_Sidecar, _Changes) ->
    erlang:nif_error(not_loaded).

%% @doc Makes a process the receiver of `{cordon_event, Event, Info}' messages.
-spec set_observer(pid()) -> ok.
set_observer(_Pid) ->
    erlang:nif_error(not_loaded).

%% @doc Acknowledges a `host_output' event, and so asks for the next.
-spec output_done(pos_integer()) -> ok.
output_done(_Host) ->
    erlang:nif_error(not_loaded).

-spec hosts() -> [host()].
hosts() ->
    erlang:nif_error(not_loaded).

%% @doc Kills a host. The next call of its library starts a new one.
-spec stop_host(pos_integer()) -> ok | {error, not_found}.
stop_host(_Host) ->
    erlang:nif_error(not_loaded).

%% @doc What hosts have said of their guard: which parts hold, and what this machine
%% lacks. Nothing before the first host.
-spec guard() -> guard().
guard() ->
    erlang:nif_error(not_loaded).

%% @doc By which a file's content is known again (BLAKE2b). Takes no time of normal schedulers.
-spec digest(file:filename_all()) -> {ok, binary()} | {error, file:posix()}.
digest(_File) ->
    erlang:nif_error(not_loaded).

%% @doc Whether a directory is on a file system that is mounted noexec, from which no
%% library can be loaded.
-spec is_noexec(file:name_all()) -> boolean().
is_noexec(_Directory) ->
    erlang:nif_error(not_loaded).

%% @doc The keeper's process id in the operating system.
-spec keeper() -> pos_integer() | undefined.
keeper() ->
    erlang:nif_error(not_loaded).
