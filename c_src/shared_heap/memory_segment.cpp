#include "shared_heap/memory_segment.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

namespace cordon {
namespace {

[[noreturn]] void fail(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

int protection(Access access) {
    return access == Access::ReadWrite ? PROT_READ | PROT_WRITE : PROT_READ;
}

void add_seals(int fd, int seals) {
    if (fcntl(fd, F_ADD_SEALS, seals) != 0)
        fail("cannot seal shared memory");
}

} // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        reset();
        fd_ = other.release();
    }
    return *this;
}

void Fd::reset() {
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
}

Fd duplicate(int fd, int lowest) {
    Fd copy(fcntl(fd, F_DUPFD_CLOEXEC, lowest));
    if (!copy)
        fail("cannot duplicate a descriptor");
    return copy;
}

Mapping::Mapping(Mapping&& other) noexcept
    : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        reset();
        address_ = std::exchange(other.address_, nullptr);
        bytes_ = std::exchange(other.bytes_, 0);
    }
    return *this;
}

void Mapping::reset() {
    if (address_ != nullptr)
        ::munmap(address_, bytes_);
    address_ = nullptr;
    bytes_ = 0;
}

Fd create_memory(const std::string& name, std::uint64_t bytes) {
    Fd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd)
        fail("cannot create shared memory " + name);
    if (ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
        fail("cannot size shared memory " + name);
    return fd;
}

Mapping map_memory(int fd, std::uint64_t bytes, Access access) {
    void* address = mmap(nullptr, bytes, protection(access), MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (address == MAP_FAILED)
        fail("cannot map " + std::to_string(bytes) + " bytes of shared memory");
    madvise(address, bytes, MADV_DONTDUMP);
    return Mapping(address, bytes);
}

void map_memory_at(void* address, int fd, std::uint64_t bytes, Access access) {
    if (mmap(address, bytes, protection(access), MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) ==
        MAP_FAILED)
        fail("cannot map " + std::to_string(bytes) + " bytes of shared memory");
    madvise(address, bytes, MADV_DONTDUMP);
}

Mapping reserve_window(std::uint64_t bytes) {
    void* address =
        mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED)
        fail("cannot reserve " + std::to_string(bytes) + " bytes of address space");
    return Mapping(address, bytes);
}

void unmap_window(void* address, std::uint64_t bytes) {
    if (mmap(address, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
             0) == MAP_FAILED)
        fail("cannot unmap shared memory");
}

void seal_beam_memory(int fd) {
    // One call: with F_SEAL_SEAL set no further seal could be added.
    add_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL);
}

void seal_host_memory(int fd) {
    add_seals(fd, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

bool is_resident(const char* bytes, std::uint64_t count) {
    constexpr std::uint64_t kPage = 4096;
    constexpr std::uint64_t kPagesAtOnce = 1024;
    std::array<unsigned char, kPagesAtOnce> resident;
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes) / kPage * kPage;
    const auto end = reinterpret_cast<std::uintptr_t>(bytes) + count;
    for (auto at = begin; at < end; at += kPagesAtOnce * kPage) {
        const auto pages = std::min((end - at + kPage - 1) / kPage, kPagesAtOnce);
        if (mincore(reinterpret_cast<void*>(at), pages * kPage, resident.data()) != 0 ||
            !std::all_of(resident.begin(), resident.begin() + static_cast<std::ptrdiff_t>(pages),
                         [](unsigned char page) { return (page & 1) != 0; }))
            return false;
    }
    return true;
}

std::uint64_t physical_bytes(int fd) {
    struct stat status {};
    return fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * 512 : 0;
}

} // namespace cordon
