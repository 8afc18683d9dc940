// A term in external term format.
#pragma once

#include <erl_nif.h>
#include <new>
#include <span>
#include <string>

namespace cordon::proxy {

class EncodedTerm {
  public:
    EncodedTerm(ErlNifEnv* env, ERL_NIF_TERM term) {
        if (enif_term_to_binary(env, term, &binary_) == 0)
            throw std::bad_alloc();
    }
    ~EncodedTerm() { enif_release_binary(&binary_); }
    EncodedTerm(const EncodedTerm&) = delete;
    EncodedTerm& operator=(const EncodedTerm&) = delete;

    std::span<const unsigned char> bytes() const { return {binary_.data, binary_.size}; }
    std::string text() const { return {reinterpret_cast<const char*>(binary_.data), binary_.size}; }

  private:
    ErlNifBinary binary_;
};

} // namespace cordon::proxy
