%%% A directory for each test case.
-module(case_dir).

-export([init/2]).

%% @doc For init_per_testcase: makes the case's directory, which is then `dir' of the configuration,
%% without links in its path.
-spec init(atom(), [{atom(), term()}]) -> [{atom(), term()}].
init(Case, Config) ->
    Dir = filename:join(proplists:get_value(priv_dir, Config), Case),
    ok = filelib:ensure_path(Dir),
    {ok, Real} = cordon_place:real_path(Dir),
    [{dir, Real} | Config].
