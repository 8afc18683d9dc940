// =:=, without recursion but for maps that are keys of maps with other keys beside them.
#include "nif_host/enif/atoms.hpp"
#include "nif_host/enif/compare.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/map.hpp"
#include "nif_host/enif/term_access.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

namespace cordon::host {
namespace {

// Pairs of terms that have yet to be found identical.
class Identity {
  public:
    bool run(Word a, Word b) {
        for (;;) {
            if (!check(a, b))
                return false;
            if (pending_.empty())
                return true;
            Range& last = pending_.back();
            a = *last.a++;
            b = *last.b++;
            if (--last.count == 0)
                pending_.pop_back();
        }
    }

  private:
    struct Range {
        const Word* a;
        const Word* b;
        std::size_t count;
    };

    void push(const Word* a, const Word* b, std::size_t count) {
        if (count != 0)
            pending_.push_back({a, b, count});
    }

    bool check(Word a, Word b) {
        while (term::is_cons(a) && term::is_cons(b)) {
            if (a == b)
                return true;
            const Word* x = cons_cell(a);
            const Word* y = cons_cell(b);
            if (x[0] != y[0]) {
                if (term::is_immediate(x[0]) || term::is_immediate(y[0]))
                    return false;
                push(x, y, 1);
            }
            a = x[1];
            b = y[1];
        }
        if (a == b)
            return true;
        return term::is_boxed(a) && term::is_boxed(b) && check_boxed(a, b);
    }

    bool check_boxed(Word a, Word b) {
        const Kind kind = kind_of(a);
        if (is_whole_binary(a)) {
            if (!is_whole_binary(b))
                return false;
            const Bytes x = binary_bytes(a);
            const Bytes y = binary_bytes(b);
            return x.size == y.size && std::memcmp(x.data, y.data, x.size) == 0;
        }
        if (is_map(a))
            return is_map(b) && check_maps(a, b);
        if (kind_of(b) != kind)
            return false;
        switch (kind) {
        case Kind::Tuple:
            if (size_of(a) != size_of(b))
                return false;
            push(object(a) + 1, object(b) + 1, size_of(a));
            return true;
        case Kind::Float:
            return object(a)[1] == object(b)[1] ||
                   (float_value(a) == float_value(b) && !vm_trait(VmTrait::ZerosDiffer));
        case Kind::External:
            return check_externals(a, b);
        default: // one word that says all
            return object(a)[1] == object(b)[1];
        }
    }

    static bool check_externals(Word a, Word b) {
        if (object(a)[1] != object(b)[1])
            return false;
        if (external_bytes(a) == external_bytes(b))
            return true;
        // Only the same fun may be written in two ways (it names the process that made it).
        return is_external(a, term::ExternalType::Fun) && compare_terms(a, b, Order::Standard) == 0;
    }

    bool check_maps(Word a, Word b) {
        const std::uint64_t size = map_size(a);
        if (size != map_size(b))
            return false;
        if (kind_of(a) == Kind::FlatMap && kind_of(b) == Kind::FlatMap) {
            const Word* x = object(a) + 1;
            const Word* y = object(b) + 1;
            // One pair needs no look-up, nor do maps with the same keys in the same order.
            if (size == 1 || std::equal(x, x + size, y)) {
                push(x, y, 2 * size);
                return true;
            }
        }
        return check_by_look_up(a, b, size);
    }

    bool check_by_look_up(Word a, Word b, std::uint64_t size) {
        const MapLookup other(b);
        std::vector<Word>& values = found_.emplace_back();
        values.reserve(2 * size); // first of a, then of b
        const std::vector<MapPair> pairs = map_pairs(a);
        for (const MapPair& pair : pairs)
            values.push_back(pair.value);
        for (const MapPair& pair : pairs) {
            const Word* value = other.find(pair.key);
            if (value == nullptr)
                return false;
            values.push_back(*value);
        }
        push(values.data(), values.data() + size, size);
        return true;
    }

    std::vector<Range> pending_;
    std::vector<std::vector<Word>> found_; // values of maps that pending_ points into
};

} // namespace

bool terms_identical_slow(Word a, Word b) {
    return Identity().run(a, b);
}

} // namespace cordon::host

int enif_is_identical(ERL_NIF_TERM a, ERL_NIF_TERM b) {
    return cordon::host::terms_identical(a, b);
}
