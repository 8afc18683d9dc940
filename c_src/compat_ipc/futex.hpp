// Futexes in shared memory. Non-PRIVATE: the two sides are different processes. Waiting works on a
// read-only mapping, and so does waking.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace cordon::ipc {

// Sleeps while *word == expected, at most `limit`. Returns for any reason; the caller checks again.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t expected,
                std::chrono::nanoseconds limit);
void futex_wake_all(const std::atomic<std::uint32_t>& word);

// The word has just been changed: wakes its waiter if there is one. Partner: the waiter sets
// `waiting` (seq_cst), then looks at the word again before it sleeps.
inline void wake_if_waiting(const std::atomic<std::uint32_t>& word,
                            const std::atomic<std::uint32_t>& waiting) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (waiting.load(std::memory_order_relaxed) != 0)
        futex_wake_all(word);
}

inline void cpu_relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

} // namespace cordon::ipc
