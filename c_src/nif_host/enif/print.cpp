// The printf family: the C library's, with %T for a term.
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/print_term.hpp"
#include "shared_heap/term.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

using cordon::host::Output;
using cordon::host::print_term;

// One conversion: flags, width, precision, length modifier, letter. `*` is replaced by its value.
struct Conversion {
    std::string flags;
    long width = 0;
    long precision = -1;
    std::string length;
    char letter = 0;

    std::string format() const {
        std::string text("%");
        text += flags;
        if (width > 0)
            text += std::to_string(width);
        if (precision >= 0) {
            text += '.';
            text += std::to_string(precision);
        }
        text += length;
        text += letter;
        return text;
    }
    bool has(char flag) const { return flags.find(flag) != std::string::npos; }
    void drop(char flag) { std::erase(flags, flag); }
};

template <class T> void append(Output* out, const Conversion& conversion, T value) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const std::string format = conversion.format();
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
    const char* number(const char* at, long* value) {
        if (*at == '*') {
            *value = va_arg(arguments_, int);
            return at + 1;
        }
        for (*value = 0; *at >= '0' && *at <= '9'; ++at)
            *value = 10 * *value + (*at - '0');
        return at;
    }

    const char* convert(const char* at) {
        Conversion conversion;
        while (*at != '\0' && std::strchr("-+ #0", *at) != nullptr)
            conversion.flags += *at++;
        at = number(at, &conversion.width);
        if (*at == '.')
            at = number(at + 1, &conversion.precision);
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
            print_term(&out_, va_arg(arguments_, ERL_NIF_TERM), conversion.precision);
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
            floating(conversion);
            break;
        case 'c':
            append(&out_, conversion, va_arg(arguments_, int));
            break;
        case 's':
            append(&out_, conversion, va_arg(arguments_, const char*));
            break;
        case 'p':
            pointer(conversion);
            break;
        case 'n':
            *va_arg(arguments_, int*) = static_cast<int>(out_.counted());
            break;
        case '%':
            out_.whole("%");
            break;
        default:
            out_.whole(conversion.format());
        }
    }

    void integer(Conversion conversion) {
        const bool wide = // all of these have 64 bits
            conversion.length.find_first_of("ljztLq") != std::string::npos;
        const long value = wide ? va_arg(arguments_, long) : va_arg(arguments_, int);
        if (value == 0 && conversion.has('#') && conversion.precision != 0) {
            zero_with_base(conversion);
        } else if (wide) {
            conversion.length.assign(1, 'l');
            append(&out_, conversion, value);
        } else {
            append(&out_, conversion, static_cast<int>(value));
        }
    }

    // The C library leaves the base out before a zero, the VM doesn't.
    void zero_with_base(Conversion conversion) {
        std::string text;
        if (conversion.letter == 'x' || conversion.letter == 'X')
            text = {'0', conversion.letter};
        else if (conversion.letter == 'o')
            text = "0";
        if (conversion.has('0') && !conversion.has('-'))
            while (std::ssize(text) + 1 < conversion.width)
                text += '0';
        text += '0';
        conversion.flags = conversion.has('-') ? "-" : "";
        conversion.precision = -1;
        conversion.length.clear();
        conversion.letter = 's';
        append(&out_, conversion, text.c_str());
    }

    // The VM pads with blanks only, and knows %e and %f; of %g it makes the one that fits.
    void floating(Conversion conversion) {
        if (conversion.length == "L") {
            append(&out_, conversion, va_arg(arguments_, long double));
            return;
        }
        const double value = va_arg(arguments_, double);
        conversion.drop('0');
        if (conversion.letter == 'g' || conversion.letter == 'G') {
            const long precision = conversion.precision < 0 ? 6 : conversion.precision;
            const double exponent = value == 0 ? 0 : std::floor(std::log10(std::fabs(value)));
            const bool scientific = exponent < -4 || exponent >= static_cast<double>(precision);
            conversion.precision = scientific ? std::max(precision - 1, 0L) : precision;
            const char letter = scientific ? 'e' : 'f';
            conversion.letter = conversion.letter == 'G' && scientific ? 'E' : letter;
        }
        append(&out_, conversion, value);
    }

    // All digits of it, wherever they are aligned to.
    void pointer(Conversion conversion) {
        constexpr long kDigits = 2 * sizeof(void*);
        char text[32];
        std::snprintf(text, sizeof text, "0x%0*lx", static_cast<int>(kDigits),
                      reinterpret_cast<unsigned long>(va_arg(arguments_, void*)));
        conversion.flags.clear();
        conversion.precision = -1;
        conversion.length.clear();
        conversion.letter = 's';
        append(&out_, conversion, static_cast<const char*>(text));
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
