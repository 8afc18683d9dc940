#include "nif_host/lifetime_check.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <execinfo.h>
#include <mutex>
#include <sys/mman.h>
#include <unistd.h>

namespace cordon::host {
namespace {

constexpr std::size_t kPage = 4096;
// Each of them may be a mapping of its own for the kernel, which allows 65530 by default.
constexpr std::size_t kMostEnded = 8192;
constexpr std::size_t kMostEndedBytes = 256 << 20;
constexpr int kEndFrames = 24;

// In front of what is handed out, in the same pages.
struct alignas(16) Watched {
    std::size_t bytes; // of all its pages
};

struct Ended {
    char* begin = nullptr;
    std::size_t bytes = 0;
    Ending how{};
    int frame_count = 0;
    std::array<void*, kEndFrames> frames{};
};

// A ring of those that ended last. The crash handler reads it without the lock: what it looks for
// ended before, and is not given back while it is in the ring.
std::mutex ended_lock;
std::array<Ended, kMostEnded>& ended = *new std::array<Ended, kMostEnded>;
std::size_t oldest = 0;
std::size_t count = 0;
std::size_t ended_bytes = 0;

void give_back_oldest() {
    Ended& last = ended[oldest];
    mprotect(last.begin, last.bytes, PROT_READ | PROT_WRITE);
    context().heap->deallocate(last.begin);
    ended_bytes -= last.bytes;
    last = Ended{};
    oldest = (oldest + 1) % kMostEnded;
    --count;
}

const char* name_of(Ending how) {
    switch (how) {
    case Ending::ClearEnv:
        return "enif_clear_env, or enif_send of its environment";
    case Ending::FreeEnv:
        return "enif_free_env";
    case Ending::Return:
        return "the end of the call or callback that it was given to";
    case Ending::ReleaseBinary:
        return "enif_release_binary or enif_realloc_binary";
    case Ending::LastReference:
        return "the last reference to it going away";
    }
    return "?";
}

void say(const char* text) {
    [[maybe_unused]] const auto written = write(STDERR_FILENO, text, std::strlen(text));
}

} // namespace

void* watched_allocate(std::size_t bytes) {
    if (!lifetimes_checked())
        return context().heap->allocate(bytes);
    const std::size_t whole = (sizeof(Watched) + bytes + kPage - 1) / kPage * kPage;
    auto* watched = static_cast<Watched*>(context().heap->allocate_aligned(whole, kPage));
    watched->bytes = whole;
    return watched + 1;
}

void watched_end(void* memory, Ending how) {
    if (!lifetimes_checked())
        return context().heap->deallocate(memory);
    auto* watched = static_cast<Watched*>(memory) - 1;
    Ended end{reinterpret_cast<char*>(watched), watched->bytes, how, 0, {}};
    end.frame_count = backtrace(end.frames.data(), kEndFrames);
    const std::scoped_lock guard(ended_lock);
    while (count == kMostEnded || (count > 0 && ended_bytes + end.bytes > kMostEndedBytes))
        give_back_oldest();
    mprotect(end.begin, end.bytes, PROT_NONE);
    ended[(oldest + count) % kMostEnded] = end;
    ended_bytes += end.bytes;
    ++count;
}

bool explain_late_use(std::uint64_t address, Ending* how) {
    if (!lifetimes_checked())
        return false;
    const auto* at = reinterpret_cast<const char*>(address);
    const auto* found = std::find_if(ended.begin(), ended.end(), [at](const Ended& one) {
        return at >= one.begin && at < one.begin + one.bytes;
    });
    if (found == ended.end())
        return false;
    *how = found->how;
    std::array<void*, 2 * kEndFrames> frames{};
    const int used = backtrace(frames.data(), static_cast<int>(frames.size()));
    say("cordon: the library used a term, a binary or an environment after its end. Used here:\n");
    backtrace_symbols_fd(frames.data(), used, STDERR_FILENO);
    say("It was ended by ");
    say(name_of(found->how));
    say(", here:\n");
    backtrace_symbols_fd(found->frames.data(), found->frame_count, STDERR_FILENO);
    return true;
}

} // namespace cordon::host
