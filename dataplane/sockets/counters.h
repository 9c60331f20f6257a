// What one shard over kernel sockets counts.
#pragma once

#include <string_view>

#include "dataplane/shard/counters.h"

namespace postern::sockets {

struct counters {
    shard::counter turns;
    shard::counter sleeps;
    shard::counter accepted;          ///< connections handed to the sessions, refused ones included
    shard::counter refused_total;     ///< handed over to be refused: the listener's total is reached
    shard::counter refused_source;    ///< handed over to be refused: the source's share is reached
    shard::counter refused_draining;  ///< handed over to be refused: the process drains
    shard::counter dropped;           ///< reset unseen: no slot was left even for a refusal
    shard::counter accept_paused;     ///< times accepting stopped for want of descriptors or memory
    shard::counter accept_errors;     ///< connections lost between the kernel and us
    shard::counter early_octets;      ///< connections whose peer sent before it was greeted
    shard::counter octets_received;
    shard::counter octets_sent;
    shard::counter receives;         ///< recv calls that brought octets
    shard::counter sends;            ///< send calls that took octets
    shard::counter short_sends;      ///< sends that left octets for later: the peer reads slowly
    shard::counter deadlines;        ///< deadlines that fired
    shard::counter peer_resets;      ///< connections the peer or the network broke
    shard::counter aborted;          ///< connections the sessions broke
    shard::counter finished;         ///< connections the sessions ended in order
    shard::counter linger_expired;   ///< ended connections whose peer did not close in time or sent on and on
    shard::counter unsent_expired;   ///< ended connections whose peer did not take the last replies in time
    shard::counter no_buffer;        ///< connections reset because unconsumed octets found no block
    shard::counter no_reply_buffer;  ///< replies put off because the shard's blocks were all lent
    shard::counter stale_calls;      ///< calls of the sessions for connections that were gone

    template <class F>
    void for_each(F&& f) const {
        const auto say = [&](std::string_view name, const shard::counter& c) { f(name, c.value()); };
        say("turns", turns);
        say("sleeps", sleeps);
        say("accepted", accepted);
        say("refused_total", refused_total);
        say("refused_source", refused_source);
        say("refused_draining", refused_draining);
        say("dropped", dropped);
        say("accept_paused", accept_paused);
        say("accept_errors", accept_errors);
        say("early_octets", early_octets);
        say("octets_received", octets_received);
        say("octets_sent", octets_sent);
        say("receives", receives);
        say("sends", sends);
        say("short_sends", short_sends);
        say("deadlines", deadlines);
        say("peer_resets", peer_resets);
        say("aborted", aborted);
        say("finished", finished);
        say("linger_expired", linger_expired);
        say("unsent_expired", unsent_expired);
        say("no_buffer", no_buffer);
        say("no_reply_buffer", no_reply_buffer);
        say("stale_calls", stale_calls);
    }
};

}  // namespace postern::sockets
