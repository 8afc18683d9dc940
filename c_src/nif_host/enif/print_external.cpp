#include "nif_host/enif/print_external.hpp"

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

void print_reference(Output* out, Reader reader, std::size_t creation_bytes) {
    const std::size_t count = reader.number(2);
    reader.atom();
    reader.number(creation_bytes);
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = 0; i < count; ++i)
        numbers.push_back(reader.number(4));
    out->characters("#Ref<");
    out->whole("0");
    for (std::size_t i = count; i > 0; --i) {
        out->character('.');
        out->whole(std::to_string(numbers[i - 1]));
    }
    out->character('>');
}

void print_pid(Output* out, std::uint64_t number, std::uint64_t serial) {
    out->character('<');
    out->whole("0");
    out->character('.');
    out->whole(std::to_string(number));
    out->character('.');
    out->whole(std::to_string(serial));
    out->character('>');
}

void print_port(Output* out, std::uint64_t number) {
    out->characters("#Port<");
    out->whole("0");
    out->character('.');
    out->whole(std::to_string(number));
    out->character('>');
}

void print_fun(Output* out, Reader reader) {
    reader.take(4 + 1 + 16 + 4 + 4); // size, arity, unique, index, free variables
    out->characters("#Fun<");
    out->characters(reader.atom());
    for (int i = 0; i < 2; ++i) { // old index, old unique
        out->character('.');
        out->whole(std::to_string(reader.integer()));
    }
    out->character('>');
}

void print_export(Output* out, Reader reader) {
    out->characters("fun ");
    print_atom_text(out, reader.atom());
    out->character(':');
    print_atom_text(out, reader.atom());
    out->character('/');
    out->whole(std::to_string(reader.integer()));
}

void print_bitstring(Output* out, Reader reader) {
    const std::string_view bytes = reader.take(reader.number(4) + 1);
    const auto bits = static_cast<unsigned char>(bytes[0]);
    out->characters("<<");
    for (std::size_t i = 1; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        const bool last = i + 1 == bytes.size();
        if (i > 1)
            out->character(',');
        out->whole(std::to_string(last ? byte >> (8 - bits) : byte));
        if (last) {
            out->character(':');
            out->whole(std::to_string(bits));
        }
    }
    out->characters(">>");
}

void print_format(Output* out, std::string_view external) {
    Reader reader(external);
    switch (reader.number(1)) {
    case kSmallBig:
        return out->characters(big_text(reader, false));
    case kLargeBig:
        return out->characters(big_text(reader, true));
    case kNewerReference:
        return print_reference(out, reader, 4);
    case kNewReference:
        return print_reference(out, reader, 1);
    case kNewPid:
    case kPid: {
        reader.atom();
        const std::uint64_t number = reader.number(4);
        return print_pid(out, number, reader.number(4));
    }
    case kPort:
    case kNewPort:
        reader.atom();
        return print_port(out, reader.number(4));
    case kV4Port:
        reader.atom();
        return print_port(out, reader.number(8));
    case kNewFun:
        return print_fun(out, reader);
    case kExport:
        return print_export(out, reader);
    case kBitBinary:
        return print_bitstring(out, reader);
    default:
        return out->characters("<unknown>");
    }
}

} // namespace

void print_external(Output* out, Word word) {
    if (is_kind(word, Kind::External))
        return print_format(out, external_bytes(word));
    const UpcallAnswer answer(ipc::Upcall::TermToBinary, {word}); // which it is, to the VM
    if (!is_whole_binary(answer.word()))
        return out->characters("<unknown>");
    const Bytes bytes = binary_bytes(answer.word());
    const std::string_view text(reinterpret_cast<const char*>(bytes.data), bytes.size);
    print_format(out, text.substr(1));
}

} // namespace cordon::host
