// How a sidecar's keys are read and written: one table of fields serves both directions, so that
// what is written can be read. FieldReader takes the keys of one object; what is left over is an
// error.
#pragma once

#include "kernel_proxy/json.hpp"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::proxy {

struct NumberRange {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const char* of = "";      // what is counted, for messages
    bool or_infinity = false; // "infinity" is -1
};

class FieldReader {
  public:
    // `where`: the object's key, for messages; empty for the outermost.
    FieldReader(const Json& json, std::string where);

    // nullptr when there is no such key.
    const Json* find(std::string_view key);
    const Json& need(std::string_view key);
    [[noreturn]] void expected(std::string_view key, const Json& found,
                               const std::string& what) const;

    void operator()(std::string_view key, std::string& value);
    void operator()(std::string_view key, bool& value);
    template <std::integral Number>
    void operator()(std::string_view key, Number& value, const NumberRange& range) {
        value = static_cast<Number>(number(key, range));
    }
    void operator()(std::string_view key, std::vector<std::string>& value);
    // Throws when there is a key that nobody has asked for.
    void finish() const;

  private:
    std::int64_t number(std::string_view key, const NumberRange& range);
    std::string name(std::string_view key) const;

    const JsonObject* object_;
    std::string where_;
    std::vector<std::string_view> asked_;
};

class FieldWriter {
  public:
    void operator()(const char* key, const std::string& value) { put(key, {value}); }
    void operator()(const char* key, const bool& value) { put(key, {value}); }
    template <std::integral Number>
    void operator()(const char* key, const Number& value, const NumberRange& range) {
        const auto number = static_cast<std::int64_t>(value);
        if (range.or_infinity && number == -1)
            put(key, {std::string("infinity")});
        else
            put(key, {number});
    }
    void operator()(const char* key, const std::vector<std::string>& value);
    void put(const char* key, Json value) { object_.push_back({key, std::move(value)}); }
    Json take() { return {std::move(object_)}; }

  private:
    JsonObject object_;
};

} // namespace cordon::proxy
