// %T: a term as the VM's own printf writes it.
#pragma once

#include "shared_heap/term.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace cordon::host {

// Text, and how long the VM says it is: where the text is cut off it counts the part of a term's
// characters that fits only, but numbers and everything outside of a term in full.
class Output {
  public:
    explicit Output(std::size_t room) : room_(room) {}
    void characters(std::string_view text) {
        counted_ += std::min(text.size(), room_ - std::min(room_, text_.size()));
        text_.append(text);
    }
    void character(char c) { characters({&c, 1}); }
    void whole(std::string_view text) {
        counted_ += text.size();
        text_.append(text);
    }
    const std::string& text() const { return text_; }
    std::size_t counted() const { return counted_; }

  private:
    std::size_t room_;
    std::size_t counted_ = 0;
    std::string text_;
};

// Appends; at most about `limit` parts of the term, then "... ".
void print_term(Output* out, term::Word term, long limit);

// An atom, quoted where it has to be.
void print_atom_text(Output* out, std::string_view utf8);

} // namespace cordon::host
