%%% @private
%%% What stands in directory trees: every NIF library, and what cordon has put there.
%%% Nothing is opened as a library or changed.
-module(cordon_status).

-export([walk/1, text/1, json/1, is_sound/1, state_name/1]).

-include_lib("kernel/include/file.hrl").

%% @doc All places below the directories (or the places of the files) that have a NIF
%% library or anything of cordon's, each once.
-spec walk([file:filename()]) -> {[cordon_place:place()], Errors :: [string()]}.
walk(Paths) ->
    Found = [find(filename:absname(Path)) || Path <- Paths],
    Files = lists:usort(lists:append([Files || {ok, Files} <- Found])),
    Places = [Place || File <- Files, not is_own(File),
                       #{state := State} = Place <- [cordon_place:examine(File)],
                       State =/= plain, State =/= absent],
    {Places, [Text || {error, Text} <- Found]}.

find(Path) ->
    case file:read_file_info(Path) of
        {ok, #file_info{type = directory}} ->
            {ok, Real} = cordon_place:real_path(Path),
            {ok, below(Real, [])};
        {ok, #file_info{}} ->
            case cordon_place:resolve(Path) of
                {ok, File} -> {ok, [File]};
                {error, _} = Error -> Error
            end;
        {error, Reason} ->
            {error, Path ++ ": " ++ file:format_error(Reason)}
    end.

%% Links to directories are followed, each directory once on the way down; links to
%% files are not: what they lead to is told where it is.
below(Dir, Above) ->
    case {file:read_file_info(Dir), file:list_dir(Dir)} of
        {{ok, #file_info{major_device = Device, inode = Inode}}, {ok, Names}} ->
            case lists:member({Device, Inode}, Above) of
                true -> [];
                false ->
                    lists:append([entry(filename:join(Dir, Name), [{Device, Inode} | Above])
                                  || Name <- Names])
            end;
        {_, _} ->
            []
    end.

entry(Path, Above) ->
    case {file:read_link_info(Path), filelib:is_dir(Path)} of
        {{ok, #file_info{type = symlink}}, true} ->
            case cordon_place:real_path(Path) of
                {ok, Real} -> below(Real, Above);
                {error, _} -> []
            end;
        {{ok, #file_info{type = directory}}, _} ->
            below(Path, Above);
        {{ok, #file_info{type = regular}}, _} ->
            case cordon_place:of_file(Path) of
                {ok, File} -> [File];
                none -> []
            end;
        _ ->
            []
    end.

%% cordon's own libraries look like NIF libraries and shims.
is_own(File) ->
    lists:member(filename:basename(File), ["cordon_nif.so", "cordon_shim.so"])
        andalso filelib:is_regular(filename:join(filename:dirname(File), "nif_host")).

%% @doc False for what doesn't work, or isn't what its installer meant it to be.
-spec is_sound(cordon_place:place()) -> boolean().
is_sound(#{state := {broken, _}}) -> false;
is_sound(#{state := {unknown, _}}) -> false;
is_sound(#{}) -> true.

-spec state_name(cordon_place:state()) -> atom().
state_name({Name, _}) -> Name;
state_name(interrupted) -> leftover;
state_name(upgraded) -> leftover;
state_name(Name) -> Name.

%%% For people

-spec text([cordon_place:place()]) -> iolist().
text(Places) ->
    Names = [state_name(State) || #{state := State} <- Places],
    Counts = [io_lib:format("~w ~ts", [length([N || N <- Names, N =:= Name]), Name])
              || Name <- lists:usort(Names)],
    [[[io_lib:format("~-10ts ~ts~ts", [state_name(State), File, note(Place)]), $\n]
      || #{file := File, state := State} = Place <- Places],
     io_lib:format("~w NIF ~ts~ts~n", [length(Places), plural(length(Places)),
                                       [": " || Counts =/= []] ++ lists:join(", ", Counts)])].

plural(1) -> "library";
plural(_) -> "libraries".

note(#{state := {broken, Why}}) ->
    [" (", Why, ")"];
note(#{state := {unknown, Other}}) ->
    [" (", Other, " beside it is not cordon's)"];
note(#{state := upgraded}) ->
    " (native: it has replaced a shim; install it again, or uninstall to clear away)";
note(#{state := interrupted}) ->
    " (native, with what an interrupted install has left; install or uninstall it)";
note(#{says := {ok, #{options := Options}}}) ->
    Defaults = cordon_options:defaults(),
    Changed = [io_lib:format("~ts=~ts", [Key, cordon_options:to_text(Value)])
               || {Key, Value} <- lists:sort(maps:to_list(Options)),
                  maps:get(Key, Defaults, undefined) =/= Value],
    [[" (", lists:join(", ", Changed), ")"] || Changed =/= []];
note(_) ->
    "".

%%% For programs

-spec json([cordon_place:place()]) -> iodata().
json(Places) ->
    [cordon_json:encode([maps:merge(#{file => {string, File}, state => state_name(State)},
                                    maps:map(fun(_, Text) -> {string, lists:flatten(Text)} end,
                                             details(Place)))
                         || #{file := File, state := State} = Place <- Places]), $\n].

details(#{state := {broken, Why}}) -> #{why => Why};
details(#{state := {unknown, Other}}) -> #{why => Other ++ " is not cordon's"};
details(#{state := State}) when State =:= interrupted; State =:= upgraded ->
    #{why => atom_to_list(State)};
details(#{says := {ok, #{library := Library, options := Options}}}) ->
    maps:merge(#{library => Library},
               maps:from_list([{group, cordon_options:to_text(Group)} || #{group := Group} <- [Options],
                                                        Group =/= undefined, Group =/= "",
                                                        Group =/= <<>>]));
details(_) -> #{}.
