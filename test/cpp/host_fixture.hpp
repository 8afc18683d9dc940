// A host without a VM: real memory of both segments in this process, and a thread that answers
// upcalls as the BEAM side does, as far as the tests need it.
#pragma once

#include "compat_ipc/futex.hpp"
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/host_context.hpp"

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <map>
#include <mutex>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace cordon::test {

using host::Word;

inline char* reserve(std::uint64_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        throw std::bad_alloc();
    return static_cast<char*>(memory);
}

inline constexpr Word kAlivePid = (Word{77} << 4) | term::kPidTag;
inline constexpr Word kDeadPid = (Word{78} << 4) | term::kPidTag;

class FakeBeam {
  public:
    static FakeBeam& get() {
        static auto* beam = new FakeBeam; // its thread runs until the end
        return *beam;
    }

    // --- terms in the BEAM segment ---
    [[gnu::noinline]] Word* words(std::size_t count) {
        auto* at = reinterpret_cast<Word*>(top_);
        top_ += count * sizeof(Word);
        return at;
    }
    Word binary(std::string_view bytes) {
        Word* at = words(1 + term::bytes_to_words(bytes.size()));
        at[0] = term::make_header(term::Kind::Binary, bytes.size());
        std::memcpy(at + 1, bytes.data(), bytes.size());
        return reinterpret_cast<Word>(at);
    }
    Word external(term::ExternalType type, std::string_view etf) {
        const std::size_t size = term::kSealBytes + etf.size();
        Word* at = words(2 + term::bytes_to_words(size));
        at[0] = term::make_header(term::Kind::External, size);
        at[1] = static_cast<Word>(type);
        std::memset(at + 2, 0x5E, term::kSealBytes);
        std::memcpy(at + 3, etf.data(), etf.size());
        return reinterpret_cast<Word>(at);
    }
    Word flat_map(const std::vector<std::pair<Word, Word>>& pairs) {
        Word* at = words(1 + 2 * pairs.size());
        at[0] = term::make_header(term::Kind::FlatMap, pairs.size());
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            at[1 + i] = pairs[i].first;
            at[1 + pairs.size() + i] = pairs[i].second;
        }
        return reinterpret_cast<Word>(at);
    }
    Word list(const std::vector<Word>& heads, Word tail = term::kNil) {
        for (std::size_t i = heads.size(); i > 0; --i) {
            Word* cell = words(2);
            cell[0] = heads[i - 1];
            cell[1] = tail;
            tail = reinterpret_cast<Word>(cell) | term::kConsTag;
        }
        return tail;
    }
    Word atom(std::string_view text) {
        const std::scoped_lock guard(lock_);
        return atom_locked(text);
    }

    // --- what the upcalls found ---
    struct Message {
        Word to;
        Word message; // copied
    };
    std::vector<Message> take_messages() {
        const std::scoped_lock guard(lock_);
        return std::exchange(messages_, {});
    }
    std::atomic<int> upcalls{0};
    std::atomic<Word> timeslice_left{100};

    // The VM gets or drops a proxy of a resource.
    void event(ipc::EventKind kind, std::uint64_t handle) {
        auto& ring = segment().events;
        const std::uint64_t tail = ring.tail.load();
        ring.entries[tail % ipc::kEventCapacity] = {kind, handle};
        ring.tail.store(tail + 1);
    }

  private:
    FakeBeam() {
        host::HostContext& host = host::context();
        window_ = reserve_window(ipc::kBeamWindowBytes);
        if (window_ == nullptr) // the thread sanitizer leaves no room for the windows of chunks
            window_ = reserve_window(ipc::kBeamSegmentBytes);
        if (window_ == nullptr ||
            mprotect(window_, ipc::kBeamSegmentBytes, PROT_READ | PROT_WRITE) != 0)
            throw std::bad_alloc();
        top_ = window_ + ipc::kArenasOffset;
        host.beam_window = window_;
        host.host_segment_bytes = std::uint64_t{16} << 30;
        host.host_segment = reserve(host.host_segment_bytes);
        char* atoms = reserve(atom_segment_size());
        writer_.emplace(atoms);
        host.atoms.emplace(atoms);
        for (std::uint32_t i = 0; i < host.atoms->count(); ++i)
            atoms_[std::string(host.atoms->text(i))] = term::make_atom(i);
        host.heap = std::make_unique<HostHeap>(host.host_segment + ipc::kHostHeapOffset,
                                               host.host_segment_bytes - ipc::kHostHeapOffset);
        if (pipe2(doorbell_, O_CLOEXEC) != 0)
            throw std::bad_alloc();
        host.doorbell = doorbell_[1];
        mailbox_ = host::env_create(host::EnvKind::Independent, nullptr);
        std::thread([this] { serve(); }).detach();
    }

    static char* reserve_window(std::uint64_t bytes) {
        void* memory =
            mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
    }

    ipc::BeamSegmentLayout& segment() {
        return *reinterpret_cast<ipc::BeamSegmentLayout*>(window_);
    }

    void serve() {
        for (;;) {
            char rings[64];
            if (read(doorbell_[0], rings, sizeof rings) < 0)
                continue;
            for (std::uint32_t slot = ipc::kCallSlots; slot < ipc::kSlots; ++slot) {
                const ipc::ResponseHalf& response = host::context().response(slot);
                ipc::RequestHalf& request = segment().requests[slot];
                const std::uint32_t seq = response.seq.load(std::memory_order_acquire);
                if (seq == request.seq.load())
                    continue;
                ++upcalls;
                request.answer = answer(response.upcall, response.upcall_args);
                request.seq.store(seq);
                if (response.parked.load() != 0)
                    ipc::futex_wake_all(request.seq);
            }
        }
    }

    Word atom_locked(std::string_view text) {
        const auto [found, is_new] = atoms_.try_emplace(std::string(text), 0);
        if (is_new)
            found->second = term::make_atom(writer_->append(text, 0));
        return found->second;
    }

    // This VM iterates big maps from the last pair that it was given to the first.
    Word reversed_numbers(std::uint64_t size) {
        std::string bytes(4 * size, '\0');
        for (std::uint32_t i = 0; i < size; ++i) {
            const auto number = static_cast<std::uint32_t>(size - 1 - i);
            std::memcpy(bytes.data() + 4 * std::size_t{i}, &number, 4);
        }
        return binary(bytes);
    }

    static std::string_view text(const auto& arguments, std::size_t i = 0) {
        return {reinterpret_cast<const char*>(arguments[i]), arguments[i + 1]};
    }

    std::array<Word, ipc::kAnswerWords> answer(ipc::Upcall op,
                                               const std::array<Word, ipc::kUpcallArguments>& a) {
        const std::scoped_lock guard(lock_);
        switch (op) {
        case ipc::Upcall::MakeAtom:
            return {text(a) == "over_quota" ? 0 : atom_locked(text(a))};
        case ipc::Upcall::ExistingAtom:
            if (text(a) == "only_in_the_vm")
                return {atom_locked(text(a))};
            return {0};
        case ipc::Upcall::MakeRef:
            // NEWER_REFERENCE_EXT of one word more each time
            return {external(term::ExternalType::Reference,
                             std::string("\x5A\x00\x01w\x01n\0\0\0\0\0\0\0", 13) +
                                 static_cast<char>(++references_))};
        case ipc::Upcall::Send:
            if (a[0] != kAlivePid)
                return {0};
            messages_.push_back({a[0], host::copy_term(mailbox_, a[1])});
            return {1};
        case ipc::Upcall::ConsumeTimeslice:
            timeslice_left -= std::min(a[0], timeslice_left.load());
            return {timeslice_left == 0 ? Word{1} : Word{0}};
        case ipc::Upcall::IsProcessAlive:
            return {a[0] == kAlivePid ? Word{1} : Word{0}};
        case ipc::Upcall::WhereisPid:
            return {a[0] == atom_locked("registered") ? kAlivePid : 0};
        case ipc::Upcall::MonotonicTime:
            return {1000 + a[0]};
        case ipc::Upcall::NowTime:
            return {list({term::make_small(1), term::make_small(2)})};
        case ipc::Upcall::UniqueInteger:
            return {term::make_small(++references_)};
        case ipc::Upcall::TermToBinary:
            if (a[0] == kAlivePid) // NEW_PID_EXT
                return {binary({"\x83Xw\1n\0\0\0\x4D\0\0\0\0\0\0\0\0", 17})};
            return {binary("\x83j")};
        case ipc::Upcall::BinaryToTerm:
            return {text(a) == "\x83j" ? std::array<Word, ipc::kAnswerWords>{term::kNil, 2}
                                       : std::array<Word, ipc::kAnswerWords>{0, 0}};
        case ipc::Upcall::Print:
            return {binary("printed by the VM"), 17};
        case ipc::Upcall::MapOrder:
            return {reversed_numbers(term::header_size(*host::object(a[0])))};
        case ipc::Upcall::Hash:
            return {1234};
        case ipc::Upcall::Compare:
            return {static_cast<Word>(a[0] > a[1] ? 5 : -5)};
        case ipc::Upcall::GetEnv:
            return {text(a) == "HOME" ? binary("/root") : 0};
        case ipc::Upcall::DropAnchor: // nobody else had a term of it
            event(ipc::EventKind::Release, a[0]);
            return {0};
        default:
            return {0};
        }
    }

    int doorbell_[2] = {-1, -1};
    char* window_;
    char* top_; // where the next term goes: the slots' arenas, which no slot uses here
    std::optional<AtomTableWriter> writer_;
    std::mutex lock_;
    std::map<std::string, Word> atoms_;
    std::vector<Message> messages_;
    ErlNifEnv* mailbox_ = nullptr;
    int references_ = 0;
};

// A test in an environment of a call.
class HostTest : public ::testing::Test {
  protected:
    HostTest() : beam(FakeBeam::get()), instance{}, entry{} {
        entry.major = 2;
        entry.minor = 16;
        entry.name = "test_module";
        instance.entry = &entry;
        env = host::env_create(host::EnvKind::Call, &instance);
        host::env_set_call(env, &instance, kAlivePid, ERL_NIF_THR_NORMAL_SCHEDULER);
    }
    ~HostTest() override { host::env_destroy(env, ipc::Ending::Return); }

    Word atom(const char* text) { return enif_make_atom(env, text); }
    Word integer(long value) { return enif_make_long(env, value); }
    Word binary(std::string_view bytes) {
        Word word;
        std::memcpy(enif_make_new_binary(env, bytes.size(), &word), bytes.data(), bytes.size());
        return word;
    }
    Word tuple(std::vector<Word> elements) {
        return enif_make_tuple_from_array(env, elements.data(),
                                          static_cast<unsigned>(elements.size()));
    }
    Word list(std::vector<Word> elements) {
        return enif_make_list_from_array(env, elements.data(),
                                         static_cast<unsigned>(elements.size()));
    }
    Word map(const std::vector<std::pair<Word, Word>>& pairs) {
        Word word = enif_make_new_map(env);
        for (const auto& [key, value] : pairs)
            enif_make_map_put(env, word, key, value, &word);
        return word;
    }
    // Nested so deep that recursion would overflow any stack.
    Word nested(Word inner, int depth = 1'000'000) {
        for (int i = 0; i < depth; ++i)
            inner = i % 4 == 0   ? tuple({inner})
                    : i % 4 == 1 ? list({inner})
                    : i % 4 == 2 ? map({{term::kNil, inner}})
                                 : map({{inner, term::kNil}});
        return inner;
    }
    std::string text(Word word) {
        char buffer[4096];
        enif_snprintf(buffer, sizeof buffer, "%T", word);
        return buffer;
    }
    bool is_badarg(Word result) {
        Word reason = 0;
        const bool pending = result == 0 && enif_has_pending_exception(env, &reason) != 0;
        env->exception = 0;
        return pending && reason == atom("badarg");
    }

    FakeBeam& beam;
    host::Instance instance;
    ErlNifEntry entry;
    ErlNifEnv* env;
};

} // namespace cordon::test
