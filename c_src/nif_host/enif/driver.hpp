// erl_driver.h with its functions visible from the libraries. The VM exports the driver API beside
// the NIF API, and NIF libraries use what of it needs no port.
#pragma once

#include "nif_host/enif/exported.hpp"

#pragma GCC visibility push(default)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
#include <erl_driver.h>
#pragma GCC diagnostic pop
#pragma GCC visibility pop
