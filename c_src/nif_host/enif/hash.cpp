#include "nif_host/enif/hash.hpp"

#include "nif_host/enif/atoms.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/map.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/upcall_client.hpp"

#include <cstring>
#include <sys/random.h>
#include <vector>

namespace cordon::host {
namespace {

std::uint64_t random_seed() {
    std::uint64_t seed = 0x9E37'79B9'7F4A'7C15;
    [[maybe_unused]] const auto got = getrandom(&seed, sizeof seed, GRND_NONBLOCK);
    return seed;
}

// Both halves of a 128-bit product, folded.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

constexpr std::uint64_t kStep = 0xA076'1D64'78BD'642F;
constexpr std::uint64_t kOther = 0xE703'7ED1'A0B4'28DB;

std::uint64_t add(std::uint64_t hash, std::uint64_t value) {
    return mix(hash ^ kStep, value ^ kOther) + 0x9E37'79B9'7F4A'7C15;
}

std::uint64_t add_bytes(std::uint64_t hash, const void* data, std::size_t size) {
    const auto* at = static_cast<const char*>(data);
    hash = add(hash, size);
    for (; size >= 8; at += 8, size -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        hash = add(hash, word);
    }
    std::uint64_t last = 0;
    std::memcpy(&last, at, size);
    return add(hash, last);
}

// What is being hashed: a list from `list` on, or `left` more items of a tuple or of a map's pairs.
struct Frame {
    std::uint64_t hash;
    Word list = 0;
    const Word* items = nullptr;
    std::size_t left = 0;
    bool is_map = false;          // pairs are summed up: their order says nothing
    std::uint64_t key_hash = 0;   // of the pair whose value comes next
    std::vector<Word> pairs = {}; // key, value, key, ... of a map
};

class Hasher {
  public:
    explicit Hasher(std::uint64_t salt) : salt_(salt) {}

    std::uint64_t run(Word root) {
        std::uint64_t hash = 0;
        if (enter(root, &hash))
            return hash;
        while (!frames_.empty()) {
            Word next;
            if (!next_item(&next, &hash)) {
                frames_.pop_back();
                if (!frames_.empty())
                    take(hash);
                continue;
            }
            std::uint64_t item_hash;
            if (enter(next, &item_hash))
                take(item_hash);
        }
        return hash;
    }

  private:
    // True when the term's hash is known at once; else it gets a frame.
    bool enter(Word word, std::uint64_t* hash) {
        if (term::is_immediate(word)) {
            *hash = add(salt_, word);
            return true;
        }
        Frame frame{add(salt_, 0)};
        if (term::is_cons(word)) {
            frame.hash = add(salt_, term::kConsTag);
            frame.list = word;
            frames_.push_back(std::move(frame));
            return false;
        }
        return enter_boxed(word, hash, frame);
    }

    bool enter_boxed(Word word, std::uint64_t* hash, Frame& frame) {
        const Kind kind = kind_of(word);
        const std::uint64_t size = size_of(word);
        switch (kind) {
        case Kind::Tuple:
            frame.hash = add(add(salt_, static_cast<Word>(kind)), size);
            frame.items = object(word) + 1;
            frame.left = size;
            break;
        case Kind::FlatMap:
        case Kind::HashMap:
            frame.hash = add(add(salt_, static_cast<Word>(Kind::FlatMap)), size);
            frame.is_map = true;
            for (const MapPair& pair : map_pairs(word)) {
                frame.pairs.push_back(pair.key);
                frame.pairs.push_back(pair.value);
            }
            frame.items = frame.pairs.data(); // stays where it is when the vector is moved
            frame.left = frame.pairs.size();
            break;
        case Kind::Binary:
        case Kind::BinaryRef:
        case Kind::ResourceBinary: {
            const Bytes bytes = binary_bytes(word);
            *hash = add_bytes(add(salt_, static_cast<Word>(Kind::Binary)), bytes.data, bytes.size);
            return true;
        }
        case Kind::Float: {
            double value = float_value(word);
            if (value == 0.0 && !vm_trait(VmTrait::ZerosDiffer))
                value = 0.0; // not -0.0
            *hash = add(add(salt_, static_cast<Word>(kind)), std::bit_cast<Word>(value));
            return true;
        }
        case Kind::External: {
            if (is_external(word, term::ExternalType::Fun)) {
                // Equal ones may be written in different ways (who made it is written too).
                *hash = add(salt_, upcall(ipc::Upcall::Hash, {ERL_NIF_PHASH2, 0, word}));
                return true;
            }
            const auto bytes = external_bytes(word);
            *hash = add_bytes(add(salt_, object(word)[1]), bytes.data(), bytes.size());
            return true;
        }
        case Kind::Int64:
        case Kind::Uint64:
        case Kind::Resource:
        case Kind::MapNode:
            *hash = add(add(salt_, static_cast<Word>(kind)), object(word)[1]);
            return true;
        }
        frames_.push_back(std::move(frame));
        return false;
    }

    // False: the last frame is done, and its hash given.
    bool next_item(Word* item, std::uint64_t* hash) {
        Frame& frame = frames_.back();
        if (frame.list != 0) {
            if (term::is_cons(frame.list)) {
                *item = cons_cell(frame.list)[0];
                frame.list = cons_cell(frame.list)[1];
            } else { // its end, [] or any other
                *item = frame.list;
                frame.list = 0;
            }
            return true;
        }
        if (frame.left == 0) {
            *hash = frame.hash;
            return false;
        }
        *item = *frame.items++;
        --frame.left;
        return true;
    }

    void take(std::uint64_t item_hash) {
        Frame& frame = frames_.back();
        if (!frame.is_map)
            frame.hash = add(frame.hash, item_hash);
        else if (frame.left % 2 == 1)
            frame.key_hash = item_hash;
        else
            frame.hash += add(frame.key_hash, item_hash);
    }

    std::uint64_t salt_;
    std::vector<Frame> frames_;
};

} // namespace

std::uint64_t internal_hash(Word term, std::uint64_t salt) {
    static const std::uint64_t seed = random_seed();
    if (term::is_immediate(term))
        return add(add(seed, salt), term);
    return Hasher(add(seed, salt)).run(term);
}

} // namespace cordon::host

using namespace cordon::host;

ErlNifUInt64 enif_hash(ErlNifHash type, ERL_NIF_TERM term, ErlNifUInt64 salt) {
    constexpr std::uint64_t kBits = 0xFFFF'FFFF; // the VM's internal hash has 32
    if (type == ERL_NIF_INTERNAL_HASH)
        return internal_hash(term, salt & kBits) & kBits;
    // Bit for bit erlang:phash2/1: only the VM knows it for every term.
    return upcall(cordon::ipc::Upcall::Hash, {static_cast<Word>(type), salt, term});
}
