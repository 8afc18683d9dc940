#include "host_fixture.hpp"

#include <climits>

namespace cordon::test {

class EnifCompare : public HostTest {
  protected:
    Word real(double value) { return enif_make_double(env, value); }
    // Bytes of the magnitude, least first.
    Word big(bool negative, std::string magnitude) {
        std::string etf{110, static_cast<char>(magnitude.size()), negative ? '\1' : '\0'};
        return beam.external(term::ExternalType::Integer, etf + magnitude);
    }
};

TEST_F(EnifCompare, AllTypesInOrder) {
    const std::vector<Word> ordered{
        big(true, std::string(9, '\x7F')),
        integer(LONG_MIN),
        integer(-1),
        real(-0.5),
        integer(0),
        real(1e-300),
        integer(1),
        real(1.5),
        integer(LONG_MAX),
        enif_make_ulong(env, ULONG_MAX),
        big(false, std::string(9, '\1')),
        big(false, std::string(9, '\2')),
        atom("a"),
        atom("aa"),
        atom("b"),
        kAlivePid,
        kDeadPid,
        tuple({}),
        tuple({integer(2)}),
        tuple({integer(1), integer(1)}),
        tuple({integer(1), integer(2)}),
        map({}),
        map({{atom("b"), integer(1)}}),
        map({{atom("a"), integer(1)}, {atom("b"), integer(1)}}),
        map({{atom("a"), integer(1)}, {atom("b"), integer(2)}}),
        map({{atom("a"), integer(2)}, {atom("b"), integer(1)}}),
        map({{atom("a"), integer(0)}, {atom("c"), integer(0)}}),
        term::kNil,
        list({integer(1)}),
        list({integer(1), integer(1)}),
        list({integer(2)}),
        binary(""),
        binary("a"),
        binary("aa"),
        binary("b"),
    };
    for (std::size_t i = 0; i < ordered.size(); ++i)
        for (std::size_t j = 0; j < ordered.size(); ++j) {
            EXPECT_EQ(enif_compare(ordered[i], ordered[j]), i < j   ? -1
                                                            : i > j ? 1
                                                                    : 0)
                << text(ordered[i]) << " and " << text(ordered[j]);
            EXPECT_EQ(enif_is_identical(ordered[i], ordered[j]), i == j);
        }
}

TEST_F(EnifCompare, IntegersAndFloatsExactly) {
    EXPECT_EQ(enif_compare(integer(1), real(1.0)), 0);
    EXPECT_FALSE(enif_is_identical(integer(1), real(1.0)));
    const long beyond = (1L << 53) + 1; // has no double
    EXPECT_EQ(enif_compare(integer(beyond), real(9007199254740992.0)), 1);
    EXPECT_EQ(enif_compare(integer(beyond), real(9007199254740994.0)), -1);
    EXPECT_EQ(enif_compare(integer(LONG_MAX), real(9223372036854775808.0)), -1);
    EXPECT_EQ(enif_compare(enif_make_ulong(env, ULONG_MAX), real(18446744073709551616.0)), -1);
    EXPECT_EQ(enif_compare(real(1e300), integer(LONG_MAX)), 1);
    EXPECT_EQ(enif_compare(integer(-1), real(-1.5)), 1);
    EXPECT_EQ(enif_compare(integer(0), real(-0.0)), 0);
    EXPECT_TRUE(enif_is_identical(real(0.0), real(-0.0)));
}

TEST_F(EnifCompare, MapKeysHaveIntegersBeforeFloats) {
    const Word with_float = map({{real(1.0), atom("a")}});
    EXPECT_EQ(enif_compare(map({{integer(2), atom("a")}}), with_float), -1);
    EXPECT_EQ(enif_compare(map({{atom("k"), integer(1)}}), map({{atom("k"), real(1.0)}})), 0);
}

TEST_F(EnifCompare, WhatOnlyTheVmCanTellIsAsked) {
    const Word one = enif_make_ref(env);
    const Word other = enif_make_ref(env);
    EXPECT_TRUE(enif_is_ref(env, one));
    EXPECT_EQ(enif_compare(one, one), 0);
    EXPECT_EQ(enif_compare(one, other), -1) << "the answer's sign";
    EXPECT_FALSE(enif_is_identical(one, other));
    ErlNifEnv* copy_env = enif_alloc_env();
    EXPECT_TRUE(enif_is_identical(one, enif_make_copy(copy_env, one)));
    enif_free_env(copy_env);
    const int asked = beam.upcalls;
    EXPECT_NE(enif_compare(big(false, std::string(9, '\1')), real(1e300)), 0);
    EXPECT_EQ(beam.upcalls, asked + 1);
}

TEST_F(EnifCompare, LongListsAndDeepTerms) {
    std::vector<Word> elements(1'000'000, integer(5));
    const Word a = list(elements);
    elements.back() = integer(6);
    const Word b = list(elements);
    EXPECT_EQ(enif_compare(a, b), -1);
    EXPECT_FALSE(enif_is_identical(a, b));
    EXPECT_EQ(enif_compare(nested(integer(1)), nested(integer(2))), -1);
    EXPECT_EQ(enif_compare(nested(integer(1)), nested(integer(1))), 0);
}

TEST_F(EnifCompare, InternalHashSpreadsAndObeysTheSalt) {
    std::vector<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i)
        seen.push_back(enif_hash(ERL_NIF_INTERNAL_HASH, tuple({integer(i)}), 0));
    std::sort(seen.begin(), seen.end());
    EXPECT_GE(std::unique(seen.begin(), seen.end()) - seen.begin(), 998);
    EXPECT_LE(seen.back(), UINT32_MAX);
    EXPECT_NE(enif_hash(ERL_NIF_INTERNAL_HASH, integer(1), 0),
              enif_hash(ERL_NIF_INTERNAL_HASH, integer(1), 1));
    EXPECT_EQ(enif_hash(ERL_NIF_PHASH2, integer(1), 0), 1234U) << "the VM's answer";
}

} // namespace cordon::test
