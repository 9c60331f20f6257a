// An engine with a real shard's port, a network that is only noted down, and a clock that the test turns.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/relay/engine.h"
#include "smtp/relay/shard_port.h"
#include "tests/smtp/relay/sender.h"

namespace postern::relay::test {

using namespace std::chrono_literals;

inline constexpr std::string_view full_ehlo =
    "250-mx.test at your service\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";
inline constexpr std::string_view plain_ehlo = "250 mx.test\r\n";

class fake_network final : public network {
public:
    struct wire {
        recipients::mail_host host;
        std::string sent;               ///< and not yet expected
        bool closed = false;            ///< by us
        std::size_t window = SIZE_MAX;  ///< how many octets more are taken
    };

    void open(link_id link, const recipients::mail_host& host) override {
        wires[link].host = host;
        opened.push_back(link);
    }
    void send(link_id link) override { sending.insert(link); }
    void close(link_id link) override { wires[link].closed = true; }
    std::time_t wall_clock() const override { return 1767225600; }  // 2026-01-01 00:00:00 UTC

    std::map<link_id, wire> wires;
    std::vector<link_id> opened;
    std::set<link_id> sending;
};

class no_waker final : public thread_waker {
public:
    void wake() noexcept override { ++woken; }
    int woken = 0;
};

struct engine_rig {
    explicit engine_rig(settings with = plain_settings(), std::uint32_t cells = 64, std::uint32_t chunks = 64)
        : conf(noting_alarms(std::move(with), alarms)),
          memory(cells, chunks),
          ring(memory),
          work(conf, counts, net, {&ring}),
          port(memory, {&ring}, {&waker}, counts, closed),
          events(port) {}

    static settings plain_settings() {
        settings out;
        out.own_name = "postern.test";
        out.fleet_names = {"postern2.test"};
        return out;
    }
    static settings noting_alarms(settings with, std::vector<std::string>& to) {
        with.alarm = [&to](std::uint32_t route, std::string_view text) {
            to.push_back(std::to_string(route) + ": " + std::string(text));
        };
        return with;
    }

    /// Lets everything that can happen without the server or time happen.
    void run() {
        bool more = true;
        while (more) {
            port.flush();
            more = work.take_commands(now) || work.commands_wait();
            for (const link_id link : std::exchange(net.sending, {})) {
                fake_network::wire& wire = net.wires[link];
                const std::string octets(work.link_output(link).substr(0, wire.window));
                if (wire.closed || octets.empty()) {
                    continue;
                }
                wire.sent += octets;
                if (wire.window != SIZE_MAX) {
                    wire.window -= octets.size();
                }
                work.link_sent(link, octets.size(), now);
                more = true;
            }
            work.tell_judge();
            events.drain();
            more = more || work.commands_wait() || !port.idle();
        }
    }
    void pass(shard::instant time) {
        // Every deadline on the way is met when it comes.
        const shard::instant until = now + time;
        while (work.poll_at() <= until) {
            now = std::max(now, work.poll_at());
            work.tick(now);
            run();
        }
        now = until;
        run();
    }

    // The sender's side.
    transaction_id begin(const std::shared_ptr<recipients::route>& route, envelope env = default_envelope()) {
        const transaction_id id{++last_slot, 7};
        EXPECT_TRUE(port.begin(id, route, env));
        run();
        return id;
    }
    static envelope default_envelope() {
        return {.reverse_path = "s@else.test",
                .helo = "client.test",
                .client = address_v4(192, 0, 2, 1),
                .message_id = "ID1"};
    }
    static envelope from(std::uint8_t last_octet) {
        envelope out = default_envelope();
        out.client = address_v4(192, 0, 2, last_octet);
        return out;
    }
    void rcpt(transaction_id id, std::string_view path, bool listed = true) {
        rcpt(id, path, list_word{.listed = listed});
    }
    void rcpt(transaction_id id, std::string_view path, const list_word& word) {
        port.recipient(id, path, word);
        run();
    }
    void data(transaction_id id) {
        port.data(id);
        run();
    }
    void content(transaction_id id, std::string_view octets) {
        EXPECT_EQ(port.chunk(id, {octets.data(), octets.size()}), octets.size());
        run();
    }
    void end(transaction_id id) {
        port.end_of_data(id);
        run();
    }
    void abandon(transaction_id id) {
        port.abandon(id);
        run();
    }
    /// The next event as text: "recipient 250 2.1.5 ok", "credit 1", or "nothing".
    std::string event_of(transaction_id id) {
        if (!events.has(id)) {
            return "nothing";
        }
        const event one = events.take(id);
        switch (one.kind) {
            case event_kind::recipient:
                return "recipient " + std::string(one.reply.view());
            case event_kind::data:
                return "data " + std::string(one.reply.view());
            case event_kind::credit:
                return "credit " + std::to_string(one.count);
            case event_kind::final:
                return "final " + std::string(one.reply.view());
            case event_kind::aborted:
                return "aborted " + std::string(one.reply.view());
        }
        return "?";
    }
    /// The same, credits left out.
    std::string answer_of(transaction_id id) {
        std::string text = event_of(id);
        while (text.starts_with("credit")) {
            text = event_of(id);
        }
        return text;
    }

    // The server's side.
    link_id last_link() const { return net.opened.empty() ? 0 : net.opened.back(); }
    void connected(link_id link) {
        work.link_opened(link, now);
        run();
    }
    void unreachable(link_id link) {
        work.link_failed(link, engine::open_failure::unreachable, "Connection refused", now);
        run();
    }
    void say(link_id link, std::string_view octets) {
        work.link_received(link, {octets.data(), octets.size()}, now);
        run();
    }
    void hang_up(link_id link) {
        work.link_closed(link, now);
        run();
    }
    /// What was sent since the last look.
    std::string heard(link_id link) { return std::exchange(net.wires[link].sent, {}); }
    bool closed_by_us(link_id link) { return net.wires[link].closed; }
    void greet(link_id link, std::string_view ehlo = full_ehlo) {
        connected(link);
        say(link, "220 mx.test ESMTP\r\n");
        EXPECT_EQ(heard(link), "EHLO postern.test\r\n");
        say(link, ehlo);
    }

    // Whole stretches.
    struct open_transaction {
        transaction_id id;
        link_id link = 0;
    };
    /// A transaction with one accepted recipient on a connection of its own.
    open_transaction accepted(const std::shared_ptr<recipients::route>& route, envelope env = default_envelope()) {
        const std::size_t before = net.opened.size();
        open_transaction out{.id = begin(route, env)};
        rcpt(out.id, "alice@example.com");
        EXPECT_EQ(net.opened.size(), before + 1);
        out.link = last_link();
        greet(out.link);
        say(out.link, "250 2.1.0 ok\r\n250 2.1.5 ok\r\n");
        heard(out.link);
        EXPECT_EQ(event_of(out.id), "recipient 250 2.1.5 ok");
        return out;
    }
    /// The same, and 354 is said.
    open_transaction in_content(const std::shared_ptr<recipients::route>& route) {
        const open_transaction out = accepted(route);
        data(out.id);
        EXPECT_EQ(heard(out.link), "DATA\r\n");
        say(out.link, "354 go\r\n");
        EXPECT_EQ(event_of(out.id), "data 354 Go ahead");
        return out;
    }
    /// A message delivered and its connection back in the pool.
    link_id pooled(const std::shared_ptr<recipients::route>& route, envelope env = default_envelope()) {
        const open_transaction one = accepted(route, env);
        data(one.id);
        say(one.link, "354 go\r\n");
        end(one.id);
        say(one.link, "250 2.0.0 queued\r\n");
        say(one.link, "250 2.0.0 reset\r\n");
        heard(one.link);
        return one.link;
    }
    bool nothing_left() const { return port.cells_in_use() == 0 && port.chunks_in_use() == 0; }

    std::vector<std::string> alarms;
    settings conf;
    counters counts;
    fake_network net;
    shard_memory memory;
    lane ring;
    engine work;
    std::atomic<bool> closed{false};
    no_waker waker;
    shard_port port;
    inbox events;
    shard::instant now = 1000s;
    std::uint32_t last_slot = 0;
};

inline std::shared_ptr<recipients::route> one_host(std::uint16_t max_connections = 10) {
    auto out = make_route(3, {{.host = "mx.test", .port = 25, .priority = 10}});
    out->max_connections = max_connections;
    return out;
}

inline std::shared_ptr<recipients::route> two_hosts() {
    return make_route(
        3, {{.host = "second.test", .port = 25, .priority = 20}, {.host = "first.test", .port = 25, .priority = 10}});
}

}  // namespace postern::relay::test
