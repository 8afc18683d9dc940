#include "kernel_proxy/halt.hpp"

#include "kernel_proxy/background.hpp"
#include "kernel_proxy/call.hpp"
#include "kernel_proxy/own_env.hpp"

#include <boost/asio/steady_timer.hpp>
#include <dlfcn.h>

namespace cordon::proxy {
namespace {

using namespace std::chrono_literals;

// Natively a callback that never returns keeps the VM from halting; so does a call that never
// returns, if its library has delayed halt.
constexpr auto kCallbackLimit = 5s;
constexpr auto kDelayLimit = 60s;
// As in erl_nif.h of OTP 26. An enumeration there, an int in how it is passed.
constexpr int kVmDelayHalt = 1;
constexpr int kVmOnHalt = 2;

using SetOption = int (*)(ErlNifEnv*, int, ...);

void run_callback(ModuleInstance& instance, Host& host) {
    const OwnEnv own;
    std::int64_t answer = 0;
    static_cast<void>(call_inline(own.env, nullptr, instance, host, ipc::RequestKind::OnHalt,
                                  enif_make_list(own.env, 0), 0, kCallbackLimit, &answer));
}

// Calls that the VM waits for end with their host.
void end_later(Host& host) {
    auto timer = std::make_shared<boost::asio::steady_timer>(housekeeping_thread(), kDelayLimit);
    timer->async_wait([&host, timer](const auto&) {
        host.kill({HostEnd::Kind::Timeout, std::chrono::milliseconds(kDelayLimit).count(), ""});
    });
}

// By the VM while it halts, once for each instance that has set an option. No process runs any
// more; our own threads do.
void on_halt(void* private_data) try {
    auto& instance = *static_cast<ModuleInstance*>(private_data);
    Host* host = instance.library->current_host();
    if (host == nullptr || !host->accepts_calls() ||
        instance.loaded_generation.load() != host->generation())
        return;
    if ((instance.options & ipc::LoadAnswer::kOnHalt) != 0)
        run_callback(instance, *host);
    if ((instance.options & ipc::LoadAnswer::kDelayHalt) != 0)
        end_later(*host);
} catch (const std::exception&) {
    // It halts all the same.
}

} // namespace

// A VM that knows no such function doesn't load libraries that were compiled for it, and hosts
// refuse the options then.
void set_vm_options(ErlNifEnv* env, std::uint32_t options) {
    static const auto set_option =
        reinterpret_cast<SetOption>(dlsym(RTLD_DEFAULT, "enif_set_option"));
    if (set_option == nullptr)
        return;
    if ((options & ipc::LoadAnswer::kDelayHalt) != 0)
        set_option(env, kVmDelayHalt);
    if ((options & (ipc::LoadAnswer::kOnHalt | ipc::LoadAnswer::kDelayHalt)) != 0)
        set_option(env, kVmOnHalt, &on_halt);
}

} // namespace cordon::proxy
