// The client's side of one SMTP connection, sans-IO: octets and times in, commands out, every reply checked.
//
// The transport calls `received` with what came and, whenever `ready`, `next_segment` for what is to be sent; time is
// an argument. Commands of one segment are sent together and all their replies awaited (closed loop). A wrong answer to
// a RCPT is counted and the session goes on; any other wrong answer ends the session, because what follows would be
// noise. After the answer to STARTTLS the transport shakes hands and calls `secured`; what follows is the same inside
// TLS (RFC 3207). RFC 5321 3 and 4.2, RFC 2920.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "perf/expectation.h"
#include "perf/random.h"
#include "perf/recipients.h"
#include "perf/swap_windows.h"
#include "perf/tally.h"

namespace postern::perf {

enum class exchange : std::uint8_t {
    recipients,  ///< long sessions: RCPT after RCPT, a new transaction now and then
    sessions,    ///< churn: EHLO, MAIL, one RCPT, QUIT, and a new connection
    messages,    ///< whole messages
};

/// What all connections do. Immutable while the load runs.
struct plan {
    perf::exchange exchange = exchange::recipients;
    std::size_t depth = 1;              ///< RCPTs in a segment; 1: every command by itself
    std::size_t per_transaction = 100;  ///< RCPTs between two MAILs
    double tls_share = 0;               ///< of the connections: those that ask for TLS
    std::string helo = "load.invalid";
    std::string sender;  ///< without the brackets; empty: the null sender
    std::string body;    ///< header and body with CRLF, dot-stuffed, without the final dot
    perf::expectations expect;
    recipient_pool recipients;
};

/// What connections of one thread share.
struct thread_context {
    const perf::plan& plan;
    random_source random;
    perf::tally& tally;
    swap_judge* judge = nullptr;            ///< null without swap windows
    const swap_windows* windows = nullptr;  ///< likewise
};

/// The latency that an exchange is about: of RCPTs, sessions or messages.
const histogram& latency_of(exchange what, const tally& counts) noexcept;

/// When a segment is sent, and from when its latency counts: in an open loop that is when it was due. Both in ns.
struct moment {
    std::uint64_t now = 0;
    std::uint64_t due = 0;
};

class dialogue {
public:
    static constexpr std::size_t line_limit = 4096;
    static constexpr std::size_t lines_limit = 100;  ///< of one reply

    enum class state : std::uint8_t {
        talking,
        securing,  ///< STARTTLS was answered with 220: the TLS handshake is to be made
        done,      ///< 221 came: close
        failed,    ///< a wrong answer was counted: close
    };

    /// `now`: when the connection was begun or due (ns), the start of the session's latency. `tls`: it asks for TLS.
    dialogue(thread_context& context, std::uint64_t now, bool tls = false) noexcept
        : _context(&context), _began(now), _protection(tls ? protection::wanted : protection::none) {}

    /// Octets of the server, after `secured` those inside TLS. Counts and checks the replies in them.
    void received(std::string_view octets, std::uint64_t now);

    /// The TLS handshake is made. Precondition: securing.
    void secured(std::uint64_t now);
    /// There will be no TLS. Precondition: securing.
    void handshake_failed(std::string_view why);

    /// Every command was answered (and the greeting has come): `next_segment` may be called.
    bool ready() const noexcept { return _state == state::talking && _greeted && _answered == _sent.size(); }
    /// The next segment has RCPTs in it (recipients), or begins a message (messages): what a rate counts.
    bool next_counts() const noexcept;
    /// Appends the next commands to `out` and returns how many RCPTs are among them. With `stop`, QUIT. At most `rcpts`
    /// RCPTs. Precondition: ready().
    std::size_t next_segment(std::string& out, moment at, std::size_t rcpts, bool stop);

    /// The connection ended without 221.
    void lost(std::string_view why);
    /// No reply came in time.
    void timed_out();

    state now_in() const noexcept { return _state; }
    std::uint64_t began() const noexcept { return _began; }
    bool between_transactions() const noexcept { return _at == step::mail; }

private:
    enum class step : std::uint8_t { ehlo, starttls, mail, rcpt, data, body, rset, quit };
    enum class protection : std::uint8_t { none, wanted, secured };

    struct command {
        dialogue::step step = step::ehlo;
        recipient who;
        moment at;
    };

    void line(std::string_view text, std::uint64_t now);
    void reply(std::string_view text, std::uint64_t now);
    void rcpt_reply(const command& asked, std::string_view text, std::uint64_t now);
    void ehlo_reply(const command& asked, std::string_view text);
    void check(expected_reply what, std::string_view text, const command* asked);
    void fail(std::string words);
    std::string words_of(const command& asked) const;
    std::string where() const;
    bool over() const noexcept { return _state == state::done || _state == state::failed; }
    void put(step what, std::string& out, moment at);

    thread_context* _context;
    std::uint64_t _began;
    std::uint64_t _shaking_since = 0;  ///< when STARTTLS was answered
    std::string _partial;              ///< a line of the server's that is not whole yet
    std::size_t _lines = 0;            ///< lines so far of a reply of several
    int _code = 0;                     ///< their code
    std::vector<command> _sent;        ///< of the segment in flight
    std::size_t _answered = 0;         ///< of them
    std::size_t _in_transaction = 0;
    std::size_t _accepted = 0;  ///< recipients of this transaction
    step _at = step::ehlo;      ///< what is sent next
    state _state = state::talking;
    bool _greeted = false;
    bool _pipelining = false;
    bool _starttls = false;  ///< announced
    protection _protection;
};

}  // namespace postern::perf
