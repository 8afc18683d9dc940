// Wild<T>: a value as it was read from memory that a host can write. It is read once, into this
// copy; what the memory holds later doesn't matter. Nothing takes a Wild where a T is wanted: only
// a check makes a T of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <type_traits>

namespace cordon {

template <class T> class Wild {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

  public:
    // One relaxed load: the compiler may neither repeat nor split it.
    static Wild read(const T* from) {
        T value;
        __atomic_load(const_cast<T*>(from), &value, __ATOMIC_RELAXED);
        return Wild(value);
    }

    std::optional<T> at_most(T limit) const {
        return value_ <= limit ? std::optional<T>(value_) : std::nullopt;
    }
    bool equals(T expected) const { return value_ == expected; }

    // For values of which every bit pattern is harmless where it goes (plain data: the bits of a
    // float, a number handed back to the same host), or that the caller checks in the next line.
    T unchecked() const { return value_; }

  private:
    explicit Wild(T value) : value_(value) {}
    T value_;
};

} // namespace cordon
