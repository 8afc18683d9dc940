// The control protocol: what BEAM side, keeper and host tell each other outside of calls. One
// packet of a SOCK_SEQPACKET socket is one message: a msgpack array [type, fields]. File
// descriptors travel beside it, only in the directions that are written here. Decoding is bounded
// and throws std::runtime_error (or a msgpack exception) on anything else than what is expected.
#pragma once

#include <cstdint>
#include <msgpack.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace cordon::ipc {

inline constexpr std::size_t kMaxMessageBytes = 192 * 1024;
// Of a record that may have grown in versions to come.
inline constexpr std::size_t kMaxRequirementsBytes = 4096;

enum class MessageType : std::uint32_t {
    Hello = 1,
    Spawn = 2,
    Spawned = 3,
    Ended = 4,
    Kill = 5,
    Setup = 6,
    Ready = 7,
    Open = 8,
    Opened = 9,
    StartWorker = 10,
    MapChunk = 11,
    DropChunk = 12,
    EnterDirectory = 13,
    DirectoryEntered = 14,
};

// keeper -> BEAM, first message: which build it is.
struct Hello {
    static constexpr MessageType kType = MessageType::Hello;
    std::string build_id;
    std::int32_t pid = 0;
    MSGPACK_DEFINE(build_id, pid)
};

// BEAM -> keeper, with fds, in this order: see SpawnFd.
struct Spawn {
    static constexpr MessageType kType = MessageType::Spawn;
    std::uint64_t host = 0; // unique per start, never used again
    std::string name;       // of the process, for ps and top
    MSGPACK_DEFINE(host, name)
};
enum SpawnFd : std::size_t {
    kControlFd,  // control socket of the host
    kBeamFd,     // BEAM segment
    kHostFd,     // host segment
    kAtomFd,     // atom segment
    kDoorbellFd, // pipe, host -> BEAM: an upcall waits in a channel
    kOutputFd,   // pipe: stdout and stderr of the host
    kSpawnFds
};

// keeper -> BEAM, with fd: pidfd of the host (none when pid is 0: the fork failed, see error).
struct Spawned {
    static constexpr MessageType kType = MessageType::Spawned;
    std::uint64_t host = 0;
    std::int32_t pid = 0;
    std::string error;
    MSGPACK_DEFINE(host, pid, error)
};

// keeper -> BEAM: the host was waited for.
struct Ended {
    static constexpr MessageType kType = MessageType::Ended;
    std::uint64_t host = 0;
    std::int32_t status = 0; // as waitpid(2)
    MSGPACK_DEFINE(host, status)
};

// BEAM -> keeper: kill -9 this host and all of its process group.
struct Kill {
    static constexpr MessageType kType = MessageType::Kill;
    std::uint64_t host = 0;
    MSGPACK_DEFINE(host)
};

// BEAM -> host, first message.
struct Setup {
    static constexpr MessageType kType = MessageType::Setup;
    std::uint64_t host_segment_bytes = 0;
    std::uint64_t atom_segment_bytes = 0;
    std::uint64_t stack_bytes = 0;
    bool check_lifetimes = false; // option of that name
    std::vector<char> system_info;
    MSGPACK_DEFINE(host_segment_bytes, atom_segment_bytes, stack_bytes, check_lifetimes,
                   system_info)
};

// The parts of the guard (nif_host/guard), in the order in which a host takes them on.
enum class GuardPart : std::uint32_t {
    Descriptors,
    CoreDumps,
    OomScore,
    NoNewPrivs,
    Capabilities,
    Landlock,
    SystemCalls,
    Signals,
    Scheduling,
    kCount
};

// What a host says of one part: it holds when `missing` is empty, else that says what the machine
// lacks and what is open for it.
struct GuardItem {
    std::uint32_t part = 0; // GuardPart
    std::string missing;
    MSGPACK_DEFINE(part, missing)
};

// host -> BEAM: mapped, guarded and listening. The addresses are the host's own; the BEAM uses them
// for nothing but subtraction. No byte of a library has run yet.
struct Ready {
    static constexpr MessageType kType = MessageType::Ready;
    std::uint64_t beam_window = 0;
    std::uint64_t host_segment = 0;
    std::vector<GuardItem> guard;
    std::uint64_t guard_ns = 0; // what it took
    MSGPACK_DEFINE(beam_window, host_segment, guard, guard_ns)
};

// BEAM -> host: open a library and tell what is in it. `library`: its number from now on.
struct Open {
    static constexpr MessageType kType = MessageType::Open;
    std::uint32_t library = 0;
    std::string path;
    MSGPACK_DEFINE(library, path)
};

struct FunctionRecord {
    std::string name;
    std::uint32_t arity = 0;
    std::uint32_t flags = 0;
    MSGPACK_DEFINE(name, arity, flags)
};

enum class OpenError : std::uint32_t {
    None = 0,
    NotLoadable = 1,
    NoInit = 2,
    InitFailed = 3,
    BadEntry = 4
};

// host -> BEAM.
struct Opened {
    static constexpr MessageType kType = MessageType::Opened;
    std::uint32_t error = 0; // OpenError
    std::string text;        // of the error
    std::int32_t major = 0;
    std::int32_t minor = 0;
    std::string module;
    std::string vm_variant;
    std::string min_erts;
    std::uint32_t options = 0;
    bool has_load = false;
    bool has_reload = false;
    bool has_upgrade = false;
    bool has_unload = false;
    std::vector<FunctionRecord> functions;
    std::vector<char> requirements; // bytes of its cordon_requirements, empty if it has none
    MSGPACK_DEFINE(error, text, major, minor, module, vm_variant, min_erts, options, has_load,
                   has_reload, has_upgrade, has_unload, functions, requirements)
};

// BEAM -> host, with fd: the VM's working directory, which becomes the host's.
struct EnterDirectory {
    static constexpr MessageType kType = MessageType::EnterDirectory;
    MSGPACK_DEFINE()
};

// host -> BEAM.
struct DirectoryEntered {
    static constexpr MessageType kType = MessageType::DirectoryEntered;
    std::int32_t error = 0; // errno of fchdir(2), 0 when done
    MSGPACK_DEFINE(error)
};

// BEAM -> host: calls will come through this slot.
struct StartWorker {
    static constexpr MessageType kType = MessageType::StartWorker;
    std::uint32_t slot = 0;
    MSGPACK_DEFINE(slot)
};

// BEAM -> host, with fd: a sealed chunk of argument memory for this window.
struct MapChunk {
    static constexpr MessageType kType = MessageType::MapChunk;
    std::uint32_t window = 0;
    std::uint64_t bytes = 0;
    MSGPACK_DEFINE(window, bytes)
};

struct DropChunk {
    static constexpr MessageType kType = MessageType::DropChunk;
    std::uint32_t window = 0;
    std::uint64_t bytes = 0;
    MSGPACK_DEFINE(window, bytes)
};

template <class Message> std::string encode(const Message& message) {
    msgpack::sbuffer buffer;
    msgpack::packer<msgpack::sbuffer> packer(buffer);
    packer.pack_array(2);
    packer.pack(static_cast<std::uint32_t>(Message::kType));
    packer.pack(message);
    return std::string(buffer.data(), buffer.size());
}

// A decoded packet: type first, fields when asked for.
class Packet {
  public:
    explicit Packet(std::string_view bytes);
    MessageType type() const { return type_; }
    template <class Message> Message as() const {
        if (type_ != Message::kType)
            throw std::runtime_error("unexpected control message");
        return handle_.get().via.array.ptr[1].as<Message>();
    }

  private:
    msgpack::object_handle handle_;
    MessageType type_;
};

} // namespace cordon::ipc
