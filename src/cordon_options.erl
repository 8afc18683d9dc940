%%% @doc The options of an isolated library: the one table of their names, types
%%% and defaults, and where a value comes from.
%%%
%%% <table border="1">
%%% <tr><td>option</td><td>meaning</td><td>default</td></tr>
%%% <tr><td>`call_timeout'</td><td>ms that a call may take, or `infinity'; past it
%%%     the host is killed</td><td>`infinity'</td></tr>
%%% <tr><td>`load_timeout'</td><td>ms for starting a host and for `load'</td>
%%%     <td>30000</td></tr>
%%% <tr><td>`upgrade_timeout'</td><td>ms for `upgrade' (all schedulers stand still
%%%     while it runs)</td><td>5000</td></tr>
%%% <tr><td>`stack_size'</td><td>bytes of stack of each host thread</td>
%%%     <td>8 MiB</td></tr>
%%% <tr><td>`pool_size'</td><td>bytes of address space of the host's shared memory;
%%%     what is not touched costs nothing</td><td>64 GiB</td></tr>
%%% <tr><td>`atom_limit'</td><td>new atoms that the library may make in the VM</td>
%%%     <td>100000</td></tr>
%%% <tr><td>`check_lifetimes'</td><td>stop the library, with a backtrace, where it uses
%%%     a term, a binary or an environment after its end. Slow, and takes memory: for
%%%     finding out</td><td>`false'</td></tr>
%%% <tr><td>`trust_funs'</td><td>believe a fun that the library has the VM decode from
%%%     bytes (`enif_binary_to_term') and that the VM has not made itself: a forged one
%%%     crashes the VM when it is called</td><td>`false'</td></tr>
%%% <tr><td>`zero_copy'</td><td>binaries of 16 KiB and more that the library returns or
%%%     sends stay in its host's memory and are not copied. For libraries that don't change
%%%     them later: some functions of the VM look at a binary twice and crash when it has
%%%     changed between</td><td>`false'</td></tr>
%%% <tr><td>`group'</td><td>libraries with the same name here share one host: for those
%%%     that need each other's memory. The host is as large as the largest of them asks
%%%     for; when one crashes, all its libraries start anew</td><td>none</td></tr>
%%% </table>
-module(cordon_options).

-export([normalise/1, merge/3, defaults/0, expected/0, from_text/2, to_text/1]).

-export_type([options/0, given/0]).

%% Some of them: those that somebody asks for.
-type given() :: #{atom() => term()}.

-type options() :: #{call_timeout := pos_integer() | infinity,
                     load_timeout := pos_integer(),
                     upgrade_timeout := pos_integer(),
                     stack_size := pos_integer(),
                     pool_size := pos_integer(),
                     atom_limit := non_neg_integer(),
                     check_lifetimes := boolean(),
                     trust_funs := boolean(),
                     zero_copy := boolean(),
                     group := atom() | string()}.

-define(KIB, 1024).
-define(MIB, (1024 * ?KIB)).
-define(GIB, (1024 * ?MIB)).
-define(MAX_MS, 16#7fffffff).
-define(OF_RECORD, "the library's requirements record: ").
%% What guards the VM against the library: its atom table, and how long code loading or all
%% schedulers stand still. The library itself may ask for less of it, not for more.
-define(GUARDS_OF_VM, [atom_limit, load_timeout, upgrade_timeout]).

%% {Key, Default, Expected, Valid}
-define(TABLE,
        [{call_timeout, infinity,
          "a number of milliseconds from 1 to 2147483647, or infinity",
          fun(V) -> V =:= infinity orelse in(V, 1, ?MAX_MS) end},
         {load_timeout, 30000,
          "a number of milliseconds from 1 to 2147483647",
          fun(V) -> in(V, 1, ?MAX_MS) end},
         {upgrade_timeout, 5000,
          "a number of milliseconds from 1 to 2147483647",
          fun(V) -> in(V, 1, ?MAX_MS) end},
         {stack_size, 8 * ?MIB,
          "a number of bytes from 65536 (64 KiB) to 68719476736 (64 GiB)",
          fun(V) -> in(V, 64 * ?KIB, 64 * ?GIB) end},
         {pool_size, 64 * ?GIB,
          "a number of bytes from 67108864 (64 MiB) to 17592186044416 (16 TiB)",
          fun(V) -> in(V, 64 * ?MIB, 16 * 1024 * ?GIB) end},
         {atom_limit, 100000,
          "a number of atoms from 0 to 1000000000",
          fun(V) -> in(V, 0, 1000000000) end},
         {check_lifetimes, false,
          "true or false",
          fun is_boolean/1},
         {trust_funs, false,
          "true or false",
          fun is_boolean/1},
         {zero_copy, false,
          "true or false",
          fun is_boolean/1},
         {group, undefined,
          "a name (atom or string) of 1 to 64 of the characters a-z A-Z 0-9 _ - .",
          fun is_name/1}]).

%% @doc All options, with defaults for those not given; or a text for each that
%% is wrong.
-spec normalise(term()) -> {ok, options()} | {error, [string()]}.
normalise(Given) ->
    case merge(Given, #{}, #{}) of
        {ok, Options, _} -> {ok, Options};
        {error, _} = Error -> Error
    end.

%% @doc What holds for a library: each option by itself comes from the configuration
%% if that gives it, else from the sidecar of an installed shim, else from the
%% library's requirements record, else it is the default. Not so `group': a library
%% can't put itself into the host, and so the memory, of others. The list names the
%% options that configuration or sidecar give.
-spec merge(Configured :: term(), Sidecar :: map(), Record :: cordon_nif:requirements() | #{}) ->
          {ok, options(), Given :: [atom()]} | {error, [string()]}.
merge(Configured, Sidecar, Record) when is_map(Configured) ->
    Given = maps:merge(Sidecar, Configured),
    Asked = maps:with([Key || {Key, _, _, _} <- ?TABLE],
                      maps:without([group | maps:keys(Given)], Record)),
    case all_errors(Given) ++
             [?OF_RECORD ++ Text || Text <- all_errors(Asked) ++ too_much(Asked)] ++
             missing_profile(Record) of
        [] -> {ok, maps:merge(maps:merge(defaults(), Asked), Given), lists:sort(maps:keys(Given))};
        Errors -> {error, Errors}
    end;
merge(Configured, _, _) ->
    {error, [text("the options are ~0tp, expected a map such as "
                  "#{call_timeout => 5000}", [Configured])]}.

-spec too_much(map()) -> [string()].
too_much(Asked) ->
    [text("option ~0tp is ~0tp, and only a configuration may give more than ~0tp: put "
          "#{~0tp => ~0tp} there to allow it", [Key, Value, Default, Key, Value])
     || {Key, Default, _, _} <- ?TABLE, lists:member(Key, ?GUARDS_OF_VM),
        Value <- [maps:get(Key, Asked, Default)], errors(Key, Value) =:= [], Value > Default].

%% Unspecified, none and default are what every host has at least.
-spec missing_profile(cordon_nif:requirements() | #{}) -> [string()].
missing_profile(#{minimum_profile := strict}) ->
    [?OF_RECORD ++ "the confinement profile strict is asked, this cordon has: none, default. "
     "Use the library natively, or one that asks for less"];
missing_profile(_) ->
    [].

-spec all_errors(map()) -> [string()].
all_errors(Given) ->
    [Text || {Key, Value} <- lists:sort(maps:to_list(Given)), Text <- errors(Key, Value)].

-spec defaults() -> options().
defaults() ->
    maps:from_list([{Key, Default} || {Key, Default, _, _} <- ?TABLE]).

%% @doc The names of all options, and for each what its values are.
-spec expected() -> [{atom(), string()}].
expected() ->
    [{Key, Expected} || {Key, _, Expected, _} <- ?TABLE].

%% @doc The value that a text stands for: an Erlang term where such is valid for the
%% option, else the text itself.
-spec from_text(atom(), string()) -> {ok, term()} | {error, string()}.
from_text(Key, Text) ->
    Candidates = [term_of(Text), Text],
    case [Value || Value <- Candidates, errors(Key, Value) =:= []] of
        [Value | _] -> {ok, Value};
        [] -> {error, hd(errors(Key, hd(Candidates)))}
    end.

%% @doc A value as {@link from_text/2} takes it.
-spec to_text(term()) -> unicode:chardata().
to_text(Value) when is_binary(Value) ->
    Value;
to_text(Value) ->
    case io_lib:printable_unicode_list(Value) of
        true when Value =/= [] -> Value;
        _ -> io_lib:format("~0tp", [Value])
    end.

-spec term_of(string()) -> term().
term_of(Text) ->
    case erl_scan:string(Text ++ ".") of
        {ok, Tokens, _} ->
            case erl_parse:parse_term(Tokens) of
                {ok, Term} -> Term;
                {error, _} -> Text
            end;
        {error, _, _} ->
            Text
    end.

-spec errors(term(), term()) -> [string()].
errors(Key, Value) ->
    case lists:keyfind(Key, 1, ?TABLE) of
        false ->
            Known = lists:join(", ", [atom_to_list(K) || {K, _, _, _} <- ?TABLE]),
            [text("unknown option ~0tp (value ~0tp), expected one of ~ts",
                  [Key, Value, Known])];
        {_, _, Expected, Valid} ->
            [text("option ~0tp is ~0tp, expected ~ts", [Key, Value, Expected])
             || not Valid(Value)]
    end.

-spec in(term(), integer(), integer()) -> boolean().
in(Value, Low, High) ->
    is_integer(Value) andalso Value >= Low andalso Value =< High.

%% A group is a part of file names and process names too.
-spec is_name(term()) -> boolean().
is_name(Name) when is_atom(Name) ->
    Name =:= undefined orelse is_name(atom_to_list(Name));
is_name(Name) ->
    is_list(Name) andalso
        re:run(Name, "^[a-zA-Z0-9_.-]{1,64}$", [{capture, none}, dollar_endonly]) =:= match.

%% Values are printed up to a length at which a message stays readable.
-spec text(string(), [term()]) -> string().
text(Format, Args) ->
    lists:flatten(io_lib:format(Format, Args, [{chars_limit, 600}])).
