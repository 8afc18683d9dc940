%%% The library that is measured, in the VM and in hosts.
-module(bench_library).

-export([load_all/1, load_native/1, load_copies/2, file/1, host/1]).

%% @doc Loads it as bench_native, and isolated as bench_isolated and with zero_copy as bench_in_place.
%% `Dir' has the files that CMake built.
-spec load_all(file:filename()) -> ok.
load_all(Dir) ->
    ok = load_native(Dir),
    {ok, _} = application:ensure_all_started(cordon),
    ok = load(bench_isolated, cordon:shim(file("bench_isolated"))),
    ok = load(bench_in_place, cordon:shim(file("bench_in_place"), #{zero_copy => true})),
    true = bench_native:os_pid() =:= list_to_integer(os:getpid()),
    true = bench_isolated:os_pid() =/= list_to_integer(os:getpid()),
    ok.

%% @doc Only as bench_native.
-spec load_native(file:filename()) -> ok.
load_native(Dir) ->
    persistent_term:put({?MODULE, dir}, Dir),
    case erlang:module_loaded(bench_native) of
        true -> ok;
        false -> load(bench_native, file("bench_native"))
    end.

%% @doc Isolated modules of the same library, each with a host of its own.
-spec load_copies(pos_integer(), file:filename()) -> [module()].
load_copies(Count, To) ->
    {ok, Library} = file:read_file(file("bench_isolated") ++ ".so"),
    ok = filelib:ensure_path(To),
    [begin
         %% As long as the name that it takes the place of.
         Name = lists:flatten(io_lib:format("bench_copy_~3..0b", [N])),
         File = filename:join(To, Name),
         Copy = binary:replace(Library, <<"bench_isolated">>, list_to_binary(Name), [global]),
         ok = file:write_file(File ++ ".so", Copy),
         Module = list_to_atom(Name),
         ok = load(Module, cordon:shim(File)),
         Module
     end || N <- lists:seq(1, Count)].

%% @doc What CMake built for the bench.
-spec file(string()) -> file:filename().
file(Name) ->
    filename:join(persistent_term:get({?MODULE, dir}), Name).

-spec host(module()) -> cordon_nif:host().
host(Module) ->
    [Host] = [Host || #{module := M} = Host <- cordon_nif:hosts(), M =:= Module],
    Host.

load(Module, Library) ->
    persistent_term:put({Module, library}, Library),
    Source = filename:join(filename:dirname(code:which(?MODULE)), "bench_nif.erl"),
    {ok, Module, Code} = compile:file(Source, [binary, {d, 'BENCH_MODULE', Module}]),
    case code:load_binary(Module, Source, Code) of
        {module, Module} -> ok;
        {error, Reason} -> error({load, Module, Library, Reason})
    end.
