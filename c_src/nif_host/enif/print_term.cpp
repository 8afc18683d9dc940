#include "nif_host/enif/print_term.hpp"

#include "nif_host/enif/atoms.hpp"
#include "nif_host/enif/map.hpp"
#include "nif_host/enif/term_access.hpp"
#include "nif_host/enif/text.hpp"
#include "nif_host/upcall_client.hpp"

#include <algorithm>
#include <cstdio>
#include <vector>

namespace cordon::host {
namespace {

constexpr long kNoLimit = 100'000; // what the VM takes without a precision

bool is_lower(std::uint32_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 0xDF && c <= 0xFF && c != 0xF7);
}
bool is_upper(std::uint32_t c) {
    return (c >= 'A' && c <= 'Z') || (c >= 0xC0 && c <= 0xDE && c != 0xD7);
}
bool is_digit(std::uint32_t c) {
    return c >= '0' && c <= '9';
}

bool needs_quotes(std::string_view utf8) {
    bool first = true;
    for (std::size_t at = 0; at < utf8.size(); first = false) {
        const std::uint32_t c = utf8_next(utf8, &at);
        if (!is_lower(c) && (first || !(is_upper(c) || is_digit(c) || c == '_')))
            return true;
    }
    return utf8.empty();
}

void append_escaped(Output* out, std::string_view utf8) {
    constexpr std::string_view kSpecial = "'\\\n\f\t\r\b\v";
    constexpr std::string_view kLetter = "'\\nftrbv";
    for (std::size_t at = 0; at < utf8.size();) {
        const std::size_t from = at;
        const std::uint32_t c = utf8_next(utf8, &at);
        const std::size_t special = c < 0x80 ? kSpecial.find(static_cast<char>(c)) : kSpecial.npos;
        if (special != kSpecial.npos) {
            out->character('\\');
            out->character(kLetter[special]);
        } else if (c < ' ' || (c >= 0x80 && c < 0xA0)) {
            char octal[8];
            std::snprintf(octal, sizeof octal, "%03o", c);
            out->character('\\');
            out->whole(octal);
        } else {
            out->characters(utf8.substr(from, at - from));
        }
    }
}

// Quoted where it has to be.
void print_atom_text(Output* out, std::string_view utf8) {
    const bool quotes = needs_quotes(utf8);
    if (quotes)
        out->character('\'');
    append_escaped(out, utf8);
    if (quotes)
        out->character('\'');
}

bool is_printable(std::int64_t c) {
    const bool control = c < ' ' || c == 127 || (c >= 128 && c < 160);
    return c >= 0 && c <= 255 && (!control || c == '\n' || c == '\t' || c == '\r');
}

bool is_printable_string(Word list) {
    for (; term::is_cons(list); list = cons_cell(list)[1]) {
        const Word head = cons_cell(list)[0];
        if (!term::is_small(head) || !is_printable(term::small_value(head)))
            return false;
    }
    return term::is_nil(list);
}

class Printer {
  public:
    Printer(Output* out, long limit) : out_(*out), left_(limit) {}

    // False when only the VM can print the term; what was appended is not it then.
    bool run(Word root) {
        print(root);
        while (!pending_.empty() && !full_ && !only_vm_) {
            const Item item = pending_.back();
            pending_.pop_back();
            switch (item.what) {
            case What::Term:
                print(item.word);
                break;
            case What::Text:
                out_.characters(item.text);
                break;
            case What::ListRest:
                print_rest(item.word);
                break;
            case What::Elements:
                print_elements(item);
                break;
            }
        }
        if (left_ <= 0)
            out_.characters("... ");
        return !only_vm_;
    }

  private:
    enum class What { Term, Text, ListRest, Elements };
    struct Item {
        What what;
        Word word = 0;
        const char* text = nullptr;
        const Word* words = nullptr;
        std::size_t count = 0;
    };

    void push_text(const char* text) { pending_.push_back({What::Text, 0, text}); }
    void push_term(Word word) { pending_.push_back({What::Term, word}); }

    bool use_one() {
        if (left_-- <= 0)
            full_ = true;
        return !full_;
    }

    void print(Word word) {
        if (!use_one())
            return;
        if (term::is_small(word))
            out_.whole(std::to_string(term::small_value(word)));
        else if (term::is_atom(word))
            print_atom(word);
        else if (term::is_nil(word))
            out_.characters("[]");
        else if (term::is_cons(word))
            print_list(word);
        else if (term::is_boxed(word))
            print_boxed(word);
        else if (term::is_local_pid(word) || term::is_local_port(word))
            only_vm_ = true;
        else { // 0 is no term
            out_.characters("<TNV>");
            full_ = true;
        }
    }

    void print_atom(Word atom) {
        const std::string_view utf8 = atom_text(atom);
        left_ -= static_cast<long>(utf8.size());
        print_atom_text(&out_, utf8);
        full_ = left_ <= 0;
    }

    void print_list(Word list) {
        if (!is_printable_string(list)) {
            out_.character('[');
            push_text("]");
            print_rest(list);
            return;
        }
        out_.character('"');
        for (; term::is_cons(list); list = cons_cell(list)[1]) {
            if (!use_one())
                return;
            const auto c = static_cast<char>(term::small_value(cons_cell(list)[0]));
            if (c == '\n') {
                out_.characters("\\n");
                continue;
            }
            if (c == '"')
                out_.character('\\');
            out_.character(c);
        }
        out_.character('"');
    }

    // Head now, then what follows it.
    void print_rest(Word list) {
        const Word* cell = cons_cell(list);
        if (term::is_cons(cell[1])) {
            pending_.push_back({What::ListRest, cell[1]});
            push_text(",");
        } else if (!term::is_nil(cell[1])) {
            push_term(cell[1]);
            push_text("|");
        }
        print(cell[0]);
    }

    void print_elements(Item item) {
        const Word first = *item.words++;
        if (--item.count != 0) {
            pending_.push_back(item);
            push_text(",");
        }
        print(first);
    }

    void print_boxed(Word word) {
        switch (kind_of(word)) {
        case Kind::Tuple:
            out_.character('{');
            push_text("}");
            if (size_of(word) != 0)
                pending_.push_back({What::Elements, 0, nullptr, object(word) + 1, size_of(word)});
            break;
        case Kind::Float: {
            char text[32];
            std::snprintf(text, sizeof text, "%e", float_value(word));
            out_.whole(text);
            break;
        }
        case Kind::Int64:
            out_.characters(std::to_string(static_cast<std::int64_t>(object(word)[1])));
            break;
        case Kind::Uint64:
            out_.characters(std::to_string(object(word)[1]));
            break;
        case Kind::Binary:
        case Kind::BinaryRef:
        case Kind::ResourceBinary:
            print_binary(binary_bytes(word));
            break;
        case Kind::FlatMap:
        case Kind::HashMap:
            if (map_size(word) > term::kFlatMapLimit)
                only_vm_ = true;
            else
                print_map(word);
            break;
        case Kind::Resource:
        case Kind::External:
            only_vm_ = true;
            break;
        case Kind::MapNode:
            break;
        }
    }

    void print_map(Word map) {
        const std::vector<MapPair> pairs = map_pairs(map);
        out_.characters("#{");
        push_text("}");
        for (std::size_t i = pairs.size(); i > 0; --i) {
            push_term(pairs[i - 1].value);
            push_text("=>");
            push_term(pairs[i - 1].key);
            if (i > 1)
                push_text(",");
        }
    }

    void print_binary(Bytes bytes) {
        const unsigned char* begin = bytes.data;
        const unsigned char* end = begin + bytes.size;
        const bool text = bytes.size != 0 && std::all_of(begin, end, [](unsigned char c) {
                              return c >= ' ' && c < 127;
                          });
        out_.characters(text ? "<<\"" : "<<");
        for (const unsigned char* at = begin; at != end; ++at) {
            if (text) {
                if (*at == '"')
                    out_.character('\\');
                out_.character(static_cast<char>(*at));
            } else {
                if (at != begin)
                    out_.character(',');
                out_.whole(std::to_string(*at));
            }
            if (!use_one())
                return;
        }
        out_.characters(text ? "\">>" : ">>");
    }

    Output& out_;
    long left_;
    bool full_ = false;
    bool only_vm_ = false; // found something that only the VM can print
    std::vector<Item> pending_;
};

} // namespace

void print_term(Output* out, Word term, long precision) {
    const Output::Mark start = out->mark();
    if (Printer(out, precision < 0 ? kNoLimit : precision).run(term))
        return;
    out->back_to(start);
    const UpcallAnswer answer(ipc::Upcall::Print,
                              {term, out->left(), static_cast<Word>(std::max(precision, -1L))});
    const Bytes text = binary_bytes(answer.word());
    out->printed({reinterpret_cast<const char*>(text.data), text.size}, answer.word(1));
}

} // namespace cordon::host
