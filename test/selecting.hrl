%% Modes and results of enif_select, as erl_nif.h has them.
-define(READ, 1).
-define(WRITE, 2).
-define(STOP, 4).
-define(CANCEL, 8).
-define(CUSTOM, 16).
-define(ERROR, 32).
-define(STOP_CALLED, 1).
-define(STOP_SCHEDULED, 2).
-define(READ_CANCELLED, 16).
-define(WRITE_CANCELLED, 32).
-define(ERROR_CANCELLED, 64).
-define(INVALID, (-(1 bsl 31) bor 4)).
-define(FAILED, (-(1 bsl 31) bor 8)).

-define(DATA, 7). % what the private data of fx_select hold
