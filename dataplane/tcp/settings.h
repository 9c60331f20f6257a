// What of a shard's TCP endpoint can be set, and its caps. Each cap has its rule for what gives way, and a counter.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "dataplane/shard/seam.h"
#include "dataplane/shard/siphash.h"

namespace postern::tcp {

struct settings {
    // Caps.

    /// Connections of any state but TIME-WAIT. Over it: a SYN is dropped (`no_slot`); the client tries again.
    std::uint32_t connections = 16 * 1024;
    /// Of them in SYN-RECEIVED. At it: a SYN is answered with a cookie and no state (`cookies_sent`).
    std::uint32_t half_open = 1024;
    /// Entries of TIME-WAIT. Over it: the oldest goes (`time_wait_recycled`).
    std::uint32_t time_wait = 16 * 1024;
    /// Octets of blocks lent for unconsumed, out-of-order and unacknowledged octets. Over it: new octets are dropped
    /// and come again (`no_buffer`), replies wait (`no_reply_buffer`); from 7/8 of it on, connections whose replies
    /// stay unacknowledged through `pressure_retransmissions` time-outs are reset (`evicted_unacknowledged`).
    std::size_t buffers = std::size_t{64} * 1024 * 1024;
    /// Of them for octets that arrived out of order. Over it: the connection that has held such octets longest loses
    /// them (`evicted_out_of_order`), and its peer sends them again.
    std::size_t out_of_order = std::size_t{8} * 1024 * 1024;
    /// Blocks of replies a connection may hold, in octets. Over it: `reserve` is empty.
    std::size_t output_limit = std::size_t{64} * 1024;
    /// Resets a second for segments that belong to nothing, per bucket of sources (`resets_withheld`).
    std::uint16_t resets_per_second = 10;
    /// Challenge ACKs of one connection in `challenge_period` (RFC 5961 7; never counted across connections).
    std::uint8_t challenge_acks = 10;
    shard::instant challenge_period = std::chrono::seconds(5);

    // Sizes.

    std::uint32_t receive_window = 65535;  ///< octets offered to the peer; at most 192 KiB
    std::uint16_t mtu = 1500;              ///< of the port: bounds both directions' segments
    std::uint16_t mss_floor = 64;          ///< a peer's smaller MSS is taken for this
    std::uint16_t path_mtu_floor_ipv4 = 552;
    std::uint16_t path_mtu_floor_ipv6 = 1280;

    // Times.

    shard::instant rto_initial = std::chrono::seconds(1);  ///< RFC 6298 2.1
    shard::instant rto_least = std::chrono::seconds(1);    ///< RFC 6298 2.4
    shard::instant rto_most = std::chrono::seconds(60);    ///< RFC 6298 2.5
    std::uint8_t retransmissions = 8;                      ///< unanswered, then the connection is given up
    std::uint8_t pressure_retransmissions = 3;
    std::uint8_t syn_ack_retransmissions = 4;
    shard::instant ack_delay = std::chrono::milliseconds(40);
    shard::instant time_wait_time = std::chrono::seconds(60);
    /// After `finish`: how long the peer may take the last replies, then how long and how much it may still send.
    shard::instant unsent_time = std::chrono::seconds(30);
    shard::instant linger_time = std::chrono::seconds(3);
    std::size_t linger_octets = std::size_t{256} * 1024;
};

/// Keys, drawn anew at each start and for each shard.
struct secrets {
    shard::siphash_key table;   ///< of the connection table
    shard::siphash_key isn;     ///< RFC 6528, and the offsets of timestamps
    shard::siphash_key cookie;  ///< RFC 4987
};

/// From the kernel's generator; throws std::system_error if that fails.
inline secrets random_secrets() {
    return {shard::random_siphash_key(), shard::random_siphash_key(), shard::random_siphash_key()};
}

}  // namespace postern::tcp
