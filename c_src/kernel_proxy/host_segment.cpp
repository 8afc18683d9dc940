#include "kernel_proxy/host_segment.hpp"

#include "kernel_proxy/background.hpp"

#include <boost/asio/post.hpp>
#include <iterator>

namespace cordon::proxy {

std::shared_ptr<HostSegment> HostSegment::map(int fd, std::uint64_t bytes) {
    return {new HostSegment(map_memory(fd, bytes, Access::ReadOnly)), [](HostSegment* last) {
                boost::asio::post(housekeeping_thread(), [last] { delete last; });
            }};
}

bool HostSegment::hold(term::Word block, std::uint64_t bytes) {
    constexpr std::uint64_t kShare = 4; // of the segment, at most
    const std::scoped_lock guard(lock_);
    if (held_bytes_ + bytes > size() / kShare)
        return false;
    ++held_[block];
    held_bytes_ += bytes;
    return true;
}

void HostSegment::let_go(term::Word block, std::uint64_t bytes) {
    const std::scoped_lock guard(lock_);
    held_bytes_ -= bytes;
    if (const auto found = held_.find(block); found != held_.end() && --found->second == 0)
        held_.erase(found);
}

term::Word HostSegment::held_at(term::Word address) {
    const std::scoped_lock guard(lock_);
    const auto after = held_.upper_bound(address);
    return after == held_.begin() ? 0 : std::prev(after)->first;
}

} // namespace cordon::proxy
