// The printf family: the C library's, with %T for a term.
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/print_term.hpp"
#include "shared_heap/term.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

using cordon::host::print_term;

constexpr long kNoLimit = 100'000'000; // what the VM takes without a precision

// One conversion: flags, width, precision, length modifier, letter. `*` is replaced by its value.
struct Conversion {
    std::string text = "%";
    long precision = -1;
    std::string length;
    char letter = 0;
};

template <class T> void append(std::string* out, const Conversion& conversion, T value) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    const std::string format = conversion.text + conversion.length + conversion.letter;
    const int size = std::snprintf(nullptr, 0, format.c_str(), value);
    if (size < 0)
        return;
    const std::size_t old = out->size();
    out->resize(old + static_cast<std::size_t>(size) + 1);
    std::snprintf(out->data() + old, static_cast<std::size_t>(size) + 1, format.c_str(), value);
    out->pop_back();
#pragma GCC diagnostic pop
}

class Formatter {
  public:
    explicit Formatter(va_list arguments) { va_copy(arguments_, arguments); }
    ~Formatter() { va_end(arguments_); }
    Formatter(const Formatter&) = delete;
    Formatter& operator=(const Formatter&) = delete;

    std::string run(const char* format) {
        while (*format != '\0') {
            const char* percent = std::strchr(format, '%');
            if (percent == nullptr)
                return out_.append(format);
            out_.append(format, percent);
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
            append(&out_, conversion, va_arg(arguments_, void*));
            break;
        case 'n':
            *va_arg(arguments_, int*) = static_cast<int>(out_.size());
            break;
        case '%':
            out_ += '%';
            break;
        default:
            out_ += conversion.text + conversion.length + conversion.letter;
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

    std::string out_;
    va_list arguments_;
};

} // namespace

int enif_vsnprintf(char* buffer, std::size_t size, const char* format, va_list arguments) {
    const std::string text = Formatter(arguments).run(format);
    if (size != 0) {
        const std::size_t count = std::min(text.size(), size - 1);
        std::memcpy(buffer, text.data(), count);
        buffer[count] = '\0';
    }
    return static_cast<int>(text.size());
}

int enif_snprintf(char* buffer, std::size_t size, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = enif_vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return result;
}

int enif_vfprintf(FILE* file, const char* format, va_list arguments) {
    const std::string text = Formatter(arguments).run(format);
    const std::size_t written = std::fwrite(text.data(), 1, text.size(), file);
    return written == text.size() ? static_cast<int>(written) : -1;
}

int enif_fprintf(FILE* file, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int result = enif_vfprintf(file, format, arguments);
    va_end(arguments);
    return result;
}
