#include "nif_host/enif/binary.hpp"

#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/iolist.hpp"
#include "nif_host/enif/resource_binary.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/vm_release.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/lifetime_check.hpp"

#include <algorithm>
#include <cstring>

namespace cordon::host {
namespace {

// A sub-binary this small is copied when its bytes can't change any more: no larger than a
// BinaryRef.
constexpr std::size_t kCopiedSubBinaryBytes = 16;

// enif_inspect_binary must give a pointer that is not null, for an empty one too.
unsigned char empty_bytes[8];

void fill(ErlNifBinary* binary, unsigned char* data, std::size_t size, BinaryBlock* block) {
    binary->size = size; // never more than the first three words: old libraries have no others
    binary->data = data == nullptr ? empty_bytes : data;
    binary->ref_bin = block;
}

std::size_t allocation_bytes(std::size_t binary_bytes) {
    return sizeof(BinaryBlock) + binary_bytes + kSlackBytes;
}

// Until OTP 26, where the struct says more than this, the VM takes what it has allocated, whatever
// a library has put into the struct since: OpenSSL's i2d functions, given &binary.data, move that
// pointer to the end.
constexpr std::size_t kHeapBinaryBytes = 64;

bool vm_believes_the_struct() {
    return vm_release() >= 27;
}

// Since OTP 27 a part that fits on a heap is a copy: what a library writes to the base later, and
// before its call ends, does not show in it.
bool vm_copies_sub_binaries() {
    return vm_release() >= 27;
}

} // namespace

BinaryBlock* binary_block_create(std::size_t bytes) {
    auto* block = static_cast<BinaryBlock*>(watched_allocate(allocation_bytes(bytes)));
    new (&block->references) std::atomic<std::size_t>(1);
    block->capacity = block->size = bytes;
    return block;
}

void binary_block_release(BinaryBlock* block, ipc::Ending how) {
    if (block->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
        watched_end(block, how);
}

void binary_block_acquired(std::uint64_t address) {
    binary_block_keep(reinterpret_cast<BinaryBlock*>(address));
}

void binary_block_released(std::uint64_t address) {
    binary_block_release(reinterpret_cast<BinaryBlock*>(address));
}

Word make_inline_binary(ErlNifEnv* env, const void* data, std::size_t size) {
    const std::size_t data_words = term::bytes_to_words(size);
    const std::size_t slack_words = data == nullptr ? kSlackBytes / sizeof(Word) : 0;
    Word* words = env_words(env, 1 + data_words + slack_words);
    words[0] = term::make_header(Kind::Binary, size);
    if (data_words != 0)
        words[data_words] = 0; // no stale bytes behind the end
    if (data != nullptr)
        std::memcpy(words + 1, data, size);
    return boxed_word(words);
}

Word make_block_binary(ErlNifEnv* env, BinaryBlock* block, const void* data, std::size_t size) {
    env_hold(env, block);
    Word* words = env_words(env, 3);
    words[0] = term::make_header(Kind::BinaryRef, size);
    words[1] = reinterpret_cast<Word>(data);
    words[2] = reinterpret_cast<Word>(block);
    return boxed_word(words);
}

Word make_copied_binary(ErlNifEnv* env, const void* data, std::size_t size) {
    if (size <= kInlineBinaryBytes)
        return make_inline_binary(env, data, size);
    BinaryBlock* block = binary_block_create(size);
    std::memcpy(block->bytes(), data, size);
    return make_block_binary(env, block, block->bytes(), size);
}

} // namespace cordon::host

using namespace cordon::host;
namespace term = cordon::term;

int enif_is_binary(ErlNifEnv*, ERL_NIF_TERM term) {
    return is_whole_binary(term);
}

int enif_inspect_binary(ErlNifEnv*, ERL_NIF_TERM term, ErlNifBinary* binary) {
    if (!is_whole_binary(term))
        return 0;
    const Bytes bytes = binary_bytes(term);
    fill(binary, bytes.data, bytes.size, nullptr);
    return 1;
}

int enif_inspect_iolist_as_binary(ErlNifEnv* env, ERL_NIF_TERM term, ErlNifBinary* binary) {
    if (enif_inspect_binary(env, term, binary) != 0)
        return 1;
    if (!term::is_cons(term) && !term::is_nil(term))
        return 0;
    std::size_t size = 0;
    if (!walk_iolist(
            term, [&](unsigned char) { ++size; }, [&](Bytes bytes) { size += bytes.size; }))
        return 0;
    auto* data = reinterpret_cast<unsigned char*>(env_words(env, 1 + term::bytes_to_words(size)));
    unsigned char* at = data;
    walk_iolist(
        term, [&](unsigned char byte) { *at++ = byte; },
        [&](Bytes bytes) {
            std::memcpy(at, bytes.data, bytes.size);
            at += bytes.size;
        });
    fill(binary, data, size, nullptr);
    return 1;
}

int enif_alloc_binary(std::size_t size, ErlNifBinary* binary) {
    BinaryBlock* block = binary_block_create(size);
    fill(binary, block->bytes(), size, block);
    return 1;
}

int enif_realloc_binary(ErlNifBinary* binary, std::size_t size) {
    auto* block = static_cast<BinaryBlock*>(binary->ref_bin);
    if (block == nullptr) { // inspected, so read-only: a copy of its own from now on
        block = binary_block_create(size);
        std::memcpy(block->bytes(), binary->data, std::min(size, binary->size));
    } else if (block->references.load(std::memory_order_acquire) != 1 || lifetimes_checked()) {
        BinaryBlock* copy = binary_block_create(size);
        std::memcpy(copy->bytes(), block->bytes(), std::min(size, binary->size));
        binary_block_release(block, Ending::ReleaseBinary);
        block = copy;
    } else if (size > block->capacity || size < block->capacity / 2) {
        block = static_cast<BinaryBlock*>(context().heap->reallocate(
            block, allocation_bytes(block->capacity), allocation_bytes(size)));
        block->capacity = size;
    }
    block->size = size;
    fill(binary, block->bytes(), size, block);
    return 1;
}

void enif_release_binary(ErlNifBinary* binary) {
    if (binary->ref_bin == nullptr)
        return;
    binary_block_release(static_cast<BinaryBlock*>(binary->ref_bin), Ending::ReleaseBinary);
    binary->ref_bin = nullptr; // a second release does nothing; libraries read the size after it
}

ERL_NIF_TERM enif_make_binary(ErlNifEnv* env, ErlNifBinary* binary) {
    auto* block = static_cast<BinaryBlock*>(binary->ref_bin);
    if (block == nullptr)
        return make_copied_binary(env, binary->data, binary->size);
    binary->ref_bin = nullptr; // the term owns it; data stays readable as long as the term
    if (binary->size > kHeapBinaryBytes && !vm_believes_the_struct())
        return make_block_binary(env, block, block->bytes(), block->size);
    return make_block_binary(env, block, binary->data, binary->size);
}

unsigned char* enif_make_new_binary(ErlNifEnv* env, std::size_t size, ERL_NIF_TERM* term) {
    if (size <= kInlineBinaryBytes) {
        *term = make_inline_binary(env, nullptr, size);
        return binary_bytes(*term).data;
    }
    BinaryBlock* block = binary_block_create(size);
    *term = make_block_binary(env, block, block->bytes(), size);
    return block->bytes();
}

ERL_NIF_TERM enif_make_sub_binary(ErlNifEnv* env, ERL_NIF_TERM term, std::size_t position,
                                  std::size_t size) {
    if (!is_bitstring(term))
        return env_badarg(env);
    const Bytes bytes = whole_bytes(term);
    if (position > bytes.size || size > bytes.size - position)
        return env_badarg(env);
    if (kind_of(term) == Kind::ResourceBinary)
        return make_part_of_resource_binary(env, object(term), position, size);
    unsigned char* data = bytes.data + position;
    if (!is_whole_binary(term))
        return make_copied_binary(env, data, size);
    if (size <= kHeapBinaryBytes && vm_copies_sub_binaries())
        return make_inline_binary(env, data, size);
    Word owner = 0;
    if (in_beam_segment(env, object(term))) {
        if (size <= kCopiedSubBinaryBytes)
            return make_inline_binary(env, data, size);
        if (kind_of(term) == Kind::BinaryRef) { // the VM keeps the block, this environment doesn't
            auto* block = reinterpret_cast<BinaryBlock*>(object(term)[2]);
            binary_block_keep(block);
            return make_block_binary(env, block, data, size);
        }
    } else {
        // The base keeps what it refers to; only an inline one may move itself.
        owner = kind_of(term) == Kind::Binary ? term + kBaseOwner : object(term)[2];
    }
    Word* words = env_words(env, 3);
    words[0] = term::make_header(Kind::BinaryRef, size);
    words[1] = reinterpret_cast<Word>(data);
    words[2] = owner;
    return boxed_word(words);
}
