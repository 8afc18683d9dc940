%%% Messages to processes: see fixtures/fx_messages.c.
-module(fx_messages).

-export([send_each/2, send_each_dirty/2, send_each_env/2, send_again/3, send_in_vain/2,
         send_undefined/1, send_long/3, send_from_threads/3, send_later/4, sent_later/0,
         send_in_steps/2]).

-include("fx.hrl").

send_each(_, _) -> ?NIF.
send_each_dirty(_, _) -> ?NIF.
send_each_env(_, _) -> ?NIF.
send_again(_, _, _) -> ?NIF.
send_in_vain(_, _) -> ?NIF.
send_undefined(_) -> ?NIF.
send_long(_, _, _) -> ?NIF.
send_from_threads(_, _, _) -> ?NIF.
send_later(_, _, _, _) -> ?NIF.
sent_later() -> ?NIF.
send_in_steps(_, _) -> ?NIF.
