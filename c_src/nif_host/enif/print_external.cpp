#include "nif_host/enif/print_external.hpp"

#include "nif_host/enif/print_term.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/text.hpp"
#include "nif_host/upcall_client.hpp"

#include <vector>

namespace cordon::host {
namespace {

// Tags of the external term format.
enum Tag : unsigned char {
    kBitBinary = 77,
    kNewPid = 88,
    kNewPort = 89,
    kNewerReference = 90,
    kSmallInteger = 97,
    kInteger = 98,
    kAtomLatin1 = 100,
    kPid = 103,
    kPort = 102,
    kSmallBig = 110,
    kLargeBig = 111,
    kNewFun = 112,
    kExport = 113,
    kNewReference = 114,
    kSmallAtomLatin1 = 115,
    kAtom = 118,
    kSmallAtom = 119,
    kV4Port = 120,
};

// Reads what the VM has written; nothing is there that it doesn't write.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        for (; size > 0 && !bytes_.empty(); --size) {
            value = (value << 8) | static_cast<unsigned char>(bytes_.front());
            bytes_.remove_prefix(1);
        }
        return value;
    }
    std::string_view take(std::size_t size) {
        const std::string_view taken = bytes_.substr(0, size);
        bytes_.remove_prefix(taken.size());
        return taken;
    }
    std::string atom() {
        const auto tag = number(1);
        const bool small = tag == kSmallAtom || tag == kSmallAtomLatin1;
        const std::string_view text = take(number(small ? 1 : 2));
        return tag == kSmallAtom || tag == kAtom ? std::string(text) : latin1_to_utf8(text);
    }
    std::int64_t integer() {
        return number(1) == kSmallInteger ? static_cast<std::int64_t>(number(1))
                                          : static_cast<std::int32_t>(number(4));
    }

  private:
    std::string_view bytes_;
};

std::string big_text(Reader reader, bool large) {
    const std::size_t size = reader.number(large ? 4 : 1);
    const bool negative = reader.number(1) != 0;
    std::string_view magnitude = reader.take(size); // least byte first
    constexpr std::uint32_t kBase = 1'000'000'000;
    std::vector<std::uint32_t> digits{0}; // to that base, least first
    for (std::size_t i = magnitude.size(); i > 0; --i) {
        std::uint64_t carry = static_cast<unsigned char>(magnitude[i - 1]);
        for (std::uint32_t& digit : digits) {
            carry += std::uint64_t{digit} << 8;
            digit = static_cast<std::uint32_t>(carry % kBase);
            carry /= kBase;
        }
        if (carry != 0)
            digits.push_back(static_cast<std::uint32_t>(carry));
    }
    std::string text = negative ? "-" : "";
    text += std::to_string(digits.back());
    for (std::size_t i = digits.size() - 1; i > 0; --i) {
        const std::string part = std::to_string(digits[i - 1]);
        text.append(9 - part.size(), '0') += part;
    }
    return text;
}

std::string reference_text(Reader reader, std::size_t creation_bytes) {
    const std::size_t count = reader.number(2);
    reader.atom();
    reader.number(creation_bytes);
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < count; ++i)
        numbers.push_back(reader.number(4));
    std::string text = "#Ref<0";
    for (std::size_t i = count; i > 0; --i)
        text.append(1, '.').append(std::to_string(numbers[i - 1]));
    return text.append(1, '>');
}

std::string pid_text(std::uint64_t number, std::uint64_t serial) {
    std::string text = "<0.";
    text.append(std::to_string(number)).append(1, '.').append(std::to_string(serial));
    return text.append(1, '>');
}

std::string port_text(std::uint64_t number) {
    return "#Port<0." + std::to_string(number) + ">";
}

std::string fun_text(Reader reader) {
    reader.take(4 + 1 + 16 + 4 + 4); // size, arity, unique, index, free variables
    std::string text = "#Fun<";
    text.append(reader.atom());
    text.append(1, '.').append(std::to_string(reader.integer()));
    text.append(1, '.').append(std::to_string(reader.integer()));
    return text.append(1, '>');
}

std::string export_text(Reader reader) {
    std::string text = "fun ";
    print_atom_text(&text, reader.atom());
    text += ':';
    print_atom_text(&text, reader.atom());
    return text.append(1, '/').append(std::to_string(reader.integer()));
}

std::string bitstring_text(Reader reader) {
    const std::string_view bytes = reader.take(reader.number(4) + 1);
    const auto bits = static_cast<unsigned char>(bytes[0]);
    std::string text = "<<";
    for (std::size_t i = 1; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        const bool last = i + 1 == bytes.size();
        if (i > 1)
            text += ',';
        text.append(std::to_string(last ? byte >> (8 - bits) : byte));
        if (last)
            text.append(1, ':').append(std::to_string(bits));
    }
    return text.append(">>");
}

std::string text_of(std::string_view external) {
    Reader reader(external);
    switch (reader.number(1)) {
    case kSmallBig:
        return big_text(reader, false);
    case kLargeBig:
        return big_text(reader, true);
    case kNewerReference:
        return reference_text(reader, 4);
    case kNewReference:
        return reference_text(reader, 1);
    case kNewPid:
    case kPid: {
        reader.atom();
        const std::uint64_t number = reader.number(4);
        return pid_text(number, reader.number(4));
    }
    case kPort:
    case kNewPort:
        reader.atom();
        return port_text(reader.number(4));
    case kV4Port:
        reader.atom();
        return port_text(reader.number(8));
    case kNewFun:
        return fun_text(reader);
    case kExport:
        return export_text(reader);
    case kBitBinary:
        return bitstring_text(reader);
    default:
        return "<unknown>";
    }
}

} // namespace

// The words carry what the VM's own do.
std::string local_pid_text(Word pid) {
    constexpr unsigned kTagBits = 4;
    constexpr unsigned kNumberBits = 28;
    const Word data = pid >> kTagBits;
    return pid_text(data & ((Word{1} << kNumberBits) - 1), data >> kNumberBits);
}

std::string local_port_text(Word port) {
    return port_text(port >> 4);
}

std::string external_text(Word boxed) {
    if (kind_of(boxed) == Kind::External)
        return text_of(external_bytes(boxed));
    const UpcallAnswer answer(ipc::Upcall::TermToBinary, {boxed}); // what reference it is to the VM
    if (!is_whole_binary(answer.word()))
        return "#Ref<>";
    const Bytes bytes = binary_bytes(answer.word());
    return text_of(
        std::string_view(reinterpret_cast<const char*>(bytes.data), bytes.size).substr(1));
}

} // namespace cordon::host
