#include "host_fixture.hpp"

#include <climits>

namespace cordon::test {

class EnifPrint : public HostTest {};

TEST_F(EnifPrint, Terms) {
    EXPECT_EQ(text(integer(-42)), "-42");
    EXPECT_EQ(text(integer(LONG_MIN)), "-9223372036854775808");
    EXPECT_EQ(text(enif_make_ulong(env, ULONG_MAX)), "18446744073709551615");
    EXPECT_EQ(text(enif_make_double(env, 1.5)), "1.500000e+00");
    EXPECT_EQ(text(atom("ok")), "ok");
    EXPECT_EQ(text(atom("Big atom")), "'Big atom'");
    EXPECT_EQ(text(atom("a@b")), "'a@b'");
    EXPECT_EQ(text(atom("it's\n")), "'it\\'s\\n'");
    EXPECT_EQ(text(atom("")), "''");
    EXPECT_EQ(text(term::kNil), "[]");
    EXPECT_EQ(text(enif_make_string(env, "say \"hi\"\n", ERL_NIF_LATIN1)), "\"say \\\"hi\\\"\\n\"");
    EXPECT_EQ(text(list({atom("a"), enif_make_list_cell(env, integer(1), integer(2))})),
              "[a,[1|2]]");
    EXPECT_EQ(text(tuple({})), "{}");
    EXPECT_EQ(text(tuple({atom("a"), tuple({integer(1)})})), "{a,{1}}");
    EXPECT_EQ(text(binary("hello")), "<<\"hello\">>");
    EXPECT_EQ(text(binary(std::string("\0\xFF", 2))), "<<0,255>>");
    EXPECT_EQ(text(binary("")), "<<>>");
    EXPECT_EQ(text(map({{atom("b"), integer(2)}, {atom("a"), integer(1)}})), "#{a=>1,b=>2}");
}

// A term with something that only the VM can print is printed there, all of it.
TEST_F(EnifPrint, WhatOnlyTheVmCanPrint) {
    const auto upcalls = [&](Word word) {
        const int before = beam.upcalls;
        EXPECT_EQ(text(word), "printed by the VM");
        return beam.upcalls - before;
    };
    EXPECT_EQ(upcalls(kAlivePid), 1);
    EXPECT_EQ(upcalls(list({integer(1), tuple({kAlivePid, kAlivePid})})), 1);
    EXPECT_EQ(upcalls(beam.external(term::ExternalType::Bitstring, {"M\0\0\0\2\3\xFF\xA0", 8})), 1);
    std::vector<std::pair<Word, Word>> pairs;
    for (long i = 0; i < 33; ++i)
        pairs.emplace_back(integer(i), integer(i));
    EXPECT_EQ(upcalls(map(pairs)), 1);
    char buffer[64];
    EXPECT_EQ(enif_snprintf(buffer, sizeof buffer, "<%T|%d>", kAlivePid, 5), 17 + 4);
    EXPECT_STREQ(buffer, "<printed by the VM|5>");
    // What comes before the limit is printed here.
    enif_snprintf(buffer, sizeof buffer, "%.2T", list({integer(1), integer(2), kAlivePid}));
    EXPECT_STREQ(buffer, "[1,... ");
}

TEST_F(EnifPrint, AsPrintf) {
    char buffer[64];
    EXPECT_EQ(enif_snprintf(buffer, sizeof buffer, "%d|%5u|%-5s|%05.1f|%lx|%c|%%|%zu", -1, 2U, "ab",
                            3.14, 0xABCDEF1234L, 'z', sizeof(int)),
              static_cast<int>(std::string("-1|    2|ab   |  3.1|abcdef1234|z|%|4").size()));
    EXPECT_STREQ(buffer, "-1|    2|ab   |  3.1|abcdef1234|z|%|4");
    EXPECT_EQ(enif_snprintf(buffer, 4, "%s", "abcdef"), 6) << "what it would have written";
    EXPECT_STREQ(buffer, "abc");
    EXPECT_EQ(enif_snprintf(buffer, sizeof buffer, "%*d %.*s", 4, 7, 2, "abc"), 7);
    EXPECT_STREQ(buffer, "   7 ab");
    EXPECT_LT(enif_snprintf(nullptr, 0, "%T", atom("abc")), 0);
}

// Of a term's characters only those that fit are counted, numbers and all else in full.
TEST_F(EnifPrint, CutOffAsInTheVm) {
    char buffer[32];
    const auto length = [&](Word word, std::size_t size) {
        return enif_snprintf(buffer, size, "<%T|%d|%s>", word, 42, "s");
    };
    EXPECT_EQ(length(atom("a"), 1), 7);
    EXPECT_EQ(length(atom("a"), 3), 8);
    EXPECT_STREQ(buffer, "<a");
    EXPECT_EQ(length(integer(1), 1), 8);
    EXPECT_EQ(length(enif_make_double(env, 1.5), 1), 19);
    EXPECT_EQ(length(binary(""), 3), 8);
}

TEST_F(EnifPrint, ToAFile) {
    FILE* file = tmpfile();
    EXPECT_EQ(enif_fprintf(file, "%T!\n", tuple({atom("a")})), 5);
    rewind(file);
    char line[16] = {};
    EXPECT_NE(fgets(line, sizeof line, file), nullptr);
    EXPECT_STREQ(line, "{a}!\n");
    fclose(file);
}

TEST_F(EnifPrint, DeepAndLimited) {
    const Word deep = nested(atom("x"));
    char buffer[64];
    EXPECT_EQ(enif_snprintf(buffer, sizeof buffer, "%T", deep), 63);
    enif_snprintf(buffer, sizeof buffer, "%.3T", list({atom("a"), atom("b"), atom("c")}));
    EXPECT_NE(std::string(buffer).find("... "), std::string::npos);
}

} // namespace cordon::test
