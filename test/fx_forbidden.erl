%%% What a library has no use for: see fixtures/fx_forbidden.c.
-module(fx_forbidden).

-export([forbidden/1]).

-include("fx.hrl").

forbidden(_) -> ?NIF.
