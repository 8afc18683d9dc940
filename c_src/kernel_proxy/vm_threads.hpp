// What the VM's own threads tell of it. Used where no Erlang code of cordon has run: a shim that is
// installed on disk works without the application.
#pragma once

namespace cordon::proxy {

// By the names of the threads; 0 when none is found.
int count_dirty_io_schedulers();

} // namespace cordon::proxy
