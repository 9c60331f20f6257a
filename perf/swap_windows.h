// Which of two lists, A and B, may have been in force when: the driver of hot swaps writes it to a shared file, the
// load generator judges by it the answers for addresses that stand in only one of the two.
//
// Layout, little-endian 64-bit words: the magic "PSTNSWAP", the number of records, then the records {preparing, begun,
// ended, list}, times of CLOCK_MONOTONIC in ns, list 0 for A and 1 for B. The driver appends a record (and only then
// raises the number) before it sends `table prepare`, sets `begun` before it sends `table commit`, and `ended` after
// the commit's reply. The first record is the list in force at the start, all three times 1.
//
// An answer was given between the sending of its command (s) and its arrival here (r). Between `begun` and `ended`
// either list may answer, at all other times only one. A reply made after a commit was sent is read after `begun` was
// written, so no right answer is ever judged wrong. An answer that rests on a window whose end is not yet known is
// judged once it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <tl/expected.hpp>

#include "perf/recipients.h"

namespace postern::perf {

struct swap_record {
    std::uint64_t preparing = 0;
    std::uint64_t begun = 0;  ///< 0: not yet
    std::uint64_t ended = 0;  ///< 0: not yet
    std::uint64_t list = 0;   ///< 0 for A, 1 for B
};

/// The shared file, mapped read-only. Another process writes it while we read.
class swap_windows {
public:
    static constexpr std::uint64_t magic = 0x5041'5753'4e54'5350U;  ///< "PSTNSWAP" read as a little-endian number

    static tl::expected<swap_windows, std::string> open(const std::string& path);
    /// Over memory laid out as the file is, which must outlive the object.
    explicit swap_windows(std::span<const std::uint64_t> words) noexcept : _words(words) {}

    swap_windows(swap_windows&& other) noexcept;
    swap_windows& operator=(swap_windows&&) = delete;
    swap_windows(const swap_windows&) = delete;
    swap_windows& operator=(const swap_windows&) = delete;
    ~swap_windows();

    /// How many records there are now; never more than fit the file.
    std::size_t size() const noexcept;
    swap_record operator[](std::size_t i) const noexcept;

private:
    std::span<const std::uint64_t> _words;
    bool _mapped = false;
};

/// What a time span can have seen.
struct span_facts {
    bool a = false;          ///< A may have been in force at some moment of it
    bool b = false;          ///< likewise B
    bool undecided = false;  ///< one of the two only because the last window has no end yet
    bool during = false;     ///< touches a swap, from `preparing` to `ended`
};

/// The facts of the span [sent, received].
span_facts facts_of(const swap_windows& windows, std::uint64_t sent, std::uint64_t received) noexcept;

/// An answer for an address that only one list has.
struct swap_answer {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    recipient who;
    bool accepted = false;
};

/// Judges the answers of one thread as they come; keeps those whose window is still open, at most `limit` of them.
class swap_judge {
public:
    static constexpr std::size_t limit = 65536;

    explicit swap_judge(const swap_windows& windows) noexcept : _windows(windows) {}

    enum class judgement : std::uint8_t { right, wrong, later };
    judgement judge(const swap_answer& answer);
    /// An answer kept for later that turned out wrong; call until nothing comes. At the end of a run a window that
    /// never ended excuses what rests on it.
    std::optional<swap_answer> next_wrong();

    std::uint64_t judged() const noexcept { return _judged; }
    std::uint64_t unjudged() const noexcept { return _unjudged; }  ///< did not fit the bound: neither right nor wrong
    std::size_t waiting() const noexcept { return _waiting.size(); }

private:
    const swap_windows& _windows;
    std::deque<swap_answer> _waiting;
    std::uint64_t _judged = 0;
    std::uint64_t _unjudged = 0;
};

}  // namespace postern::perf
