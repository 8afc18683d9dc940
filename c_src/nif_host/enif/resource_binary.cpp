#include "nif_host/enif/resource_binary.hpp"

#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/resource.hpp"
#include "nif_host/enif/term_access.hpp"

#include <cstring>

namespace cordon::host {
namespace {

BinaryBlock* block_of(Word copy) {
    return reinterpret_cast<BinaryBlock*>(copy) - 1;
}

// Takes over one reference to the block.
Word make(ErlNifEnv* env, Resource* resource, const void* data, std::size_t size, Word vm_number,
          BinaryBlock* block) {
    resource_keep(resource);
    env_hold(env, resource);
    env_hold(env, block);
    Word* words = env_words(env, 5);
    words[0] = term::make_header(Kind::ResourceBinary, size);
    words[1] = reinterpret_cast<Word>(data);
    words[2] = resource->handle();
    words[3] = vm_number;
    words[4] = reinterpret_cast<Word>(block->bytes());
    return boxed_word(words);
}

BinaryBlock* copy_bytes(const void* data, std::size_t size) {
    BinaryBlock* block = binary_block_create(size);
    if (size != 0)
        std::memcpy(block->bytes(), data, size);
    return block;
}

} // namespace

Word copy_resource_binary(ErlNifEnv* destination, const Word* original) {
    const auto* data = reinterpret_cast<const void*>(original[1]);
    const std::size_t size = term::header_size(original[0]);
    BinaryBlock* block;
    if (original[4] != 0) {
        block = block_of(original[4]);
        binary_block_keep(block);
    } else {
        block = copy_bytes(data, size);
    }
    return make(destination, Resource::of_handle(original[2]), data, size, original[3], block);
}

// As bytes of the copy: the library's own lie where the VM can't read them.
Word make_part_of_resource_binary(ErlNifEnv* env, const Word* whole, std::size_t position,
                                  std::size_t size) {
    if (whole[4] == 0)
        return make_copied_binary(env, reinterpret_cast<const char*>(whole[1]) + position, size);
    BinaryBlock* block = block_of(whole[4]);
    binary_block_keep(block);
    return make_block_binary(env, block, block->bytes() + position, size);
}

} // namespace cordon::host

using namespace cordon::host;

ERL_NIF_TERM enif_make_resource_binary(ErlNifEnv* env, void* object, const void* data,
                                       std::size_t size) {
    return make(env, Resource::of(object), data, size, 0, copy_bytes(data, size));
}
