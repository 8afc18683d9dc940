#include "kernel_proxy/json.hpp"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

// The VM must not be aborted, not even by a mistake of ours.
#define RAPIDJSON_ASSERT(condition)                                                                \
    static_cast<void>((condition) ? 0 : throw std::logic_error("rapidjson: " #condition))
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace cordon::proxy {
namespace {

constexpr std::size_t kMaxDepth = 16;
constexpr std::size_t kLineWidth = 100;
constexpr std::size_t kShown = 60;

// What the parser finds becomes a tree here. An exception ends the parsing.
class Builder {
  public:
    bool Null() { return add({nullptr}); }
    bool Bool(bool value) { return add({value}); }
    bool Int(int value) { return Int64(value); }
    bool Uint(unsigned value) { return Int64(value); }
    bool Int64(std::int64_t value) { return add({value}); }
    bool Uint64(std::uint64_t value) {
        return value <= INT64_MAX ? Int64(static_cast<std::int64_t>(value))
                                  : Double(static_cast<double>(value));
    }
    bool Double(double value) { return add({value}); }
    bool RawNumber(const char*, std::size_t, bool) { return false; } // not asked for
    bool String(const char* text, std::size_t size, bool) { return add({std::string(text, size)}); }
    bool StartObject() { return open({JsonObject()}); }
    bool Key(const char* text, std::size_t size, bool) {
        auto& object = std::get<JsonObject>(open_.back()->value);
        for (const JsonMember& member : object)
            if (member.key == std::string_view(text, size))
                throw std::runtime_error("it has the key \"" + member.key + "\" twice");
        object.push_back({std::string(text, size), {}});
        return true;
    }
    bool EndObject(std::size_t) { return close(); }
    bool StartArray() { return open({JsonArray()}); }
    bool EndArray(std::size_t) { return close(); }

    Json take() { return std::move(root_); }

  private:
    // Where the next value goes; nothing is added to what lies above an open one.
    Json& place(Json&& json) {
        if (open_.empty())
            return root_ = std::move(json);
        if (auto* array = std::get_if<JsonArray>(&open_.back()->value)) {
            array->push_back(std::move(json));
            return array->back();
        }
        return std::get<JsonObject>(open_.back()->value).back().value = std::move(json);
    }
    bool add(Json&& json) {
        place(std::move(json));
        return true;
    }
    bool open(Json&& json) {
        if (open_.size() >= kMaxDepth)
            throw std::runtime_error("it has more levels than expected, at most " +
                                     std::to_string(kMaxDepth) + " levels");
        open_.push_back(&place(std::move(json)));
        return true;
    }
    bool close() {
        open_.pop_back();
        return true;
    }

    Json root_;
    std::vector<Json*> open_; // from the outermost in
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

// Bytes from 0x80 on are taken as they are: names of files are bytes.
Json parse_json(std::string_view text) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    rapidjson::Reader reader;
    Builder builder;
    const rapidjson::ParseResult result = reader.Parse(stream, builder);
    // A zero byte is an end for the parser.
    const bool rest = !result.IsError() && stream.Tell() != text.size();
    if (result.IsError() || rest) {
        const std::size_t at = rest ? stream.Tell() : result.Offset();
        const auto line = std::count(text.begin(), text.begin() + static_cast<long>(at), '\n') + 1;
        std::string what = rest ? "A zero byte." : GetParseError_En(result.Code());
        what.pop_back(); // its full stop: the sentence goes on
        throw std::runtime_error("it is not JSON: line " + std::to_string(line) + ": " + what);
    }
    return builder.take();
}

std::string write_json(const Json& json) {
    std::string out;
    write(json, 0, out);
    return out + '\n';
}

} // namespace cordon::proxy
