%%% A library in C++: see fixtures/languages/fx_cxx.cpp.
-module(fx_cxx).

-export([exceptions/0, uncaught/1, uncaught_in_thread/0, guarded/1, thread_locals/1,
         send_many/2, replace/3, streams/1, files/1, from_main_program/0, plugin/1, zlib/0]).

-include("fx.hrl").

exceptions() -> ?NIF.
uncaught(_) -> ?NIF.
uncaught_in_thread() -> ?NIF.
guarded(_) -> ?NIF.
thread_locals(_) -> ?NIF.
send_many(_, _) -> ?NIF.
replace(_, _, _) -> ?NIF.
streams(_) -> ?NIF.
files(_) -> ?NIF.
from_main_program() -> ?NIF.
plugin(_) -> ?NIF.
zlib() -> ?NIF.
