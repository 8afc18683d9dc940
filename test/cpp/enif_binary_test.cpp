#include "host_fixture.hpp"
#include "nif_host/enif/binary.hpp"

namespace cordon::test {

class EnifBinary : public HostTest {
  protected:
    std::string bytes_of(Word word) {
        ErlNifBinary bin;
        if (enif_inspect_binary(env, word, &bin) == 0)
            return "not a binary";
        return {reinterpret_cast<char*>(bin.data), bin.size};
    }
    std::string flat(Word word) {
        ErlNifBinary bin;
        if (enif_inspect_iolist_as_binary(env, word, &bin) == 0)
            return "not an iolist";
        EXPECT_NE(bin.data, nullptr);
        return {reinterpret_cast<char*>(bin.data), bin.size};
    }
};

TEST_F(EnifBinary, SmallAndLarge) {
    for (const std::size_t size : {0UL, 1UL, 7UL, 8UL, 64UL, 512UL, 513UL, 1UL << 20}) {
        const std::string bytes(size, 'q');
        EXPECT_EQ(bytes_of(binary(bytes)), bytes) << size;
        ErlNifBinary bin;
        ASSERT_EQ(enif_alloc_binary(size, &bin), 1);
        EXPECT_NE(bin.ref_bin, nullptr);
        std::memset(bin.data, 'r', size);
        EXPECT_EQ(bytes_of(enif_make_binary(env, &bin)), std::string(size, 'r')) << size;
        EXPECT_EQ(bin.ref_bin, nullptr);
    }
}

TEST_F(EnifBinary, NothingIsWrittenBehindTheThirdWord) {
    struct {
        std::size_t size;
        unsigned char* data;
        void* ref_bin;
        std::uint64_t guard;
    } old{0, nullptr, nullptr, 0x1234};
    auto* bin = reinterpret_cast<ErlNifBinary*>(&old);
    enif_inspect_binary(env, binary("abc"), bin);
    EXPECT_EQ(old.guard, 0x1234U);
    enif_realloc_binary(bin, 5);
    EXPECT_EQ(old.guard, 0x1234U);
    enif_release_binary(bin);
    EXPECT_EQ(old.guard, 0x1234U);
}

TEST_F(EnifBinary, ReallocKeepsBytes) {
    ErlNifBinary bin;
    enif_alloc_binary(3, &bin);
    std::memcpy(bin.data, "abc", 3);
    for (const std::size_t size : {10UL, 100'000UL, 3'000'000UL, 3UL}) {
        ASSERT_EQ(enif_realloc_binary(&bin, size), 1);
        EXPECT_EQ(bin.size, size);
        EXPECT_EQ(std::memcmp(bin.data, "abc", 3), 0);
        std::memset(bin.data + 3, 'x', size - 3);
    }
    enif_release_binary(&bin);
    // An inspected one is not changed in place.
    const Word term = binary("constant");
    enif_inspect_binary(env, term, &bin);
    enif_realloc_binary(&bin, 8);
    bin.data[0] = 'K';
    EXPECT_EQ(bytes_of(term), "constant");
    EXPECT_EQ(bytes_of(enif_make_binary(env, &bin)), "Konstant");
}

TEST_F(EnifBinary, SubBinaries) {
    const std::string large(1000, 'x');
    for (const Word base : {binary("0123456789"), binary("0123456789" + large),
                            beam.binary("0123456789"), beam.binary("0123456789" + large)}) {
        EXPECT_EQ(bytes_of(enif_make_sub_binary(env, base, 2, 3)), "234");
        const Word sub = enif_make_sub_binary(env, base, 1, 9);
        EXPECT_EQ(bytes_of(enif_make_sub_binary(env, sub, 1, 2)), "23");
        EXPECT_EQ(bytes_of(enif_make_sub_binary(env, base, 10, 0)), "");
        ErlNifEnv* other = enif_alloc_env();
        const Word copy = enif_make_copy(other, sub);
        EXPECT_EQ(bytes_of(copy), "123456789");
        enif_free_env(other);
    }
    const Word base = binary("0123");
    EXPECT_TRUE(is_badarg(enif_make_sub_binary(env, base, 2, 3)));
    EXPECT_TRUE(is_badarg(enif_make_sub_binary(env, base, 5, 0)));
    EXPECT_TRUE(is_badarg(enif_make_sub_binary(env, base, 1, SIZE_MAX)));
    EXPECT_TRUE(is_badarg(enif_make_sub_binary(env, atom("a"), 0, 0)));
}

TEST_F(EnifBinary, WritesToANewBinaryShowInItsSubBinaries) {
    Word base;
    unsigned char* data = enif_make_new_binary(env, 20, &base);
    const Word sub = enif_make_sub_binary(env, base, 0, 4);
    std::memcpy(data, "late", 4);
    EXPECT_EQ(bytes_of(sub), "late");
}

TEST_F(EnifBinary, BytesOutliveTheEnvironmentThatMadeThem) {
    ErlNifEnv* other = enif_alloc_env();
    const std::string large(5000, 'z');
    const Word copy = enif_make_copy(other, binary(large));
    const std::uint64_t before = host::context().heap->free_bytes();
    host::env_reset(env, ipc::Ending::Return);
    EXPECT_EQ(bytes_of(copy), large);
    enif_free_env(other);
    EXPECT_GT(host::context().heap->free_bytes(), before) << "the last reference frees it";
}

TEST_F(EnifBinary, Iolists) {
    EXPECT_EQ(flat(term::kNil), "");
    EXPECT_EQ(flat(binary("bin")), "bin");
    EXPECT_EQ(flat(list({integer('a'), binary("bc"), list({list({}), integer('d')}),
                         list({binary("e")})})),
              "abcde");
    EXPECT_EQ(flat(enif_make_list_cell(env, integer('a'), binary("tail"))), "atail");
    EXPECT_EQ(flat(list({integer(256)})), "not an iolist");
    EXPECT_EQ(flat(list({integer(-1)})), "not an iolist");
    EXPECT_EQ(flat(list({atom("a")})), "not an iolist");
    EXPECT_EQ(flat(enif_make_list_cell(env, integer('a'), integer('b'))), "not an iolist");
    EXPECT_EQ(flat(atom("a")), "not an iolist");
    EXPECT_EQ(flat(integer(1)), "not an iolist");
    Word deep = binary("x");
    for (int i = 0; i < 1'000'000; ++i)
        deep = i % 2 == 0 ? list({deep}) : enif_make_list_cell(env, list({deep}), binary("y"));
    EXPECT_EQ(flat(deep), "x" + std::string(500'000, 'y'));
}

TEST_F(EnifBinary, OverTwoGigabytes) {
    const std::size_t size = (std::size_t{2} << 30) + 5;
    Word word;
    unsigned char* data = enif_make_new_binary(env, size, &word);
    data[size - 1] = 'e';
    ErlNifBinary bin;
    ASSERT_EQ(enif_inspect_binary(env, word, &bin), 1);
    EXPECT_EQ(bin.size, size);
    EXPECT_EQ(bin.data[size - 1], 'e');
    const Word end = enif_make_sub_binary(env, word, size - 1, 1);
    EXPECT_EQ(bytes_of(end), "e");
}

} // namespace cordon::test
