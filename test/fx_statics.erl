%%% Static objects of C++: see fixtures/languages/fx_statics.cpp.
-module(fx_statics).

-export([statics/1]).

-include("fx.hrl").

statics(_) -> ?NIF.
