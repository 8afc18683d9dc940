// What a call across a process border is held against, measured raw: two processes, two words of
// shared memory, nothing else; and copies of memory.
//   limits spin COUNT         both sides spin; a sample is a batch of 100 round trips, for one is
//                             shorter than a clock read
//   limits futex COUNT        both sides block; 2 ms idle before each round trip
//   limits memcpy COUNT SIZE  warm copies of SIZE bytes
// Prints a sample a line, in nanoseconds per round trip or copy.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace {

struct alignas(128) Word {
    std::atomic<uint32_t> value;
};

struct Pair {
    Word ping; // written by the parent
    Word pong; // written by the child
};

constexpr int kBatch = 100;

int64_t now_ns() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

void futex_wait(std::atomic<uint32_t>& word, uint32_t seen) {
    syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word) {
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
}

void spin_until(const std::atomic<uint32_t>& word, uint32_t wanted) {
    while (word.load(std::memory_order_acquire) != wanted) {
    }
}

void block_until(std::atomic<uint32_t>& word, uint32_t wanted) {
    for (uint32_t seen; (seen = word.load(std::memory_order_acquire)) != wanted;)
        futex_wait(word, seen);
}

template <typename Serve> pid_t start_child(Serve serve) {
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (uint32_t i = 1;; ++i)
            serve(i);
    }
    if (child < 0) {
        perror("fork");
        exit(1);
    }
    return child;
}

void end_child(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

void print(double ns) {
    printf("%.1f\n", ns);
}

void spin(Pair& pair, int batches) {
    const pid_t child = start_child([&](uint32_t i) {
        spin_until(pair.ping.value, i);
        pair.pong.value.store(i, std::memory_order_release);
    });
    uint32_t i = 0;
    const auto batch = [&] {
        const int64_t start = now_ns();
        for (int k = 0; k < kBatch; ++k) {
            pair.ping.value.store(++i, std::memory_order_release);
            spin_until(pair.pong.value, i);
        }
        return static_cast<double>(now_ns() - start) / kBatch;
    };
    for (int b = 0; b < batches / 10; ++b)
        batch();
    for (int b = 0; b < batches; ++b)
        print(batch());
    end_child(child);
}

void futex(Pair& pair, int rounds) {
    const pid_t child = start_child([&](uint32_t i) {
        block_until(pair.ping.value, i);
        pair.pong.value.store(i, std::memory_order_release);
        futex_wake(pair.pong.value);
    });
    for (uint32_t i = 1; i <= static_cast<uint32_t>(rounds); ++i) {
        usleep(2000);
        const int64_t start = now_ns();
        pair.ping.value.store(i, std::memory_order_release);
        futex_wake(pair.ping.value);
        block_until(pair.pong.value, i);
        print(static_cast<double>(now_ns() - start));
    }
    end_child(child);
}

void copies(int rounds, size_t size) {
    // Both begin a page: some processors are 25 times slower when only one of them does.
    const size_t room = (size + 4095) / 4096 * 4096;
    char* from = static_cast<char*>(aligned_alloc(4096, room));
    char* to = static_cast<char*>(aligned_alloc(4096, room));
    memset(from, 1, room);
    memset(to, 2, room);
    for (int i = 0; i < rounds + 3; ++i) {
        const int64_t start = now_ns();
        memcpy(to, from, size);
        // So that the copy is not left out.
        asm volatile("" : : "r"(to) : "memory");
        if (i >= 3)
            print(static_cast<double>(now_ns() - start));
    }
    free(from);
    free(to);
}

Pair& new_pair() {
    void* p =
        mmap(nullptr, sizeof(Pair), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    return *static_cast<Pair*>(p);
}

} // namespace

int main(int argc, char** argv) {
    const char* part = argc > 2 ? argv[1] : "";
    const int count = argc > 2 ? atoi(argv[2]) : 0;
    if (strcmp(part, "spin") == 0) {
        spin(new_pair(), count);
    } else if (strcmp(part, "futex") == 0) {
        futex(new_pair(), count);
    } else if (strcmp(part, "memcpy") == 0 && argc > 3) {
        copies(count, static_cast<size_t>(atoll(argv[3])));
    } else {
        fprintf(stderr, "usage: limits spin|futex COUNT | limits memcpy COUNT SIZE\n");
        return 2;
    }
}
