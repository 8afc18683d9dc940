%%% The other member of a group.
-module(fx_group_b).

-include("fx_group.hrl").
