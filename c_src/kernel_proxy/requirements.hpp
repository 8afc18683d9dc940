// The requirements record of a library (include/cordon_requirements.h), checked. Its bytes come
// from a host, so they are whatever a library wants them to be.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace cordon::proxy {

struct Requirements {
    std::uint32_t version = 0; // 0: the library carries no record
    std::uint64_t flags = 0;
    // 0: unspecified.
    std::uint64_t memory = 0;
    std::uint64_t address_space = 0;
    std::uint64_t pool_size = 0;
    std::uint64_t stack_size = 0;
    std::uint32_t call_timeout = 0;
    std::uint32_t load_timeout = 0;
    std::uint32_t upgrade_timeout = 0;
    std::uint32_t atom_limit = 0;
    std::string minimum_profile; // none, default, strict; empty: unspecified
    std::string group;

    bool present() const { return version != 0; }
};

// The names of the numbers, in one place.
template <class Record, class Field> void describe_numbers(Record& record, const Field& field) {
    field("memory", record.memory);
    field("address_space", record.address_space);
    field("pool_size", record.pool_size);
    field("stack_size", record.stack_size);
    field("call_timeout", record.call_timeout);
    field("load_timeout", record.load_timeout);
    field("upgrade_timeout", record.upgrade_timeout);
    field("atom_limit", record.atom_limit);
}

inline constexpr unsigned kFlagBits = 64;
// stateless, needs_network ...; bit_N for those that this cordon doesn't know.
std::string flag_name(unsigned bit);

bool is_profile(const std::string& name);
// 1 to 64 letters, digits, '_', '-', '.'.
bool is_group_name(const std::string& name);

// No bytes: no record. Throws std::runtime_error that says what is wrong with it.
Requirements parse_requirements(std::span<const char> bytes);

} // namespace cordon::proxy
