#include "kernel_proxy/sidecar_fields.hpp"

#include <algorithm>
#include <stdexcept>

namespace cordon::proxy {

FieldReader::FieldReader(const Json& json, std::string where)
    : object_(json.as<JsonObject>()), where_(std::move(where)) {
    if (object_ == nullptr)
        throw std::runtime_error((where_.empty() ? "it" : "its key \"" + where_ + "\"") + " is " +
                                 json.shown() + ", expected an object ({...})");
}

std::string FieldReader::name(std::string_view key) const {
    return (where_.empty() ? "\"" : "\"" + where_ + ".") + std::string(key) + "\"";
}

const Json* FieldReader::find(std::string_view key) {
    asked_.push_back(key);
    for (const auto& [known, value] : *object_)
        if (known == key)
            return &value;
    return nullptr;
}

const Json& FieldReader::need(std::string_view key) {
    const Json* found = find(key);
    if (found == nullptr)
        throw std::runtime_error("its key " + name(key) + " is missing");
    return *found;
}

void FieldReader::expected(std::string_view key, const Json& found, const std::string& what) const {
    throw std::runtime_error("its key " + name(key) + " is " + found.shown() + ", expected " +
                             what);
}

void FieldReader::operator()(std::string_view key, std::string& value) {
    const Json& found = need(key);
    const auto* text = found.as<std::string>();
    if (text == nullptr || text->find('\0') != text->npos)
        expected(key, found, "a string");
    value = *text;
}

void FieldReader::operator()(std::string_view key, bool& value) {
    const Json& found = need(key);
    const auto* flag = found.as<bool>();
    if (flag == nullptr)
        expected(key, found, "true or false");
    value = *flag;
}

std::int64_t FieldReader::number(std::string_view key, const NumberRange& range) {
    const Json& found = need(key);
    if (const auto* text = found.as<std::string>();
        range.or_infinity && text != nullptr && *text == "infinity")
        return -1;
    const auto* number = found.as<std::int64_t>();
    if (number == nullptr || *number < range.low || *number > range.high)
        expected(key, found,
                 std::string(range.of) + " from " + std::to_string(range.low) + " to " +
                     std::to_string(range.high) + (range.or_infinity ? ", or \"infinity\"" : ""));
    return *number;
}

void FieldReader::operator()(std::string_view key, std::vector<std::string>& value) {
    const Json& found = need(key);
    const auto* array = found.as<JsonArray>();
    if (array == nullptr)
        expected(key, found, "an array of strings");
    for (const Json& item : *array) {
        const auto* text = item.as<std::string>();
        if (text == nullptr)
            expected(key, found, "an array of strings");
        value.push_back(*text);
    }
}

void FieldReader::finish() const {
    for (const auto& [key, value] : *object_) {
        if (std::find(asked_.begin(), asked_.end(), key) != asked_.end())
            continue;
        std::string known;
        for (const std::string_view one : asked_)
            known.append(known.empty() ? "" : ", ").append(one);
        throw std::runtime_error("it has the unknown key " + name(key) + " (" + value.shown() +
                                 "), expected one of " + known);
    }
}

void FieldWriter::operator()(const char* key, const std::vector<std::string>& value) {
    JsonArray array;
    for (const std::string& item : value)
        array.push_back({item});
    put(key, {std::move(array)});
}

} // namespace cordon::proxy
