#include "kernel_proxy/external_atoms.hpp"

#include "kernel_proxy/beam_atoms.hpp"

#include <algorithm>
#include <cstdint>

namespace cordon::proxy {
namespace {

bool exists(ErlNifEnv* env, AtomEncoding encoding, const std::string& text) {
    ERL_NIF_TERM atom;
    if (encoding == AtomEncoding::Latin1)
        return enif_make_existing_atom_len(env, text.data(), text.size(), &atom, ERL_NIF_LATIN1) !=
               0;
    return BeamAtoms::from_text(env, text, false) != 0;
}

// Goes over the bytes from the beginning to the end of the term, as the VM does before it makes
// anything of them. It knows all tags that a VM takes from outside.
class Scan {
  public:
    Scan(ErlNifEnv* env, std::span<const unsigned char> bytes, AtomsWanted wanted)
        : env_(env), bytes_(bytes), wanted_(wanted) {}

    std::optional<AtomNames> run() {
        skip(1); // version
        for (std::uint64_t terms = 1; terms > 0 && good_ && names_.size() <= kMostAtoms; --terms)
            terms += term();
        return good_ ? std::optional(std::move(names_)) : std::nullopt;
    }

  private:
    void skip(std::uint64_t size) {
        good_ = good_ && size <= bytes_.size() - at_;
        at_ += good_ ? size : 0;
    }
    std::uint64_t number(std::size_t size) {
        const std::size_t from = at_;
        skip(size);
        std::uint64_t value = 0;
        for (std::size_t i = from; i < at_; ++i)
            value = value << 8 | bytes_[i];
        return value;
    }
    // A length of so many bytes, and what it counts.
    void skip_counted(std::size_t length, std::uint64_t more = 0) { skip(number(length) + more); }

    void atom(std::size_t length, AtomEncoding encoding) {
        const std::uint64_t size = number(length);
        const std::size_t from = at_;
        skip(size);
        if (!good_)
            return;
        std::string text(reinterpret_cast<const char*>(bytes_.data()) + from, size);
        if (wanted_ == AtomsWanted::All || !exists(env_, encoding, text))
            names_.emplace(encoding, std::move(text));
    }

    bool is_atom(std::uint64_t tag) {
        switch (tag) {
        case 100:
            atom(2, AtomEncoding::Latin1);
            return true;
        case 115:
            atom(1, AtomEncoding::Latin1);
            return true;
        case 118:
            atom(2, AtomEncoding::Utf8);
            return true;
        case 119:
            atom(1, AtomEncoding::Utf8);
            return true;
        default:
            return false;
        }
    }

    // The node of a pid, a port or a reference, and so many bytes after it.
    void node_and(std::uint64_t more) {
        good_ = is_atom(number(1)) && good_;
        skip(more);
    }

    // One term without its elements; returns how many these are.
    std::uint64_t term() {
        const std::uint64_t tag = number(1);
        if (!good_ || is_atom(tag))
            return 0;
        switch (tag) {
        case 97: // small integer
            skip(1);
            return 0;
        case 98: // integer
            skip(4);
            return 0;
        case 99: // float as text
            skip(31);
            return 0;
        case 70: // float
            skip(8);
            return 0;
        case 101: // reference
        case 102: // port
            node_and(5);
            return 0;
        case 103: // pid
            node_and(9);
            return 0;
        case 88:  // pid
        case 120: // port
            node_and(12);
            return 0;
        case 89: // port
            node_and(8);
            return 0;
        case 90: // references
        case 114: {
            const std::uint64_t words = number(2);
            node_and((tag == 90 ? 4 : 1) + 4 * words);
            return 0;
        }
        case 104: // small tuple
            return number(1);
        case 105: // large tuple
            return number(4);
        case 106: // []
            return 0;
        case 107: // string
            skip_counted(2);
            return 0;
        case 108: // list
            return number(4) + 1;
        case 116: // map
            return 2 * number(4);
        case 109: // binary
            skip_counted(4);
            return 0;
        case 77:  // bitstring
        case 111: // large integer
            skip_counted(4, 1);
            return 0;
        case 110: // integer of up to 255 bytes
            skip_counted(1, 1);
            return 0;
        case 112: // fun
            skip(4 + 1 + 16 + 4);
            return number(4) + 4;
        case 113: // fun M:F/A
            return 3;
        case 121: // what only this VM reads
            skip(8);
            return 1;
        default:
            good_ = false;
            return 0;
        }
    }

    ErlNifEnv* env_;
    const std::span<const unsigned char> bytes_;
    const AtomsWanted wanted_;
    std::size_t at_ = 0;
    bool good_ = true;
    AtomNames names_;
};

} // namespace

std::optional<AtomNames> atoms_in(ErlNifEnv* env, std::span<const unsigned char> encoded,
                                  AtomsWanted wanted) {
    return Scan(env, encoded, wanted).run();
}

std::size_t count_existing(ErlNifEnv* env, const AtomNames& names) {
    return static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [env](const auto& n) {
        return exists(env, n.first, n.second);
    }));
}

} // namespace cordon::proxy
