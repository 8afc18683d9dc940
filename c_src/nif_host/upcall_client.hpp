// Upcalls: what an enif_* asks of the VM. From a worker that serves a call they travel through that
// call's slot and run on the BEAM thread that waits for the call; from any other thread (library
// threads, the callback thread) through a channel, and run on the BEAM's upcall thread.
#pragma once

#include "compat_ipc/call_slot.hpp"
#include "nif_host/event_reader.hpp"

#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace cordon::host {

using term::Word;

// An answer, and the channel it came through. Terms in it lie in the BEAM segment: for a call they
// stay valid until the call ends, for a channel only while this object lives; copy them into an
// environment (copy_term) before it goes.
class UpcallAnswer {
  public:
    UpcallAnswer(ipc::Upcall op, std::initializer_list<Word> arguments);
    ~UpcallAnswer();
    UpcallAnswer(const UpcallAnswer&) = delete;
    UpcallAnswer& operator=(const UpcallAnswer&) = delete;
    Word word(std::size_t i = 0) const { return words_[i]; }

  private:
    std::array<Word, ipc::kAnswerWords> words_{};
    int channel_ = -1;
    std::optional<EventsHeld> held_; // while nobody here has what the answer names
};

// For upcalls that answer with a plain number or immediate.
Word upcall(ipc::Upcall op, std::initializer_list<Word> arguments);

// Text for an upcall has to lie in the host segment: a copy that lives as long as this.
class UpcallText {
  public:
    explicit UpcallText(std::string_view text);
    ~UpcallText();
    UpcallText(const UpcallText&) = delete;
    UpcallText& operator=(const UpcallText&) = delete;
    Word address() const { return reinterpret_cast<Word>(copy_); }
    Word bytes() const { return bytes_; }

  private:
    char* copy_;
    std::size_t bytes_;
};

} // namespace cordon::host
