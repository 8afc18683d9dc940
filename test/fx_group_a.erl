%%% One member of a group.
-module(fx_group_a).

-include("fx_group.hrl").
