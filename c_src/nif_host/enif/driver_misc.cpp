// What is left of the driver API that needs no port: names of errors, libraries, time, environment.
#include "nif_host/enif/driver.hpp"
#include "nif_host/enif/own_environment.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/upcall_client.hpp"

#include <cctype>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <string>

using namespace cordon::host;
namespace term = cordon::term;

namespace {

// As the VM says where it knows no more.
constexpr char kUnspecified[] = "Unspecified dynamic library error";
thread_local std::string last_library_error = kUnspecified;

const char* errno_name(int error) {
    switch (error) {
    case 0: // to the C library this has a name, and so have those that the VM has none for
    case ERESTART:
    case ESTRPIPE:
    case EISNAM:
        return nullptr;
    case ENOTSUP:
        return "ENOTSUP";
    default:
        return error > EDQUOT ? nullptr : strerrorname_np(error);
    }
}

} // namespace

// An errno as Erlang names it: "enoent".
char* erl_errno_id(int error) {
    static std::mutex lock;
    static auto& known = *new std::map<int, std::string>; // the caller keeps what it was given
    const std::scoped_lock guard(lock);
    auto [found, is_new] = known.try_emplace(error, "unknown");
    if (const char* name = errno_name(error); is_new && name != nullptr) {
        found->second = name;
        for (char& c : found->second)
            c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return found->second.data();
}

void* driver_dl_open(char* path) {
    return dlopen((std::string(path) + ".so").c_str(), RTLD_NOW);
}

void* driver_dl_sym(void* handle, char* name) {
    void* address = dlsym(handle, name);
    if (const char* error = address == nullptr ? dlerror() : nullptr; error != nullptr)
        last_library_error = error;
    return address;
}

int driver_dl_close(void* handle) {
    return dlclose(handle);
}

char* driver_dl_error() {
    return last_library_error.data();
}

int driver_get_now(ErlDrvNowData* now) {
    if (now == nullptr)
        return -1;
    const UpcallAnswer answer(cordon::ipc::Upcall::NowTime, {});
    if (!is_kind(answer.word(), Kind::Tuple))
        return -1;
    const Word* parts = object(answer.word()) + 1;
    const auto number = [&](int i) {
        return static_cast<unsigned long>(term::small_value(parts[i]));
    };
    *now = {number(0), number(1), number(2)};
    return 0;
}

int erl_drv_putenv(const char* key, char* value) {
    put_own_environment(key, value);
    return 0;
}
