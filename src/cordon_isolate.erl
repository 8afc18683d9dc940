%%% @private
%%% Isolates whole applications, as the environment variable `isolate' says. All
%%% shadows are made before anything is changed in this VM, and every error is told
%%% at once.
-module(cordon_isolate).

-export([install/1, uninstall/0, installed/0]).

-define(INSTALLED, {cordon, isolated}).

%% @doc Makes the shadows of the applications, and puts them in front of the code path.
%% What is switched off is left alone, and so is everything where no host can run, if
%% the configuration allows that.
-spec install(term()) -> ok | {error, [Text :: string()]}.
install(Isolate) ->
    {Apps, Wrong} = parse(Isolate),
    ok = cordon_switch:check_names([atom_to_list(App) || {App, _} <- Apps]),
    Wanted = [Entry || {App, _} = Entry <- Apps, not is_disabled(App)],
    case {cordon_native:unsupported(), Wrong} of
        {{error, Text}, _} -> {error, [Text | Wrong]};
        {_, [_ | _]} -> refuse(Wanted, Wrong);
        {_, []} when Wanted =:= [] -> install_shadows([]);
        {{ok, Unsupported}, []} -> install(Wanted, Unsupported)
    end.

%% All that is wrong is told at once.
refuse(Wanted, Wrong) ->
    {_, Texts} = make_shadows(Wanted),
    {error, Wrong ++ Texts}.

install(Wanted, Unsupported) ->
    case {cordon_native:ensure_started(), Unsupported} of
        {{error, {_, Why}}, native} ->
            _ = [cordon_switch:warn_native(App, Why) || {App, _} <- Wanted],
            install_shadows([]);
        _ ->
            case make_shadows(Wanted) of
                {Shadows, []} -> install_shadows(Shadows);
                {_, Texts} -> {error, Texts}
            end
    end.

-spec make_shadows([{atom(), cordon_options:given()}]) ->
          {[cordon_shadow:shadow()], [string()]}.
make_shadows(Wanted) ->
    Made = [cordon_shadow:make(App, Options) || {App, Options} <- Wanted],
    {[Shadow || {ok, Shadow} <- Made], lists:append([Texts || {error, Texts} <- Made])}.

install_shadows(Shadows) ->
    persistent_term:put(?INSTALLED, Shadows),
    case lists:append([activate(Shadow) || Shadow <- Shadows]) of
        [] -> ok;
        Texts -> ok = uninstall(), {error, Texts}
    end.

-spec is_disabled(atom()) -> boolean().
is_disabled(App) ->
    case cordon_switch:is_disabled([atom_to_list(App)]) of
        true ->
            ok = cordon_switch:warn_native(App, "the environment variable CORDON_DISABLE says so"),
            true;
        false ->
            false
    end.

%% @doc Takes the shadows off the code path. Modules loaded from them stay loaded.
-spec uninstall() -> ok.
uninstall() ->
    _ = [code:del_path(Ebin) || #{ebins := Ebins} <- installed(), Ebin <- Ebins],
    _ = persistent_term:erase(?INSTALLED),
    ok.

-spec installed() -> [cordon_shadow:shadow()].
installed() ->
    persistent_term:get(?INSTALLED, []).

%% The applications with their options, and what is wrong with the rest.
-spec parse(term()) -> {[{atom(), cordon_options:given()}], [string()]}.
parse(Isolate) when length(Isolate) >= 0 ->
    Entries = [entry(Entry) || Entry <- Isolate],
    Names = [App || {ok, App, _} <- Entries],
    Twice = [text("isolate names ~tp more than once", [App])
             || App <- lists:usort(Names -- lists:usort(Names))],
    {[{App, Options} || {ok, App, Options} <- Entries],
     lists:append([Texts || {error, Texts} <- Entries]) ++ Twice};
parse(Isolate) ->
    {[], [text("isolate is ~0tp, expected a list of applications", [Isolate])]}.

-spec entry(term()) -> {ok, atom(), cordon_options:given()} | {error, [string()]}.
entry(App) when is_atom(App) ->
    entry({App, #{}});
entry({App, Options}) when is_atom(App) ->
    case cordon_options:normalise(Options) of
        {ok, _} -> {ok, App, Options};
        {error, Texts} -> {error, [text("isolate ~tp: ~ts", [App, T]) || T <- Texts]}
    end;
entry(Other) ->
    {error, [text("isolate has the element ~0tp, expected Application or "
                  "{Application, Options}", [Other])]}.

%% Puts a shadow in front, and loads again from it what had been loaded from the
%% original: a module that keeps its native library would go on using it, and one
%% without may be how the others find theirs (code:which/1).
-spec activate(cordon_shadow:shadow()) -> [string()].
activate(#{application := App, ebins := [Ebin | _] = Ebins}) ->
    case add_paths(lists:reverse(Ebins)) of
        ok ->
            Modules = [Module || Module <- modules(Ebin), is_elsewhere(Module, Ebin)],
            case lists:append([unload(App, Module) || Module <- Modules]) of
                [] -> lists:append([load(App, Module) || Module <- Modules]);
                Texts -> Texts
            end;
        {error, {Dir, Reason}} ->
            [text("isolate ~tp: ~ts can't be put on the code path: ~tp",
                  [App, Dir, Reason])]
    end.

-spec add_paths([file:filename()]) -> ok | {error, {file:filename(), term()}}.
add_paths([]) ->
    ok;
add_paths([Dir | Dirs]) ->
    case code:add_patha(Dir) of
        true -> add_paths(Dirs);
        {error, Reason} -> {error, {Dir, Reason}}
    end.

-spec modules(file:filename()) -> [module()].
modules(Ebin) ->
    [list_to_atom(filename:basename(Beam, ".beam"))
     || Beam <- filelib:wildcard("*.beam", Ebin)].

-spec is_elsewhere(module(), file:filename()) -> boolean().
is_elsewhere(Module, Ebin) ->
    case code:is_loaded(Module) of
        {file, File} when is_list(File) -> filename:dirname(File) =/= Ebin;
        {file, _} -> true;
        false -> false
    end.

%% Old code with a library must be gone before the new code loads its own, or that
%% would be an upgrade of the one by the other. No process is killed for it.
-spec unload(atom(), module()) -> [string()].
unload(App, Module) ->
    case code:is_sticky(Module) orelse code:is_loaded(Module) =:= {file, preloaded} of
        true ->
            [text("isolate ~tp: its module ~tp belongs to the runtime system and "
                  "can't be loaded again", [App, Module])];
        false ->
            case code:soft_purge(Module) andalso code:delete(Module)
                andalso code:soft_purge(Module) of
                true -> [];
                false ->
                    [text("isolate ~tp: processes are running code of ~tp, which was "
                          "loaded before; start cordon before ~tp", [App, Module, App])]
            end
    end.

-spec load(atom(), module()) -> [string()].
load(App, Module) ->
    %% load_file and not ensure_loaded: in embedded mode only this loads.
    case code:load_file(Module) of
        {module, Module} -> [];
        {error, Reason} ->
            [text("isolate ~tp: its module ~tp could not be loaded again (~tp); the "
                  "log has the details", [App, Module, Reason])]
    end.

-spec text(string(), [term()]) -> string().
text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args, [{chars_limit, 2000}])).
