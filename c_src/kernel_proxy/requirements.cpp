#include "kernel_proxy/requirements.hpp"

#include "cordon_requirements.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

namespace cordon::proxy {
namespace {

using Record = cordon_requirements_record;
static_assert(sizeof(Record) == 144);

// What every revision has.
constexpr std::size_t kSmallest = sizeof(Record);

constexpr std::array<const char*, 6> kFlags = {"stateless",         "needs_files_read",
                                               "needs_files_write", "needs_network",
                                               "needs_threads",     "needs_processes"};
constexpr std::array<const char*, 4> kProfiles = {"", "none", "default", "strict"};

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error("its requirements record (symbol cordon_requirements) " + what +
                             ": make it with CORDON_REQUIREMENTS of cordon_requirements.h");
}

} // namespace

std::string flag_name(unsigned bit) {
    return bit < kFlags.size() ? kFlags[bit] : "bit_" + std::to_string(bit);
}

bool is_profile(const std::string& name) {
    return !name.empty() && std::find(kProfiles.begin(), kProfiles.end(), name) != kProfiles.end();
}

bool is_group_name(const std::string& name) {
    return !name.empty() && name.size() <= sizeof(Record::group) &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      (c != 0 && std::strchr("_-.", c) != nullptr);
           });
}

Requirements parse_requirements(std::span<const char> bytes) {
    Requirements found;
    if (bytes.empty())
        return found;
    Record record;
    if (bytes.size() < kSmallest)
        fail("has " + std::to_string(bytes.size()) + " bytes, expected " +
             std::to_string(kSmallest) + " or more");
    std::memcpy(&record, bytes.data(), kSmallest);
    if (record.magic != CORDON_REQUIREMENTS_MAGIC)
        fail("does not begin with CORDON_REQUIREMENTS_MAGIC");
    if (record.size < kSmallest || record.version == 0)
        fail("says that it has " + std::to_string(record.size) + " bytes and is of version " +
             std::to_string(record.version) + ", expected " + std::to_string(kSmallest) +
             " or more and version 1 or later");
    if (record.minimum_profile >= kProfiles.size())
        fail("asks for confinement profile number " + std::to_string(record.minimum_profile) +
             ", expected CORDON_PROFILE_NONE, _DEFAULT or _STRICT");
    if (std::memchr(record.group, 0, sizeof record.group) == nullptr)
        fail("has a group name without an end, expected at most 63 bytes and a 0");
    found.version = record.version;
    found.flags = record.flags;
    found.memory = record.memory;
    found.address_space = record.address_space;
    found.pool_size = record.pool_size;
    found.stack_size = record.stack_size;
    found.call_timeout = record.call_timeout;
    found.load_timeout = record.load_timeout;
    found.upgrade_timeout = record.upgrade_timeout;
    found.atom_limit = record.atom_limit;
    describe_numbers(found, [](const char* name, std::uint64_t value) {
        if (value > INT64_MAX)
            fail(std::string("has ") + name + " = " + std::to_string(value) +
                 ", expected less than 2^63");
    });
    found.minimum_profile = kProfiles[record.minimum_profile];
    found.group = record.group;
    if (!found.group.empty() && !is_group_name(found.group))
        fail("has a group name that can't be one, expected letters, digits, '_', '-', '.'");
    return found;
}

} // namespace cordon::proxy
