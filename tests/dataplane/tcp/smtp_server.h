// One SMTP conversation, what the sessions reply to it over the transport in memory, and the same sessions over the TCP
// endpoint in virtual time.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/dataplane/tcp/bench.h"
#include "tests/smtp/session/world.h"

namespace postern::tcp::testing {

inline const std::string conversation =
    "EHLO client.example\r\n"
    "MAIL FROM:<s@example.org>\r\n"
    "RCPT TO:<nobody@example.com>\r\n"
    "RCPT TO:<alice@example.com>\r\n"
    "DATA\r\n"
    "Subject: a message\r\n"
    "\r\n"
    "..text\r\n"
    ".\r\n"
    "NOOP\r\n"
    "MAIL FROM:<>\r\n"
    "RCPT TO:<stranger@example.net>\r\n"
    "RCPT TO:<carol@elsewhere.example>\r\n"
    "RSET\r\n"
    "bogus\r\n"
    "QUIT\r\n";

inline std::string over_memory() {
    session::testing::world w;
    const shard::connection c = w.loop.connect();
    w.loop.settle();
    std::string heard = w.loop.receive(c);
    heard += w.ask(c, conversation);
    w.loop.advance(1s);
    return heard + w.loop.receive(c);
}

class smtp_server {
public:
    shard::instant time{1000s};
    recorder port;

private:
    /// On a bad path everything takes its time.
    static session::settings patient() {
        session::settings s = session::testing::usual_settings();
        s.timeouts.greeting = s.timeouts.command = s.timeouts.idle = s.timeouts.data = std::chrono::hours(1);
        return s;
    }
    static settings patient_tcp() {
        settings s;
        s.retransmissions = 60;
        s.syn_ack_retransmissions = 60;
        s.unsent_time = std::chrono::hours(1);
        return s;
    }

    const session::settings _under = patient();
    const std::shared_ptr<const recipients::snapshot> _table =
        recipients::testing::snapshot_of(session::testing::usual_list(), session::testing::usual_domains(), 7);
    std::atomic<const recipients::snapshot*> _in_force{_table.get()};
    session::testing::fake_relay _relay;
    session::counters _count;
    std::vector<endpoint::listener> _listeners = {{server_v4, 0}};
    shard::connection_limits::limits _most{1'000'000, 1'000'000};
    shard::connection_limits _limits{{&_most, 1}};

public:
    endpoint tcp{_listeners, _limits, port, patient_tcp(), fixed_secrets, time};

private:
    session::layer<endpoint> _layer{tcp, {_under, _in_force, _relay, _count, 0x1234abcd}};

public:
    /// A turn with the burst, and turns until nothing is left to do at this instant.
    void take(std::span<const segment> burst) {
        run_turn(tcp, _layer, time, burst);
        for (int i = 0; i < 1000 && !tcp.may_sleep(); ++i) {
            run_turn(tcp, _layer, time, {});
        }
    }
};

}  // namespace postern::tcp::testing
