#include "nif_host/enif/own_environment.hpp"

#include <atomic>
#include <map>
#include <mutex>

namespace cordon::host {
namespace {

std::mutex lock;
auto& put = *new std::map<std::string, std::string, std::less<>>; // outlives exit
std::atomic<bool> is_empty{true}; // true: nothing is to be looked for

} // namespace

void put_own_environment(std::string_view key, std::string_view value) {
    const std::scoped_lock guard(lock);
    put.insert_or_assign(std::string(key), std::string(value));
    is_empty.store(false, std::memory_order_release);
}

std::optional<std::string> own_environment(std::string_view key) {
    if (is_empty.load(std::memory_order_acquire))
        return std::nullopt;
    const std::scoped_lock guard(lock);
    const auto found = put.find(key);
    return found == put.end() ? std::nullopt : std::optional(found->second);
}

} // namespace cordon::host
