// The seam between a transport (kernel sockets, DPDK) and what speaks over it (SMTP sessions).
//
// Static dispatch in both directions: a session layer is a template over its transport's operations, a transport's
// loop is a template over its session layer. Everything here belongs to one shard and is called on its thread only.
// A span lives for the call it is passed to. Octets that `readable` does not consume stay the transport's and close
// the window. After `finish`, `abort` or a `reset` callback the connection's id is dead: no more callbacks or calls.
// One contract suite (tests/dataplane/shard/seam_contract.h) runs over every transport.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "dataplane/shard/address.h"

namespace postern::shard {

/// Time since an arbitrary start, the same for one process; always an argument, never read inside a state machine.
using instant = std::chrono::nanoseconds;
inline constexpr instant never = instant::max();

/// Names one connection of a shard. `slot` is reused, `serial` tells the uses apart, so a stale id is recognised.
struct connection {
    std::uint32_t slot = 0;
    std::uint32_t serial = 0;
    friend constexpr bool operator==(connection, connection) = default;
};

/// An address and port, in host order.
struct endpoint {
    ip_address address{};
    std::uint16_t port = 0;
    friend constexpr bool operator==(const endpoint& a, const endpoint& b) noexcept {
        return same(a.address, b.address) && a.port == b.port;
    }
};
constexpr bool is_ipv4(const endpoint& e) noexcept {
    return is_ipv4(e.address);
}

/// What a transport knows of a connection when it opens.
struct connection_info {
    endpoint peer;
    endpoint local;
    std::uint16_t listener = 0;  ///< index of the configured listener that accepted it
    bool early_octets = false;   ///< the peer had already sent something when the connection was handed over
};

/// Why a transport hands over a connection that is to be refused at once: the session layer only speaks the refusal.
enum class admission : std::uint8_t {
    admitted,
    too_many_connections,  ///< the listener's total is reached
    too_many_from_source,  ///< the source's share is reached
    draining,              ///< the process is shutting down
};

/// Memory that a transport has beside its connections for whoever is above it: `octets` of it for each slot, at
/// multiples of 64, `apart` octets from one slot's to the next's. What is touched together lies together: at random, a
/// walk of the page tables costs as much as a miss. The transport never touches it; before a slot was ever used it is
/// all zero.
struct slot_rooms {
    std::byte* first = nullptr;  ///< of slot 0; null: there is none
    std::size_t apart = 0;
    std::size_t octets = 0;
};

/// The operations a transport offers to its session layer.
template <class T>
concept transport = requires(T& t, const T& ct, connection c, std::size_t n, instant when, bool yes) {
    /// Room for at least `n` octets of reply, or an empty span; then `writable` is called once `n` would fit.
    /// `n` is at most `max_reserve`. The span is valid until the next call on the same connection or the turn's end.
    { t.reserve(c, n) } -> std::same_as<std::span<char>>;
    /// The first `n` octets of the last reserved span are to be sent, coalesced with all others of this turn.
    { t.commit(c, n) } -> std::same_as<void>;
    /// Whether octets are wanted. `true` offers what was left unconsumed again, in this turn or the next,
    /// also if they were wanted already. Never calls back from within.
    { t.want_read(c, yes) } -> std::same_as<void>;
    /// Replaces the connection's one deadline; `never` takes it away. It fires at most some 10 ms late, never early.
    { t.set_deadline(c, when) } -> std::same_as<void>;
    /// Sends what is committed, then FIN; the transport reads and discards until the peer closes or a bounded time
    /// passed.
    { t.finish(c) } -> std::same_as<void>;
    // A transport may also have `finish_silent(c)`: as `finish`, for a peer that said that it sends nothing more
    // (QUIT), so that nobody need wait for its octets.
    // And it may have `rooms()`: memory for the layer's use as long as the transport lives (`slot_rooms`).
    /// RST now; nothing committed is promised to arrive.
    { t.abort(c) } -> std::same_as<void>;
    { ct.info(c) } -> std::same_as<const connection_info&>;
    /// The instant of this turn.
    { ct.now() } -> std::same_as<instant>;
    { T::max_reserve } -> std::convertible_to<std::size_t>;
};

/// Says a whole text, `reserve` and `commit` in one. False: no room, as `reserve` has it.
template <class T>
bool say_now(T& transport, connection c, std::string_view text) {
    const std::span<char> room = transport.reserve(c, text.size());
    if (room.empty()) {
        return false;
    }
    std::memcpy(room.data(), text.data(), text.size());
    transport.commit(c, text.size());
    return true;
}

/// What a session layer offers to its transport.
template <class S>
concept session_layer =
    requires(S& s, const S& cs, connection c, const connection_info& info, std::span<const char> octets, admission a) {
        /// A new connection; the layer greets (or refuses, by `a`) from within.
        { s.opened(c, info, a) } -> std::same_as<void>;
        /// New octets, or the same again with more behind them. Returns how many were consumed. Called again only when
        /// more arrive, or after `want_read(c, true)`.
        { s.readable(c, octets) } -> std::same_as<std::size_t>;
        /// A `reserve` that came back empty would succeed now.
        { s.writable(c) } -> std::same_as<void>;
        /// The peer sent FIN and all its octets were offered; what was left unconsumed (half a line, commands that
        /// wait) can still be asked for by `want_read(c, true)`. Called once, while octets are wanted. Replies can
        /// still be sent.
        { s.peer_closed(c) } -> std::same_as<void>;
        /// The connection is gone (RST, error). The id is dead.
        { s.reset(c) } -> std::same_as<void>;
        /// The deadline set for this connection has come (it is then unset).
        { s.deadline(c) } -> std::same_as<void>;
        /// Before the octets of a turn: take what other threads sent to this shard (relay events, commands).
        { s.turn_begin() } -> std::same_as<void>;
        /// After the octets of a turn: resolve batched lookups, answer, flush to other threads.
        { s.turn_end() } -> std::same_as<void>;
        /// True if nothing waits in the rings of other threads; asked again between announcing sleep and sleeping.
        { cs.idle() } -> std::same_as<bool>;
        /// The process drains: sessions between transactions say 421 at their next command or now if they idle.
        { s.drain() } -> std::same_as<void>;
        /// Connections the layer still holds.
        { cs.open_sessions() } -> std::same_as<std::size_t>;
    };

/// How another thread wakes a shard that sleeps. Cheap when the shard is awake. Implemented by the transport's loop.
class waker {
public:
    virtual void wake() noexcept = 0;

protected:
    ~waker() = default;
};

}  // namespace postern::shard
