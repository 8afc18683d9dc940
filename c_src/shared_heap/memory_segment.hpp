// Sealed memory files and their mappings. All functions throw std::system_error with what was
// tried.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cordon {

// Owns a file descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept;
    ~Fd() { reset(); }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void reset();

  private:
    int fd_ = -1;
};

// Another descriptor (`lowest` or above) of the same file, closed by exec.
Fd duplicate(int fd, int lowest = 3);

// Owns a mapping.
class Mapping {
  public:
    Mapping() = default;
    Mapping(void* address, std::uint64_t bytes) : address_(address), bytes_(bytes) {}
    Mapping(Mapping&& other) noexcept;
    Mapping& operator=(Mapping&& other) noexcept;
    ~Mapping() { reset(); }
    char* data() const { return static_cast<char*>(address_); }
    std::uint64_t size() const { return bytes_; }
    explicit operator bool() const { return address_ != nullptr; }
    void reset();

  private:
    void* address_ = nullptr;
    std::uint64_t bytes_ = 0;
};

enum class Access { ReadOnly, ReadWrite };

// A sparse memfd of that size, visible in /proc/*/maps as "memfd:<name>".
Fd create_memory(const std::string& name, std::uint64_t bytes);

// Shared mapping; left out of core dumps (a dump would fill the whole sparse file).
Mapping map_memory(int fd, std::uint64_t bytes, Access access);
// The same into a reserved window.
void map_memory_at(void* address, int fd, std::uint64_t bytes, Access access);
// Address space without memory; map_memory_at and unmap_window go into it.
Mapping reserve_window(std::uint64_t bytes);
void unmap_window(void* address, std::uint64_t bytes);

// To be called once all writable mappings of the BEAM exist. No process can map the file writable
// from now on, change its size or punch holes, not even as root.
void seal_beam_memory(int fd);
// The size is fixed (a file cut off under a reader is SIGBUS); the host may still map it writable.
void seal_host_memory(int fd);

// Whether all of these bytes of a mapping lie in memory now. False also for what is swapped out.
bool is_resident(const char* bytes, std::uint64_t count);

// Bytes that the file really occupies; can't be faked by who writes it.
std::uint64_t physical_bytes(int fd);

} // namespace cordon
