#include "nif_host/enif/compare_numbers.hpp"

#include <algorithm>
#include <cmath>

namespace cordon::host {
namespace {

// All integers and floats up to 64 bits; `wide` holds both signed and unsigned ones.
struct Number {
    enum class Type { Integer, Float, Big } type;
    __int128 wide = 0;
    double real = 0;
};

Number number_of(Word word) {
    if (term::is_small(word))
        return {Number::Type::Integer, term::small_value(word)};
    const Word bits = object(word)[1];
    switch (kind_of(word)) {
    case Kind::Int64:
        return {Number::Type::Integer, static_cast<std::int64_t>(bits)};
    case Kind::Uint64:
        return {Number::Type::Integer, bits};
    case Kind::Float:
        return {Number::Type::Float, 0, float_value(word)};
    default:
        return {Number::Type::Big};
    }
}

// Of an integer beyond 64 bits, from its external format: 110, n, sign, n bytes; or 111 with n in
// four bytes. The least byte comes first.
struct BigInteger {
    explicit BigInteger(Word word) {
        const std::string_view bytes = external_bytes(word);
        const std::size_t head = static_cast<unsigned char>(bytes[0]) == 110 ? 2 : 5;
        negative = bytes[head] != 0;
        magnitude = bytes.substr(head + 1);
        while (!magnitude.empty() && magnitude.back() == '\0')
            magnitude.remove_suffix(1);
    }
    int sign() const { return negative ? -1 : 1; }
    bool negative;
    std::string_view magnitude;
};

template <class T> int order(T a, T b) {
    return (a > b) - (a < b);
}

int compare_magnitudes(std::string_view a, std::string_view b) {
    if (a.size() != b.size())
        return order(a.size(), b.size());
    for (std::size_t i = a.size(); i > 0; --i)
        if (a[i - 1] != b[i - 1])
            return order(static_cast<unsigned char>(a[i - 1]),
                         static_cast<unsigned char>(b[i - 1]));
    return 0;
}

int compare_bigs(Word a, Word b) {
    const BigInteger x(a);
    const BigInteger y(b);
    if (x.negative != y.negative)
        return x.sign();
    return x.sign() * compare_magnitudes(x.magnitude, y.magnitude);
}

bool is_beyond_64_bits(double real) {
    return std::abs(real) >= 0x1p63;
}

// Never rounds the integer.
int compare_with_float(__int128 integer, double real) {
    constexpr double kBeyond = 0x1p65;
    if (real >= kBeyond)
        return -1;
    if (real <= -kBeyond)
        return 1;
    const double whole = std::trunc(real);
    if (const int by_whole = order(integer, static_cast<__int128>(whole)); by_whole != 0)
        return by_whole;
    return order(0.0, real - whole);
}

} // namespace

bool is_number(Word word) {
    if (term::is_small(word))
        return true;
    if (!term::is_boxed(word))
        return false;
    const Kind kind = kind_of(word);
    return kind == Kind::Float || kind == Kind::Int64 || kind == Kind::Uint64 ||
           is_external(word, term::ExternalType::Integer);
}

int compare_numbers(Word a, Word b) {
    using enum Number::Type;
    const Number x = number_of(a);
    const Number y = number_of(b);
    if (x.type == Big && y.type == Big)
        return compare_bigs(a, b);
    if (x.type == Big)
        return is_beyond_64_bits(y.real) ? kUnknownOrder : BigInteger(a).sign();
    if (y.type == Big)
        return is_beyond_64_bits(x.real) ? kUnknownOrder : -BigInteger(b).sign();
    if (x.type == Float && y.type == Float)
        return order(x.real, y.real);
    if (x.type == Float)
        return -compare_with_float(y.wide, x.real);
    if (y.type == Float)
        return compare_with_float(x.wide, y.real);
    return order(x.wide, y.wide);
}

} // namespace cordon::host
