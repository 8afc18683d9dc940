%%% Late uses of terms and environments: see fixtures/fx_lifetimes.c.
-module(fx_lifetimes).

-export([keep/1, keep_argument/1, use_term/0, use_arguments/0, use_binary/0, use_env/0,
         after_clear/1, after_free/1, env_after_free/1, after_send/1, after_release/0,
         resource_after_release/0, in_time/1]).

-include("fx.hrl").

keep(_) -> ?NIF.
keep_argument(_) -> ?NIF.
use_term() -> ?NIF.
use_arguments() -> ?NIF.
use_binary() -> ?NIF.
use_env() -> ?NIF.
after_clear(_) -> ?NIF.
after_free(_) -> ?NIF.
env_after_free(_) -> ?NIF.
after_send(_) -> ?NIF.
after_release() -> ?NIF.
resource_after_release() -> ?NIF.
in_time(_) -> ?NIF.
