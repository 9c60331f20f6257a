// What one shard's TCP endpoint counts.
#pragma once

#include <string_view>

#include "dataplane/shard/counters.h"

namespace postern::tcp {

struct counters {
    shard::counter turns;
    shard::counter segments_in;              ///< segments of ours that had a right header
    shard::counter segments_out;             ///< segments given to the port
    shard::counter octets_received;          ///< of payload, in order
    shard::counter octets_sent;              ///< of payload, first time
    shard::counter accepted;                 ///< connections handed to the sessions, refused ones included
    shard::counter refused_total;            ///< handed over to be refused: the listener's total is reached
    shard::counter refused_source;           ///< handed over to be refused: the source's share is reached
    shard::counter refused_draining;         ///< handed over to be refused: the process drains
    shard::counter half_open;                ///< SYNs that took a slot
    shard::counter half_open_expired;        ///< slots whose client never answered
    shard::counter half_open_reset;          ///< slots whose client took its SYN back
    shard::counter no_slot;                  ///< SYNs and cookies dropped: every slot is taken
    shard::counter cookies_sent;             ///< SYNs answered with a cookie
    shard::counter cookies_good;             ///< connections that came back with one
    shard::counter cookies_bad;              ///< ACKs that brought none, or a false or old one, while cookies were out
    shard::counter no_listener;              ///< segments for a port or connection that is not there
    shard::counter resets_sent;              ///< RSTs sent
    shard::counter resets_withheld;          ///< RSTs not sent: their source's share of this second was used up
    shard::counter challenge_acks;           ///< RFC 5961
    shard::counter challenge_acks_withheld;  ///< not sent: the connection's share was used up
    shard::counter out_of_window;            ///< segments outside of the window
    shard::counter paws_rejected;            ///< segments with an old timestamp
    shard::counter no_timestamp;             ///< segments without the timestamp that was agreed on
    shard::counter bad_ack;                  ///< segments whose ACK is for nothing we sent, or too old
    shard::counter out_of_order;             ///< segments that came before others
    shard::counter out_of_order_dropped;     ///< of them dropped: no block, too many holes
    shard::counter evicted_out_of_order;     ///< connections that lost what came out of order, for others' sake
    shard::counter no_buffer;                ///< segments dropped or cut: their octets found no block
    shard::counter no_reply_buffer;          ///< replies put off because the shard's blocks were all lent
    shard::counter retransmits;              ///< segments sent again
    shard::counter fast_retransmits;         ///< of them after three duplicate ACKs
    shard::counter timeouts;                 ///< retransmission time-outs
    shard::counter window_probes;            ///< of a closed window
    shard::counter given_up;                 ///< connections whose peer did not answer any more
    shard::counter evicted_unacknowledged;   ///< connections reset under pressure: their peer acknowledges nothing
    shard::counter peer_resets;              ///< connections the peer or the network broke
    shard::counter aborted;                  ///< connections the sessions broke
    shard::counter finished;                 ///< connections the sessions ended in order
    shard::counter deadlines;                ///< deadlines that fired
    shard::counter unsent_expired;           ///< ended connections whose peer did not take the last replies in time
    shard::counter linger_expired;           ///< ended connections whose peer did not close in time or sent on and on
    shard::counter time_wait;                ///< connections that came to TIME-WAIT
    shard::counter time_wait_recycled;       ///< entries that went before their time
    shard::counter time_wait_reused;         ///< connections opened over an entry (RFC 6191)
    shard::counter path_mtu_lowered;         ///< by a validated ICMP quote
    shard::counter icmp_rejected;            ///< quotes of nothing that is in flight
    shard::counter early_octets;             ///< connections whose peer sent before it was greeted
    shard::counter no_frame;                 ///< segments the port had no frame for
    shard::counter stale_calls;              ///< calls of the sessions for connections that were gone

    template <class F>
    void for_each(F&& f) const {
        const auto say = [&](std::string_view name, const shard::counter& c) { f(name, c.value()); };
        say("turns", turns);
        say("segments_in", segments_in);
        say("segments_out", segments_out);
        say("octets_received", octets_received);
        say("octets_sent", octets_sent);
        say("accepted", accepted);
        say("refused_total", refused_total);
        say("refused_source", refused_source);
        say("refused_draining", refused_draining);
        say("half_open", half_open);
        say("half_open_expired", half_open_expired);
        say("half_open_reset", half_open_reset);
        say("no_slot", no_slot);
        say("cookies_sent", cookies_sent);
        say("cookies_good", cookies_good);
        say("cookies_bad", cookies_bad);
        say("no_listener", no_listener);
        say("resets_sent", resets_sent);
        say("resets_withheld", resets_withheld);
        say("challenge_acks", challenge_acks);
        say("challenge_acks_withheld", challenge_acks_withheld);
        say("out_of_window", out_of_window);
        say("paws_rejected", paws_rejected);
        say("no_timestamp", no_timestamp);
        say("bad_ack", bad_ack);
        say("out_of_order", out_of_order);
        say("out_of_order_dropped", out_of_order_dropped);
        say("evicted_out_of_order", evicted_out_of_order);
        say("no_buffer", no_buffer);
        say("no_reply_buffer", no_reply_buffer);
        say("retransmits", retransmits);
        say("fast_retransmits", fast_retransmits);
        say("timeouts", timeouts);
        say("window_probes", window_probes);
        say("given_up", given_up);
        say("evicted_unacknowledged", evicted_unacknowledged);
        say("peer_resets", peer_resets);
        say("aborted", aborted);
        say("finished", finished);
        say("deadlines", deadlines);
        say("unsent_expired", unsent_expired);
        say("linger_expired", linger_expired);
        say("time_wait", time_wait);
        say("time_wait_recycled", time_wait_recycled);
        say("time_wait_reused", time_wait_reused);
        say("path_mtu_lowered", path_mtu_lowered);
        say("icmp_rejected", icmp_rejected);
        say("early_octets", early_octets);
        say("no_frame", no_frame);
        say("stale_calls", stale_calls);
    }
};

}  // namespace postern::tcp
