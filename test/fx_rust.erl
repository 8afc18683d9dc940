%%% A library in Rust: see fixtures/languages/fx_rust.rs.
-module(fx_rust).

-export([sum/1, reverse/1, count_words/1, panic/1, panic_in_thread/0, thread_locals/1,
         send_many/2, new_cell/0, push/2, dropped/0, from_main_program/0]).

-include("fx.hrl").

sum(_) -> ?NIF.
reverse(_) -> ?NIF.
count_words(_) -> ?NIF.
panic(_) -> ?NIF.
panic_in_thread() -> ?NIF.
thread_locals(_) -> ?NIF.
send_many(_, _) -> ?NIF.
new_cell() -> ?NIF.
push(_, _) -> ?NIF.
dropped() -> ?NIF.
from_main_program() -> ?NIF.
