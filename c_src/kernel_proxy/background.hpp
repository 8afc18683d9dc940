// The three background threads of the BEAM side, for all hosts together: control (death of hosts,
// the keeper, timers), upcalls (from host threads without a call, and of calls whose caller has
// gone), and housekeeping (all that takes milliseconds: unmapping).
#pragma once

#include <boost/asio/io_context.hpp>

namespace cordon::proxy {

boost::asio::io_context& control_thread();
boost::asio::io_context& upcall_thread();
boost::asio::io_context& housekeeping_thread();

} // namespace cordon::proxy
