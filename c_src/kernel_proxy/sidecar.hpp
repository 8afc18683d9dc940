// The sidecar: the file beside a shim that says what the shim stands for. JSON, written when the
// shim is made (discovery), read by nif_init. The manifest in it is what the VM is told of the
// library. Paths in it may be relative to the directory that it lies in.
#pragma once

#include "compat_ipc/control_message.hpp"

#include <cstdint>
#include <string>

namespace cordon::proxy {

struct LibraryOptions {
    std::string group; // name of the group whose host it shares, empty: a host of its own
    std::int64_t call_timeout = -1; // ms, -1: none
    std::int64_t load_timeout = 30'000;
    std::int64_t upgrade_timeout = 5'000;
    std::uint64_t stack_size = 8ULL << 20;
    std::uint64_t pool_size = 64ULL << 30;
    std::uint32_t atom_limit = 100'000;
};

struct Sidecar {
    std::string proxy;    // cordon_nif.so
    std::string nif_host; // the program
    std::string library;  // the real one
    LibraryOptions options;
    ipc::Opened manifest;
};

inline constexpr int kSidecarVersion = 1;

std::string write_sidecar(const Sidecar& sidecar);
// With absolute paths. Throws std::runtime_error that names the file and what is wrong with it.
Sidecar read_sidecar(const std::string& file);

} // namespace cordon::proxy
