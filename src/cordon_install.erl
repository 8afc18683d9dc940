%%% @private
%%% Puts shims in the place of libraries on disk, and takes them away again.
%%%
%%% Everything is checked and prepared before the first step is taken. The steps are
%%% data, in an order in which a power cut after any of them leaves the library either
%%% native or isolated: the real library gets its second name first, the shim takes
%%% the place by a rename last.
-module(cordon_install).

-export([prepare_install/2, prepare_uninstall/1, carry_out/1]).

-export_type([settings/0, work/0]).

-type settings() :: #{options => map(), cordon => file:filename(),
                      unsupported => refuse | native}.
-type work() :: #{file := file:filename(), said := string(),
                  steps := [cordon_disk:step()],
                  %% what is taken when one of the steps can't be
                  back := [cordon_disk:step()]}.

%%% Install

%% @doc All that can be wrong is found here; nothing is changed.
-spec prepare_install(file:filename(), settings()) -> {ok, work()} | {error, string()}.
prepare_install(File, Settings) ->
    #{state := State} = Place = cordon_place:examine(File),
    case library(State, Place) of
        {ok, Library, Before, Link} ->
            case content(Library, Place, Settings) of
                {ok, Module, Sidecar, Shim} ->
                    {ok, #{file => File, said => "isolated " ++ File ++ " (" ++ Module ++ ")",
                           steps => Before ++ steps(Place, Library, Link, Sidecar, Shim),
                           back => back(Link, Place)}};
                {error, _} = Error -> Error
            end;
        {error, Text} ->
            {error, File ++ ": " ++ Text}
    end.

%% Where the real library is now, what is to be cleared away first, and whether the
%% library still needs its second name.
library(native, #{file := File}) ->
    {ok, File, [], link};
library(State, #{file := File, real := Real, front := {nif, _}})
  when State =:= interrupted; State =:= upgraded ->
    {ok, File, [{delete, Real}], link};
library(isolated, #{real := Real}) ->
    {ok, Real, [], keep};
library({broken, _}, #{real := Real, behind := {nif, _}}) ->
    {ok, Real, [], keep};
library({broken, Why}, _) ->
    {error, Why ++ "; install the library again from where it came, then isolate it"};
library(elsewhere, #{says := {ok, #{library := Library}}}) ->
    {error, "is a shim already, made by cordon:shim/2 for " ++ Library};
library({unknown, Other}, _) ->
    {error, Other ++ " is in the way and not cordon's; move it away"};
library(_, #{front := {plain, _}}) ->
    {error, "has no nif_init; expected a NIF library (made with ERL_NIF_INIT)"};
library(_, #{front := {unreadable, Text}}) ->
    {error, Text};
library(_, _) ->
    {error, "no such file; expected a NIF library"}.

%% Opens the library in a host, which says what is in it.
content(Library, #{file := File, real := Real}, Settings) ->
    case {is_own(File), cordon_build:at_run_time(File, maps:get(cordon, Settings, undefined)),
          cordon_shim:sidecar(Library, maps:get(options, Settings, #{}), #{}),
          file:read_file(maps:get(shim, cordon_native:files()))} of
        {true, _, _, _} ->
            {error, File ++ " is a part of cordon, which runs in the VM"};
        {_, {ok, Cordon}, {ok, #{module := Module}, Sidecar}, {ok, Shim}} ->
            Policy = maps:with([unsupported], Settings),
            Changes = Cordon#{library => filename:basename(Real),
                              library_digest => cordon_place:digest(Library)},
            case cordon_native:edit_sidecar(Sidecar, maps:merge(Policy, Changes)) of
                {ok, Edited} -> {ok, atom_to_list(Module), Edited, Shim};
                {error, {_, Text}} -> {error, File ++ ": " ++ Text}
            end;
        {_, {error, Text}, _, _} ->
            {error, File ++ ": " ++ Text};
        {_, _, {error, {_, Text}}, _} ->
            {error, Text};
        {_, _, _, {error, Reason}} ->
            {error, "cordon's own shim can't be read: " ++ file:format_error(Reason)}
    end.

is_own(File) ->
    lists:member(filename:basename(File), ["cordon_nif.so", "cordon_shim.so"])
        andalso filelib:is_regular(filename:join(filename:dirname(File), "nif_host")).

%% Each file is durable before the next step, all of them before the last.
steps(#{file := File, real := Real, sidecar := Sidecar, new_sidecar := NewSidecar,
        new_shim := NewShim}, Library, Link, SidecarContent, ShimContent) ->
    Directory = filename:dirname(File),
    [{link, File, Real} || Link =:= link] ++
        [{sync, Directory},
         {write, NewSidecar, SidecarContent, Library},
         {rename, NewSidecar, Sidecar},
         {write, NewShim, ShimContent, Library},
         {sync, Directory}] ++
        [{unchanged, File, Real} || Link =:= link] ++
        [{rename, NewShim, File},
         {sync, Directory}].

%% A library that is native still must look as if nothing had happened.
back(link, #{sidecar := Sidecar, new_sidecar := NewSidecar, new_shim := NewShim, real := Real,
             file := File}) ->
    [{unchanged, File, Real} |
     [{delete, Other} || Other <- [NewShim, NewSidecar, Sidecar, Real]]];
back(keep, #{new_sidecar := NewSidecar, new_shim := NewShim}) ->
    [{delete, NewShim}, {delete, NewSidecar}].

%%% Uninstall

-spec prepare_uninstall(file:filename()) -> {ok, work()} | {error, string()}.
prepare_uninstall(File) ->
    #{state := State} = Place = cordon_place:examine(File),
    case restored(State, Place) of
        {ok, Steps, Said} ->
            {ok, #{file => File, said => Said, steps => Steps, back => []}};
        {error, Text} ->
            {error, File ++ ": " ++ Text}
    end.

restored(State, #{file := File, real := Real, behind := {nif, _}} = Place)
  when State =:= isolated; element(1, State) =:= broken ->
    {ok, [{rename, Real, File}, {sync, filename:dirname(File)}] ++ clear(Place),
     "restored " ++ File};
restored(interrupted, #{file := File, real := Real} = Place) ->
    {ok, [{delete, Real} | clear(Place)],
     "removed what an interrupted install had left beside " ++ File};
restored(upgraded, #{file := File, real := Real} = Place) ->
    {ok, [{delete, Real} | clear(Place)],
     "kept " ++ File ++ ", a newer library that has replaced the shim; removed the older one"};
restored({broken, Why}, _) ->
    {error, Why ++ "; nothing can be restored: install the library again from where it came"};
restored(elsewhere, #{says := {ok, #{library := Library}}}) ->
    {error, "is a shim that cordon:shim/2 has made for " ++ Library ++
         ", not one that was installed"};
restored({unknown, Other}, _) ->
    {error, Other ++ " is not cordon's; nothing was changed"};
restored(_, _) ->
    {error, "is not isolated; nothing to restore"}.

clear(#{file := File, sidecar := Sidecar, new_sidecar := NewSidecar, new_shim := NewShim}) ->
    [{delete, Other} || Other <- [NewShim, NewSidecar, Sidecar]] ++
        [{sync, filename:dirname(File)}].

%%% Both

%% @doc Takes the steps. What can't be done is undone.
-spec carry_out(work()) -> ok | {error, string()}.
carry_out(#{steps := Steps, back := Back, file := File}) ->
    case cordon_disk:run(Steps) of
        ok ->
            ok;
        {error, Why} ->
            _ = cordon_disk:run(Back),
            {error, File ++ ": " ++ cordon_disk:format_error(Why)}
    end.
