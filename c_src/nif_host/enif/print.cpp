// The printf family: the C library's, with %T for a term.
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/print_term.hpp"
#include "shared_heap/term.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

using cordon::host::Output;
using cordon::host::print_term;

constexpr long kNoLimit = 100'000'000; // what the VM takes without a precision

// One conversion: flags, width, precision, length modifier, letter. `*` is replaced by its value.
struct Conversion {
    std::string text = "%";
    long precision = -1;
    std::string length;
    char letter = 0;
};

template <class T> void append(Output* out, const Conversion& conversion, T value) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const std::string format = conversion.text + conversion.length + conversion.letter;
    const int size = std::snprintf(nullptr, 0, format.c_str(), value);
    if (size < 0)
        return;
    std::string text(static_cast<std::size_t>(size) + 1, '\0');
    std::snprintf(text.data(), text.size(), format.c_str(), value);
    text.pop_back();
    out->whole(text);
#pragma GCC diagnostic pop
}

class Formatter {
  public:
    Formatter(std::size_t room, va_list arguments) : out_(room) { va_copy(arguments_, arguments); }
    ~Formatter() { va_end(arguments_); }
    Formatter(const Formatter&) = delete;
    Formatter& operator=(const Formatter&) = delete;

    const Output& run(const char* format) {
        while (*format != '\0') {
            const char* percent = std::strchr(format, '%');
            if (percent == nullptr) {
                out_.whole(format);
                break;
            }
            out_.whole({format, percent});
            format = convert(percent + 1);
        }
        return out_;
    }

  private:
    const char* number(const char* at, Conversion* conversion, long* value) {
        if (*at == '*') {
            *value = va_arg(arguments_, int);
            conversion->text += std::to_string(*value);
            return at + 1;
        }
        for (*value = 0; *at >= '0' && *at <= '9'; ++at) {
            *value = 10 * *value + (*at - '0');
            conversion->text += *at;
        }
        return at;
    }

    const char* convert(const char* at) {
        Conversion conversion;
        while (*at != '\0' && std::strchr("-+ #0", *at) != nullptr)
            conversion.text += *at++;
        long width;
        at = number(at, &conversion, &width);
        if (*at == '.') {
            conversion.text += '.';
            at = number(at + 1, &conversion, &conversion.precision);
        }
        while (*at != '\0' && std::strchr("hljztLqb", *at) != nullptr)
            conversion.length += *at++;
        conversion.letter = *at;
        if (*at == '\0')
            return at;
        print(conversion);
        return at + 1;
    }

    void print(const Conversion& conversion) {
        switch (conversion.letter) {
        case 'T':
            print_term(&out_, va_arg(arguments_, ERL_NIF_TERM),
                       conversion.precision < 0 ? kNoLimit : conversion.precision);
            break;
        case 'd':
        case 'i':
        case 'o':
        case 'u':
        case 'x':
        case 'X':
            integer(conversion);
            break;
        case 'a':
        case 'A':
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
            if (conversion.length == "L")
                append(&out_, conversion, va_arg(arguments_, long double));
            else
                append(&out_, conversion, va_arg(arguments_, double));
            break;
        case 'c':
            append(&out_, conversion, va_arg(arguments_, int));
            break;
        case 's':
            append(&out_, conversion, va_arg(arguments_, const char*));
            break;
        case 'p':
            pointer(va_arg(arguments_, void*));
            break;
        case 'n':
            *va_arg(arguments_, int*) = static_cast<int>(out_.counted());
            break;
        case '%':
            out_.whole("%");
            break;
        default:
            out_.whole(conversion.text + conversion.length + conversion.letter);
        }
    }

    void integer(Conversion conversion) {
        const std::string& length = conversion.length;
        const bool wide = length.find_first_of("ljztLq") != std::string::npos; // all have 64 bits
        if (!wide)
            append(&out_, conversion, va_arg(arguments_, int));
        else {
            conversion.length = "l";
            append(&out_, conversion, va_arg(arguments_, long));
        }
    }

    void pointer(void* value) {
        char text[32];
        std::snprintf(text, sizeof text, "0x%lx", reinterpret_cast<unsigned long>(value));
        out_.whole(text);
    }

    Output out_;
    va_list arguments_;
};

} // namespace

int enif_vsnprintf(char* buffer, std::size_t size, const char* format, va_list arguments) {
    if (size == 0)
        return -EINVAL;
    Formatter formatter(size - 1, arguments);
    const Output& out = formatter.run(format);
    const std::size_t count = std::min(out.text().size(), size - 1);
    std::memcpy(buffer, out.text().data(), count);
    buffer[count] = '\0';
    return static_cast<int>(out.counted());
}

int enif_snprintf(char* buffer, std::size_t size, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = enif_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return result;
}

int enif_vfprintf(FILE* file, const char* format, va_list arguments) {
    Formatter formatter(SIZE_MAX, arguments);
    const std::string& text = formatter.run(format).text();
    const std::size_t written = std::fwrite(text.data(), 1, text.size(), file);
    if (file == stdout || file == stderr)
        std::fflush(file); // the VM doesn't buffer them
    return written == text.size() ? static_cast<int>(written) : -EIO;
}

int enif_fprintf(FILE* file, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = enif_vfprintf(file, format, arguments);
    va_end(arguments);
    return result;
}
