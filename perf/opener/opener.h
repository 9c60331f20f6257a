// An active opener, sans-IO: the client's end of one TCP connection over the endpoint's segment code (segment.h).
//
// As much as a correct client needs: handshake with its options, go-back-N with fast retransmit and slow start, its own
// reassembly, flow control both ways, an orderly close. Not hardened against a hostile server, and not for the edge.
//
//     opener client(options, sink);
//     client.connect(now);
//     client.input(segment, now);       // what came from the server
//     client.poll(now);                 // at next_timer() at the latest
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/shard/seam.h"
#include "dataplane/tcp/segment.h"

namespace postern::perf {

class opener {
public:
    struct options {
        shard::endpoint local;
        shard::endpoint server;
        std::uint32_t isn = 1000;
        std::uint16_t mss = 1460;
        std::uint32_t receive_window = 65535;
        std::uint8_t window_scale = 0;  ///< offered if `offers_window_scale`
        bool offers_window_scale = true;
        bool offers_timestamps = true;
        bool offers_sack = true;
        std::string early;  ///< octets that go out with the handshake's last ACK
        shard::instant rto_least = std::chrono::milliseconds(200);
        /// How long the ACK of one segment may wait for something to send (RFC 1122 4.2.3.2); 0: each is sent at once.
        shard::instant ack_delay{0};
        std::uint32_t timestamp_base = 77777;
    };

    /// `sink` outlives it; what is passed to it has this client as `local`.
    opener(options o, tcp::segment_sink& sink);

    void connect(shard::instant now);
    void input(const tcp::segment& s, shard::instant now);
    void poll(shard::instant now);
    shard::instant next_timer() const noexcept { return std::min(_resend_at, _ack_at); }

    // The application.

    void send(std::string_view octets, shard::instant now);
    void close(shard::instant now);
    void abort(shard::instant now);
    /// Whether what arrives is taken out of the receive window at once.
    void read(bool yes, shard::instant now);
    /// Octets in order and read, since the last call.
    std::string take();

    bool established() const noexcept { return _state == phase::open; }
    bool saw_fin() const noexcept { return _fin_taken; }
    bool saw_rst() const noexcept { return _state == phase::reset; }
    /// Both directions are closed and acknowledged.
    bool closed() const noexcept { return _fin_taken && _fin_acked; }
    std::size_t unacknowledged() const noexcept { return _out.size(); }
    /// Segments that were sent again since the last call: for want of an ACK in time, or after duplicate ACKs.
    unsigned take_resent() noexcept { return std::exchange(_resent, 0U); }

private:
    enum class phase : std::uint8_t { idle, syn_sent, open, reset };

    void emit(std::uint32_t seq, std::uint8_t flags, std::string_view octets);
    void ack_now() { emit(_snd_nxt, tcp::flag::ack, {}); }
    void push();
    void take_octets(const tcp::segment& s);
    void take_ack(const tcp::segment& s);
    void take_in_order(std::string_view octets);
    void deliver();
    void fall_silent() noexcept;
    std::uint32_t window() const noexcept;
    std::uint32_t clock() const noexcept {
        return _options.timestamp_base + static_cast<std::uint32_t>(_now.count() / 1'000'000);
    }

    options _options;
    tcp::segment_sink& _sink;
    phase _state = phase::idle;
    shard::instant _now{0};
    shard::instant _resend_at = shard::never;
    shard::instant _ack_at = shard::never;  ///< of an ACK that waits
    shard::instant _rto;
    unsigned _backoff = 0;
    unsigned _resent = 0;
    std::uint64_t _link = 0;  ///< of the server's last segment

    std::string _out;  ///< from SND.UNA on
    bool _closing = false;
    bool _fin_sent = false;
    bool _fin_acked = false;
    std::uint32_t _snd_una = 0;
    std::uint32_t _snd_nxt = 0;
    std::uint32_t _snd_max = 0;
    std::uint32_t _snd_window = 0;
    std::uint32_t _cwnd = 0;
    std::uint32_t _ssthresh = UINT32_MAX;
    unsigned _dup_acks = 0;
    std::uint16_t _mss = 536;
    std::uint8_t _snd_scale = 0;
    std::uint8_t _rcv_scale = 0;
    bool _timestamps = false;
    bool _sack = false;

    std::uint32_t _rcv_nxt = 0;
    std::uint32_t _rcv_edge = 0;
    std::uint32_t _ts_recent = 0;
    std::map<std::uint64_t, std::string> _ahead;  ///< by distance in the stream
    std::uint64_t _taken = 0;                     ///< octets in order so far
    std::string _unread;
    std::string _received;
    bool _reads = true;
    bool _fin_seen = false;
    bool _fin_taken = false;
    std::uint64_t _fin_at = 0;
};

}  // namespace postern::perf
