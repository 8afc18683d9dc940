// Type tests, lists, tuples, strings, atoms.
#include "host_fixture.hpp"

#include <climits>
#include <dlfcn.h>

namespace cordon::test {

class EnifTerms : public HostTest {};

TEST_F(EnifTerms, Types) {
    EXPECT_EQ(enif_term_type(env, atom("a")), ERL_NIF_TERM_TYPE_ATOM);
    EXPECT_EQ(enif_term_type(env, binary("a")), ERL_NIF_TERM_TYPE_BITSTRING);
    EXPECT_EQ(enif_term_type(env, enif_make_double(env, 1)), ERL_NIF_TERM_TYPE_FLOAT);
    EXPECT_EQ(enif_term_type(env, integer(LONG_MAX)), ERL_NIF_TERM_TYPE_INTEGER);
    EXPECT_EQ(enif_term_type(env, term::kNil), ERL_NIF_TERM_TYPE_LIST);
    EXPECT_EQ(enif_term_type(env, list({atom("a")})), ERL_NIF_TERM_TYPE_LIST);
    EXPECT_EQ(enif_term_type(env, map({})), ERL_NIF_TERM_TYPE_MAP);
    EXPECT_EQ(enif_term_type(env, kAlivePid), ERL_NIF_TERM_TYPE_PID);
    EXPECT_EQ(enif_term_type(env, tuple({})), ERL_NIF_TERM_TYPE_TUPLE);
    const Word fun = beam.external(term::ExternalType::Fun, "p");
    EXPECT_EQ(enif_term_type(env, fun), ERL_NIF_TERM_TYPE_FUN);
    EXPECT_TRUE(enif_is_fun(env, fun));
    EXPECT_FALSE(enif_is_ref(env, fun));
    const Word bits = beam.external(term::ExternalType::Bitstring, "M");
    EXPECT_EQ(enif_term_type(env, bits), ERL_NIF_TERM_TYPE_BITSTRING);
    EXPECT_FALSE(enif_is_binary(env, bits));
    EXPECT_FALSE(enif_is_exception(env, 0)) << "none is pending";
    EXPECT_TRUE(enif_is_exception(env, enif_make_badarg(env)));
}

TEST_F(EnifTerms, ListsAndTuples) {
    const Word three = list({integer(1), integer(2), integer(3)});
    unsigned length = 0;
    EXPECT_EQ(enif_get_list_length(env, three, &length), 1);
    EXPECT_EQ(length, 3U);
    Word reversed;
    EXPECT_EQ(enif_make_reverse_list(env, three, &reversed), 1);
    EXPECT_EQ(text(reversed), "[3,2,1]"); // control characters: no string
    EXPECT_EQ(enif_compare(enif_make_list3(env, integer(1), integer(2), integer(3)), three), 0);
    const Word improper = enif_make_list_cell(env, integer(1), integer(2));
    EXPECT_EQ(enif_get_list_length(env, improper, &length), 0);
    EXPECT_EQ(enif_make_reverse_list(env, improper, &reversed), 0);
    int arity;
    const Word* elements;
    const Word pair = enif_make_tuple2(env, atom("a"), three);
    ASSERT_EQ(enif_get_tuple(env, pair, &arity, &elements), 1);
    EXPECT_EQ(arity, 2);
    EXPECT_EQ(elements[1], three);
    EXPECT_EQ(enif_get_tuple(env, three, &arity, &elements), 0);
}

TEST_F(EnifTerms, Strings) {
    char buffer[5];
    const Word abc = enif_make_string(env, "abcd", ERL_NIF_LATIN1);
    EXPECT_EQ(enif_get_string(env, abc, buffer, 5, ERL_NIF_LATIN1), 5);
    EXPECT_STREQ(buffer, "abcd");
    EXPECT_EQ(enif_get_string(env, abc, buffer, 4, ERL_NIF_LATIN1), -4);
    EXPECT_STREQ(buffer, "abc");
    EXPECT_EQ(enif_get_string(env, abc, buffer, 0, ERL_NIF_LATIN1), 0);
    EXPECT_EQ(enif_get_string(env, list({integer(256)}), buffer, 5, ERL_NIF_LATIN1), 0);
    EXPECT_EQ(enif_get_string(env, term::kNil, buffer, 5, ERL_NIF_LATIN1), 1);
    unsigned length = 0;
    EXPECT_EQ(enif_get_string_length(env, abc, &length, ERL_NIF_LATIN1), 1);
    EXPECT_EQ(length, 4U);
}

TEST_F(EnifTerms, AtomsHaveOneWord) {
    const Word first = atom("hello");
    const int asked = beam.upcalls;
    EXPECT_EQ(atom("hello"), first);
    EXPECT_EQ(enif_make_atom_len(env, "hello world", 5), first);
    EXPECT_EQ(beam.upcalls, asked) << "an atom that the table has needs no upcall";
    Word existing;
    EXPECT_EQ(enif_make_existing_atom(env, "hello", &existing, ERL_NIF_LATIN1), 1);
    EXPECT_EQ(existing, first);
    EXPECT_EQ(enif_make_existing_atom(env, "nobody made it", &existing, ERL_NIF_LATIN1), 0);
    EXPECT_EQ(enif_make_existing_atom(env, "only_in_the_vm", &existing, ERL_NIF_LATIN1), 1);
    EXPECT_TRUE(is_badarg(enif_make_atom(env, std::string(256, 'x').c_str())));
    EXPECT_TRUE(term::is_atom(enif_make_atom(env, std::string(255, 'x').c_str())));
}

TEST_F(EnifTerms, ManyAtomsAreFoundAgain) {
    std::vector<Word> atoms;
    for (int i = 0; i < 20000; ++i)
        atoms.push_back(beam.atom("many_" + std::to_string(i)));
    const int asked = beam.upcalls;
    for (int i = 0; i < 20000; ++i)
        ASSERT_EQ(atom(("many_" + std::to_string(i)).c_str()), atoms[static_cast<std::size_t>(i)]);
    EXPECT_EQ(beam.upcalls, asked);
}

TEST_F(EnifTerms, AtomTextIsLatin1Outside) {
    const Word umlaut = atom("\xE4");
    char buffer[8];
    EXPECT_EQ(enif_get_atom(env, umlaut, buffer, sizeof buffer, ERL_NIF_LATIN1), 2);
    EXPECT_STREQ(buffer, "\xE4");
    unsigned length = 0;
    EXPECT_EQ(enif_get_atom_length(env, umlaut, &length, ERL_NIF_LATIN1), 1);
    EXPECT_EQ(length, 1U);
    EXPECT_EQ(enif_get_atom(env, atom("toolong"), buffer, 7, ERL_NIF_LATIN1), 0);
    EXPECT_EQ(enif_get_atom(env, atom("toolong"), buffer, 8, ERL_NIF_LATIN1), 8);
    const Word wide = beam.atom("\xE2\x82\xAC"); // beyond Latin-1
    EXPECT_EQ(enif_get_atom(env, wide, buffer, sizeof buffer, ERL_NIF_LATIN1), 0);
    EXPECT_EQ(enif_get_atom_length(env, wide, &length, ERL_NIF_LATIN1), 0);
}

TEST_F(EnifTerms, ExceptionStaysUntilTheNextCall) {
    Word reason = 0;
    EXPECT_EQ(enif_has_pending_exception(env, &reason), 0);
    EXPECT_EQ(enif_raise_exception(env, integer(7)), 0U);
    EXPECT_EQ(enif_has_pending_exception(env, &reason), 1);
    EXPECT_EQ(reason, integer(7));
    EXPECT_EQ(host::env_exception(env), integer(7));
    host::env_set_call(env, &instance, kAlivePid, 1);
    EXPECT_EQ(host::env_exception(env), 0U);
}

TEST_F(EnifTerms, TermSizeAndCopyOfDeepTerms) {
    const Word deep = nested(atom("x"));
    EXPECT_GT(reinterpret_cast<std::size_t (*)(Word)>(dlsym(RTLD_DEFAULT, "enif_term_size"))(deep),
              1'000'000U);
    ErlNifEnv* other = enif_alloc_env();
    const Word copy = enif_make_copy(other, deep);
    EXPECT_NE(copy, deep);
    EXPECT_TRUE(enif_is_identical(copy, deep));
    EXPECT_EQ(enif_compare(copy, deep), 0);
    EXPECT_EQ(enif_hash(ERL_NIF_INTERNAL_HASH, copy, 1), enif_hash(ERL_NIF_INTERNAL_HASH, deep, 1));
    EXPECT_FALSE(enif_is_identical(nested(atom("y")), copy));
    EXPECT_EQ(enif_compare(nested(atom("y")), copy), 1);
    enif_free_env(other);
}

} // namespace cordon::test
