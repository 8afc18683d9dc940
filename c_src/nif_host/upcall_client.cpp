#include "nif_host/upcall_client.hpp"

#include "nif_host/chunk_windows.hpp"
#include "nif_host/event_reader.hpp"
#include "nif_host/host_context.hpp"
#include "nif_host/request_wait.hpp"
#include "nif_host/worker.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <unistd.h>

namespace cordon::host {
namespace {

// Channels in use by threads that serve no call.
std::mutex channels_lock;
std::condition_variable channel_freed;
bool channel_busy[ipc::kChannels];

int take_channel() {
    std::unique_lock guard(channels_lock);
    for (;;) {
        auto* free = std::find(std::begin(channel_busy), std::end(channel_busy), false);
        if (free != std::end(channel_busy)) {
            *free = true;
            return static_cast<int>(free - channel_busy);
        }
        channel_freed.wait(guard);
    }
}

void free_channel(int channel) {
    {
        const std::scoped_lock guard(channels_lock);
        channel_busy[channel] = false;
    }
    channel_freed.notify_one();
}

void write_upcall(ipc::ResponseHalf& response, ipc::Upcall op,
                  std::initializer_list<Word> arguments) {
    response.status = ipc::ResponseStatus::Upcall;
    response.upcall = op;
    std::copy(arguments.begin(), arguments.end(), response.upcall_args.begin());
}

// Through a channel: our sequence number counts up, the BEAM's upcall thread echoes it.
void channel_upcall(std::uint32_t slot) {
    ipc::ResponseHalf& response = context().response(slot);
    const std::uint32_t last = context().request(slot).seq.load(std::memory_order_acquire);
    response.seq.store((last + 1) & ipc::kSeqMask, std::memory_order_release);
    [[maybe_unused]] const auto written = write(context().doorbell, "", 1);
    RequestWait(slot).next(last);
    await_chunks(context().request(slot).chunks);
}

} // namespace

UpcallAnswer::UpcallAnswer(ipc::Upcall op, std::initializer_list<Word> arguments) {
    const int error_number = errno; // libraries look at it after calls that set none in the VM
    const int own_slot = current_slot();
    if (own_slot < 0)
        channel_ = take_channel();
    const std::uint32_t slot = own_slot >= 0
                                   ? static_cast<std::uint32_t>(own_slot)
                                   : ipc::kCallSlots + static_cast<std::uint32_t>(channel_);
    // After the channel: who has one may wait for events. The VM has dropped the term when we see
    // it.
    if (op == ipc::Upcall::BinaryToTerm)
        held_.emplace();
    write_upcall(context().response(slot), op, arguments);
    if (own_slot >= 0)
        exchange_on_current_slot();
    else
        channel_upcall(slot);
    words_ = context().request(slot).answer;
    // What the VM has taken of our resources with it counts from now on: the library may clear the
    // message's environment next.
    if (op == ipc::Upcall::Send || op == ipc::Upcall::Monitor || op == ipc::Upcall::Anchor)
        consume_events();
    errno = error_number;
}

UpcallAnswer::~UpcallAnswer() {
    if (channel_ >= 0)
        free_channel(channel_);
}

Word upcall(ipc::Upcall op, std::initializer_list<Word> arguments) {
    return UpcallAnswer(op, arguments).word();
}

UpcallText::UpcallText(std::string_view text)
    : copy_(static_cast<char*>(context().heap->allocate(text.size()))), bytes_(text.size()) {
    std::memcpy(copy_, text.data(), text.size());
}

UpcallText::~UpcallText() {
    context().heap->deallocate(copy_);
}

} // namespace cordon::host
