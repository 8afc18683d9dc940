// Which terms an export has written already, and as what: equal words of the VM are one object.
//
// Objects that are used together lie together in the VM's memory, so words that differ little go to
// one page of a table: the cells of a long list are noted without an allocation for each.
#pragma once

#include "shared_heap/term.hpp"

#include <array>
#include <erl_nif.h>
#include <memory>
#include <unordered_map>

namespace cordon::proxy {

class ExportedTerms {
  public:
    // 0 if it isn't there; 0 is no term.
    term::Word find(ERL_NIF_TERM term) {
        const Page* page = page_of(term);
        if (page == nullptr)
            return 0;
        const Entry& entry = (*page)[place_of(term)];
        if (entry.term == term)
            return entry.word;
        if (entry.term == 0 || clashes_.empty())
            return 0;
        const auto clash = clashes_.find(term);
        return clash == clashes_.end() ? 0 : clash->second;
    }

    // It must not be there yet.
    void add(ERL_NIF_TERM term, term::Word word) {
        if (page_of(term) == nullptr) {
            auto& page = pages_[term / kPage];
            page = std::make_unique<Page>();
            last_ = page.get();
        }
        Entry& entry = (*last_)[place_of(term)];
        if (entry.term == 0)
            entry = {term, word};
        else
            clashes_.emplace(term, word);
    }

  private:
    struct Entry {
        ERL_NIF_TERM term = 0;
        term::Word word = 0;
    };
    static constexpr std::size_t kPage = 4096;
    static constexpr std::size_t kPlaces = kPage / sizeof(ERL_NIF_TERM);
    using Page = std::array<Entry, kPlaces>;

    static std::size_t place_of(ERL_NIF_TERM term) { return term / sizeof(ERL_NIF_TERM) % kPlaces; }

    Page* page_of(ERL_NIF_TERM term) {
        if (term / kPage == last_number_ && last_ != nullptr)
            return last_;
        const auto page = pages_.find(term / kPage);
        last_number_ = term / kPage;
        last_ = page == pages_.end() ? nullptr : page->second.get();
        return last_;
    }

    std::unordered_map<ERL_NIF_TERM, std::unique_ptr<Page>> pages_;
    ERL_NIF_TERM last_number_ = 0;
    Page* last_ = nullptr; // that was looked at last, with that number
    std::unordered_map<ERL_NIF_TERM, term::Word> clashes_; // their place was taken
};

} // namespace cordon::proxy
