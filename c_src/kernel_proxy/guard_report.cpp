#include "kernel_proxy/guard_report.hpp"

#include "kernel_proxy/observer.hpp"

#include <array>
#include <mutex>
#include <string>

namespace cordon::proxy {
namespace {

constexpr std::size_t kParts = static_cast<std::size_t>(ipc::GuardPart::kCount);
constexpr std::array<const char*, kParts> kNames = {"descriptors",  "core_dumps",   "oom_score",
                                                    "no_new_privs", "capabilities", "landlock",
                                                    "system_calls", "signals",      "scheduling"};
constexpr std::size_t kMaxText = 500;

struct Part {
    bool known = false;
    std::string missing;
    bool told = false;
};

std::mutex parts_lock;
std::array<Part, kParts> parts;
std::uint64_t confined_ns = 0;

} // namespace

void note_guard(const std::vector<ipc::GuardItem>& items, std::uint64_t nanoseconds) {
    const std::scoped_lock guard(parts_lock);
    confined_ns = nanoseconds;
    for (const ipc::GuardItem& item : items) {
        if (item.part >= kParts)
            continue;
        Part& part = parts[item.part];
        part.known = true;
        part.missing = item.missing.substr(0, kMaxText);
        if (!part.missing.empty() && !part.told)
            part.told = report_guard_missing(kNames[item.part], part.missing);
    }
}

ERL_NIF_TERM guard_term(ErlNifEnv* env) {
    const std::scoped_lock guard(parts_lock);
    ERL_NIF_TERM holds = enif_make_list(env, 0);
    ERL_NIF_TERM missing = enif_make_list(env, 0);
    for (std::size_t i = kParts; i-- > 0;) {
        if (!parts[i].known)
            continue;
        const ERL_NIF_TERM name = enif_make_atom(env, kNames[i]);
        if (parts[i].missing.empty()) {
            holds = enif_make_list_cell(env, name, holds);
        } else {
            const std::string& text = parts[i].missing;
            missing = enif_make_list_cell(
                env,
                enif_make_tuple2(
                    env, name, enif_make_string_len(env, text.data(), text.size(), ERL_NIF_LATIN1)),
                missing);
        }
    }
    ERL_NIF_TERM map = enif_make_new_map(env);
    enif_make_map_put(env, map, enif_make_atom(env, "holds"), holds, &map);
    enif_make_map_put(env, map, enif_make_atom(env, "missing"), missing, &map);
    enif_make_map_put(env, map, enif_make_atom(env, "confined_ns"),
                      enif_make_uint64(env, confined_ns), &map);
    return map;
}

} // namespace cordon::proxy
