// The VM's mapping of a host segment, and which blocks of it the VM holds in place (host_binary).
// Outlives its host as long as it holds any.
#pragma once

#include "shared_heap/memory_segment.hpp"
#include "shared_heap/term.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

namespace cordon::proxy {

class HostSegment {
  public:
    // Unmapped on the housekeeping thread: who lets go of it last may be a scheduler that collects
    // garbage, and to unmap takes milliseconds.
    static std::shared_ptr<HostSegment> map(int fd, std::uint64_t bytes);
    explicit HostSegment(Mapping mapping) : mapping_(std::move(mapping)) {}

    const char* data() const { return mapping_.data(); }
    std::uint64_t size() const { return mapping_.size(); }

    // A block that the VM holds `bytes` of, by the host's address; held once more, once less. False
    // when the VM holds so much that the host could run out of memory before garbage is collected.
    bool hold(term::Word block, std::uint64_t bytes);
    void let_go(term::Word block, std::uint64_t bytes);
    // The one that bytes at the host's `address` lie in, which are known to lie in one; or 0.
    term::Word held_at(term::Word address);

  private:
    const Mapping mapping_;
    std::mutex lock_;
    std::map<term::Word, std::uint32_t> held_; // blocks don't overlap
    std::uint64_t held_bytes_ = 0;
};

} // namespace cordon::proxy
