%%% A library that does nothing wrong: see fixtures/fx_bystander.c.
-module(fx_bystander).

-export([count/0, os_pid/0, descendants/0]).

-include("fx.hrl").

count() -> ?NIF.
os_pid() -> ?NIF.
descendants() -> ?NIF.
