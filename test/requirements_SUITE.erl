%%% The requirements record: read from a library, shown, and in force where nobody
%%% says otherwise.
-module(requirements_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(MAGIC, "ordonRQ", 0).

all() ->
    [order_of_sources, record_is_shown, library_without, in_force, configuration_first,
     later_version, wrong_records, wrong_values, guards_of_the_vm, strict_is_refused, installed_and_edited].

suite() -> [{timetrap, {seconds, 60}}].
init_per_suite(Config) -> fx:init_suite(Config).
end_per_suite(Config) -> fx:end_suite(Config).

init_per_testcase(Case, Config) -> case_dir:init(Case, Config).
end_per_testcase(_Case, _Config) -> fx:unload(fx_requirements).

%% Configuration over sidecar over record over defaults, each option by itself.
order_of_sources(_) ->
    Default = maps:get(stack_size, cordon_options:defaults()),
    [begin
         {ok, Options, Given} = cordon_options:merge(Configured, Sidecar, Record),
         ?assertEqual({Expected, Names}, {maps:get(stack_size, Options), Given}),
         ?assertEqual(maps:remove(stack_size, cordon_options:defaults()),
                      maps:remove(stack_size, Options))
     end || {Configured, Sidecar, Record, Expected, Names} <-
                [{#{}, #{}, #{}, Default, []},
                 {#{}, #{}, #{stack_size => 100003}, 100003, []},
                 {#{}, #{stack_size => 100002}, #{stack_size => 100003}, 100002, [stack_size]},
                 {#{stack_size => 100001}, #{stack_size => 100002}, #{stack_size => 100003},
                  100001, [stack_size]},
                 {#{stack_size => 100001}, #{}, #{stack_size => 100003}, 100001, [stack_size]},
                 {#{stack_size => 100001}, #{}, #{stack_size => 3}, 100001, [stack_size]},
                 {#{stack_size => Default}, #{}, #{stack_size => 100003}, Default, [stack_size]},
                 {#{}, #{}, #{version => 1, flags => [stateless], memory => 17}, Default, []}]],
    {ok, Mixed, [call_timeout, group]} =
        cordon_options:merge(#{call_timeout => 1, group => undefined}, #{call_timeout => 2},
                             #{call_timeout => 3, group => "a", atom_limit => 4}),
    ?assertMatch(#{call_timeout := 1, group := undefined, atom_limit := 4}, Mixed),
    %% A library doesn't choose whose memory it is in.
    {ok, #{group := undefined}, []} = cordon_options:merge(#{}, #{}, #{group => "a"}),
    {ok, #{group := "b"}, [group]} = cordon_options:merge(#{}, #{group => "b"}, #{group => "a"}),
    {error, [Text]} = cordon_options:merge(#{}, #{}, #{stack_size => 3}),
    contains(Text, ["requirements record: option stack_size is 3, expected"]).

record_is_shown(_) ->
    {ok, Manifest, Sidecar} = cordon_shim:sidecar(fx:library(fx_requirements) ++ ".so", #{}),
    ?assertEqual(#{version => 1, flags => [stateless, needs_threads, bit_40],
                   memory => 1 bsl 30, pool_size => 1 bsl 27, stack_size => 1 bsl 24,
                   call_timeout => 700, load_timeout => 20000, upgrade_timeout => 4000,
                   atom_limit => 500, minimum_profile => default, group => "fx_r"},
                 maps:get(requirements, Manifest)),
    contains(Sidecar, ["\"flags\": [\"stateless\", \"needs_threads\", \"bit_40\"]",
                       "\"minimum_profile\": \"default\"", "\"memory\": 1073741824"]).

library_without(_) ->
    {ok, Manifest, _} = cordon_shim:sidecar(fx:library(fx_bystander) ++ ".so", #{}),
    ?assertNot(maps:is_key(requirements, Manifest)).

%% The options that act are seen to act.
in_force(_) ->
    ok = fx:load(isolated, fx_requirements),
    ?assertEqual(1 bsl 24, fx_requirements:stack_size()),
    ?assertNot(maps:is_key(group, fx:host(fx_requirements))),
    ?assertError({nif_host_down, #{reason := {timeout, 700}}}, fx_requirements:sleep_ms(5000)),
    ?assertEqual(slept, fx_requirements:sleep_ms(1)).

configuration_first(_) ->
    ok = fx:load(isolated, fx_requirements,
                 #{options => #{stack_size => 1 bsl 21, group => undefined, call_timeout => infinity}}),
    ?assertEqual(1 bsl 21, fx_requirements:stack_size()),
    ?assertNot(maps:is_key(group, fx:host(fx_requirements))),
    ?assertEqual(slept, fx_requirements:sleep_ms(1000)).

%% What a later revision has added is left aside.
later_version(Config) ->
    {ok, #{requirements := Read}, _} = patched(Config, [{12, <<9:32/little>>}, {8, <<400:32/little>>}]),
    ?assertMatch(#{version := 9, stack_size := 16777216}, Read).

wrong_records(Config) ->
    [begin
         {error, {requirements, Text}} = patched(Config, [{At, Bytes}]),
         contains(Text, ["patched.so", "requirements record", Part, "CORDON_REQUIREMENTS"])
     end || {At, Bytes, Part} <-
                [{24, <<-1:64>>, "has memory = 18446744073709551615, expected less"},
                 {0, <<"x">>, "does not begin with CORDON_REQUIREMENTS_MAGIC"},
                 {8, <<143:32/little>>, "says that it has 143 bytes"},
                 {8, <<0:32>>, "says that it has 0 bytes"},
                 {12, <<0:32>>, "is of version 0"},
                 {72, <<4:32/little>>, "confinement profile number 4"},
                 {72, <<-1:32>>, "confinement profile number 4294967295"},
                 {80, binary:copy(<<"a">>, 64), "group name without an end"},
                 {80, <<"a/b", 0>>, "group name that can't be one"},
                 {80, <<255, 1, 0>>, "group name that can't be one"}]].

%% What can't be in force: an error, unless the configuration says otherwise. The
%% VM is not told of a record that nobody can fulfil.
wrong_values(Config) ->
    [begin
         {error, {requirements, Text}} = patched(Config, [{At, Bytes}]),
         contains(Text, ["patched.so", "requirements record: option " ++ atom_to_list(Option)]),
         {ok, _, _} = patched(Config, [{At, Bytes}],
                              #{Option => maps:get(Option, cordon_options:defaults())})
     end || {At, Bytes, Option} <- [{48, <<1:64/little>>, stack_size},
                                    {40, <<1:64>>, pool_size},
                                    {56, <<-1:32>>, call_timeout},
                                    {68, <<-1:32>>, atom_limit}]].

%% More atoms than the VM has, or all schedulers stopped for a day: not for a library to decide.
guards_of_the_vm(Config) ->
    [begin
         Default = maps:get(Option, cordon_options:defaults()),
         {error, {requirements, Text}} = patched(Config, [{At, <<(Default + 1):32/little>>}]),
         contains(Text, ["patched.so", "requirements record: option " ++ atom_to_list(Option),
                         "only a configuration may give more"]),
         {ok, _, _} = patched(Config, [{At, <<Default:32/little>>}]),
         {ok, _, _} = patched(Config, [{At, <<(Default + 1):32/little>>}],
                              #{Option => Default + 1})
     end || {At, Option} <- [{60, load_timeout}, {64, upgrade_timeout}, {68, atom_limit}]].

strict_is_refused(Config) ->
    {error, {requirements, Text}} = patched(Config, [{72, <<3:32/little>>}]),
    contains(Text, ["profile strict is asked, this cordon has: none, default"]),
    Library = filename:join(dir(Config), "patched"),
    {error, {load_failed, Refused}} = fx:try_load(fx_requirements, Library, #{}),
    contains(Refused, ["cordon: ", "profile strict is asked"]).

%% The options in a sidecar are what is in force; a hand may change them.
installed_and_edited(Config) ->
    Library = fx:library(fx_requirements) ++ ".so",
    {ok, _, Sidecar} = cordon_shim:sidecar(Library, #{group => undefined}),
    Edited = binary:replace(Sidecar, <<"\"stack_size\": 16777216,\n    \"pool_size\"">>,
                            <<"\"stack_size\": 2097152,\n    \"pool_size\"">>),
    ?assertNotEqual(Sidecar, Edited),
    Shim = filename:join(dir(Config), "shim"),
    {ok, _} = file:copy(filename:join(code:priv_dir(cordon), "cordon_shim.so"), Shim ++ ".so"),
    ok = file:write_file(Shim ++ ".cordon", Edited),
    ok = fx:try_load(fx_requirements, #{path => Shim}),
    ?assertEqual(2097152, fx_requirements:stack_size()).

%%% Helpers

patched(Config, Patches) ->
    patched(Config, Patches, #{}).

%% The library with other bytes in its record, by offset in that.
patched(Config, Patches, Options) ->
    {ok, Content} = file:read_file(fx:library(fx_requirements) ++ ".so"),
    [{Start, _}] = binary:matches(Content, <<?MAGIC>>),
    Library = filename:join(dir(Config), "patched.so"),
    _ = file:delete(Library),
    ok = file:write_file(Library, lists:foldl(fun(Patch, Bytes) -> patch(Start, Patch, Bytes) end,
                                              Content, Patches)),
    cordon_shim:sidecar(Library, Options).

patch(Start, {Offset, New}, Content) ->
    At = Start + Offset,
    Size = byte_size(New),
    <<Before:At/binary, _:Size/binary, After/binary>> = Content,
    <<Before/binary, New/binary, After/binary>>.

contains(Text, Parts) ->
    [?assertMatch({Part, [_ | _], _}, {Part, found(Text, Part), Text}) || Part <- Parts],
    ok.

found(Text, Part) ->
    case string:find(Text, Part) of
        nomatch -> nomatch;
        Found -> unicode:characters_to_list(Found)
    end.

dir(Config) ->
    proplists:get_value(dir, Config).
