%%% Binaries, maps, external term format: see fixtures/fx_data.c.
-module(fx_data).

-export([inspect/1, flatten/1, new_binary/2, grow_binary/1, changed_binary/3,
         overrun_binary/2, drop_binary/1,
         sub_binary/3, append/1, map_from_arrays/1, map_put/3, map_update/3,
         map_remove/2, map_get/2, map_size/1, map_to_list/2, to_external/1,
         from_external/2]).

-include("fx.hrl").

inspect(_) -> ?NIF.
flatten(_) -> ?NIF.
new_binary(_, _) -> ?NIF.
grow_binary(_) -> ?NIF.
changed_binary(_, _, _) -> ?NIF.
overrun_binary(_, _) -> ?NIF.
drop_binary(_) -> ?NIF.
sub_binary(_, _, _) -> ?NIF.
append(_) -> ?NIF.
map_from_arrays(_) -> ?NIF.
map_put(_, _, _) -> ?NIF.
map_update(_, _, _) -> ?NIF.
map_remove(_, _) -> ?NIF.
map_get(_, _) -> ?NIF.
map_size(_) -> ?NIF.
map_to_list(_, _) -> ?NIF.
to_external(_) -> ?NIF.
from_external(_, _) -> ?NIF.
