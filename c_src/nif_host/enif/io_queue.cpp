// I/O vectors and I/O queues. What is queued keeps its bytes: a counted block is shared, anything
// else copied.
#include "nif_host/enif/binary.hpp"
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/vm_release.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <vector>

using namespace cordon::host;
namespace term = cordon::term;

namespace {

// Flags of an ErlNifIOVec: what of it is memory of ours.
constexpr int kOwnArrays = 1;
constexpr int kOwnStruct = 2;

struct Chunk {
    BinaryBlock* block; // one reference
    unsigned char* data;
    std::size_t size;
};

// The block that a binary term's bytes lie in, if they lie in one.
BinaryBlock* block_of(Word binary) {
    if (kind_of(binary) != Kind::BinaryRef)
        return nullptr;
    const Word owner = object(binary)[2];
    return (owner & kBaseOwner) != 0 ? nullptr : reinterpret_cast<BinaryBlock*>(owner);
}

// A reference to a block with these bytes in it; *data is moved there when they had to be copied.
BinaryBlock* keep_bytes(BinaryBlock* block, unsigned char** data, std::size_t size) {
    if (block != nullptr) {
        binary_block_keep(block);
        return block;
    }
    block = binary_block_create(size);
    std::memcpy(block->bytes(), *data, size);
    *data = block->bytes();
    return block;
}

void set_arrays(ErlNifIOVec* vector, std::size_t count) {
    vector->flags &= ~kOwnArrays;
    vector->iov = vector->small_iov;
    vector->ref_bins = vector->small_ref_bin;
    if (count > ERL_NIF_IOVEC_SIZE) {
        vector->flags |= kOwnArrays;
        vector->iov = static_cast<SysIOVec*>(std::calloc(count, sizeof(SysIOVec)));
        vector->ref_bins = static_cast<void**>(std::calloc(count, sizeof(void*)));
    }
}

} // namespace

struct erts_io_queue {
    std::deque<Chunk> chunks;
    std::size_t size = 0;
    std::vector<SysIOVec> peeked;

    void add(Chunk chunk) {
        if (chunk.size == 0) {
            binary_block_release(chunk.block);
            return;
        }
        chunks.push_back(chunk);
        size += chunk.size;
    }
    void drop_front(std::size_t count) {
        size -= count;
        while (count > 0) {
            Chunk& front = chunks.front();
            if (count < front.size) {
                front.data += count;
                front.size -= count;
                return;
            }
            count -= front.size;
            binary_block_release(front.block);
            chunks.pop_front();
        }
    }
};

ErlNifIOQueue* enif_ioq_create(ErlNifIOQueueOpts options) {
    return options == ERL_NIF_IOQ_NORMAL ? new ErlNifIOQueue : nullptr;
}

void enif_ioq_destroy(ErlNifIOQueue* queue) {
    queue->drop_front(queue->size);
    delete queue;
}

int enif_ioq_enq_binary(ErlNifIOQueue* queue, ErlNifBinary* binary, std::size_t skip) {
    if (skip > binary->size) {
        enif_release_binary(binary); // the queue takes it in any case
        return 0;
    }
    auto* block = static_cast<BinaryBlock*>(binary->ref_bin);
    unsigned char* data = binary->data + skip;
    const std::size_t size = binary->size - skip;
    if (block == nullptr)
        block = keep_bytes(nullptr, &data, size);
    binary->ref_bin = nullptr; // the queue owns it now
    queue->add({block, data, size});
    return 1;
}

int enif_ioq_enqv(ErlNifIOQueue* queue, ErlNifIOVec* vector, std::size_t skip) {
    if (skip > vector->size)
        return 0;
    for (int i = 0; i < vector->iovcnt; ++i) {
        auto* data = reinterpret_cast<unsigned char*>(vector->iov[i].iov_base);
        std::size_t size = vector->iov[i].iov_len;
        const std::size_t skipped = skip < size ? skip : size;
        skip -= skipped;
        size -= skipped;
        data += skipped;
        if (size == 0)
            continue;
        BinaryBlock* block =
            keep_bytes(static_cast<BinaryBlock*>(vector->ref_bins[i]), &data, size);
        queue->add({block, data, size});
    }
    return 1;
}

std::size_t enif_ioq_size(ErlNifIOQueue* queue) {
    return queue->size;
}

int enif_ioq_deq(ErlNifIOQueue* queue, std::size_t count, std::size_t* size) {
    if (count > queue->size)
        return 0;
    queue->drop_front(count);
    if (size != nullptr)
        *size = queue->size;
    return 1;
}

SysIOVec* enif_ioq_peek(ErlNifIOQueue* queue, int* count) {
    queue->peeked.clear();
    for (const Chunk& chunk : queue->chunks) {
        SysIOVec entry{};
        entry.iov_base = reinterpret_cast<char*>(chunk.data);
        entry.iov_len = chunk.size;
        queue->peeked.push_back(entry);
    }
    *count = static_cast<int>(queue->peeked.size());
    return queue->peeked.empty() ? nullptr : queue->peeked.data();
}

int enif_ioq_peek_head(ErlNifEnv* env, ErlNifIOQueue* queue, std::size_t* size,
                       ERL_NIF_TERM* head) {
    if (queue->chunks.empty())
        return 0;
    const Chunk& front = queue->chunks.front();
    if (size != nullptr)
        *size = front.size;
    binary_block_keep(front.block);
    *head = make_block_binary(env, front.block, front.data, front.size);
    return 1;
}

// With an environment the vector's bytes live as long as it does; without, until enif_free_iovec.
int enif_inspect_iovec(ErlNifEnv* env, std::size_t max_elements, ERL_NIF_TERM list,
                       ERL_NIF_TERM* tail, ErlNifIOVec** result) {
    std::size_t count = 0; // of those that are not empty: the vector has no others
    std::size_t left = std::max(max_elements, std::size_t{1});
    Word end = list;
    for (; term::is_cons(end) && left > 0; end = cons_cell(end)[1], --left) {
        const Word element = cons_cell(end)[0];
        if (!is_bitstring(element))
            return 0;
        const bool empty = whole_bytes(element).size == 0;
        // Until OTP 26 the VM takes bits that are no whole byte for an empty binary.
        if (!is_whole_binary(element) && (vm_release() >= 27 || !empty))
            return 0;
        count += empty ? 0 : 1;
    }
    if (!term::is_cons(end) && !term::is_nil(end))
        return 0;
    ErlNifIOVec* vector = *result;
    if (vector == nullptr || count >= ERL_NIF_IOVEC_SIZE) {
        vector = env != nullptr ? reinterpret_cast<ErlNifIOVec*>(env_allocate(
                                      env, (sizeof(ErlNifIOVec) + 7) & ~std::size_t{7}))
                                : static_cast<ErlNifIOVec*>(std::malloc(sizeof(ErlNifIOVec)));
        vector->flags = env != nullptr ? 0 : kOwnStruct;
    } else {
        vector->flags = 0;
    }
    if (env != nullptr && count > ERL_NIF_IOVEC_SIZE) {
        vector->iov = reinterpret_cast<SysIOVec*>(env_allocate(env, count * sizeof(SysIOVec)));
        vector->ref_bins = reinterpret_cast<void**>(env_allocate(env, count * sizeof(void*)));
    } else {
        set_arrays(vector, count);
    }
    vector->iovcnt = static_cast<int>(count);
    vector->size = 0;
    for (std::size_t i = 0; list != end; list = cons_cell(list)[1]) {
        const Word binary = cons_cell(list)[0];
        const Bytes bytes = whole_bytes(binary);
        if (bytes.size == 0)
            continue;
        unsigned char* data = bytes.data;
        BinaryBlock* block = block_of(binary);
        if (env == nullptr)
            block = keep_bytes(block, &data, bytes.size);
        vector->iov[i].iov_base = reinterpret_cast<char*>(data);
        vector->iov[i].iov_len = bytes.size;
        vector->ref_bins[i++] = block;
        vector->size += bytes.size;
    }
    if (env != nullptr)
        vector->flags = -1; // nothing of it is to be freed
    *tail = end;
    *result = vector;
    return 1;
}

void enif_free_iovec(ErlNifIOVec* vector) {
    if (vector->flags < 0)
        return;
    for (int i = 0; i < vector->iovcnt; ++i)
        binary_block_release(static_cast<BinaryBlock*>(vector->ref_bins[i]));
    if ((vector->flags & kOwnArrays) != 0) {
        std::free(vector->iov);
        std::free(vector->ref_bins);
    }
    if ((vector->flags & kOwnStruct) != 0)
        std::free(vector);
}
