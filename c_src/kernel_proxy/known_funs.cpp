#include "kernel_proxy/known_funs.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <sodium/crypto_shorthash.h>
#include <sodium/randombytes.h>
#include <vector>

namespace cordon::proxy {
namespace {

constexpr unsigned char kExportExt = 113;

using Bytes = std::span<const unsigned char>;

// Reads external term format from its beginning to its end, and collects all of it but what says
// who created a fun: of funs in the free variables of others too.
class Identity {
  public:
    explicit Identity(Bytes bytes) : bytes_(bytes) {}

    // Empty when the bytes aren't one whole term.
    std::vector<unsigned char> run() {
        skip(1); // version
        for (std::uint64_t terms = 1; terms > 0 && good_; --terms)
            terms += term();
        return good_ && at_ == bytes_.size() ? std::move(kept_) : std::vector<unsigned char>();
    }

  private:
    std::uint64_t number(std::size_t size) const {
        std::uint64_t value = 0;
        for (std::size_t i = at_; i < at_ + size && i < bytes_.size(); ++i)
            value = value << 8 | bytes_[i];
        return value;
    }
    void skip(std::uint64_t size) {
        good_ = good_ && size <= bytes_.size() - at_;
        at_ += good_ ? size : 0;
    }
    void keep(std::uint64_t size) {
        const std::size_t from = at_;
        skip(size);
        kept_.insert(kept_.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(from),
                     bytes_.begin() + static_cast<std::ptrdiff_t>(at_));
    }
    // A length of so many bytes, what it counts, and `more`.
    void keep_counted(std::size_t length, std::uint64_t more = 0, std::uint64_t each = 1) {
        keep(length + number(length) * each + more);
    }
    std::uint64_t kept_number(std::size_t size) {
        const std::uint64_t value = number(size);
        keep(size);
        return value;
    }

    // One term without its elements; returns how many these are.
    std::uint64_t term() {
        const auto tag = kept_number(1);
        switch (tag) {
        case 97: // small integer
            keep(1);
            return 0;
        case 98: // integer
            keep(4);
            return 0;
        case 70: // float
            keep(8);
            return 0;
        case 100: // atoms
        case 118:
        case 107: // string
            keep_counted(2);
            return 0;
        case 115: // small atoms
        case 119:
            keep_counted(1);
            return 0;
        case 88:  // pid
        case 120: // port
            term();
            keep(12);
            return 0;
        case 89: // port
            term();
            keep(8);
            return 0;
        case 90: { // reference
            const auto words = kept_number(2);
            term();
            keep(4 + 4 * words);
            return 0;
        }
        case 104: // small tuple
            return kept_number(1);
        case 105: // large tuple
            return kept_number(4);
        case 106: // []
            return 0;
        case 108: // list
            return kept_number(4) + 1;
        case 116: // map
            return 2 * kept_number(4);
        case 109: // binary
            keep_counted(4);
            return 0;
        case 77: // bitstring
            keep_counted(4, 1);
            return 0;
        case 110: // integers
            keep_counted(1, 1);
            return 0;
        case 111:
            keep_counted(4, 1);
            return 0;
        case kExportExt:
            return 3;
        case kNewFunExt:
            return fun();
        default:
            good_ = false;
            return 0;
        }
    }

    std::uint64_t fun() {
        skip(4);      // its size, with the creator
        keep(1 + 16); // arity, unique
        keep(4);      // index
        const auto variables = kept_number(4);
        term(); // module
        term(); // old index
        term(); // old unique
        const std::size_t kept = kept_.size();
        term(); // creator
        kept_.resize(kept);
        return variables;
    }

    static constexpr unsigned char kNewFunExt = 112;

    Bytes bytes_;
    std::size_t at_ = 0;
    bool good_ = true;
    std::vector<unsigned char> kept_;
};

// Keyed hash; 0 if the bytes aren't a fun's.
std::uint64_t identity(Bytes bytes) {
    const std::vector<unsigned char> kept = Identity(bytes).run();
    if (kept.empty())
        return 0;
    static const auto key = [] {
        std::array<unsigned char, crypto_shorthash_KEYBYTES> made{};
        randombytes_buf(made.data(), made.size());
        return made;
    }();
    std::array<unsigned char, crypto_shorthash_BYTES> hash{};
    crypto_shorthash(hash.data(), kept.data(), kept.size(), key.data());
    std::uint64_t result;
    static_assert(sizeof result == sizeof hash);
    std::memcpy(&result, hash.data(), sizeof result);
    return std::max<std::uint64_t>(result, 1);
}

// A hash belongs into one of so many buckets; there the next one to be overwritten is the oldest.
struct alignas(64) Bucket {
    std::array<std::atomic<std::uint64_t>, 7> known{};
    std::atomic<std::uint64_t> next{0};
};
constexpr std::size_t kBuckets = kKnownFuns / 2; // one in a thousand overflows with so many
std::array<Bucket, kBuckets> buckets;

// All relaxed: an entry is right or wrong by itself.
bool contains(const Bucket& bucket, std::uint64_t hash) {
    return std::any_of(bucket.known.begin(), bucket.known.end(), [hash](const auto& known) {
        return known.load(std::memory_order_relaxed) == hash;
    });
}

} // namespace

bool is_name_of_function(Bytes encoded) {
    return encoded.size() > 1 && encoded[1] == kExportExt;
}

void remember_fun(Bytes encoded) {
    const std::uint64_t hash = identity(encoded);
    Bucket& bucket = buckets[hash % kBuckets];
    if (hash == 0 || contains(bucket, hash))
        return;
    const auto at = bucket.next.fetch_add(1, std::memory_order_relaxed) % bucket.known.size();
    bucket.known[at].store(hash, std::memory_order_relaxed);
}

bool is_known_fun(Bytes encoded) {
    const std::uint64_t hash = identity(encoded);
    return hash != 0 && contains(buckets[hash % kBuckets], hash);
}

} // namespace cordon::proxy
