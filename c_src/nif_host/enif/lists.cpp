// Lists, tuples and strings.
#include "nif_host/enif/env.hpp"
#include "nif_host/enif/exported.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/text.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstring>

using namespace cordon::host;
namespace term = cordon::term;

namespace {

Word make_cell(ErlNifEnv* env, Word head, Word tail) {
    Word* cell = env_words(env, 2);
    cell[0] = head;
    cell[1] = tail;
    return cons_word(cell);
}

// Cells for `count` elements, one behind the other, ending in []; the heads are the caller's to
// fill.
Word make_cells(ErlNifEnv* env, std::size_t count, Word** cells) {
    if (count == 0)
        return term::kNil;
    Word* first = env_words(env, 2 * count);
    for (std::size_t i = 0; i < count; ++i)
        first[2 * i + 1] = cons_word(first + 2 * (i + 1));
    first[2 * count - 1] = term::kNil;
    *cells = first;
    return cons_word(first);
}

Word* make_tuple_words(ErlNifEnv* env, std::size_t arity) {
    Word* words = env_words(env, arity + 1);
    words[0] = term::make_header(Kind::Tuple, arity);
    return words;
}

// Next code point of a list of characters; -1 if the head is none.
std::int64_t character(Word head, int encoding) {
    if (!term::is_small(head))
        return -1;
    const std::int64_t value = term::small_value(head);
    if (encoding == kLatin1)
        return value >= 0 && value <= 0xFF ? value : -1;
    return is_code_point(value) ? value : -1;
}

bool known_encoding(int encoding) {
    return encoding == kLatin1 || encoding == kUtf8;
}

} // namespace

ERL_NIF_TERM enif_make_list_cell(ErlNifEnv* env, ERL_NIF_TERM head, ERL_NIF_TERM tail) {
    return make_cell(env, head, tail);
}

int enif_get_list_cell(ErlNifEnv*, ERL_NIF_TERM list, ERL_NIF_TERM* head, ERL_NIF_TERM* tail) {
    if (!term::is_cons(list))
        return 0;
    const Word* cell = cons_cell(list);
    *head = cell[0];
    *tail = cell[1];
    return 1;
}

int enif_get_list_length(ErlNifEnv*, ERL_NIF_TERM list, unsigned* length) {
    unsigned count = 0;
    for (; term::is_cons(list); list = cons_cell(list)[1])
        ++count;
    if (!term::is_nil(list))
        return 0;
    *length = count;
    return 1;
}

ERL_NIF_TERM enif_make_list(ErlNifEnv* env, unsigned count, ...) {
    Word* cells = nullptr;
    const Word list = make_cells(env, count, &cells);
    va_list elements;
    va_start(elements, count);
    for (std::size_t i = 0; i < count; ++i)
        cells[2 * i] = va_arg(elements, ERL_NIF_TERM);
    va_end(elements);
    return list;
}

ERL_NIF_TERM enif_make_list_from_array(ErlNifEnv* env, const ERL_NIF_TERM elements[],
                                       unsigned count) {
    Word* cells = nullptr;
    const Word list = make_cells(env, count, &cells);
    for (std::size_t i = 0; i < count; ++i)
        cells[2 * i] = elements[i];
    return list;
}

int enif_make_reverse_list(ErlNifEnv* env, ERL_NIF_TERM list, ERL_NIF_TERM* reversed) {
    unsigned length;
    if (enif_get_list_length(env, list, &length) == 0)
        return 0; // before memory is used for it
    Word result = term::kNil;
    for (; term::is_cons(list); list = cons_cell(list)[1])
        result = make_cell(env, cons_cell(list)[0], result);
    *reversed = result;
    return 1;
}

ERL_NIF_TERM enif_make_tuple(ErlNifEnv* env, unsigned arity, ...) {
    Word* words = make_tuple_words(env, arity);
    va_list elements;
    va_start(elements, arity);
    for (unsigned i = 1; i <= arity; ++i)
        words[i] = va_arg(elements, ERL_NIF_TERM);
    va_end(elements);
    return boxed_word(words);
}

ERL_NIF_TERM enif_make_tuple_from_array(ErlNifEnv* env, const ERL_NIF_TERM elements[],
                                        unsigned arity) {
    Word* words = make_tuple_words(env, arity);
    std::copy_n(elements, arity, words + 1);
    return boxed_word(words);
}

int enif_get_tuple(ErlNifEnv*, ERL_NIF_TERM tuple, int* arity, const ERL_NIF_TERM** elements) {
    if (!is_kind(tuple, Kind::Tuple))
        return 0;
    *arity = static_cast<int>(size_of(tuple));
    *elements = object(tuple) + 1;
    return 1;
}

ERL_NIF_TERM enif_make_string(ErlNifEnv* env, const char* text, ErlNifCharEncoding encoding) {
    return enif_make_string_len(env, text, std::strlen(text), encoding);
}

ERL_NIF_TERM enif_make_string_len(ErlNifEnv* env, const char* text, std::size_t length,
                                  ErlNifCharEncoding given) {
    Word* cells = nullptr;
    const int encoding = vm_encoding(given);
    if (encoding == kLatin1) {
        const Word list = make_cells(env, length, &cells);
        for (std::size_t i = 0; i < length; ++i)
            cells[2 * i] = term::make_small(static_cast<unsigned char>(text[i]));
        return list;
    }
    const std::string_view utf8(text, length);
    const std::ptrdiff_t count = encoding == kUtf8 ? utf8_length(utf8) : -1;
    if (count < 0)
        return env_badarg(env);
    const Word list = make_cells(env, static_cast<std::size_t>(count), &cells);
    std::size_t at = 0;
    for (std::ptrdiff_t i = 0; i < count; ++i)
        cells[2 * i] = term::make_small(utf8_next(utf8, &at));
    return list;
}

int enif_get_string(ErlNifEnv*, ERL_NIF_TERM list, char* buffer, unsigned size,
                    ErlNifCharEncoding given) {
    const int encoding = vm_encoding(given);
    if (!known_encoding(encoding) || size == 0)
        return 0;
    unsigned used = 0;
    for (; term::is_cons(list); list = cons_cell(list)[1]) {
        const std::int64_t code = character(cons_cell(list)[0], encoding);
        if (code < 0) {
            buffer[used] = '\0';
            return 0;
        }
        char bytes[4] = {static_cast<char>(code)};
        const unsigned count =
            encoding == kUtf8 ? utf8_encode(static_cast<std::uint32_t>(code), bytes) : 1;
        if (used + count >= size) { // no room for it and the end
            buffer[used] = '\0';
            return -static_cast<int>(used + 1);
        }
        std::memcpy(buffer + used, bytes, count);
        used += count;
    }
    buffer[used] = '\0';
    return term::is_nil(list) ? static_cast<int>(used + 1) : 0;
}

int enif_get_string_length(ErlNifEnv*, ERL_NIF_TERM list, unsigned* length,
                           ErlNifCharEncoding given) {
    const int encoding = vm_encoding(given);
    if (!known_encoding(encoding))
        return 0;
    unsigned count = 0;
    for (; term::is_cons(list); list = cons_cell(list)[1]) {
        const std::int64_t code = character(cons_cell(list)[0], encoding);
        if (code < 0)
            return 0;
        char bytes[4];
        count += encoding == kUtf8 ? utf8_encode(static_cast<std::uint32_t>(code), bytes) : 1;
    }
    if (!term::is_nil(list))
        return 0;
    *length = count;
    return 1;
}
