// Chains of enif_schedule_nif: their environment lives on from step to step, and only what the next
// step is given is still in use. Copying just that, once the environment has doubled, keeps a chain
// of any length linear in time and bounded in memory.
#pragma once

#include "nif_host/enif/env.hpp"

namespace cordon::host {

inline constexpr std::size_t kCompactMinimum = 1 << 20;

// Copies the scheduled arguments to fresh blocks, with their sharing, and drops everything else.
void compact(ErlNifEnv* env);

void drop_references(EnvReference* node, ipc::Ending how);
void drop_blocks(EnvBlock* block, ipc::Ending how);

} // namespace cordon::host
