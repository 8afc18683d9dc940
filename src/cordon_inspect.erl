%%% @private
%%% What a library is, needs, and whether it will find it when it is isolated.
-module(cordon_inspect).

-export([library/1, text/1, json/1]).

-export_type([report/0]).

-type report() ::
        #{file := file:filename(),       % the real library
          place := cordon_place:place(), % where it stands, or its shim
          %% found by opening it in a host
          manifest := {ok, cordon_nif:manifest()} | {error, string()},
          size := non_neg_integer(),
          enif := [{binary(), boolean()}],
          libraries := [{string(), file:filename() | not_found}],
          undefined := [binary()],
          complete := boolean()}.        % nothing that it needs is lacking

-spec library(file:filename()) -> {ok, report()} | {error, string()}.
library(File) ->
    #{state := State} = Place = cordon_place:examine(File),
    Library = real(State, Place),
    #{nif_host := NifHost} = cordon_native:files(),
    case {cordon_elf:read(Library), cordon_link:check(Library, NifHost),
          cordon_build:api(NifHost)} of
        {{ok, Elf}, {ok, Link}, {ok, Api}} -> {ok, report(Library, Place, Elf, Link, Api)};
        {{error, Text}, _, _} -> {error, Library ++ ": " ++ Text};
        {_, {error, Text}, _} -> {error, Text};
        {_, _, {error, Text}} -> {error, Text}
    end.

real(elsewhere, #{says := {ok, #{library := Library}}}) -> Library;
real(_, #{front := {shim, _}, real := Real}) -> Real;
real({broken, _}, #{front := absent, real := Real}) -> Real;
real(_, #{file := File}) -> File.

report(Library, Place, Elf, #{libraries := Libraries, undefined := Undefined}, Api) ->
    Enif = [{Name, lists:member(Name, Api)}
            || <<"enif_", _/binary>> = Name <- maps:get(undefined, Elf)],
    Manifest = manifest(Library, Elf),
    Complete = element(1, Manifest) =:= ok andalso Undefined =:= []
        andalso lists:all(fun({_, Has}) -> Has end, Enif)
        andalso not lists:keymember(not_found, 2, Libraries),
    #{file => Library, place => Place, manifest => Manifest, size => maps:get(size, Elf),
      enif => Enif, libraries => Libraries, undefined => Undefined, complete => Complete}.

manifest(Library, Elf) ->
    case cordon_elf:is_nif(Elf) of
        true ->
            case cordon_shim:sidecar(Library, #{}, #{}) of
                {ok, Manifest, _Sidecar} -> {ok, Manifest};
                {error, {_, Text}} -> {error, Text}
            end;
        false ->
            {error, "has no nif_init; it is no NIF library"}
    end.

%%% For people

-spec text(report()) -> iolist().
text(#{file := File, place := #{file := Front} = Place, manifest := Manifest, size := Size} = R) ->
    [line("~ts", [Front]),
     row("stands", stands(Place)),
     [row("library", File) || File =/= Front],
     of_manifest(Manifest),
     row("size", io_lib:format("~w bytes", [Size])),
     settings(Place),
     row("NIF API", enif(maps:get(enif, R))),
     [row("", [Name, ["  cordon lacks it" || not Has]]) || {Name, Has} <- maps:get(enif, R)],
     [row("links with", [Name, " => ", case Path of
                                           not_found -> "NOT FOUND";
                                           _ -> Path
                                       end]) || {Name, Path} <- maps:get(libraries, R)],
     [row("undefined", Symbol) || Symbol <- maps:get(undefined, R)],
     row("can be isolated", case maps:get(complete, R) of
                                true -> "yes";
                                false -> "not wholly, see above"
                            end)].

stands(#{state := State}) ->
    case State of
        {broken, Why} -> ["broken: ", Why];
        {unknown, Other} -> [Other, " beside it is not cordon's"];
        interrupted -> "native, with what an interrupted install has left";
        upgraded -> "native: it has replaced a shim";
        elsewhere -> "a shim made by cordon:shim/2";
        plain -> "no NIF library";
        absent -> "not there";
        _ -> atom_to_list(State)
    end.

of_manifest({error, Text}) ->
    row("error", Text);
of_manifest({ok, #{module := Module, functions := Functions} = Manifest}) ->
    [row("module", atom_to_list(Module)),
     row("API version", io_lib:format("~w.~w", [maps:get(major, Manifest),
                                                maps:get(minor, Manifest)])),
     row("callbacks", callbacks(Manifest)),
     [row("requires", io_lib:format("~tp: ~tp", [Key, Value]))
      || {Key, Value} <- maps:to_list(maps:get(requirements, Manifest, #{}))],
     row("functions", integer_to_list(length(Functions))),
     [row("", io_lib:format("~ts/~w~ts", [Name, Arity, flags(Flags)]))
      || {Name, Arity, Flags} <- Functions]].

callbacks(Manifest) ->
    case [atom_to_list(Key) || Key <- [load, upgrade, unload], maps:get(Key, Manifest)] of
        [] -> "none";
        Names -> lists:join(", ", Names)
    end.

flags(normal) -> "";
flags(dirty_cpu) -> "  dirty, CPU bound";
flags(dirty_io) -> "  dirty, I/O bound".

settings(#{says := {ok, #{options := Options}}}) ->
    [row("option", io_lib:format("~tp = ~ts", [Key, cordon_options:to_text(Value)]))
     || {Key, Value} <- lists:sort(maps:to_list(Options)), Value =/= undefined];
settings(_) ->
    [].

enif(Enif) ->
    Lacking = length([Name || {Name, false} <- Enif]),
    io_lib:format("needs ~w functions, cordon has ~ts",
                  [length(Enif), case Lacking of
                                     0 -> "all of them";
                                     _ -> integer_to_list(length(Enif) - Lacking)
                                 end]).

row(Name, Value) ->
    line("  ~-16s ~ts", [Name, Value]).

line(Format, Args) ->
    [io_lib:format(Format, Args), $\n].

%%% For programs

-spec json(report()) -> iodata().
json(#{file := File, place := #{file := Front, state := State} = Place, manifest := Manifest,
       size := Size, enif := Enif, libraries := Libraries, undefined := Undefined,
       complete := Complete}) ->
    [cordon_json:encode(
       maps:merge(
         of_manifest_json(Manifest),
         #{file => {string, Front}, library => {string, File}, size => Size,
           state => cordon_status:state_name(State),
           options => options_json(Place),
           enif => maps:from_list(Enif),
           libraries => maps:from_list([{list_to_binary(Name), path_json(Path)}
                                        || {Name, Path} <- Libraries]),
           undefined => Undefined, complete => Complete})), $\n].

path_json(not_found) -> null;
path_json(Path) -> {string, Path}.

of_manifest_json({error, Text}) ->
    #{error => {string, lists:flatten(Text)}};
of_manifest_json({ok, #{module := Module, functions := Functions} = Manifest}) ->
    #{module => Module,
      api_version => [maps:get(major, Manifest), maps:get(minor, Manifest)],
      callbacks => [Key || Key <- [load, upgrade, unload], maps:get(Key, Manifest)],
      requirements => maps:map(fun(_, Value) -> value_json(Value) end,
                               maps:get(requirements, Manifest, #{})),
      functions => [#{name => Name, arity => Arity, runs => Flags}
                    || {Name, Arity, Flags} <- Functions]}.

options_json(#{says := {ok, #{options := Options}}}) ->
    maps:map(fun(_, Value) -> value_json(Value) end, Options);
options_json(_) ->
    null.

value_json(undefined) -> null;
value_json(Value) when is_integer(Value); is_atom(Value); is_binary(Value) -> Value;
value_json([Name | _] = Names) when is_atom(Name) -> Names;
value_json(Value) -> {string, lists:flatten(cordon_options:to_text(Value))}.
