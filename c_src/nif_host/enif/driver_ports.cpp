// The functions of the driver API that need a port. A NIF library has none: natively they answer to
// the port that is none with an error value, and crash with any other. They are here because most
// libraries are linked so that every function that they name must exist.
#include "nif_host/enif/driver.hpp"
#include "nif_host/host_context.hpp"
#include "shared_heap/term.hpp"

#include <cstdint>
#include <type_traits>

namespace {

constexpr ErlDrvTermData kNil = cordon::term::kNil;

bool is_no_port(const void* port) {
    return reinterpret_cast<std::intptr_t>(port) == -1;
}

} // namespace

// `value` is what the VM answers where the port is none.
#define NEEDS_PORT(type, name, value, ...)                                                         \
    type name(ErlDrvPort port __VA_OPT__(, ) __VA_ARGS__) {                                        \
        if (!is_no_port(port))                                                                     \
            cordon::host::end_unsupported(#name);                                                  \
        return static_cast<type>(value);                                                           \
    }

// Data in and out
NEEDS_PORT(int, driver_select, -1, ErlDrvEvent, int, int)
NEEDS_PORT(int, driver_output, -1, char*, ErlDrvSizeT)
NEEDS_PORT(int, driver_output2, -1, char*, ErlDrvSizeT, char*, ErlDrvSizeT)
NEEDS_PORT(int, driver_output_binary, -1, char*, ErlDrvSizeT, ErlDrvBinary*, ErlDrvSizeT,
           ErlDrvSizeT)
NEEDS_PORT(int, driver_outputv, -1, char*, ErlDrvSizeT, ErlIOVec*, ErlDrvSizeT)
NEEDS_PORT(int, driver_output_term, -1, ErlDrvTermData*, int)
NEEDS_PORT(int, driver_send_term, -1, ErlDrvTermData, ErlDrvTermData*, int)

// Its queue
NEEDS_PORT(ErlDrvSizeT, driver_deq, -1, ErlDrvSizeT)
NEEDS_PORT(ErlDrvSizeT, driver_sizeq, -1)
NEEDS_PORT(ErlDrvSizeT, driver_peekqv, -1, ErlIOVec*)
NEEDS_PORT(int, driver_enqv, -1, ErlIOVec*, ErlDrvSizeT)
NEEDS_PORT(int, driver_pushqv, -1, ErlIOVec*, ErlDrvSizeT)
// For nothing no port is looked at.
#define NEEDS_PORT_FOR_DATA(name, ...)                                                             \
    int name(ErlDrvPort port, __VA_ARGS__, ErlDrvSizeT length) {                                   \
        if (length != 0 && !is_no_port(port))                                                      \
            cordon::host::end_unsupported(#name);                                                  \
        return length == 0 ? 0 : -1;                                                               \
    }
NEEDS_PORT_FOR_DATA(driver_enq, char*)
NEEDS_PORT_FOR_DATA(driver_pushq, char*)
NEEDS_PORT_FOR_DATA(driver_enq_bin, ErlDrvBinary*, ErlDrvSizeT)
NEEDS_PORT_FOR_DATA(driver_pushq_bin, ErlDrvBinary*, ErlDrvSizeT)
SysIOVec* driver_peekq(ErlDrvPort port, int* length) {
    if (!is_no_port(port))
        cordon::host::end_unsupported("driver_peekq");
    *length = -1;
    return nullptr;
}

// Its time, its end, its flags
NEEDS_PORT(int, driver_set_timer, -1, unsigned long)
NEEDS_PORT(int, driver_cancel_timer, -1)
NEEDS_PORT(int, driver_read_timer, -1, unsigned long*)
NEEDS_PORT(int, erl_drv_consume_timeslice, -1, int)
NEEDS_PORT(int, driver_failure_eof, -1)
NEEDS_PORT(int, driver_failure_atom, -1, char*)
NEEDS_PORT(int, driver_failure_posix, -1, int)
NEEDS_PORT(int, driver_failure, -1, int)
NEEDS_PORT(int, driver_exit, -1, int)
NEEDS_PORT(void, set_busy_port, 0, int)
NEEDS_PORT(void, set_port_control_flags, 0, int)
NEEDS_PORT(int, get_port_flags, 0)
NEEDS_PORT(void, erl_drv_busy_msgq_limits, 0, ErlDrvSizeT*, ErlDrvSizeT*)
NEEDS_PORT(void, erl_drv_init_ack, 0, ErlDrvData)
NEEDS_PORT(void, erl_drv_set_os_pid, 0, ErlDrvSInt)
NEEDS_PORT(int, driver_lock_driver, -1)

// Who belongs to it
NEEDS_PORT(ErlDrvTermData, driver_mk_port, kNil)
NEEDS_PORT(ErlDrvTermData, driver_connected, kNil)
NEEDS_PORT(ErlDrvTermData, driver_caller, kNil)
NEEDS_PORT(int, driver_monitor_process, -1, ErlDrvTermData, ErlDrvMonitor*)
NEEDS_PORT(int, driver_demonitor_process, -1, const ErlDrvMonitor*)
NEEDS_PORT(ErlDrvTermData, driver_get_monitored_process, kNil, const ErlDrvMonitor*)
ErlDrvPort driver_create_port(ErlDrvPort port, ErlDrvTermData, char*, ErlDrvData) {
    if (!is_no_port(port))
        cordon::host::end_unsupported("driver_create_port");
    return port;
}

// Its asynchronous jobs
NEEDS_PORT(unsigned, driver_async_port_key, 0)
NEEDS_PORT(long, driver_async, -1, unsigned*, void (*)(void*), void*, void (*)(void*))

// Its lock: none can be had without a port
ErlDrvPDL driver_pdl_create(ErlDrvPort port) {
    if (!is_no_port(port))
        cordon::host::end_unsupported("driver_pdl_create");
    return nullptr;
}
#define NEEDS_LOCK(type, name)                                                                     \
    type name(ErlDrvPDL) {                                                                         \
        cordon::host::end_unsupported(#name);                                                      \
    }
NEEDS_LOCK(void, driver_pdl_lock)
NEEDS_LOCK(void, driver_pdl_unlock)
NEEDS_LOCK(ErlDrvSInt, driver_pdl_get_refc)
NEEDS_LOCK(ErlDrvSInt, driver_pdl_inc_refc)
NEEDS_LOCK(ErlDrvSInt, driver_pdl_dec_refc)

// Drivers themselves: they are the VM's, none can be added from a host.
void add_driver_entry(ErlDrvEntry*) {
    cordon::host::end_unsupported("add_driver_entry");
}
int remove_driver_entry(ErlDrvEntry*) {
    return 0;
}
int null_func() {
    return 0;
}
