%%% See fixtures/fx_property.h.
-module(fx_property_isolated).

-include("fx_property.hrl").
