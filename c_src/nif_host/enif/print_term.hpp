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
    std::size_t left() const { return room_ - std::min(room_, text_.size()); }
    void characters(std::string_view text) {
        counted_ += std::min(text.size(), left());
        text_.append(text);
    }
    void character(char c) { characters({&c, 1}); }
    void whole(std::string_view text) {
        counted_ += text.size();
        text_.append(text);
    }
    // What the VM has printed, and what it says of its length.
    void printed(std::string_view text, std::size_t counted) {
        counted_ += counted;
        text_.append(text);
    }
    struct Mark {
        std::size_t size;
        std::size_t counted;
    };
    Mark mark() const { return {text_.size(), counted_}; }
    void back_to(Mark mark) {
        text_.resize(mark.size);
        counted_ = mark.counted;
    }
    const std::string& text() const { return text_; }
    std::size_t counted() const { return counted_; }

  private:
    std::size_t room_;
    std::size_t counted_ = 0;
    std::string text_;
};

// Appends; at most about `precision` parts of the term, then "... ". Negative: as without one. A
// term is printed here as far as it can be; one with what only the VM can print is printed there.
void print_term(Output* out, term::Word term, long precision);

} // namespace cordon::host
