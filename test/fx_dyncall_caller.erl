%%% Calls resources of another library: see fixtures/fx_dyncall_caller.c.
-module(fx_dyncall_caller).

-export([call/4]).

-include("fx.hrl").

call(_, _, _, _) -> ?NIF.
