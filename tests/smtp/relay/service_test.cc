// The whole relay over loopback: relay threads, kernel sockets, scripted servers. The rules in detail are tested
// without a thread in engine_test.cc; here it is what threads and sockets add.
#include "smtp/relay/service.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "smtp/relay/relay_thread.h"
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
    /// False: nobody woke it; by default in a time that no test takes.
    bool sleep(std::chrono::milliseconds most = 60s) {
        std::unique_lock lock(_mutex);
        const bool woken = _changed.wait_for(lock, most, [this] { return _woken; });
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
        at(shard).recipient(id, path, {.listed = listed});
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

    std::vector<std::unique_ptr<sleeping_shard>> sleepers;  // outlive the relay that wakes them
    service relay;
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

TEST(relay_service, several_recipients_and_a_refused_one) {
    mailbox box;
    box.on_rcpt = [](const std::string& path) {
        return path.starts_with("full") ? "452 4.2.2 Over quota"
               : path.starts_with("no") ? "550 5.1.1 No"
                                        : "250 2.1.5 ok";
    };
    scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
    running edge(quick_settings());
    edge.start();
    const transaction_id id = edge.begin(route_to(server));
    EXPECT_EQ(edge.recipient(id, "alice@example.com"), "250 2.1.5 ok");
    EXPECT_EQ(edge.recipient(id, "nobody@example.com"), "550 5.1.1 No");
    EXPECT_EQ(edge.recipient(id, "full@example.com"), "452 4.2.2 Over quota");
    EXPECT_EQ(edge.recipient(id, "bob@example.com"), "250 2.1.5 ok");
    EXPECT_EQ(edge.send(id, "x\r\n").reply.view(), "250 2.0.0 queued");
    ASSERT_EQ(box.messages().size(), 1U);
    EXPECT_EQ(box.messages()[0].to, (std::vector<std::string>{"alice@example.com", "bob@example.com"}));
    EXPECT_EQ(box.messages()[0].content.find("for <"), std::string::npos);
}

TEST(relay_service, the_next_message_uses_the_same_connection) {
    mailbox box;
    scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
    running edge(quick_settings());
    edge.start();
    for (int i = 0; i < 20; ++i) {
        const transaction_id id = edge.begin(route_to(server));
        EXPECT_EQ(edge.recipient(id, "alice@example.com"), "250 2.1.5 ok");
        EXPECT_EQ(edge.send(id, "x\r\n").reply.code, 250);
    }
    EXPECT_EQ(box.messages().size(), 20U);
    // The RSET of one message may still be under way when the next begins: then it has a connection of its own.
    EXPECT_EQ(static_cast<std::uint64_t>(server.connections()) + edge.relay.counts().connections_reused.get(), 20U);
}

TEST(relay_service, refused_after_data_is_the_servers_own_answer) {
    for (const char* answer : {"554 5.6.0 Spam", "452 4.3.1 Full"}) {
        mailbox box;
        box.on_end = [answer] { return answer; };
        scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
        running edge(quick_settings());
        edge.start();
        const transaction_id id = edge.begin(route_to(server));
        edge.recipient(id, "alice@example.com");
        const event last = edge.send(id, "x\r\n");
        EXPECT_EQ(last.kind, event_kind::final);
        EXPECT_EQ(last.reply.view(), answer);
    }
}

/// Says a script's lines, each after one command; then `ending` happens in place of the next answer.
scripted_server::script until(std::size_t answers, std::function<void(dialogue&)> ending) {
    return [answers, ending = std::move(ending)](dialogue& talk, int) {
        static constexpr const char* lines[] = {
            "220 mx.test ESMTP\r\n", "250-mx.test\r\n250 PIPELINING\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n",
            "250 queued\r\n"};
        for (std::size_t i = 0; i < answers; ++i) {
            if (i == 5) {
                bool ended = false;
                talk.content(ended);
            } else if (i > 0 && talk.line().empty()) {
                return;
            }
            talk.say(lines[i]);
        }
        if (answers == 5) {
            bool ended = false;
            talk.content(ended);
        } else if (answers > 0 && talk.line().empty()) {
            return;
        }
        ending(talk);
        talk.until_closed();
    };
}

/// Tries a message; what the session would be told in the end.
std::string outcome(running& edge, const std::shared_ptr<recipients::route>& route) {
    const transaction_id id = edge.begin(route);
    std::string answer = edge.recipient(id, "alice@example.com");
    if (!answer.starts_with("250")) {
        return answer;
    }
    return std::string(edge.send(id, "x\r\n").reply.view());
}

TEST(relay_service, a_server_that_breaks_off_anywhere_never_makes_a_250) {
    const std::vector<std::function<void(dialogue&)>> endings = {
        [](dialogue& talk) { talk.close(); },
        [](dialogue& talk) { talk.reset(); },
        [](dialogue& talk) { talk.say("421 4.3.2 going down\r\n"); },
        [](dialogue& talk) { talk.say("\x16\x03\x01\x02garbage\n"); },
        [](dialogue& talk) { talk.say(std::string(1000000, '2')); },
        [](dialogue& talk) {
            while (talk.say("250-more\r\n")) {
            }
        },
    };
    for (std::size_t answers = 0; answers <= 5; ++answers) {
        for (std::size_t i = 0; i < endings.size(); ++i) {
            SCOPED_TRACE(std::to_string(answers) + " answers, ending " + std::to_string(i));
            scripted_server server(until(answers, endings[i]));
            running edge(quick_settings());
            edge.start();
            const std::string text = outcome(edge, route_to(server));
            EXPECT_TRUE(text.starts_with(answers == 5 ? "451 4.4.2" : "451 4.4.1")) << text;
            EXPECT_EQ(edge.relay.counts().in_doubt.get(), answers == 5 ? 1U : 0U);
            EXPECT_EQ(edge.relay.counts().delivered.get(), 0U);
        }
    }
}

TEST(relay_service, a_silent_server_is_451_at_every_point_in_its_time) {
    for (std::size_t answers = 0; answers <= 5; ++answers) {
        SCOPED_TRACE(answers);
        scripted_server server(until(answers, [](dialogue&) {}));
        settings quick = quick_settings();
        quick.timeouts.greeting = quick.timeouts.command = quick.timeouts.final = 50ms;
        running edge(quick);
        edge.start();
        const std::string text = outcome(edge, route_to(server));
        EXPECT_TRUE(text.starts_with(answers == 5 ? "451 4.4.2" : "451 4.4.1")) << text;
    }
}

TEST(relay_service, nobody_listens) {
    std::uint16_t port = 0;
    {
        const scripted_server gone([](dialogue&, int) {});
        port = gone.port();
    }
    running edge(quick_settings());
    edge.start();
    EXPECT_EQ(outcome(edge, make_route(1, {{.host = "127.0.0.1", .port = port, .priority = 10}})),
              "451 4.4.1 Mail server is not available");
}

TEST(relay_service, the_next_host_takes_over) {
    std::uint16_t port = 0;
    {
        const scripted_server gone([](dialogue&, int) {});
        port = gone.port();
    }
    mailbox box;
    scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
    running edge(quick_settings());
    edge.start();
    EXPECT_EQ(outcome(edge, make_route(1, {{.host = "127.0.0.1", .port = port, .priority = 10},
                                           {.host = "127.0.0.1", .port = server.port(), .priority = 20}})),
              "250 2.0.0 queued");
}

TEST(relay_service, a_route_to_where_the_edge_listens_is_refused) {
    for (const shard::endpoint& own :
         {address_v4(127, 0, 0, 1, 2025), address_v4(0, 0, 0, 0, 2025), shard::endpoint{{}, 2025}}) {
        settings conf = quick_settings();
        conf.own_addresses = {own};
        std::mutex mutex;
        std::string alarm;
        conf.alarm = [&](std::uint32_t route, std::string_view text) {
            const std::lock_guard lock(mutex);
            alarm = std::to_string(route) + " " + std::string(text);
        };
        running edge(conf);
        edge.start();
        EXPECT_EQ(outcome(edge, make_route(7, {{.host = "127.0.0.1", .port = 2025, .priority = 10}})),
                  "451 4.4.6 Mail server of this domain is this system itself");
        const std::lock_guard lock(mutex);
        EXPECT_EQ(alarm,
                  "7 mail server 127.0.0.1 port 2025 is this system itself: its address is one this system listens on");
    }
}

TEST(relay_service, no_mail_goes_where_the_egress_policy_does_not_allow) {
    settings conf = quick_settings();
    std::mutex mutex;
    std::string asked;
    std::string alarm;
    conf.may_reach = [&](const shard::endpoint& to) {
        const std::lock_guard lock(mutex);
        asked = std::to_string(to.address[12]) + "." + std::to_string(to.address[15]);
        return false;
    };
    conf.alarm = [&](std::uint32_t /*route*/, std::string_view text) {
        const std::lock_guard lock(mutex);
        alarm = text;
    };
    running edge(conf);
    edge.start();
    EXPECT_EQ(outcome(edge, make_route(7, {{.host = "localhost", .port = 2025, .priority = 10}})).substr(0, 9),
              "451 4.4.1");
    const std::lock_guard lock(mutex);
    EXPECT_FALSE(asked.empty()) << "it is asked with the address, not with the name";
    EXPECT_NE(alarm.find("the operator's egress policy does not allow connections to its address"), std::string::npos)
        << alarm;
}

/// A gate that a test opens for a server's script.
class gate {
public:
    void open() {
        const std::lock_guard lock(_mutex);
        _open = true;
        _changed.notify_all();
    }
    void wait() {
        std::unique_lock lock(_mutex);
        _changed.wait_for(lock, 60s, [this] { return _open; });
    }

private:
    std::mutex _mutex;
    std::condition_variable _changed;
    bool _open = false;
};

TEST(relay_service, a_server_that_does_not_read_stops_the_sender_and_gets_everything_later) {
    gate read_on;
    mailbox box;
    std::string received;
    scripted_server server([&](dialogue& talk, int) {
        talk.say("220 mx.test\r\n");
        talk.line();
        talk.say("250 mx.test\r\n");
        talk.line();
        talk.say("250 ok\r\n");
        talk.line();
        talk.say("250 ok\r\n");
        talk.line();
        talk.say("354 go\r\n");
        read_on.wait();
        bool ended = false;
        received = talk.content(ended);
        talk.say(ended ? "250 queued\r\n" : "451 what\r\n");
        talk.until_closed();
    });
    running edge(quick_settings());
    edge.start();
    const transaction_id id = edge.begin(route_to(server));
    EXPECT_EQ(edge.recipient(id, "alice@example.com"), "250 2.1.5 ok");
    edge.at().data(id);
    EXPECT_EQ(edge.next(id).reply.code, 354);

    // More than the kernel's buffers can hold: the relay stops taking before the end.
    std::string content;
    while (content.size() < 16U * 1024 * 1024) {
        content += std::string(998, 'x') + "\r\n";
    }
    std::string_view rest = content;
    const auto shove = [&] {
        rest.remove_prefix(edge.at().chunk(id, {rest.data(), rest.size()}));
        edge.at().flush();
    };
    bool waiting = false;
    while (!rest.empty() && !waiting) {
        shove();
        // Taken for stopped too early on a slow machine, it would only have less in its buffers.
        waiting = edge.at().room(id) == 0 && !edge.sleepers[0]->sleep(200ms);
        edge.inboxes[0]->drain();
    }
    ASSERT_FALSE(rest.empty());

    read_on.open();
    while (!rest.empty()) {
        shove();
        if (!rest.empty() && edge.at().room(id) == 0) {
            ASSERT_EQ(edge.next(id).kind, event_kind::credit);
        }
    }
    edge.at().end_of_data(id);
    event last;
    do {
        last = edge.next(id);
    } while (last.kind == event_kind::credit);
    EXPECT_EQ(last.reply.view(), "250 2.0.0 queued");
    EXPECT_TRUE(received.ends_with(content));
}

TEST(relay_service, two_shards_and_two_threads_deliver_everything_once) {
    constexpr unsigned shards = 2;
    constexpr int each = 60;
    mailbox box;
    scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
    settings conf = quick_settings();
    conf.shards = shards;
    conf.threads = 2;
    conf.limits.source_divisor = 1;
    running edge(conf);
    edge.start(shards);
    std::vector<std::thread> senders;
    for (unsigned shard = 0; shard < shards; ++shard) {
        senders.emplace_back([&edge, &server, shard] {
            port& at = edge.at(shard);
            inbox& in = *edge.inboxes[shard];
            // Several transactions at once, each driven by its events, as sessions do.
            struct work {
                transaction_id id;
                std::string content;
                std::string_view rest;
                bool ended = false;
            };
            std::vector<work> active;
            int begun = 0;
            int done = 0;
            while (done < each) {
                while (begun < each && active.size() < 8) {
                    const auto number = static_cast<std::uint32_t>(begun++);
                    const transaction_id id{number % 16 + 100 * shard, number + 1};
                    const envelope env{.reverse_path = "s@x",
                                       .helo = "c",
                                       .client = address_v4(192, 0, 2, static_cast<std::uint8_t>(number)),
                                       .message_id = "m"};
                    ASSERT_TRUE(at.begin(id, route_to(server, number % 4 + 1), env));
                    at.recipient(id, "r" + std::to_string(shard) + "-" + std::to_string(number) + "@example.com",
                                 {.listed = true});
                    active.push_back({.id = id,
                                      .content = "Subject: " + std::to_string(number) + "\r\n\r\n" +
                                                 std::string(number * 997, 'x') + "\r\n"});
                }
                at.flush();
                in.drain();
                bool moved = false;
                for (auto one = active.begin(); one != active.end();) {
                    bool over = false;
                    while (in.has(one->id)) {
                        moved = true;
                        const event what = in.take(one->id);
                        switch (what.kind) {
                            case event_kind::recipient:
                                ASSERT_EQ(what.reply.view(), "250 2.1.5 ok");
                                at.data(one->id);
                                break;
                            case event_kind::data:
                                ASSERT_EQ(what.reply.code, 354);
                                one->rest = one->content;
                                break;
                            case event_kind::credit:
                                break;
                            case event_kind::final:
                                ASSERT_EQ(what.reply.code, 250);
                                over = true;
                                break;
                            case event_kind::aborted:
                                FAIL() << what.reply.view();
                        }
                    }
                    if (!one->rest.empty()) {
                        one->rest.remove_prefix(at.chunk(one->id, {one->rest.data(), one->rest.size()}));
                        if (one->rest.empty()) {
                            at.end_of_data(one->id);
                        } else {
                            (void)at.room(one->id);
                        }
                    }
                    if (over) {
                        ++done;
                        one = active.erase(one);
                    } else {
                        ++one;
                    }
                }
                at.flush();
                if (!moved && at.idle() && in.waiting() == 0) {
                    ASSERT_TRUE(edge.sleepers[shard]->sleep());
                }
            }
        });
    }
    for (std::thread& one : senders) {
        one.join();
    }
    const std::vector<delivered_message> messages = box.messages();
    EXPECT_EQ(messages.size(), shards * each);
    std::set<std::string> seen;
    for (const delivered_message& message : messages) {
        ASSERT_EQ(message.to.size(), 1U);
        EXPECT_TRUE(seen.insert(message.to[0]).second) << "twice: " << message.to[0];
        const std::string number = message.to[0].substr(3, message.to[0].find('@') - 3);
        EXPECT_TRUE(message.content.ends_with("Subject: " + number + "\r\n\r\n" +
                                              std::string(std::stoul(number) * 997, 'x') + "\r\n"));
    }
    EXPECT_EQ(edge.relay.counts().delivered.get(), shards * each);
    EXPECT_EQ(edge.relay.counts().octets.get() > 0, true);
}

TEST(relay_service, stopping_in_the_middle_leaves_nothing_half_delivered) {
    mailbox box;
    scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
    running edge(quick_settings());
    edge.start();
    const transaction_id id = edge.begin(route_to(server));
    edge.recipient(id, "alice@example.com");
    edge.at().data(id);
    EXPECT_EQ(edge.next(id).reply.code, 354);
    const std::string_view half = "Subject: half";
    EXPECT_EQ(edge.at().chunk(id, {half.data(), half.size()}), half.size());
    EXPECT_EQ(edge.next(id).kind, event_kind::credit);
    edge.relay.stop(10ms);
    const event last = edge.next(id);
    EXPECT_EQ(last.kind, event_kind::aborted);
    EXPECT_EQ(last.reply.view(), "451 4.3.2 System is shutting down");
    EXPECT_FALSE(edge.at().begin({90, 90}, route_to(server), {}));
    edge.relay.stop();
    EXPECT_TRUE(box.messages().empty());
}

TEST(relay_service, stopping_waits_for_transactions_at_work) {
    gate answer;
    mailbox box;
    box.on_end = [&answer] {
        answer.wait();
        return "250 2.0.0 late";
    };
    scripted_server server([&box](dialogue& talk, int) { box.serve(talk); });
    running edge(quick_settings());
    edge.start();
    const transaction_id id = edge.begin(route_to(server));
    edge.recipient(id, "alice@example.com");
    edge.at().data(id);
    EXPECT_EQ(edge.next(id).reply.code, 354);
    edge.at().end_of_data(id);
    edge.at().flush();
    std::thread stopping([&edge] { edge.relay.stop(60s); });
    answer.open();
    event last;
    do {
        last = edge.next(id);
    } while (last.kind == event_kind::credit);
    EXPECT_EQ(last.reply.view(), "250 2.0.0 late");
    stopping.join();
}

TEST(relay_service, it_stops_without_having_started) {
    running edge(quick_settings());
    edge.relay.stop();
    EXPECT_FALSE(edge.at().begin({1, 1}, make_route(1, {{.host = "127.0.0.1"}}), {}));
}

TEST(relay_service, an_own_address_is_known_in_all_its_forms) {
    const shard::endpoint any_v4 = address_v4(0, 0, 0, 0, 25);
    const shard::endpoint any_v6{{}, 25};
    EXPECT_TRUE(is_own_address({any_v4}, address_v4(127, 0, 0, 9, 25)));
    EXPECT_TRUE(is_own_address({any_v6}, address_v4(127, 0, 0, 1, 25)));
    EXPECT_TRUE(is_own_address({address_v4(127, 0, 0, 1, 25)}, any_v4));
    EXPECT_FALSE(is_own_address({any_v4}, address_v4(127, 0, 0, 1, 26)));
    EXPECT_FALSE(is_own_address({any_v4}, address_v4(192, 0, 2, 1, 25)));
    EXPECT_FALSE(is_own_address({address_v4(192, 0, 2, 1, 25)}, address_v4(192, 0, 2, 2, 25)));
    EXPECT_TRUE(is_own_address({address_v4(192, 0, 2, 1, 25)}, address_v4(192, 0, 2, 1, 25)));
    EXPECT_FALSE(is_own_address({}, address_v4(127, 0, 0, 1, 25)));
}

}  // namespace
}  // namespace postern::relay::test
