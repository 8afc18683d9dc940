// The keeper: one per VM, parent of all hosts. The VM ignores SIGCHLD, so only another parent can
// learn how a host ended; and a fork of this small process is cheap whatever the VM's size. It is
// single-threaded, so that a fork copies no half-held lock and PR_SET_PDEATHSIG of a host (which
// follows the creating thread) means the keeper's own death.
#pragma once

namespace cordon::host {

// Serves the control socket until the VM is gone; then kills every process below it. Returns the
// exit status of the program.
int run_keeper(int control_socket);

} // namespace cordon::host
