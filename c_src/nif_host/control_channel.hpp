// The host's end of the control socket, served by its main thread.
#pragma once

namespace cordon::host {

// Returns when the BEAM side has closed the socket.
void serve_control(int socket);

} // namespace cordon::host
