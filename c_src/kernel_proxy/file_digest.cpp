#include "kernel_proxy/file_digest.hpp"

#include "kernel_proxy/nif_terms.hpp"

#include <array>
#include <cerrno>
#include <erl_driver.h> // erl_errno_id
#include <fcntl.h>
#include <sodium/crypto_generichash.h>
#include <unistd.h>

namespace cordon::proxy {
namespace {

// 0, or errno.
int add_content(int file, crypto_generichash_state* state) {
    std::array<unsigned char, 65536> block;
    for (;;) {
        const ssize_t size = read(file, block.data(), block.size());
        if (size == 0)
            return 0;
        if (size > 0)
            crypto_generichash_update(state, block.data(), static_cast<std::size_t>(size));
        else if (errno != EINTR)
            return errno;
    }
}

} // namespace

// Not erlang:md5/1: that one gives its scheduler away after every hundred bytes (OTP 25), so that
// in a VM with other work a library of some megabytes takes minutes.
ERL_NIF_TERM digest_file(ErlNifEnv* env, int, const ERL_NIF_TERM argv[]) {
    const auto path = get_text(env, argv[0]);
    if (!path)
        return enif_make_badarg(env);
    const int file = open(path->c_str(), O_RDONLY | O_CLOEXEC);
    int error = file < 0 ? errno : 0;
    crypto_generichash_state state;
    crypto_generichash_init(&state, nullptr, 0, crypto_generichash_BYTES);
    if (file >= 0) {
        error = add_content(file, &state);
        close(file);
    }
    if (error != 0)
        return enif_make_tuple2(env, atom(env, "error"), atom(env, erl_errno_id(error)));
    ERL_NIF_TERM digest;
    crypto_generichash_final(&state, enif_make_new_binary(env, crypto_generichash_BYTES, &digest),
                             crypto_generichash_BYTES);
    return enif_make_tuple2(env, atom(env, "ok"), digest);
}

} // namespace cordon::proxy
