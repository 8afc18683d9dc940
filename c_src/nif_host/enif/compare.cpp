// Erlang's order of all terms:
//   number < atom < reference < fun < port < pid < tuple < map < nil < list < bitstring
// Without recursion but for maps that are keys of maps with other keys beside them.
#include "nif_host/enif/compare.hpp"

#include "nif_host/enif/atoms.hpp"
#include "nif_host/enif/compare_numbers.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/map.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/term_type.hpp"
#include "nif_host/upcall_client.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace cordon::host {
namespace {

template <class T> int order(T a, T b) {
    return (a > b) - (a < b);
}

int rank(Word word) {
    switch (term_type(word)) {
    case ERL_NIF_TERM_TYPE_INTEGER:
    case ERL_NIF_TERM_TYPE_FLOAT:
        return 0;
    case ERL_NIF_TERM_TYPE_ATOM:
        return 1;
    case ERL_NIF_TERM_TYPE_REFERENCE:
        return 2;
    case ERL_NIF_TERM_TYPE_FUN:
        return 3;
    case ERL_NIF_TERM_TYPE_PORT:
        return 4;
    case ERL_NIF_TERM_TYPE_PID:
        return 5;
    case ERL_NIF_TERM_TYPE_TUPLE:
        return 6;
    case ERL_NIF_TERM_TYPE_MAP:
        return 7;
    case ERL_NIF_TERM_TYPE_LIST:
        return term::is_nil(word) ? 8 : 9;
    case ERL_NIF_TERM_TYPE_BITSTRING:
        return 10;
    default:
        return 11;
    }
}

// What only the VM can tell: references, funs, ports, pids, bitstrings.
int ask_vm(Word a, Word b) {
    const Word answer = upcall(ipc::Upcall::Compare, {a, b});
    return order<std::int64_t>(static_cast<std::int64_t>(answer), 0);
}

int compare_text(std::string_view a, std::string_view b) {
    const int start = std::memcmp(a.data(), b.data(), std::min(a.size(), b.size()));
    return start != 0 ? order(start, 0) : order(a.size(), b.size());
}

bool is_float(Word word) {
    return is_kind(word, Kind::Float);
}

int compare_any_numbers(Word a, Word b, Order mode) {
    if (mode == Order::KeyOrder && is_float(a) != is_float(b))
        return is_float(a) ? 1 : -1;
    if (mode == Order::KeyOrder && is_float(a) && float_value(a) == 0.0 && float_value(b) == 0.0 &&
        vm_trait(VmTrait::ZerosDiffer))
        return order(std::signbit(float_value(b)), std::signbit(float_value(a)));
    const int result = compare_numbers(a, b);
    return result == kUnknownOrder ? ask_vm(a, b) : result;
}

int compare_bitstrings(Word a, Word b) {
    if (!is_whole_binary(a) || !is_whole_binary(b))
        return ask_vm(a, b);
    const Bytes x = binary_bytes(a);
    const Bytes y = binary_bytes(b);
    return compare_text({reinterpret_cast<const char*>(x.data), x.size},
                        {reinterpret_cast<const char*>(y.data), y.size});
}

int compare_references(Word a, Word b) {
    if (is_kind(a, Kind::Resource) && is_kind(b, Kind::Resource) && object(a)[1] == object(b)[1])
        return 0;
    return ask_vm(a, b);
}

class Comparison {
  public:
    int run(Word a, Word b, Order mode) {
        for (;;) {
            if (const int result = step(a, b, mode); result != 0)
                return result;
            if (pending_.empty())
                return 0;
            Range& next = pending_.back();
            a = *next.a++;
            b = *next.b++;
            mode = next.mode;
            if (--next.count == 0)
                pending_.pop_back();
        }
    }

  private:
    // Still to be compared; the last one comes first.
    struct Range {
        const Word* a;
        const Word* b;
        std::size_t count;
        Order mode;
    };

    void push(const Word* a, const Word* b, std::size_t count, Order mode) {
        if (count != 0)
            pending_.push_back({a, b, count, mode});
    }

    // Compares the two as far as that goes without looking into elements; pushes these.
    int step(Word a, Word b, Order mode) {
        while (a != b && term::is_cons(a) && term::is_cons(b)) {
            const Word* x = cons_cell(a);
            const Word* y = cons_cell(b);
            if (x[0] != y[0]) {
                if (!is_plain(x[0]) || !is_plain(y[0])) {
                    push(x + 1, y + 1, 1, mode);
                    push(x, y, 1, mode);
                    return 0;
                }
                if (const int result = step(x[0], y[0], mode); result != 0)
                    return result;
            }
            a = x[1];
            b = y[1];
        }
        if (a == b)
            return 0;
        const int rank_of_a = rank(a);
        if (const int by_rank = order(rank_of_a, rank(b)); by_rank != 0)
            return by_rank;
        return same_rank(a, b, rank_of_a, mode);
    }

    static bool is_plain(Word word) { // has no elements
        return term::is_immediate(word) || is_whole_binary(word);
    }

    int same_rank(Word a, Word b, int rank, Order mode) {
        switch (rank) {
        case 0:
            return compare_any_numbers(a, b, mode);
        case 1:
            return compare_text(atom_text(a), atom_text(b));
        case 2:
            return compare_references(a, b);
        case 6:
            if (size_of(a) != size_of(b))
                return order(size_of(a), size_of(b));
            push(object(a) + 1, object(b) + 1, size_of(a), mode);
            return 0;
        case 7:
            return maps(a, b, mode);
        case 10:
            return compare_bitstrings(a, b);
        default:
            return ask_vm(a, b);
        }
    }

    // By size, then all keys in order, then the values in the order of their keys.
    int maps(Word a, Word b, Order mode) {
        const std::uint64_t size = map_size(a);
        if (size != map_size(b))
            return order(size, map_size(b));
        const Word* x = sorted(a);
        const Word* y = sorted(b);
        push(x + size, y + size, size, mode);
        push(x, y, size, Order::KeyOrder);
        return 0;
    }

    // All keys in order, then all values.
    const Word* sorted(Word map) {
        std::vector<MapPair> pairs = map_pairs(map);
        std::sort(pairs.begin(), pairs.end(), [](const MapPair& x, const MapPair& y) {
            return compare_terms(x.key, y.key, Order::KeyOrder) < 0;
        });
        std::vector<Word>& words = sorted_.emplace_back();
        words.reserve(2 * pairs.size() + 1);
        for (const MapPair& pair : pairs)
            words.push_back(pair.key);
        for (const MapPair& pair : pairs)
            words.push_back(pair.value);
        return words.data();
    }

    std::vector<Range> pending_;
    std::vector<std::vector<Word>> sorted_; // that pending_ points into
};

} // namespace

int compare_terms(Word a, Word b, Order mode) {
    if (a == b)
        return 0;
    if (term::is_small(a) && term::is_small(b))
        return order(static_cast<std::int64_t>(a), static_cast<std::int64_t>(b));
    if (term::is_atom(a) && term::is_atom(b))
        return compare_text(atom_text(a), atom_text(b));
    return Comparison().run(a, b, mode);
}

} // namespace cordon::host

int enif_compare(ERL_NIF_TERM a, ERL_NIF_TERM b) {
    return cordon::host::compare_terms(a, b, cordon::host::Order::Standard);
}
