%%% The borders of the API, and the habits of libraries, natively and isolated. The
%%% fixtures ask hundreds of small questions (fixtures/details.h); each answer must be
%%% the VM's.
-module(conformance_details_SUITE).

-compile([export_all, nowarn_export_all]).

-include_lib("stdlib/include/assert.hrl").

-define(CASES,
        [asked, exceptions, schedule_errors, schedule_arguments, atoms, strings, make_terms,
         walk_maps, change_maps, maps_from_arrays,
         binaries, inspected_binaries, sub_binaries, iolists,
         iovecs, queues, kept_over_calls, resources,
         prints, threads, signals, thread_data, times, system_info, libraries, pids,
         error_number, no_environment, statics, held_binary, habits]).

-define(MODULES, [fx_details_terms, fx_details_maps, fx_details_memory, fx_details_system,
                  fx_details_threads, fx_details_habits]).

all() -> both_modes:all().
groups() -> both_modes:groups(?CASES).
suite() -> [{timetrap, {seconds, 60}}].

init_per_group(Mode, Config) -> both_modes:init_group(Mode, Config, ?MODULES).

end_per_group(_Mode, Config) ->
    ct:pal("~s: ~b answers", [proplists:get_value(mode, Config), get_count()]),
    both_modes:end_group(?MODULES).

%%% Terms

asked(Config) ->
    [same(Config, fx_details_terms, asked, T) || T <- everything()].

exceptions(Config) ->
    same(Config, fx_details_terms, exceptions, x),
    [same(Config, fx_details_terms, F, {some, "term"})
     || F <- [exceptions_elsewhere, badarg_in_a_tuple, raised_badarg]],
    [same(Config, fx_details_terms, Run, exceptions, x) || Run <- [run_cpu, run_io]].

schedule_errors(Config) ->
    [same(Config, fx_details_terms, Run, F, reason)
     || Run <- [run, run_cpu], F <- [schedule_refused, raise_then_schedule, schedule_then_raise,
                                     schedule_twice, look_at_scheduled, what_scheduled_was]].

schedule_arguments(Config) ->
    [same(Config, fx_details_terms, schedule_with, {Argc, Name, Flags})
     || Argc <- [0, 1, 2, 7, 254, 255], Name <- [1, 255], Flags <- [0, 1, 2]],
    same(Config, fx_details_terms, schedule_with, {1, 1, 3}),
    [same(Config, fx_details_terms, F, 50) || F <- [start_peeling, start_turning]].

atoms(Config) ->
    Texts = [<<>>, <<"a">>, <<"fx ", 0, " b">>, <<0>>, <<"fx \xe9">>, <<"fx ", 233/utf8>>, <<"fx ", 255, 254>>,
             binary:copy(<<"a">>, 255), binary:copy(<<"a">>, 256), binary:copy(<<233>>, 255),
             binary:copy(<<233>>, 256), binary:copy(<<233/utf8>>, 255), binary:copy(<<"b">>, 999)],
    [same(Config, fx_details_terms, atoms, {T, E}) || E <- encodings(), T <- Texts],
    [same(Config, fx_details_terms, atom_texts, {A, E})
     || A <- ['', a, abcdefghij, 'abcdefghij1', '\x{3b1}bc', 'd\xe9f', "list", 5], E <- encodings()].

strings(Config) ->
    Lists = ["", "a", "abcdefghij", "abcdefghijk", "abcdefghijklmnop", [0, 1, 0], [255], [256],
             [$a, 256], [$a, -1], [$a | b], [$a, $b | $c], [$a, b], [a], [[$a]], atom, <<"bin">>,
             {}, 5, "abcdefghi" ++ [256], "abcdefghij" ++ [256], "abc" ++ [1 bsl 70], [1.0],
             [16#3b1], [16#d800], [$a, 16#3b1, $b, 16#1f600]],
    [same(Config, fx_details_terms, strings, {L, E}) || L <- Lists, E <- encodings()].

%% 0 is none of them. 2 is ERL_NIF_UTF8, which libraries have since OTP 26.
encodings() -> [1, 0, 3].

make_terms(Config) ->
    [same(Config, fx_details_terms, F, x) || F <- [make_strings, make_numbers, make_nothing]].

%%% Maps

walk_maps(Config) ->
    Sizes = [0, 1, 2, 31, 32, 33, 70],
    [same(Config, fx_details_maps, walk, {seq_map(N), Entry, Moves})
     || N <- Sizes, Entry <- [0, 1, 2, 3],
        Moves <- ["n", "p", "pp", "nn", "pnpn", "npnp", "ppnnnppn", "nnpppnnn",
                  copies($n, N + 3) ++ copies($p, N + 4) ++ "nn",
                  copies($p, N + 3) ++ copies($n, N + 4) ++ "pp"]],
    [same(Config, fx_details_maps, walk, {T, 1, "n"}) || T <- [[], a, 1, {}, <<>>]],
    [same(Config, fx_details_maps, same_words, seq_map(N)) || N <- Sizes].

copies(C, N) -> lists:duplicate(N, C).

change_maps(Config) ->
    [same(Config, fx_details_maps, change, {Map, Key, {value, 1}})
     || Map <- [seq_map(N) || N <- [0, 1, 32, 33, 70]] ++ [[], a, {}, 1, <<>>],
        Key <- [1, 1.0, 33, missing, {a, b}, [], #{}]].

maps_from_arrays(Config) ->
    Lists = [[], [a], [a, a], [1, 1.0], [a, b, a], [a, b, b], [{a}, {a}], ["x", "x"], [0.0, -0.0],
             lists:seq(1, 32), lists:seq(1, 31) ++ [1], lists:seq(1, 33), lists:seq(32, 1, -1),
             lists:seq(1, 33) ++ [1], lists:seq(1, 100) ++ [1, 1.0], [5 | lists:seq(1, 40)]],
    [same(Config, fx_details_maps, from_arrays,
          {list_to_tuple(L), list_to_tuple(lists:seq(1, length(L)))}) || L <- Lists].

seq_map(N) ->
    maps:from_list([{K, {v, K}} || K <- lists:seq(1, N)]).

%%% Binaries

binaries(Config) ->
    [same(Config, fx_details_memory, F, Size)
     || F <- [binaries, new_binaries, released],
        Size <- [0, 1, 2, 7, 8, 63, 64, 65, 100, 127, 128, 129, 130, 511, 512, 513, 5000]].

inspected_binaries(Config) ->
    Big = binary:copy(<<"0123456789">>, 100),
    <<_:3, Unaligned:20/binary, _/bits>> = Big,
    <<_:5, BigUnaligned:200/binary, _/bits>> = Big,
    [same(Config, fx_details_memory, inspected, T)
     || T <- [<<>>, <<"a">>, <<"abc">>, binary:copy(<<"x">>, 64), binary:copy(<<"y">>, 65), Big,
              binary:part(Big, 3, 100), Unaligned, BigUnaligned, <<1:3>>, <<1, 2:5>>, a, 1, [],
              "list", [<<"a">>], {}, #{}]].

sub_binaries(Config) ->
    Big = binary:copy(<<"0123456789">>, 100),
    <<_:3, Unaligned:20/binary, _/bits>> = Big,
    %% Past the end of a binary the VM reads what lies there.
    [same(Config, fx_details_memory, sub_binaries, {Binary, At, Size})
     || Binary <- [<<>>, <<"abc">>, Big, Unaligned, binary:part(Big, 7, 500), <<1:3>>, <<1, 2, 3:5>>,
                   <<(binary:copy(<<"z">>, 100))/binary, 1:1>>],
        At <- [0, 1, 2, 3, 20, 100, 500, 1000], Size <- [0, 1, 2, 3, 16, 17, 20, 400, 500, 1000],
        At + Size =< byte_size(Binary) - min(1, bit_size(Binary) rem 8)],
    [same(Config, fx_details_memory, sub_of_sub, B)
     || B <- [<<"abcdefgh">>, binary:part(Big, 0, 101), Unaligned]].

iolists(Config) ->
    Big = binary:copy(<<"0123456789">>, 100),
    <<_:3, Unaligned:20/binary, _/bits>> = Big,
    Deep = lists:foldl(fun(N, Acc) -> [Acc, N rem 256] end, [], lists:seq(1, 20000)),
    DeepHead = lists:foldl(fun(N, Acc) -> [N rem 256 | [Acc]] end, [], lists:seq(1, 20000)),
    [same(Config, fx_details_memory, iolist, L)
     || L <- [[], <<>>, [[]], [[], [[]], []], "abc", [0, 255], [256], [-1], [1 bsl 70], [1.0], [a], a,
              [<<"a">>, "b", [<<"c">> | <<"d">>] | <<"e">>], [$a | $b], [$a | b], [[$a | $b]],
              [<<>> | <<>>], [Unaligned, 1, Unaligned | Unaligned], <<1:3>>, [<<1:3>>],
              [1 | <<1:3>>], [<<1, 2:3>>], [Big, [Big | Big]], [Big | []], Deep, DeepHead, {}, #{}, 1,
              [self()], [make_ref()], [[[[a]]]], [1, [2, [3, [4, x]]]]]].

%%% I/O queues

iovecs(Config) ->
    Big = binary:copy(<<"0123456789">>, 100),
    <<_:3, Unaligned:20/binary, _/bits>> = Big,
    <<_:5, BigUnaligned:200/binary, _/bits>> = Big,
    Lists = [[], [<<>>], [<<>>, <<>>], [<<"a">>], [<<"ab">>, <<>>, <<"c">>], [Big], [Big, <<"small">>, Big],
             [<<"s1">>, <<"s2">>, Big, <<"s3">>], [Unaligned, BigUnaligned], [binary:part(Big, 5, 900)],
             [<<N>> || N <- lists:seq(1, 15)], [<<N>> || N <- lists:seq(1, 16)],
             [<<N>> || N <- lists:seq(1, 17)], [Big || _ <- lists:seq(1, 40)],
             [<<"a">> | <<"b">>], [<<"a">> | b], [a], [<<"a">>, a], [<<"a">>, 5], a, <<"bin">>, {},
             ["nested"], [[<<"a">>]], [<<1:3>>], [<<"a">>, <<1, 2:3>>]],
    [same(Config, fx_details_memory, iovec, {L, Most, Env, Struct})
     || L <- Lists, Most <- [0, 1, 2, 16, 1000, 1 bsl 60], Env <- [0, 1], Struct <- [0, 1]].

queues(Config) ->
    Big = binary:copy(<<"0123456789">>, 100),
    Small = <<"small">>,
    <<_:3, Unaligned:20/binary, _/bits>> = Big,
    Steps = [[], [{deq, 0}], [{deq, 1}],
             [{enq, <<>>, 0}], [{enq, Small, 5}], [{enq, Small, 6}], [{term, Small, 6}],
             [{enq, Small, 0}, {deq, 0}, {deq, 6}, {deq, 5}, {deq, 1}],
             [{enq, Small, 2}, {term, Small, 3}, {deq, 1}, {enq, Big, 500}, {deq, 3}, {deq, 500}],
             [{term, Big, 0}, {term, Unaligned, 3}, {term, Big, 999}, {deq, 1001}],
             [{enq, Big, 0}, {enq, Big, 1}, {deq, 999}, {deq, 2}, {deq, 997}, {deq, 1}, {enq, Small, 0}],
             lists:append([[{enq, <<N:800>>, 0}, {term, <<N>>, 0}] || N <- lists:seq(1, 20)])
             ++ [{deq, 150}, {deq, 1500}],
             [{enq, binary:copy(<<"h">>, 64), 0}, {enq, binary:copy(<<"i">>, 65), 0}, {deq, 64}]],
    [same(Config, fx_details_memory, queue, S) || S <- Steps].

kept_over_calls(Config) ->
    [begin
         kept = fx_details_memory:run(keep, Binary),
         garbage_collect(),
         same(Config, fx_details_memory, take, size(Binary))
     end || Binary <- [<<"a">>, <<"kept">>, binary:copy(<<"k">>, 64), binary:copy(<<"k">>, 1000)]].

resources(Config) ->
    [same(Config, fx_details_memory, resources, T)
     || T <- [make_ref(), a, [], 1, <<>>, {}, self()]],
    fx:wait_until(fun() -> fx_details_memory:run(ends, x) =:= 1 end).

%%% The system

prints(Config) ->
    [same(Config, fx_details_system, F, [a, {b}]) || F <- [prints, file_prints]].

threads(Config) ->
    [same(Config, fx_details_threads, Run, F, x)
     || F <- [locks, names_are_copied, threads, thread_names], Run <- [run, run_io]].

signals(Config) ->
    same(Config, fx_details_threads, signals, x).

thread_data(Config) ->
    [same(Config, fx_details_threads, thread_data, N) || N <- [2, 100, 3000, 10]].

times(Config) ->
    [same(Config, fx_details_system, Run, times, x) || Run <- [run, run_cpu, run_io]].

system_info(Config) ->
    same(Config, fx_details_system, system_info, x).

libraries(Config) ->
    same(Config, fx_details_system, libraries, x).

pids(Config) ->
    Dead = spawn(fun() -> ok end),
    fx:wait_until(fun() -> not is_process_alive(Dead) end),
    Others = [Dead, whereis(code_server), remote(<<"P">>), remote_port(), hd(erlang:ports()), a,
              undefined, 5, [], {}, make_ref(), list_to_pid("<0.0.0>"), list_to_pid("<0.32767.8191>")],
    [same(Config, fx_details_system, Run, pids, kept(Config, {N, Run}, T))
     || {N, T} <- lists:enumerate(Others), Run <- [run, run_io]],
    ?assertEqual([], [M || lost = M <- flush()]),
    same(Config, fx_details_system, in_load, x).

%% Both modes are asked of the same term.
kept(Config, Key, Term) ->
    case proplists:get_value(mode, Config) of
        native -> persistent_term:put({?MODULE, kept, Key}, Term), Term;
        isolated -> persistent_term:get({?MODULE, kept, Key}, Term)
    end.

remote(_) ->
    binary_to_term(<<131, 88, 119, 7, "fx@away", 50:32, 0:32, 7:32>>).

remote_port() ->
    binary_to_term(<<131, 89, 119, 7, "fx@away", 50:32, 7:32>>).

flush() ->
    receive M -> [M | flush()] after 0 -> [] end.

%%% Habits

error_number(Config) ->
    [begin same(Config, fx_details_habits, Run, error_number, [Run, "an", <<"iolist">>]), flush() end
     || Run <- [run, run_cpu, run_io]].

no_environment(Config) ->
    same(Config, fx_details_habits, no_environment,
         {a, 1, 1.5, {x}, [], "text", [a | b], #{}, #{40 => x}, seq_map(20), seq_map(50), <<"bin">>,
          binary:copy(<<"B">>, 1000), self(), make_ref(), 1 bsl 70}).

statics(Config) ->
    Self = self(),
    ?assertEqual(Self, fx_details_habits:run(remember, Self)),
    [begin
         same(Config, fx_details_habits, Run, recall, Self),
         [recalled] = flush()
     end || Run <- [run, run_cpu, run_io]].

held_binary(Config) ->
    [begin
         Held = make_binary(Size),
         ?assertEqual(1, fx_details_habits:run(hold, Held)),
         same(Config, fx_details_habits, read_on_a_thread, Size),
         ?assertEqual([{Held, Held}], flush())
     end || Size <- [0, 1, 64, 65, 100000]].

make_binary(Size) ->
    binary:copy(<<"h">>, Size).

habits(Config) ->
    [same(Config, fx_details_habits, Run, F, 123)
     || F <- [memory, locale, long_jump, own_signals, one_thread, lend_environment,
              print_into_binary, use_stack], Run <- [run, run_cpu, run_io]].

%%% Helpers

everything() ->
    Borders = [S * ((1 bsl N) + D) || N <- [31, 32, 59, 60, 63, 64, 100], D <- [-1, 0, 1], S <- [1, -1]],
    Borders ++ [0, 1, -1, 0.0, 1.0, 2.0e9, 1.0e30, a, '', undefined, [], [a], [a | b], [a, b | c], "ab", {},
                {a}, #{}, #{a => 1}, seq_map(50), <<>>, <<"a">>, <<1:3>>, code_server,
                fun lists:map/2].

same(Config, Module, Function, Argument) ->
    same(Config, Module, run, Function, Argument).

%% Every answer natively must be the isolated one too.
same(Config, Module, Run, Function, Argument) ->
    Outcome = try {returned, Module:Run(Function, Argument)}
              catch Class:Reason:Stack -> {Class, Reason, stack(Stack)}
              end,
    Key = {Function, Run, plain(Argument)},
    Answers = plain(answers(Outcome)),
    persistent_term:put({?MODULE, count}, get_count() + length(Answers)),
    fx:same(Config, {Key, questions}, [Question || {Question, _} <- Answers]),
    [fx:same(Config, {Key, N, Question}, Answer)
     || {N, {Question, Answer}} <- lists:enumerate(Answers)],
    ok.

%% Each mode has a process of its own.
plain(Pid) when Pid =:= self() -> '$self';
plain([Head | Tail]) -> [plain(Head) | plain(Tail)];
plain(Tuple) when is_tuple(Tuple) -> list_to_tuple(plain(tuple_to_list(Tuple)));
plain(Term) -> Term.

get_count() ->
    persistent_term:get({?MODULE, count}, 0).

answers({returned, [{Question, _} | _] = Answers}) when is_binary(Question) ->
    lists:reverse(Answers);
answers({Class, [{Question, _} | _] = Answers, Stack}) when is_binary(Question) ->
    [{Class, Stack} | lists:reverse(Answers)];
answers(Outcome) ->
    [{outcome, Outcome}].

stack([{Module, Function, Arguments, _} | _]) -> {Module, Function, Arguments}.
