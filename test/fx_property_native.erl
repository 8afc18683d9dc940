%%% See fixtures/fx_property.h.
-module(fx_property_native).

-include("fx_property.hrl").
