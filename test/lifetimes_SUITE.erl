%%% Option check_lifetimes: a library that uses a term, a binary, an environment or a resource after
%%% its end is stopped there, and told where; one that doesn't behaves as without the option.
-module(lifetimes_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(LATE,
        [{use_term, "the end of the call"}, {use_arguments, "the end of the call"},
         {use_binary, "the end of the call"}, {use_env, "the end of the call"},
         {after_clear, "enif_clear_env"}, {after_free, "enif_free_env"},
         {env_after_free, "enif_free_env"}, {after_send, "enif_clear_env, or enif_send"},
         {after_release, "enif_release_binary"},
         {resource_after_release, "the last reference"}]).

all() ->
    [off_by_default, term_of_former_call, argument_of_former_call, arguments_of_former_call,
     binary_of_former_call, environment_of_former_call, after_clear, after_free, after_send,
     freed_environment, released_binary, released_resource, in_time, many_calls, both_backtraces, refused].

suite() -> [{timetrap, {seconds, 60}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_testcase(Case, Config) ->
    Options = maps:from_list([{check_lifetimes, true} || Case =/= off_by_default]),
    ok = fx:load(isolated, fx_lifetimes, #{options => Options}),
    Config.

end_per_testcase(_Case, _Config) ->
    fx:unload(fx_lifetimes).

term_of_former_call(_) ->
    ok = fx_lifetimes:keep(a),
    late(use_term, [], return).

argument_of_former_call(_) ->
    ok = fx_lifetimes:keep_argument({a, b}),
    late(use_term, [], return).

arguments_of_former_call(_) ->
    ok = fx_lifetimes:keep({a, b}),
    late(use_arguments, [], return).

binary_of_former_call(_) ->
    [begin
         ok = fx_lifetimes:keep(binary:copy(<<"x">>, Size)),
         late(use_binary, [], return)
     end || Size <- [1, 64, 65, 1000, 100000]].

environment_of_former_call(_) ->
    ok = fx_lifetimes:keep(a),
    late(use_env, [], return).

after_clear(_) -> late(after_clear, [a], enif_clear_env).
after_free(_) -> late(after_free, [a], enif_free_env).
after_send(_) ->
    late(after_send, [a], enif_clear_env),
    receive {a} -> ok after 0 -> ct:fail(no_message) end.
freed_environment(_) -> late(env_after_free, [a], enif_free_env).
released_binary(_) -> late(after_release, [], enif_release_binary).
released_resource(_) -> late(resource_after_release, [], last_reference).

in_time(_) ->
    Host = fx:host(fx_lifetimes),
    [begin
         {Term, Term, 7, Ref} = fx_lifetimes:in_time(Term),
         true = is_reference(Ref)
     end || Term <- [a, {a, "b", <<"c">>}, binary:copy(<<"x">>, 100000), #{a => [1.5, 1 bsl 70]},
                     lists:seq(1, 10000), self(), fun lists:map/2]],
    same_host(Host).

%% Memory that has ended is given back in the end.
many_calls(_) ->
    Host = fx:host(fx_lifetimes),
    Term = {a, binary:copy(<<"x">>, 5000)},
    [{Term, Term, 7, _} = fx_lifetimes:in_time(Term) || _ <- lists:seq(1, 5000)],
    same_host(Host).

%% Without the option the same library lives from what the memory still holds.
off_by_default(_) ->
    Host = fx:host(fx_lifetimes),
    a = fx_lifetimes:after_clear(a),
    same_host(Host).

same_host(#{os_pid := OsPid}) ->
    ?assertMatch(#{os_pid := OsPid}, fx:host(fx_lifetimes)).

%% In a node of its own, for the text goes to its standard error.
both_backtraces(_) ->
    {ok, Node} = test_node:start([]),
    [test_node:call(Node, ?MODULE, explained_in_node, [Function, EndedBy])
     || {Function, EndedBy} <- ?LATE],
    test_node:stop(Node).

explained_in_node(Function, EndedBy) ->
    ok = fx:load(isolated, fx_lifetimes, #{options => #{check_lifetimes => true}}),
    ok = fx_log:capture_standard_error(),
    ok = fx_lifetimes:keep({a}),
    ok = case Function of
             use_binary -> fx_lifetimes:keep(<<"x">>);
             _ -> ok
         end,
    Args = [a || not erlang:function_exported(fx_lifetimes, Function, 0)],
    {error, _} = outcome(Function, Args),
    Parts = ["Used here:\n", "fx_lifetimes.so", "It was ended by " ++ EndedBy, "here:\n", "nif_host"],
    try fx:wait_until(fun() -> in_order(fx_log:captured(), Parts) end)
    catch error:Reason -> error({Reason, Function, fx_log:captured()})
    end.

in_order(_, []) -> true;
in_order(Text, [Part | Parts]) ->
    case string:find(Text, Part) of
        nomatch -> false;
        Rest -> in_order(Rest, Parts)
    end.

refused(_) ->
    {error, [Text]} = cordon_options:normalise(#{check_lifetimes => yes}),
    ?assertEqual("option check_lifetimes is yes, expected true or false", Text).

late(Function, Args, EndedBy) ->
    ?assertMatch({error, {nif_host_down, #{function := Function, reason := {used_after, EndedBy}}}},
                 outcome(Function, Args)),
    Term = {a},
    {Term, Term, 7, _} = fx_lifetimes:in_time(Term). % in a new host

outcome(Function, Args) ->
    try {ok, apply(fx_lifetimes, Function, Args)}
    catch Class:Reason -> {Class, Reason}
    end.
