// JSON, as far as a sidecar needs it: read strictly (by RapidJSON; no key twice, depth bounded,
// errors with their line), written for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace cordon::proxy {

struct Json;
struct JsonMember;
using JsonArray = std::vector<Json>;
using JsonObject = std::vector<JsonMember>; // in the order of the text

struct Json {
    // double: a number that is not an integer of 64 bits.
    std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, JsonArray, JsonObject>
        value;

    template <class T> const T* as() const { return std::get_if<T>(&value); }
    // As a message shows it: short, on one line.
    std::string shown() const;
};

struct JsonMember {
    std::string key;
    Json value;
};

// Throws std::runtime_error that says what is wrong in which line.
Json parse_json(std::string_view text);
// With line breaks; what has no objects in it takes one line when it fits.
std::string write_json(const Json& json);

} // namespace cordon::proxy
