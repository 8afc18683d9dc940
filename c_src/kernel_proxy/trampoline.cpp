#include "kernel_proxy/trampoline.hpp"

#include "kernel_proxy/call.hpp"

#include <array>
#include <utility>

namespace cordon::proxy {
namespace {

template <std::uint32_t Index, Place place>
ERL_NIF_TERM enter(ErlNifEnv* env, int argc, const ERL_NIF_TERM argv[]) {
    return begin_call(env, argc, argv, Index, place);
}

template <Place place, std::uint32_t... Index>
constexpr std::array<NifFunction, sizeof...(Index)>
make_table(std::integer_sequence<std::uint32_t, Index...>) {
    return {&enter<Index, place>...};
}

using Indices = std::make_integer_sequence<std::uint32_t, kMaxFunctions>;
constexpr auto kNormal = make_table<Place::Normal>(Indices{});
constexpr auto kDirty = make_table<Place::Dirty>(Indices{});

} // namespace

NifFunction trampoline(std::uint32_t function, std::uint32_t flags) {
    return flags == 0 ? kNormal[function] : kDirty[function];
}

NifFunction dirty_trampoline(std::uint32_t function) {
    return kDirty[function];
}

} // namespace cordon::proxy
