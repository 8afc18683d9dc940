%%% @private
%%% The ways to leave a library alone: `CORDON_DISABLE' in the VM's environment names
%%% applications, modules or library files (without ".so") that are to be loaded
%%% natively, or says `all'. Shims that are installed on disk look at it themselves
%%% (c_src/kernel_proxy/shim.cpp).
%%%
%%% Each thing that is loaded natively for it is one warning in the log, and a name
%%% that nothing seems to have is one too.
-module(cordon_switch).

-export([is_disabled/1, warn_native/2, check_names/1]).

-include_lib("kernel/include/logger.hrl").

-define(VARIABLE, "CORDON_DISABLE").
-define(NEAR, 2).

%% @doc Whether one of these names is switched off.
-spec is_disabled([string()]) -> boolean().
is_disabled(Names) ->
    Off = names(),
    lists:member("all", Off) orelse lists:any(fun(Name) -> lists:member(Name, Off) end, Names).

-spec names() -> [string()].
names() ->
    lists:usort(string:lexemes(os:getenv(?VARIABLE, ""), ", \t\r\n")).

%% @doc One warning for each thing, however often it is loaded.
-spec warn_native(term(), string()) -> ok.
warn_native(What, Why) ->
    once({native, What},
         fun() ->
                 ?LOG_WARNING("cordon: ~ts is loaded into the VM, not isolated: ~ts",
                              [printable(What), Why])
         end).

%% An application's name, or a path, also of characters that ~tp would show as numbers.
-spec printable(term()) -> iolist().
printable(What) ->
    case io_lib:char_list(What) of
        true -> [$", What, $"];
        false -> io_lib:format("~tp", [What])
    end.

%% @doc Warns of names that neither an application, nor a module, nor a library of one
%% has; `Known' are names that the configuration has. A mistake in a list that is
%% for emergencies must not stop anything.
-spec check_names([string()]) -> ok.
check_names(Known) ->
    lists:foreach(fun(Name) -> check_name(Name, Known) end, names() -- ["all" | Known]).

check_name(Name, Known) ->
    case exists(Name) of
        true ->
            ok;
        false ->
            once({unknown, Name},
                 fun() ->
                         ?LOG_WARNING("cordon: " ?VARIABLE " names ~ts, which is no application, "
                                      "module or NIF library in the code path~ts",
                                      [Name, hint(Name, Known)])
                 end)
    end.

-spec exists(string()) -> boolean().
exists(Name) ->
    lists:any(fun(File) -> code:where_is_file(File) =/= non_existing end,
              [Name ++ ".app", Name ++ ".beam"])
        orelse lists:any(fun(Dir) ->
                                 Priv = filename:join(filename:dirname(Dir), "priv"),
                                 filelib:is_regular(filename:join(Priv, Name ++ ".so"))
                         end, code:get_path()).

-spec hint(string(), [string()]) -> string().
hint(Name, Known) ->
    Loaded = [atom_to_list(App) || {App, _, _} <- application:loaded_applications()],
    case lists:sort([{distance(Name, Other), Other} || Other <- Known ++ Loaded]) of
        [{Distance, Other} | _] when Distance =< ?NEAR -> "; is " ++ Other ++ " meant?";
        _ -> ""
    end.

%% How many characters have to be put in, left out or changed (Levenshtein). One row of
%% the table after the other.
-spec distance(string(), string()) -> non_neg_integer().
distance(A, B) ->
    lists:last(lists:foldl(fun(C, Row) -> next_row(C, B, Row, [hd(Row) + 1]) end,
                           lists:seq(0, length(B)), A)).

next_row(C, [D | B], [Corner, Above | Row], [Left | _] = Done) ->
    Change = case C of D -> 0; _ -> 1 end,
    Here = lists:min([Corner + Change, Above + 1, Left + 1]),
    next_row(C, B, [Above | Row], [Here | Done]);
next_row(_, [], [_], Done) ->
    lists:reverse(Done).

-spec once(term(), fun(() -> ok)) -> ok.
once(What, Warn) ->
    Key = {?MODULE, What},
    case persistent_term:get(Key, false) of
        true -> ok;
        false -> persistent_term:put(Key, true), Warn()
    end.
