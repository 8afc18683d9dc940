// Upcalls: what a host asks of the VM while the BEAM side waits for it, or from a thread of its
// own.
#pragma once

#include "kernel_proxy/host.hpp"

#include <erl_nif.h>
#include <stdexcept>

namespace cordon::proxy {

// Who asks, and how the VM is to be asked on its behalf.
struct UpcallContext {
    ErlNifEnv* env;              // to build terms in: the caller's, or one of our own
    ErlNifEnv* caller;           // the calling process' environment; nullptr where there is none
    int timeslice_percent = 0;   // out: what enif_consume_timeslice was told
    bool timeslice_used = false; // out: and the answer was 1
};

// The host has had more made of something than its library may.
struct QuotaUsedUp : std::runtime_error {
    explicit QuotaUsedUp(ipc::QuotaKind of) : std::runtime_error("quota used up"), kind(of) {}
    ipc::QuotaKind kind;
};

// Does what the response half asks and fills the answer of the request half in (the doorbell is the
// caller's). Throws ProtocolViolation, StaleResource, ArgumentsTooLarge, std::bad_alloc.
void serve_upcall(Host& host, const ipc::ResponseHalf& response, ipc::RequestHalf& request,
                  ArgumentArena& arena, UpcallContext& context);

// Why a host ends that has made serve_upcall throw this.
HostEnd end_of(const std::exception& error);

} // namespace cordon::proxy
