%%% @private
%%% The commands of `bin/cordon'. What they do is elsewhere; here are arguments, exit
%%% codes, and what is printed.
-module(cordon_cli).

-export([main/1, run/1]).

-type result() :: {Status :: 0 | 1 | 2, Output :: iodata(), Errors :: iodata()}.
-type flags() :: #{options => map(), cordon => string(), unsupported => refuse | native,
                   json => true, help => true}.

-define(DONE, 0).
-define(FAILED, 1).
-define(WRONG_USE, 2).

-spec main([string()]) -> no_return().
main(Args) ->
    %% File names are printed as they were given: bytes stay bytes where the locale
    %% says nothing of UTF-8.
    Encoding = file:native_name_encoding(),
    [ok = io:setopts(Device, [{encoding, Encoding}]) || Device <- [standard_io, standard_error]],
    {Status, Output, Errors} =
        try run(readable(Args))
        catch
            throw:{unreadable, Bytes} ->
                {?WRONG_USE, "",
                 io_lib:format("cordon: the argument ~0tp is not UTF-8, as this locale wants "
                               "it; to name such a file, set LC_ALL=C~n", [Bytes])};
            Class:Reason:Stack ->
                {?FAILED, "",
                 io_lib:format("cordon: unexpected ~0tp:~0tp at ~0tp; please report it~n",
                               [Class, Reason, hd(Stack ++ [unknown])], [{chars_limit, 2000}])}
        end,
    io:put_chars(standard_io, Output),
    io:put_chars(standard_error, Errors),
    erlang:halt(Status).

%% An argument that is not of the locale's encoding arrives as what could be read of it.
-spec readable([string() | {error, string(), binary()}]) -> [string()].
readable(Args) ->
    [case Arg of
         {error, Read, Rest} -> throw({unreadable, iolist_to_binary([Read, Rest])});
         _ -> Arg
     end || Arg <- Args].

%% @doc The exit status and what goes to standard output and standard error.
-spec run([string()]) -> result().
run([]) ->
    {?WRONG_USE, "", cordon_cli_help:general()};
run([Help | Rest]) when Help =:= "--help"; Help =:= "-h"; Help =:= "help" ->
    case Rest of
        [Command] -> help(Command);
        _ -> {?DONE, cordon_cli_help:general(), ""}
    end;
run(["--version"]) ->
    _ = application:load(cordon),
    {ok, Version} = application:get_key(cordon, vsn),
    {?DONE, ["cordon ", Version, $\n], ""};
run(["completion", "bash"]) ->
    {?DONE, cordon_cli_help:completion(), ""};
run([Command | Args]) ->
    case cordon_cli_help:flags(Command) of
        {ok, Known} ->
            case parse(Args, Known, [], #{}) of
                {ok, _, #{help := true}} -> help(Command);
                {ok, Files, Flags} -> command(Command, Files, Flags);
                {error, Text} -> wrong_use(Command, Text)
            end;
        error ->
            wrong_use("", ["unknown command ", Command, ", expected one of ",
                           lists:join(", ", cordon_cli_help:commands())])
    end.

help(Command) ->
    case cordon_cli_help:command(Command) of
        {ok, Text} -> {?DONE, Text, ""};
        error -> wrong_use("", ["there is no command ", Command])
    end.

-spec wrong_use(string(), iodata()) -> result().
wrong_use(Command, Text) ->
    {?WRONG_USE, "", ["cordon: ", Text, "; see cordon ",
                      [[Command, " "] || Command =/= ""], "--help\n"]}.

%%% Arguments

-spec parse([string()], [{string(), cordon_cli_help:flag()}], [string()], flags()) ->
          {ok, [string()], flags()} | {error, iodata()}.
parse([], _, Files, Flags) ->
    {ok, lists:reverse(Files), Flags};
parse(["--" | Args], _, Files, Flags) ->
    {ok, lists:reverse(Files, Args), Flags};
parse(["-h" | Args], Known, Files, Flags) ->
    parse(Args, Known, Files, Flags#{help => true});
parse(["--" ++ Flag | Args], Known, Files, Flags) ->
    [Name | Given] = string:split(Flag, "="),
    case {lists:keyfind(Name, 1, Known), Given, Args} of
        {false, _, _} ->
            {error, ["unknown flag --", Name, ", expected one of ",
                     lists:join(", ", ["--" ++ N || {N, _} <- Known])]};
        {{_, {word, Key}}, [], _} ->
            parse(Args, Known, Files, Flags#{Key => true});
        {{_, {word, _}}, [_], _} ->
            {error, ["--", Name, " takes no value"]};
        {{_, Kind}, [Value], _} ->
            value(Name, Kind, Value, Args, Known, Files, Flags);
        {{_, Kind}, [], [Value | Rest]} ->
            value(Name, Kind, Value, Rest, Known, Files, Flags);
        {{_, _}, [], []} ->
            {error, ["--", Name, " needs a value"]}
    end;
parse(["-" ++ [_ | _] = Flag | _], _, _, _) ->
    {error, ["unknown flag ", Flag]};
parse([File | Args], Known, Files, Flags) ->
    parse(Args, Known, [File | Files], Flags).

value(_Name, {path, Key}, Value, Args, Known, Files, Flags) ->
    parse(Args, Known, Files, Flags#{Key => Value});
value(Name, {choice, Key, Words}, Text, Args, Known, Files, Flags) ->
    case [Word || Word <- Words, atom_to_list(Word) =:= Text] of
        [Word] -> parse(Args, Known, Files, Flags#{Key => Word});
        [] -> {error, ["--", Name, " is ", Text, ", expected ",
                       lists:join(" or ", [atom_to_list(Word) || Word <- Words])]}
    end;
value(Name, {option, Key}, Text, Args, Known, Files, Flags) ->
    Options = maps:get(options, Flags, #{}),
    case {is_map_key(Key, Options), cordon_options:from_text(Key, Text)} of
        {true, _} ->
            {error, ["--", Name, " is given twice"]};
        {false, {ok, Value}} ->
            parse(Args, Known, Files, Flags#{options => Options#{Key => Value}});
        {false, {error, Why}} ->
            {error, ["--", Name, ": ", Why]}
    end.

%%% Commands

-spec command(string(), [string()], flags()) -> result().
command(Command, [], _) when Command =:= "install"; Command =:= "uninstall";
                             Command =:= "inspect" ->
    wrong_use(Command, ["no file is given, expected that of a NIF library"]);
command("install", Paths, Flags) ->
    Settings = maps:with([options, cordon, unsupported], Flags),
    change(Paths, fun(File) -> cordon_install:prepare_install(File, Settings) end, "isolated");
command("uninstall", Paths, _) ->
    change(Paths, fun cordon_install:prepare_uninstall/1, "restored");
command("inspect", [_, _ | _], _) ->
    wrong_use("inspect", "several files are given, expected one");
command("inspect", [Path], Flags) ->
    native(fun() -> inspect(Path, Flags) end);
command("status", [], Flags) ->
    command("status", ["."], Flags);
command("status", Paths, Flags) ->
    native(fun() -> status(Paths, Flags) end);
command("completion", _, _) ->
    wrong_use("completion", "expected the name of a shell: bash").

inspect(Path, Flags) ->
    case cordon_place:resolve(Path) of
        {ok, File} ->
            case cordon_inspect:library(File) of
                {ok, #{complete := Complete} = Report} ->
                    {case Complete of true -> ?DONE; false -> ?FAILED end,
                     case Flags of
                         #{json := true} -> cordon_inspect:json(Report);
                         #{} -> cordon_inspect:text(Report)
                     end, ""};
                {error, Text} -> failed([Text])
            end;
        {error, Text} ->
            failed([Text])
    end.

status(Paths, Flags) ->
    {Places, Errors} = cordon_status:walk(Paths),
    {case Errors =:= [] andalso lists:all(fun cordon_status:is_sound/1, Places) of
         true -> ?DONE;
         false -> ?FAILED
     end,
     case Flags of
         #{json := true} -> cordon_status:json(Places);
         #{} -> cordon_status:text(Places)
     end,
     error_lines(Errors)}.

%% All files are checked before the first is changed. No other cordon changes their
%% directories in the meantime.
change(Paths, Prepare, Done) ->
    Resolved = [cordon_place:resolve(Path) || Path <- Paths],
    case [Text || {error, Text} <- Resolved] of
        [] ->
            Files = lists:usort([File || {ok, File} <- Resolved]),
            Directories = lists:usort([filename:dirname(File) || File <- Files]),
            locked(Directories, fun() ->
                                        native(fun() -> change_all(Files, Prepare, Done) end)
                                end);
        Texts ->
            failed(Texts)
    end.

locked([], Do) ->
    Do();
locked([Directory | Directories], Do) ->
    case cordon_disk:with_lock(Directory, fun() -> locked(Directories, Do) end) of
        {error, busy} ->
            failed(["another cordon is at work in " ++ Directory ++ "; wait until it is done"]);
        {error, Reason} ->
            failed([Directory ++ ": " ++ file:format_error(Reason)]);
        Result ->
            Result
    end.

change_all(Files, Prepare, Done) ->
    Prepared = [Prepare(File) || File <- Files],
    case [Text || {error, Text} <- Prepared] of
        [] -> carry_out([Work || {ok, Work} <- Prepared], [], Done);
        Texts -> failed(Texts)
    end.

carry_out([], [#{said := Said}], _) ->
    {?DONE, [Said, $\n], ""};
carry_out([], Works, Done) ->
    {?DONE, [io_lib:format("~ts ~w libraries~n", [Done, length(Works)])], ""};
carry_out([Work | Works], Carried, Done) ->
    case cordon_install:carry_out(Work) of
        ok -> carry_out(Works, [Work | Carried], Done);
        {error, Text} ->
            {?FAILED, [[Said, $\n] || #{said := Said} <- lists:reverse(Carried)],
             error_lines([Text])}
    end.

%% Sidecars are read and libraries are opened by cordon's native side.
native(Do) ->
    case cordon_native:ensure_started() of
        ok -> Do();
        {error, {_, Text}} -> failed([Text])
    end.

-spec failed([iodata()]) -> result().
failed(Texts) ->
    {?FAILED, "", error_lines(Texts)}.

error_lines(Texts) ->
    [["cordon: ", string:replace(lists:flatten(Text), "\n", " ", all), $\n] || Text <- Texts].
