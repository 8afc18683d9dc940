#include "kernel_proxy/shim_text.hpp"

#include <gtest/gtest.h>
#include <string>

using namespace cordon::shim;

namespace {

std::string found(const char* json, const char* key, int depth = 1) {
    char value[32];
    return find_string(json, key, depth, value, sizeof value) ? value : "nothing";
}

TEST(ShimText, FindsStringsOfTheOutermostObject) {
    EXPECT_EQ(found(R"({"a": {"proxy": "/no"}, "proxy" : "/yes"})", "proxy"), "/yes");
    EXPECT_EQ(found(R"({"a": {"proxy": "/deep"}})", "proxy", 2), "/deep");
    EXPECT_EQ(found(R"({"x": "proxy", "y": "\"proxy\": 1"})", "proxy"), "nothing");
    EXPECT_EQ(found(R"({"proxy": 1})", "proxy"), "nothing");
    EXPECT_EQ(found(R"({"proxy": "")", "proxy"), "nothing");
    EXPECT_EQ(found(R"({"proxy": "/never ends)", "proxy"), "nothing");
    EXPECT_EQ(found(R"({"proxy": "/longer/than/all/that/there/is/room/for"})", "proxy"), "nothing");
}

TEST(ShimText, ReadsTheEscapesThatCordonWrites) {
    EXPECT_EQ(found(R"({"proxy": "a\"b\\c"})", "proxy"), "a\"b\\c");
    EXPECT_EQ(found(R"({"proxy": "a\u000ab\u001F"})", "proxy"), "a\nb\x1f");
    EXPECT_EQ(found(R"({"proxy": "\u0000a"})", "proxy"), "u0000a") << "no path has a zero byte";
    EXPECT_EQ(found("{\"proxy\": \"\\u00\"}", "proxy"), "u00");
}

TEST(ShimText, ListsNamesBySpacesAndCommas) {
    const auto has = [](const char* list, const std::string& name) {
        return list_has(list, name.c_str(), name.size());
    };
    EXPECT_TRUE(has(" jiffy,esqlite ", "jiffy"));
    EXPECT_TRUE(has("jiffy, esqlite", "esqlite"));
    EXPECT_TRUE(has("all", "anything"));
    EXPECT_FALSE(has("jiffy2", "jiffy"));
    EXPECT_FALSE(has("", "jiffy"));
    EXPECT_TRUE(list_has_file("jiffy", "/x/jiffy.so"));
    EXPECT_FALSE(list_has_file("jiffy", "/jiffy/x.so"));
}

} // namespace
