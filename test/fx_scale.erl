%%% Terms of a size at which quadratic time, recursion and copies show: see
%%% fixtures/fx_scale.c.
-module(fx_scale).

-export([echo/1, put_keys/2, put_on_same/2, find_keys/2, iterate/1, drain/2, sum_list/1,
         make_list/2, reverse/1, make_tuple/1, sum_tuple/1, take_string/2, make_string/1, nest/3,
         dig/1, walk/2, check_binary/1, make_binary/2, sub_binary/3, send_binary/2, send_term/1,
         keep/1, fetch/0, queue/2, flatten/1, clear_often/2, free_often/2]).

-include("fx.hrl").

echo(_) -> ?NIF.
put_keys(_, _) -> ?NIF.
put_on_same(_, _) -> ?NIF.
find_keys(_, _) -> ?NIF.
iterate(_) -> ?NIF.
drain(_, _) -> ?NIF.
sum_list(_) -> ?NIF.
make_list(_, _) -> ?NIF.
reverse(_) -> ?NIF.
make_tuple(_) -> ?NIF.
sum_tuple(_) -> ?NIF.
take_string(_, _) -> ?NIF.
make_string(_) -> ?NIF.
nest(_, _, _) -> ?NIF.
dig(_) -> ?NIF.
walk(_, _) -> ?NIF.
check_binary(_) -> ?NIF.
make_binary(_, _) -> ?NIF.
sub_binary(_, _, _) -> ?NIF.
send_binary(_, _) -> ?NIF.
send_term(_) -> ?NIF.
keep(_) -> ?NIF.
fetch() -> ?NIF.
queue(_, _) -> ?NIF.
flatten(_) -> ?NIF.
clear_often(_, _) -> ?NIF.
free_often(_, _) -> ?NIF.
