// The recipients that a shard decided lately, on their way to the edge's control thread: which address, how, from
// where.
//
// One writer (the shard) and one reader (the control thread, which numbers them: dataplane/edge/events.h). A record is
// one bounded copy into a ring made beforehand: no allocation, no lock, no system call. A full ring drops the newest
// and counts them, so a flood costs less, not more.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "board/process/spsc_ring.h"
#include "smtp/session/counters.h"

namespace postern::session {

/// What became of a recipient of a served domain, as far as the list goes.
enum class outcome : std::uint8_t {
    listed,          ///< on the list, postmaster or abuse; the mail server answers
    would_reject,    ///< not on the list, passed (the domain observes or discovers), and the mail server accepted it
    refused_behind,  ///< not on the list, passed, and the mail server refused it, too
    deferred,        ///< not on the list, 450 4.1.1
    rejected,        ///< not on the list, 550 5.1.1
    unknown,         ///< not on the list, answered otherwise (domain on hold, no mail server, or a 4xx of its)
    // Told by the relay's side, behind one of those above (smtp/judge/finding.h).
    good_mail,       ///< not on the list, the domain discovers: a whole message was accepted and judged good
    bad_mail,        ///< the same, judged bad
    listed_refused,  ///< on the list, but the mail server says 5.1.1
};

struct seen_recipient {
    static constexpr std::size_t longest = 254;  ///< RFC 5321 4.5.3.1.3, less the brackets

    /// Precondition: `as_given` has at most `longest` octets.
    seen_recipient(std::string_view as_given, session::outcome how, std::uint32_t of_domain,
                   const std::array<std::uint8_t, 16>& from) noexcept
        : domain(of_domain), peer(from), outcome(how), size(static_cast<std::uint8_t>(as_given.size())) {
        std::memcpy(octets.data(), as_given.data(), as_given.size());
    }
    seen_recipient(const seen_recipient&) noexcept = default;
    seen_recipient& operator=(const seen_recipient&) noexcept = default;
    std::string_view path() const noexcept { return {octets.data(), size}; }

    std::uint32_t domain;  ///< its stable id; of an alias its target's
    std::array<std::uint8_t, 16> peer;
    session::outcome outcome;
    std::uint8_t size;
    std::array<char, longest> octets;  ///< as the client gave it; filled up to `size` only
};

class seen_recipients {
public:
    /// Room for so many that the reader has not taken yet.
    explicit seen_recipients(std::size_t capacity) : _ring(capacity) {}

    /// The shard.
    void add(std::string_view path, outcome how, std::uint32_t domain,
             const std::array<std::uint8_t, 16>& peer) noexcept {
        if (path.size() > seen_recipient::longest || !_ring.emplace(path, how, domain, peer)) {
            _missed.add();
        }
    }

    /// The reader: the oldest, to be used in place until `drop`; null: none waits.
    const seen_recipient* front() noexcept { return _ring.front(); }
    void drop() noexcept { _ring.drop(); }
    /// Any thread: what found no room, or was too long.
    std::uint64_t missed() const noexcept { return _missed.get(); }

private:
    process::spsc_ring<seen_recipient> _ring;
    counter _missed;
};

}  // namespace postern::session
