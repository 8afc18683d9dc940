#include "kernel_proxy/json.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <stdexcept>

namespace cordon::proxy {
namespace {

constexpr int kMaxDepth = 16;
constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kShown = 60;

void append_utf8(std::string& text, std::uint32_t code) {
    const auto byte = [&text](std::uint32_t bits) { text.push_back(static_cast<char>(bits)); };
    if (code < 0x80) {
        byte(code);
        return;
    }
    if (code < 0x800) {
        byte(0xc0 | code >> 6);
    } else {
        if (code < 0x10000) {
            byte(0xe0 | code >> 12);
        } else {
            byte(0xf0 | code >> 18);
            byte(0x80 | (code >> 12 & 0x3f));
        }
        byte(0x80 | (code >> 6 & 0x3f));
    }
    byte(0x80 | (code & 0x3f));
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Json document() {
        Json json = parse_value(0);
        skip_space();
        if (at_ != text_.size())
            fail("the end of the file");
        return json;
    }

  private:
    [[noreturn]] void fail(const std::string& expected) const {
        const auto line =
            std::count(text_.begin(), text_.begin() + static_cast<long>(at_), '\n') + 1;
        std::string found = "the end of the file";
        if (at_ < text_.size()) {
            const auto byte = static_cast<unsigned char>(text_[at_]);
            char shown[16];
            std::snprintf(shown, sizeof shown, byte > ' ' && byte < 0x7f ? "'%c'" : "byte %u",
                          byte);
            found = shown;
        }
        throw std::runtime_error("it is not JSON: in line " + std::to_string(line) + " there is " +
                                 found + ", expected " + expected);
    }

    void skip_space() {
        while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos)
            ++at_;
    }
    bool accept(char wanted) {
        skip_space();
        if (at_ == text_.size() || text_[at_] != wanted)
            return false;
        ++at_;
        return true;
    }
    void expect(char wanted) {
        if (!accept(wanted))
            fail(std::string("'") + wanted + "'");
    }
    bool accept_word(std::string_view word) {
        if (text_.substr(at_, word.size()) != word)
            return false;
        at_ += word.size();
        return true;
    }

    Json parse_value(int depth) {
        if (depth > kMaxDepth)
            fail("at most " + std::to_string(kMaxDepth) + " levels");
        if (accept('{'))
            return {parse_object(depth)};
        if (accept('['))
            return {parse_array(depth)};
        if (at_ < text_.size() && text_[at_] == '"')
            return {parse_string()};
        if (accept_word("true"))
            return {true};
        if (accept_word("false"))
            return {false};
        if (accept_word("null"))
            return {nullptr};
        return parse_number();
    }

    JsonObject parse_object(int depth) {
        JsonObject object;
        if (accept('}'))
            return object;
        do {
            skip_space();
            std::string key = parse_string();
            for (const auto& [known, value] : object)
                if (known == key)
                    throw std::runtime_error("it has the key \"" + key + "\" twice");
            expect(':');
            object.push_back({std::move(key), parse_value(depth + 1)});
        } while (accept(','));
        expect('}');
        return object;
    }

    JsonArray parse_array(int depth) {
        JsonArray array;
        if (accept(']'))
            return array;
        do
            array.push_back(parse_value(depth + 1));
        while (accept(','));
        expect(']');
        return array;
    }

    std::uint32_t parse_hex4() {
        std::uint32_t code = 0;
        const char* from = text_.data() + at_;
        const bool enough = text_.size() - at_ >= 4;
        if (!enough || std::from_chars(from, from + 4, code, 16).ptr != from + 4)
            fail("four hexadecimal digits");
        at_ += 4;
        return code;
    }

    void parse_escape(std::string& text) {
        static constexpr std::string_view kNames = "\"\\/bfnrt";
        static constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
        if (accept_word("u")) {
            std::uint32_t code = parse_hex4();
            if (code >= 0xd800 && code < 0xdc00 && accept_word("\\u")) {
                const std::uint32_t low = parse_hex4();
                if (low < 0xdc00 || low > 0xdfff)
                    fail("the second half of a Unicode character");
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            }
            if (code >= 0xd800 && code < 0xe000)
                fail("a Unicode character");
            append_utf8(text, code);
            return;
        }
        const auto name = at_ < text_.size() ? kNames.find(text_[at_]) : kNames.npos;
        if (name == kNames.npos)
            fail("an escape sequence");
        text.push_back(kBytes[name]);
        ++at_;
    }

    // Bytes from 0x80 on are taken as they are: names of files are bytes.
    std::string parse_string() {
        std::string text;
        if (at_ == text_.size() || text_[at_] != '"')
            fail("a string");
        for (++at_; at_ < text_.size();) {
            const char c = text_[at_];
            if (static_cast<unsigned char>(c) < 0x20)
                break;
            ++at_;
            if (c == '"')
                return text;
            if (c == '\\')
                parse_escape(text);
            else
                text.push_back(c);
        }
        fail("the rest of a string");
    }

    Json parse_number() {
        const auto digits = [this] {
            const std::size_t start = at_;
            while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9')
                ++at_;
            if (at_ == start)
                fail("a value");
        };
        const std::size_t start = at_;
        accept_word("-");
        const bool zero = accept_word("0");
        if (!zero)
            digits();
        bool integer = true;
        if (accept_word(".")) {
            integer = false;
            digits();
        }
        if (accept_word("e") || accept_word("E")) {
            integer = false;
            if (!accept_word("+"))
                accept_word("-");
            digits();
        }
        const char* from = text_.data() + start;
        const char* to = text_.data() + at_;
        std::int64_t number = 0;
        if (integer && std::from_chars(from, to, number).ec == std::errc())
            return {number};
        double real = 0;
        std::from_chars(from, to, real);
        return {real};
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned char>(c));
            out += escape;
        } else {
            out += c;
        }
    }
    return out + '"';
}

std::string on_one_line(const Json& json);

struct OneLine {
    std::string operator()(std::nullptr_t) const { return "null"; }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const {
        char text[32];
        std::snprintf(text, sizeof text, "%.17g", value);
        return text;
    }
    std::string operator()(const std::string& value) const { return quoted(value); }
    std::string operator()(const JsonArray& array) const {
        std::string out;
        for (const Json& item : array)
            out += (out.empty() ? "" : ", ") + on_one_line(item);
        return "[" + out + "]";
    }
    std::string operator()(const JsonObject& object) const {
        std::string out;
        for (const auto& [key, value] : object)
            out += (out.empty() ? "" : ", ") + quoted(key) + ": " + on_one_line(value);
        return "{" + out + "}";
    }
};

std::string on_one_line(const Json& json) {
    return std::visit(OneLine{}, json.value);
}

// Neither an object nor an array of some.
bool is_plain(const Json& json) {
    const auto* array = json.as<JsonArray>();
    return json.as<JsonObject>() == nullptr &&
           (array == nullptr || std::all_of(array->begin(), array->end(), is_plain));
}

bool fits_line(const Json& json, std::size_t width) {
    const auto* object = json.as<JsonObject>();
    const bool plain = object == nullptr
                           ? is_plain(json)
                           : std::all_of(object->begin(), object->end(),
                                         [](const auto& m) { return is_plain(m.value); });
    return plain && on_one_line(json).size() < width;
}

void write(const Json& json, std::size_t indent, std::string& out) {
    const auto* object = json.as<JsonObject>();
    const auto* array = json.as<JsonArray>();
    if ((object == nullptr && array == nullptr) ||
        (indent > 0 && fits_line(json, kLineWidth - indent))) {
        out += on_one_line(json);
        return;
    }
    const std::string margin(indent + 2, ' ');
    const char* separator = "\n";
    const auto next = [&] {
        out.append(separator).append(margin);
        separator = ",\n";
    };
    out += object != nullptr ? '{' : '[';
    if (object != nullptr) {
        for (const auto& [key, value] : *object) {
            next();
            out += quoted(key) + ": ";
            write(value, indent + 2, out);
        }
    } else {
        for (const Json& item : *array) {
            next();
            write(item, indent + 2, out);
        }
    }
    out += '\n';
    out.append(indent, ' ');
    out += object != nullptr ? '}' : ']';
}

} // namespace

std::string Json::shown() const {
    std::string text = on_one_line(*this);
    if (text.size() > kShown)
        text = text.substr(0, kShown) + "...";
    return text;
}

Json parse_json(std::string_view text) {
    return Parser(text).document();
}

std::string write_json(const Json& json) {
    std::string out;
    write(json, 0, out);
    return out + '\n';
}

} // namespace cordon::proxy
