// Long work on a thread that may share its core with threads that answer at once: a pause behind each short piece.
//
// A scheduler lets a thread that computes go on for milliseconds, and whoever wakes up meanwhile waits for it. One that
// sleeps behind every piece is waited for no longer than a piece lasts, and still gets its share of a core that has no
// time to spare, as a lower priority would not.
#pragma once

#include <chrono>
#include <cstdint>

namespace postern::process {

class pauses {
public:
    /// After this much of the thread's processor time comes a pause.
    static constexpr std::chrono::microseconds piece{50};

    /// A pause lasts `share` times as long as the work before it; 0: there is none.
    explicit pauses(unsigned share = 0) noexcept;

    /// To be called by one thread every some 10 us of its work: sleeps if a pause is due.
    void rest() noexcept;

    /// How long the pause is that is due when the thread has used `used` of processor time; 0: none is. It counts as
    /// taken.
    std::chrono::nanoseconds due(std::chrono::nanoseconds used) noexcept;
    /// Pauses that were due.
    std::uint64_t taken() const noexcept { return _taken; }

private:
    unsigned _share;
    std::chrono::nanoseconds _since;  ///< processor time at the end of the last pause
    std::uint64_t _taken = 0;
};

}  // namespace postern::process
