// The sidecar: the file beside a shim that says what the shim stands for. JSON, written when the
// shim is made (discovery), read by nif_init. The manifest in it is what the VM is told of the
// library. Paths in it may be relative to the directory that it lies in. It is read strictly: what
// is missing, unknown, of another type or out of range is an error that names the key.
#pragma once

#include "compat_ipc/control_message.hpp"
#include "kernel_proxy/requirements.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::proxy {

// What is in force: what was given, what the library's record asks for, defaults. cordon_options
// decides that when the shim is made.
struct LibraryOptions {
    std::string group; // name of the group whose host it shares, empty: a host of its own
    std::int64_t call_timeout = -1; // ms, -1: none
    std::int64_t load_timeout = 30'000;
    std::int64_t upgrade_timeout = 5'000;
    std::uint64_t stack_size = 8ULL << 20;
    std::uint64_t pool_size = 64ULL << 30;
    std::uint32_t atom_limit = 100'000;
    bool check_lifetimes = false;
    bool trust_funs = false; // believe funs that it has the VM decode from bytes
    bool zero_copy = false;  // large binaries of it stay where the host can change them
};

// The library's file as it was when the manifest was made.
struct FileIdentity {
    std::uint64_t size = 0;
    std::int64_t modified = 0; // ns since 1970
};

struct Sidecar {
    std::string proxy;    // cordon_nif.so
    std::string nif_host; // the program
    std::string library;  // the real one
    // Where no host can run: load the library natively, or refuse.
    bool native_if_unsupported = false;
    std::string application; // that the library belongs to; empty: unknown
    LibraryOptions options;
    std::vector<std::string> given; // names of the options that somebody asked for
    Requirements requirements;
    FileIdentity file;
    // Of the library's content, by who put the shim in its place on disk; empty: none was taken.
    std::string library_digest;
    ipc::Opened manifest;
};

inline constexpr int kSidecarVersion = 2;
// Names of modules and functions become atoms.
inline constexpr std::size_t kMaxAtomBytes = 255;

std::string write_sidecar(const Sidecar& sidecar);
// Throws std::runtime_error that says what is wrong with it. Paths stay as they are.
Sidecar parse_sidecar(std::string_view text);
// With absolute paths. The error names the file.
Sidecar read_sidecar(const std::string& file);

} // namespace cordon::proxy
