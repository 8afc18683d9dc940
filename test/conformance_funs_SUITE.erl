%%% Funs that a library decodes from external term format. Natively the VM believes all bytes, and
%%% a forged fun may crash it when it is called. Isolated it believes a fun that it has made itself
%%% and shown to a host before, the name of a function, and by the option trust_funs all.
-module(conformance_funs_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES, [names_of_functions, decoded_again, of_another_creator, equal_but_written_otherwise,
                keys_of_maps]).
-define(LATE, fx_late_funs).

all() ->
    [{group, native}, {group, isolated}, {group, believed}].

groups() ->
    [{native, [], [unseen, of_a_module_that_is_not_loaded | ?CASES]},
     {isolated, [], ?CASES ++ [forged_after_it_was_seen, unseen_refused, forged_refused]},
     {believed, [], [unseen, of_a_module_that_is_not_loaded | ?CASES]}].

suite() ->
    [{timetrap, {seconds, 60}}].

init_per_group(native, Config) ->
    ok = fx:load(native, fx_data),
    Config;
init_per_group(isolated, Config) ->
    ok = fx:load(isolated, fx_data),
    Config;
init_per_group(believed, Config) ->
    ok = fx:load(isolated, fx_data, #{options => #{trust_funs => true}}),
    Config.

end_per_group(_Mode, _Config) ->
    fx:unload(fx_data).

%%% In every mode

names_of_functions(_) ->
    [again(term_to_binary(F), F) || F <- [fun lists:map/2, fun erlang:self/0, fun no_module:f/3,
                                          fun ?MODULE:all/0]].

%% A library has been given the fun as a term, and gets its bytes from anywhere.
decoded_again(_) ->
    [begin
         ?assertEqual(term_to_binary(Fun), fx_data:to_external(Fun)),
         again(term_to_binary(Fun), Fun),
         again(term_to_binary({[Fun], #{Fun => Fun}}), {[Fun], #{Fun => Fun}})
     end || Fun <- funs()].

of_another_creator(_) ->
    [begin
         _ = fx_data:to_external(Fun),
         Other = made_elsewhere(fun() -> lists:nth(N, funs()) end),
         again(term_to_binary(Other), Fun)
     end || {N, Fun} <- lists:enumerate(funs())],
    %% OTP 27 writes no creator any more.
    Funs = [hd(funs()), made_elsewhere(fun() -> hd(funs()) end)],
    Creators = [erlang:fun_info(Fun, pid) || Fun <- Funs],
    ?assertEqual(length(lists:usort(Creators)),
                 length(lists:usort([term_to_binary(Fun) || Fun <- Funs]))).

%% The same fun as an older node would write it: atoms as latin1.
equal_but_written_otherwise(_) ->
    Fun = hd(funs()),
    _ = fx_data:to_external(Fun),
    Module = atom_to_binary(?MODULE),
    Size = byte_size(Module),
    [Head, Tail] = binary:split(term_to_binary(Fun), [<<Tag, 0:L/unit:8, Size, Module/binary>>
                                                      || {Tag, L} <- [{100, 1}, {119, 0}]]),
    Other = <<Head/binary, 115, Size, Module/binary, Tail/binary>>,
    ?assertEqual(Fun, binary_to_term(Other)),
    again(Other, Fun).

keys_of_maps(_) ->
    [begin
         Other = made_elsewhere(fun() -> lists:nth(N, funs()) end),
         ?assertEqual({ok, found}, fx_data:map_get(Fun, #{Other => found, other => 1})),
         Big = maps:from_list([{Other, found} | [{I, I} || I <- lists:seq(1, 100)]]),
         ?assertEqual({ok, found}, fx_data:map_get(Fun, Big)),
         ?assertEqual(101, map_size(fx_data:map_put(Fun, again, Big)))
     end || {N, Fun} <- lists:enumerate(funs())].

%%% Natively, and where it is believed

unseen(_) ->
    Fun = unseen_fun(),
    again(term_to_binary(Fun), Fun),
    {_, Decoded} = fx_data:from_external(term_to_binary(Fun), any),
    ?assertEqual(Fun(), Decoded()).

of_a_module_that_is_not_loaded(_) ->
    {Module, Binary, Encoded} = late_module(),
    true = code:delete(Module),
    _ = code:purge(Module),
    {_, Decoded} = fx_data:from_external(Encoded, any),
    ?assertError(undef, Decoded(1)),
    {module, Module} = code:load_binary(Module, "nowhere", Binary),
    ?assertEqual({1, kept}, Decoded(1)),
    _ = code:delete(Module).

%%% Isolated only

unseen_refused(_) ->
    refused(term_to_binary(unseen_fun())),
    refused(term_to_binary([1, {unseen_fun()}])),
    {_, _, Encoded} = late_module(),
    refused(Encoded).

%% The VM would crash if one of these were called: arity, index, number or kind of the variables
%% are wrong. None reaches Erlang.
forged_refused(_) ->
    Fun = unseen_fun(),
    [not_given(Forged) || Forged <- forged(Fun)].

%% That the genuine one is known helps none of them. What the VM has corrected is genuine.
forged_after_it_was_seen(_) ->
    Fun = hd(funs()),
    Encoded = fx_data:to_external(Fun),
    [try fx_data:from_external(Forged, any) of
         no -> ok;
         {_, Given} ->
             ?assertEqual({Encoded, Fun(1)}, {term_to_binary(Given), Given(1)})
     catch
         error:{enif_unsupported, enif_binary_to_term} -> ok
     end || Forged <- forged(Fun)],
    again(Encoded, Fun).

%%% Helpers

again(Encoded, Term) ->
    ?assertEqual({byte_size(Encoded), Term}, fx_data:from_external(Encoded, any)),
    ?assertEqual({byte_size(Encoded), Term}, fx_data:from_external(Encoded, safe)),
    {_, Decoded} = fx_data:from_external(Encoded, any),
    ?assertEqual(erlang:phash2(Term), erlang:phash2(Decoded)).

refused(Encoded) ->
    ?assertError({enif_unsupported, enif_binary_to_term}, fx_data:from_external(Encoded, any)),
    ?assertEqual({3, 6}, fx_data:inspect(<<1, 2, 3>>)).

not_given(Forged) ->
    case catch binary_to_term(Forged) of
        Decoded when is_function(Decoded) -> refused(Forged);
        {'EXIT', _} -> ?assertEqual(no, fx_data:from_external(Forged, any))
    end.

funs() ->
    ?MODULE:funs({kept}).

%% Called from outside: the compiler must not know what the funs keep.
funs(Kept) ->
    Inner = fun() -> Kept end,
    [fun(X) -> {X, Kept} end, fun() -> none end, fun(X, Y) -> {X, Y} end, fun() -> Inner end].

%% Never an argument of an isolated call.
unseen_fun() ->
    Unseen = {{kept}, make_ref()},
    fun() -> Unseen end.

made_elsewhere(Make) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({made, Make()}) end),
    receive
        {'DOWN', Ref, process, Pid, {made, Made}} -> Made
    end.

%% The fun is gone when this returns: a purge would end who has it.
late_module() ->
    Forms = [{attribute, 1, module, ?LATE},
             {attribute, 1, export, [{make, 1}]},
             {function, 1, make, 1,
              [{clause, 1, [{var, 1, 'Y'}], [],
                [{'fun', 1, {clauses, [{clause, 1, [{var, 1, 'X'}], [],
                                        [{tuple, 1, [{var, 1, 'X'}, {var, 1, 'Y'}]}]}]}}]}]}],
    {ok, Module, Binary} = compile:forms(Forms),
    fx:unload(Module),
    {module, Module} = code:load_binary(Module, "nowhere", Binary),
    {Module, Binary, made_elsewhere(fun() -> term_to_binary(Module:make(kept)) end)}.

%% Some of them no VM decodes.
forged(Fun) ->
    <<131, 112, _:32, Arity, Uniq:16/binary, Index:32, Free:32, Rest/binary>> =
        term_to_binary(Fun),
    [<<131, 112, (29 + byte_size(R)):32, A, U/binary, I:32, F:32, R/binary>>
     || {A, U, I, F, R} <- [{Arity + 1, Uniq, Index, Free, Rest},
                            {(Arity + 255) rem 256, Uniq, Index, Free, Rest},
                            {Arity, Uniq, Index + 1, Free, Rest},
                            {Arity, Uniq, 16#7fffffff, Free, Rest},
                            {Arity, Uniq, Index, 0, Rest},
                            {Arity, Uniq, Index, Free + 1, <<Rest/binary, 106>>},
                            {Arity, Uniq, Index, Free + 200,
                             <<Rest/binary, (binary:copy(<<106>>, 200))/binary>>},
                            {Arity, <<1:128>>, Index, Free, Rest}]]
        ++ [binary:replace(term_to_binary(Fun), term_part({kept}), term_part(1)) || Free > 0].

term_part(Term) ->
    <<131, Part/binary>> = term_to_binary(Term),
    Part.
