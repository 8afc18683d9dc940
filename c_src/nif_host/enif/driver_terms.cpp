// Terms of the driver API are words of the NIF API. A message is described by a row of numbers, the
// instructions of a small stack machine (erl_driver(3), erl_drv_output_term).
#include "nif_host/enif/driver.hpp"
#include "nif_host/enif/env.hpp"
#include "nif_host/host_context.hpp"

#include <cstring>
#include <memory>
#include <span>
#include <vector>

using namespace cordon::host;
namespace term = cordon::term;

namespace {

class Builder {
  public:
    Builder(ErlNifEnv* env, std::span<const ErlDrvTermData> code) : env_(env), code_(code) {}

    // 0 if the row is no description of one term.
    ERL_NIF_TERM build() {
        while (!code_.empty())
            if (!step(next()))
                return 0;
        return stack_.size() == 1 ? stack_.back() : 0;
    }

  private:
    ErlDrvTermData next() {
        const ErlDrvTermData word = code_.front();
        code_ = code_.subspan(1);
        return word;
    }

    bool push(ERL_NIF_TERM word) {
        stack_.push_back(word);
        return true;
    }

    template <class Check> bool push_checked(Check is_right) {
        const ERL_NIF_TERM word = next();
        return is_right(word) && push(word);
    }

    static std::size_t operands(ErlDrvTermData instruction) {
        switch (instruction) {
        case ERL_DRV_NIL:
            return 0;
        case ERL_DRV_STRING:
        case ERL_DRV_STRING_CONS:
        case ERL_DRV_EXT2TERM:
        case ERL_DRV_BUF2BINARY:
            return 2;
        case ERL_DRV_BINARY:
            return 3;
        default:
            return 1;
        }
    }

    bool step(ErlDrvTermData instruction) {
        if (code_.size() < operands(instruction))
            return false;
        switch (instruction) {
        case ERL_DRV_NIL:
            return push(term::kNil);
        case ERL_DRV_ATOM:
            return push_checked(term::is_atom);
        case ERL_DRV_PORT:
            return push_checked(term::is_local_port);
        case ERL_DRV_PID:
            return push_checked(term::is_local_pid);
        case ERL_DRV_INT:
            return push(enif_make_int64(env_, static_cast<ErlNifSInt64>(next())));
        case ERL_DRV_UINT:
            return push(enif_make_uint64(env_, next()));
        case ERL_DRV_INT64:
            return push(enif_make_int64(env_, *reinterpret_cast<ErlDrvSInt64*>(next())));
        case ERL_DRV_UINT64:
            return push(enif_make_uint64(env_, *reinterpret_cast<ErlDrvUInt64*>(next())));
        case ERL_DRV_FLOAT:
            return push(enif_make_double(env_, *reinterpret_cast<double*>(next()))) &&
                   env_exception(env_) == 0;
        case ERL_DRV_BINARY:
            return driver_binary();
        case ERL_DRV_BUF2BINARY:
            return buffer([&](const char* data, std::size_t size) { return binary(data, size); });
        case ERL_DRV_STRING:
            return buffer(
                [&](const char* data, std::size_t size) { return string(data, size, term::kNil); });
        case ERL_DRV_STRING_CONS:
            return buffer([&](const char* data, std::size_t size) {
                if (stack_.empty())
                    return false;
                const ERL_NIF_TERM tail = stack_.back();
                stack_.pop_back();
                return string(data, size, tail);
            });
        case ERL_DRV_EXT2TERM:
            return buffer([&](const char* data, std::size_t size) {
                ERL_NIF_TERM made = 0;
                return enif_binary_to_term(env_, reinterpret_cast<const unsigned char*>(data), size,
                                           &made, 0) != 0 &&
                       push(made);
            });
        case ERL_DRV_TUPLE:
            return compound(next(), 1, [&](const ERL_NIF_TERM* parts, unsigned n) {
                return enif_make_tuple_from_array(env_, parts, n);
            });
        case ERL_DRV_LIST: // the last of the parts is the tail
            return code_[0] != 0 && compound(next(), 1, [&](const ERL_NIF_TERM* parts, unsigned n) {
                       ERL_NIF_TERM list = parts[n - 1];
                       while (--n > 0)
                           list = enif_make_list_cell(env_, parts[n - 1], list);
                       return list;
                   });
        case ERL_DRV_MAP:
            return compound(next(), 2, [&](const ERL_NIF_TERM* parts, unsigned n) {
                std::vector<ERL_NIF_TERM> keys;
                std::vector<ERL_NIF_TERM> values;
                for (unsigned i = 0; i < n; i += 2) {
                    keys.push_back(parts[i]);
                    values.push_back(parts[i + 1]);
                }
                ERL_NIF_TERM map = 0;
                enif_make_map_from_arrays(env_, keys.data(), values.data(), keys.size(), &map);
                return map;
            });
        default:
            return false;
        }
    }

    template <class Make> bool buffer(Make make) {
        const auto* data = reinterpret_cast<const char*>(next());
        const std::size_t size = next();
        return (data != nullptr || size == 0) && make(data, size);
    }

    // Of as many parts on the stack as `count` says, times `words`.
    template <class Make> bool compound(ErlDrvTermData count, std::size_t words, Make make) {
        if (count > stack_.size() / words)
            return false;
        const std::size_t size = count * words;
        const std::vector<ERL_NIF_TERM> parts(stack_.end() - static_cast<std::ptrdiff_t>(size),
                                              stack_.end());
        stack_.resize(stack_.size() - size);
        const ERL_NIF_TERM made = make(parts.data(), static_cast<unsigned>(size));
        return made != 0 && push(made);
    }

    bool driver_binary() {
        const auto* bytes = reinterpret_cast<const ErlDrvBinary*>(next());
        const ErlDrvUInt size = next();
        const ErlDrvUInt offset = next();
        if (bytes == nullptr)
            return size == 0 && binary(nullptr, 0);
        const auto all = static_cast<ErlDrvUInt>(bytes->orig_size);
        return offset <= all && size <= all - offset && binary(bytes->orig_bytes + offset, size);
    }

    bool binary(const char* data, std::size_t size) {
        ERL_NIF_TERM made = 0;
        unsigned char* to = enif_make_new_binary(env_, size, &made);
        if (size > 0)
            std::memcpy(to, data, size);
        return push(made);
    }

    bool string(const char* data, std::size_t size, ERL_NIF_TERM tail) {
        while (size > 0)
            tail = enif_make_list_cell(
                env_, term::make_small(static_cast<unsigned char>(data[--size])), tail);
        return push(tail);
    }

    ErlNifEnv* env_;
    std::span<const ErlDrvTermData> code_;
    std::vector<ERL_NIF_TERM> stack_;
};

struct FreeEnv {
    void operator()(ErlNifEnv* env) const { enif_free_env(env); }
};

bool is_open_port(ErlDrvTermData word) {
    ErlNifPort port{};
    return enif_get_local_port(nullptr, word, &port) != 0 &&
           enif_is_port_alive(nullptr, &port) != 0;
}

} // namespace

const ErlDrvTermData driver_term_nil = term::kNil;

ErlDrvTermData driver_mk_term_nil() {
    return term::kNil;
}

ErlDrvTermData driver_mk_atom(char* name) {
    constexpr std::size_t kMaxCharacters = 255; // what is longer is cut off
    return enif_make_atom_len(nullptr, name, strnlen(name, kMaxCharacters));
}

// In the name of an open port, which is all that is asked of it.
int erl_drv_send_term(ErlDrvTermData port, ErlDrvTermData to, ErlDrvTermData* data, int length) {
    if (!is_open_port(port))
        return -1;
    const std::unique_ptr<ErlNifEnv, FreeEnv> env(enif_alloc_env());
    const ERL_NIF_TERM message =
        Builder(env.get(), {data, static_cast<std::size_t>(length)}).build();
    if (message == 0)
        return -1;
    ErlNifPid pid{};
    return enif_get_local_pid(nullptr, to, &pid) != 0 &&
           enif_send(nullptr, &pid, env.get(), message) != 0;
}

// The receiver is the port's owner, whom only the VM knows.
int erl_drv_output_term(ErlDrvTermData port, ErlDrvTermData*, int) {
    if (is_open_port(port))
        end_unsupported("erl_drv_output_term");
    return -1;
}
