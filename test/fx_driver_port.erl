%%% What of the driver API needs a port: see fixtures/fx_driver_port.c.
-module(fx_driver_port).

-export([with_no_port/2, port_functions/0, send_term/3]).

-include("fx.hrl").

with_no_port(_, _) -> ?NIF.
port_functions() -> ?NIF.
send_term(_, _, _) -> ?NIF.
