#include "host_fixture.hpp"

#include <climits>
#include <cmath>
#include <limits>

namespace cordon::test {

class EnifNumbers : public HostTest {};

TEST_F(EnifNumbers, IntegersOfEveryRangeComeBack) {
    for (const long value :
         {0L, 1L, -1L, long{INT_MAX}, long{INT_MIN}, long{UINT_MAX}, term::kSmallMax,
          term::kSmallMin, term::kSmallMax + 1, term::kSmallMin - 1, LONG_MAX, LONG_MIN}) {
        const Word word = enif_make_long(env, value);
        long got = 42;
        ASSERT_EQ(enif_get_long(env, word, &got), 1) << value;
        EXPECT_EQ(got, value);
        int narrow = 42;
        EXPECT_EQ(enif_get_int(env, word, &narrow), value >= INT_MIN && value <= INT_MAX) << value;
        unsigned positive = 42;
        EXPECT_EQ(enif_get_uint(env, word, &positive), value >= 0 && value <= UINT_MAX) << value;
        unsigned long wide = 42;
        EXPECT_EQ(enif_get_ulong(env, word, &wide), value >= 0) << value;
        EXPECT_EQ(term::is_small(word), term::fits_small(value)) << value;
    }
}

TEST_F(EnifNumbers, UnsignedBeyondSignedRange) {
    const Word word = enif_make_ulong(env, ULONG_MAX);
    unsigned long wide = 0;
    EXPECT_EQ(enif_get_ulong(env, word, &wide), 1);
    EXPECT_EQ(wide, ULONG_MAX);
    long narrow;
    EXPECT_EQ(enif_get_long(env, word, &narrow), 0);
    EXPECT_TRUE(enif_is_number(env, word));
    // One integer has one representation, whichever function made it.
    EXPECT_TRUE(enif_is_identical(enif_make_ulong(env, LONG_MAX), enif_make_long(env, LONG_MAX)));
}

TEST_F(EnifNumbers, FloatsAreNoIntegers) {
    const Word word = enif_make_double(env, 1.0);
    double real = 0;
    EXPECT_EQ(enif_get_double(env, word, &real), 1);
    EXPECT_EQ(real, 1.0);
    int value;
    EXPECT_EQ(enif_get_int(env, word, &value), 0);
    EXPECT_EQ(enif_get_double(env, integer(1), &real), 0);
}

TEST_F(EnifNumbers, NoTermForNanAndInfinity) {
    EXPECT_TRUE(is_badarg(enif_make_double(env, std::nan(""))));
    EXPECT_TRUE(is_badarg(enif_make_double(env, std::numeric_limits<double>::infinity())));
}

TEST_F(EnifNumbers, TypesThatAreNone) {
    long value;
    for (const Word word : {atom("a"), Word{term::kNil}, list({integer(1)}), tuple({}), binary("1"),
                            kAlivePid, map({})}) {
        EXPECT_EQ(enif_get_long(env, word, &value), 0);
        EXPECT_FALSE(enif_is_number(env, word));
    }
}

} // namespace cordon::test
