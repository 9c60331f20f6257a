// The whole relay over loopback: relay threads, kernel sockets, scripted servers. The rules in detail are tested
// without a thread in engine_test.cc; here it is what threads and sockets add.
#include "smtp/relay/service.h"

#include <gtest/gtest.h>

#include "tests/smtp/relay/scripted_server.h"
#include "tests/smtp/relay/sender.h"

namespace postern::relay::test {
namespace {

using namespace std::chrono_literals;

/// A shard's thread that sleeps until its relay wakes it.
class sleeping_shard final : public shard::waker {
public:
    void wake() noexcept override {
        const std::lock_guard lock(_mutex);
        _woken = true;
        _changed.notify_one();
    }
    /// False: nobody woke it in a time that no test takes.
    bool sleep() {
        std::unique_lock lock(_mutex);
        const bool woken = _changed.wait_for(lock, 60s, [this] { return _woken; });
        _woken = false;
        return woken;
    }

private:
    std::mutex _mutex;
    std::condition_variable _changed;
    bool _woken = false;
};

settings quick_settings() {
    settings out;
    out.own_name = "postern.test";
    out.transactions_per_shard = 64;
    out.chunks_per_shard = 64;
    out.timeouts.wait = 5s;
    return out;
}

/// A running service with one sender per shard.
class running {
public:
    explicit running(settings with) : relay(std::move(with)) {}

    void start(unsigned shards = 1) {
        for (unsigned i = 0; i < shards; ++i) {
            sleepers.push_back(std::make_unique<sleeping_shard>());
            inboxes.push_back(std::make_unique<inbox>(relay.port_of(i)));
            relay.set_waker(i, sleepers.back().get());
        }
        ASSERT_TRUE(relay.start().has_value());
    }
    port& at(unsigned shard = 0) { return relay.port_of(shard); }

    transaction_id begin(const std::shared_ptr<recipients::route>& route, unsigned shard = 0) {
        const transaction_id id{next_slot++, ++next_serial};
        const envelope env{.reverse_path = "sender@else.test",
                           .helo = "client.test",
                           .client = address_v4(192, 0, 2, 1),
                           .message_id = "M1"};
        EXPECT_TRUE(at(shard).begin(id, route, env));
        return id;
    }
    event next(transaction_id id, unsigned shard = 0) {
        at(shard).flush();
        while (true) {
            inboxes[shard]->drain();
            if (inboxes[shard]->has(id)) {
                return inboxes[shard]->take(id);
            }
            at(shard).flush();
            if (!sleepers[shard]->sleep()) {
                ADD_FAILURE() << "no event";
                return {};
            }
        }
    }
    std::string recipient(transaction_id id, std::string_view path, bool listed = true, unsigned shard = 0) {
        at(shard).recipient(id, path, listed);
        const event answer = next(id, shard);
        EXPECT_EQ(answer.kind, event_kind::recipient);
        return std::string(answer.reply.view());
    }
    /// Sends `content` after DATA; the last event's text.
    event send(transaction_id id, std::string_view content, unsigned shard = 0) {
        at(shard).data(id);
        event last = next(id, shard);
        if (last.kind != event_kind::data || last.reply.code != 354) {
            return last;
        }
        while (!content.empty()) {
            const std::size_t taken = at(shard).chunk(id, {content.data(), content.size()});
            content.remove_prefix(taken);
            if (!content.empty() && at(shard).room(id) == 0) {
                last = next(id, shard);
                if (last.kind != event_kind::credit) {
                    return last;
                }
            }
        }
        at(shard).end_of_data(id);
        do {
            last = next(id, shard);
        } while (last.kind == event_kind::credit);
        return last;
    }

    service relay;
    std::vector<std::unique_ptr<sleeping_shard>> sleepers;
    std::vector<std::unique_ptr<inbox>> inboxes;
    std::uint32_t next_slot = 0;
    std::uint32_t next_serial = 0;
};

std::shared_ptr<recipients::route> route_to(const scripted_server& server, std::uint32_t id = 1) {
    return make_route(id, {{.host = "127.0.0.1", .port = server.port(), .priority = 10}});
}

TEST(relay_service, a_message_reaches_the_server_byte_for_byte_under_its_trace_line) {
    mailbox box;
    scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
    running edge(quick_settings());
    edge.start();
    const transaction_id id = edge.begin(route_to(server));
    EXPECT_EQ(edge.recipient(id, "alice@example.com"), "250 2.1.5 ok");
    const std::string content = "Subject: hello\r\n\r\n.dot\r\n..two\r\nlast\r\n";
    const event last = edge.send(id, content);
    EXPECT_EQ(last.kind, event_kind::final);
    EXPECT_EQ(last.reply.view(), "250 2.0.0 queued");

    ASSERT_EQ(box.messages().size(), 1U);
    const delivered_message message = box.messages()[0];
    EXPECT_EQ(message.from, "<sender@else.test>");
    EXPECT_EQ(message.to, std::vector<std::string>{"alice@example.com"});
    EXPECT_TRUE(
        message.content.starts_with("Received: from client.test ([192.0.2.1])\r\n\tby postern.test with ESMTP id "
                                    "M1\r\n\tfor <alice@example.com>;\r\n\t"))
        << message.content;
    EXPECT_TRUE(message.content.ends_with("\r\nSubject: hello\r\n\r\n..dot\r\n...two\r\nlast\r\n")) << message.content;
}

}  // namespace
}  // namespace postern::relay::test
