// The in-process load of the packet path: a million SMTP clients on one core, over its end of a ring link.
//
// It opens the connections, says EHLO and MAIL once, then sends RCPTs one at a time a connection (or so many in one
// go), in an order that no prefetcher guesses, with a fixed number of commands on their way; or it churns: SYN, EHLO,
// MAIL, one RCPT, QUIT, closed, again. Every reply's checksums and code are checked against what the address deserves.
// A client acknowledges as RFC 1122 4.2.3.2 has it: with its next command, every second segment at once, and none later
// than in half a second. The link loses nothing that fits into it, so a client keeps no copy to send again: a lost
// frame shows as a stall.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/port/queue.h"
#include "dataplane/shard/counters.h"
#include "perf/random.h"
#include "perf/rig/client_frames.h"
#include "perf/rig/client_table.h"

namespace postern::perf::rig {

enum class work : std::uint8_t {
    hold,     ///< greeted and left alone
    rcpt,     ///< RCPTs, `pipeline` of them in one go
    churn,    ///< whole sessions of one RCPT
    macswap,  ///< frames of the same form, that come back with their Ethernet addresses swapped
};

struct plan {
    work what = work::rcpt;
    std::uint32_t connections = 1000;
    std::uint32_t sources = 1024;  ///< addresses that they come from
    std::uint32_t window = 256;    ///< commands (in churn: sessions) on their way
    std::uint32_t pipeline = 1;    ///< at most 64
    double listed_share = 0.1;     ///< of the RCPTs: addresses that are on the list
    std::uint64_t listed = 0;      ///< addresses that are on the list: numbers below this
    std::uint32_t domains = 1;     ///< that they are in
    std::uint64_t seed = 1;
};

/// Read by any thread while the generator runs.
struct generator_counts {
    shard::counter opened;    ///< connections that said EHLO (and MAIL)
    shard::counter rcpts;     ///< answered
    shard::counter listed;    ///< of them: on the list
    shard::counter sessions;  ///< closed in order
    shard::counter wrong;     ///< replies with another code than the right one, or that nobody waits for
    shard::counter bad_checksums;
    shard::counter again;  ///< segments that came a second time
    shard::counter lost;   ///< connections that the server broke
    shard::counter frames_in;
};

class generator {
public:
    /// All but the plan outlives the generator.
    generator(port::queue& frames, const plan& p);

    /// One round on the generator's thread: takes a burst, answers, sends what may be sent. `now`: milliseconds.
    /// `credit`: how many commands may be begun. True: there was something to do.
    bool turn(std::uint32_t now, std::uint32_t& credit);

    /// Any thread: from now on RCPTs (or frames to be swapped) are sent; before it only what opens connections is.
    void begin() noexcept { _begun.store(true, std::memory_order_relaxed); }
    /// Any thread: every connection says QUIT from now on.
    void close() noexcept { _closing.store(true, std::memory_order_relaxed); }

    const generator_counts& counts() const noexcept { return _counts; }
    /// The first wrong reply, if there was one; when the generator rests.
    const std::string& example() const noexcept { return _example; }

private:
    void arrived(std::uint32_t place, const server_segment& s);
    void replies(std::uint32_t place, std::string_view text);
    void replied(std::uint32_t place, std::uint32_t code);
    void wrong(std::uint32_t code, std::uint32_t expected);
    void open(std::uint32_t place);
    void send(std::uint32_t place, std::uint8_t flags, std::string_view text);
    void send_command(std::uint32_t place, std::string_view text, phase then);
    void send_rcpts(std::uint32_t place);
    void send_for_swapping(std::uint32_t place);
    void done_with(std::uint32_t place);
    /// ACKs that no command carried in time.
    void acknowledge();
    bool open_more();
    bool send_more(std::uint32_t& credit);
    bool close_more();
    std::uint32_t next_place() noexcept;

    port::queue& _queue;
    plan _plan;
    client_table _clients;
    random_source _random;
    std::uint64_t _listed_below;  ///< of 2^32: a draw below it is on the list
    generator_counts _counts;
    std::string _example;
    std::atomic<bool> _begun{false};
    std::atomic<bool> _closing{false};
    std::uint32_t _now = 0;

    std::uint32_t _on_way = 0;   ///< commands, or connections that are being opened or closed
    std::uint32_t _started = 0;  ///< places that were opened
    std::uint32_t _closed = 0;   ///< places that said QUIT at the end
    std::vector<std::uint32_t> _free;

    /// A client whose ACK is due at `when` unless it sends something before: then its `snd_nxt` is another.
    struct late_ack {
        std::uint32_t place = 0;
        std::uint32_t snd_nxt = 0;
        std::uint32_t when = 0;  ///< milliseconds
    };
    std::deque<late_ack> _late;  ///< oldest first

    // The order in which connections get their turn: a linear congruence over a power of two, what is too large left
    // out, so that each gets one in a round; known a few steps ahead, to prefetch.
    static constexpr std::size_t ahead = 32;
    std::uint32_t _order = 0;
    std::uint32_t _order_mask;
    std::array<std::uint32_t, ahead> _next{};
    std::size_t _next_at = 0;

    std::array<server_segment, port::burst_size> _segments;
    std::array<std::uint32_t, port::burst_size> _places;
    std::vector<char> _scratch;
};

}  // namespace postern::perf::rig
