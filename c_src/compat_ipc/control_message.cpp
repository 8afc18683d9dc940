#include "compat_ipc/control_message.hpp"

#include <stdexcept>

namespace cordon::ipc {
namespace {

// Far above what the largest legal message needs (a manifest of some thousand functions), far below
// what would hurt the reader.
const msgpack::unpack_limit kLimits(/*array*/ 65536, /*map*/ 0, /*str*/ kMaxMessageBytes,
                                    /*bin*/ kMaxMessageBytes, /*ext*/ 0, /*depth*/ 8);

} // namespace

Packet::Packet(std::string_view bytes)
    : handle_(msgpack::unpack(bytes.data(), bytes.size(), nullptr, nullptr, kLimits)) {
    const msgpack::object& object = handle_.get();
    if (object.type != msgpack::type::ARRAY || object.via.array.size != 2)
        throw std::runtime_error("malformed control message");
    type_ = static_cast<MessageType>(object.via.array.ptr[0].as<std::uint32_t>());
}

} // namespace cordon::ipc
