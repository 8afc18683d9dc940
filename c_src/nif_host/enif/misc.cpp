// What fits nowhere else.
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/map.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/term_type.hpp"

#include <dlfcn.h>
#include <string>
#include <vector>

using namespace cordon::host;
namespace term = cordon::term;

namespace {

using ErrorHandler = void (*)(void*, const char*);

void report(ErrorHandler handler, void* argument) {
    const char* text = dlerror();
    if (handler != nullptr)
        handler(argument, text == nullptr ? "unknown error" : text);
}

} // namespace

void* enif_dlopen(const char* library, ErrorHandler handler, void* argument) {
    void* handle = dlopen((std::string(library) + ".so").c_str(), RTLD_NOW);
    if (handle == nullptr) {
        report(handler, argument);
        return nullptr;
    }
    // As the VM does: a library may set itself up there.
    if (void* init = dlsym(handle, "nif_init"); init != nullptr)
        reinterpret_cast<ErlNifEntry* (*)()>(init)();
    return handle;
}

void* enif_dlsym(void* handle, const char* symbol, ErrorHandler handler, void* argument) {
    void* address = dlsym(handle, symbol);
    if (address == nullptr)
        report(handler, argument);
    return address;
}

#pragma GCC visibility push(default)
extern "C" {

// Bytes that the term takes on a heap of the VM, without the data of big binaries.
std::size_t enif_term_size(ERL_NIF_TERM root) {
    constexpr std::size_t kHeapBinaryBytes = 64;
    constexpr std::size_t kBigBinaryWords = 6;
    std::size_t words = 0;
    std::vector<Word> pending{root};
    while (!pending.empty()) {
        Word word = pending.back();
        pending.pop_back();
        for (; term::is_cons(word); word = cons_cell(word)[1]) {
            words += 2;
            if (!term::is_immediate(cons_cell(word)[0]))
                pending.push_back(cons_cell(word)[0]);
        }
        if (!term::is_boxed(word))
            continue;
        if (is_kind(word, Kind::Tuple)) {
            words += 1 + size_of(word);
            pending.insert(pending.end(), object(word) + 1, object(word) + 1 + size_of(word));
        } else if (is_map(word)) {
            words += 4;
            for (const MapPair& pair : map_pairs(word)) {
                words += 2;
                pending.push_back(pair.key);
                pending.push_back(pair.value);
            }
        } else if (is_whole_binary(word)) {
            const std::size_t size = size_of(word);
            words += size <= kHeapBinaryBytes ? 2 + term::bytes_to_words(size) : kBigBinaryWords;
        } else if (is_kind(word, Kind::External)) {
            words += 2 + term::bytes_to_words(size_of(word));
        } else {
            words += 2;
        }
    }
    return words * sizeof(Word);
}

// The atom cache belongs to the VM's connections to other nodes: a host's atoms are in none.
int enif_get_atom_cache_index(ErlNifEnv*, ERL_NIF_TERM, unsigned*) {
    return 0;
}
unsigned enif_max_atom_cache_index() {
    return 0;
}
}
#pragma GCC visibility pop
