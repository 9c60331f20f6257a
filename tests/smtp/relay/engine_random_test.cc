// Everything at once, at random from a fixed seed: many transactions, servers of every temper, time. What must hold
// whatever happens: each recipient asked is answered once and in order, each transaction ends once, a 250 at the end
// only after a server's, and nothing is left at last.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <random>

#include "tests/smtp/relay/engine_rig.h"

namespace {

thread_local bool counting = false;
thread_local std::size_t allocations = 0;

}  // namespace

// NOLINTBEGIN(misc-definitions-in-headers)
void* operator new(std::size_t size) {
    allocations += counting ? 1 : 0;
    if (void* const place = std::malloc(size)) {
        return place;
    }
    throw std::bad_alloc();
}
void operator delete(void* place) noexcept {
    std::free(place);
}
void operator delete(void* place, std::size_t) noexcept {
    std::free(place);
}
// NOLINTEND(misc-definitions-in-headers)

namespace postern::relay::test {
namespace {

/// The shard's calls within its life allocate nothing.
class no_allocation {
public:
    no_allocation() {
        allocations = 0;
        counting = true;
    }
    ~no_allocation() {
        counting = false;
        EXPECT_EQ(allocations, 0U);
    }
    no_allocation(const no_allocation&) = delete;
    no_allocation& operator=(const no_allocation&) = delete;
};

/// What a session knows of its transaction.
struct session {
    transaction_id id;
    enum class stage : std::uint8_t { recipients, data, content, ended, over } now = stage::recipients;
    int asked = 0;
    int answered = 0;
    int accepted = 0;
};

class world {
public:
    explicit world(std::uint32_t seed) : _random(seed), _rig(bounds(), 24, 20) {
        for (std::uint32_t id = 1; id <= 3; ++id) {
            auto route = make_route(id, {{.host = "a", .port = 25, .priority = 10},
                                         {.host = "b", .port = 25, .priority = 10},
                                         {.host = "c", .port = 25, .priority = 20}});
            route->max_connections = static_cast<std::uint16_t>(id * 2);
            route->catch_all = id == 2;
            _routes.push_back(route);
        }
        _octets.assign(40000, 'x');
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            step();
            take_events();
        }
        for (const session& one : _sessions) {
            if (one.now != session::stage::over) {
                _rig.abandon(one.id);
            }
        }
        _rig.pass(std::chrono::hours(1));
        take_events();
        EXPECT_TRUE(_rig.nothing_left()) << _rig.port.cells_in_use() << " " << _rig.port.chunks_in_use();
        EXPECT_EQ(_rig.work.poll_at(), shard::never);
        EXPECT_EQ(_rig.counts.connections_open.get(), 0U);
        EXPECT_TRUE(_rig.port.idle());
        EXPECT_LE(_delivered, _said_250);
        EXPECT_EQ(_rig.counts.delivered.get() + _abandoned_finals >= _delivered, true);
    }
    std::uint64_t delivered() const { return _delivered; }

private:
    static settings bounds() {
        settings out = engine_rig::plain_settings();
        out.limits.waiting_per_route = 8;
        out.limits.unlisted_per_second = 5;
        out.limits.unlisted_burst = 5;
        out.limits.messages_per_connection = 5;
        out.limits.refusals_remembered = 4;
        return out;
    }
    std::uint32_t draw(std::uint32_t below) { return static_cast<std::uint32_t>(_random() % below); }

    void step() {
        switch (draw(12)) {
            case 0:
                begin();
                break;
            case 1:
            case 2:
            case 3:
            case 4:
                sender();
                break;
            case 5:
                _rig.pass(std::chrono::milliseconds(draw(draw(20) == 0 ? 200000 : 2000)));
                break;
            default:
                server();
        }
    }
    void begin() {
        const transaction_id id{draw(40), ++_serial};
        for (const session& one : _sessions) {
            if (one.id.slot == id.slot && one.now != session::stage::over) {
                return;
            }
        }
        const envelope env = engine_rig::from(static_cast<std::uint8_t>(draw(4)));
        bool begun = false;
        {
            const no_allocation here;
            begun = _rig.port.begin(id, _routes[draw(3)], env);
        }
        if (begun) {
            _sessions.push_back({.id = id});
        }
        _rig.run();
    }
    void sender() {
        if (_sessions.empty()) {
            return;
        }
        session& one = _sessions[draw(static_cast<std::uint32_t>(_sessions.size()))];
        const bool leaves = draw(30) == 0;
        {
            const no_allocation here;
            if (leaves && one.now != session::stage::over) {
                _rig.port.abandon(one.id);
                _abandoned_finals += one.now == session::stage::ended ? 1 : 0;
                one.now = session::stage::over;
            } else if (one.now == session::stage::recipients) {
                if (one.asked == 0 || draw(3) != 0) {
                    for (std::uint32_t i = draw(draw(10) == 0 ? 300 : 4) + 1; i > 0; --i) {
                        _rig.port.recipient(one.id, _paths[draw(4)], {.listed = draw(3) != 0});
                        ++one.asked;
                    }
                } else {
                    _rig.port.data(one.id);
                    one.now = session::stage::data;
                }
            } else if (one.now == session::stage::content) {
                if (draw(4) == 0) {
                    _rig.port.end_of_data(one.id);
                    one.now = session::stage::ended;
                } else {
                    const std::size_t room = _rig.port.room(one.id);
                    const std::size_t most = std::min<std::size_t>(room, draw(40000));
                    EXPECT_EQ(_rig.port.chunk(one.id, {_octets.data(), most}), most);
                }
            }
            _rig.port.flush();
        }
        _rig.run();
    }
    void server() {
        if (_rig.net.opened.empty()) {
            return;
        }
        const auto count = static_cast<std::uint32_t>(_rig.net.opened.size());
        const link_id link = _rig.net.opened[count - 1 - draw(std::min(count, 8U))];
        fake_network::wire& wire = _rig.net.wires[link];
        if (wire.closed) {
            return;
        }
        if (!_connected.contains(link)) {
            if (draw(8) == 0) {
                _rig.unreachable(link);
            } else {
                _connected.insert(link);
                _rig.connected(link);
                _rig.say(link, draw(20) == 0 ? "554 no\r\n" : "220 mx\r\n");
            }
            return;
        }
        if (draw(10) == 0) {
            wire.window = draw(3) == 0 ? SIZE_MAX : draw(20000);
            _rig.net.send(link);
            _rig.run();
        }
        switch (draw(60)) {
            case 0:
                _rig.hang_up(link);
                return;
            case 1:
                _rig.say(link, "421 bye\r\n");
                return;
            case 2:
                _rig.say(link, "garbage\r\n");
                return;
            case 3:
                _rig.say(link, "250 unasked\r\n");
                ++_said_250;
                return;
            default:
                answer(link);
        }
    }
    /// Answers what is on the wire, as a server would.
    void answer(link_id link) {
        std::string& heard = _heard[link];
        heard += _rig.heard(link);
        while (!_rig.closed_by_us(link)) {
            if (_in_content.contains(link)) {
                const std::size_t end = heard.find("\r\n.\r\n");
                if (end == std::string::npos) {
                    return;
                }
                heard.erase(0, end + 5);
                _in_content.erase(link);
                if (draw(4) == 0) {
                    _rig.say(link, "554 5.6.0 no\r\n");
                } else {
                    ++_said_250;
                    _rig.say(link, "250 queued\r\n");
                }
            } else {
                const std::size_t end = heard.find("\r\n");
                if (end == std::string::npos || draw(5) == 0) {
                    return;
                }
                const std::string line = heard.substr(0, end);
                heard.erase(0, end + 2);
                if (line.starts_with("EHLO")) {
                    _rig.say(link, draw(2) == 0 ? full_ehlo : plain_ehlo);
                } else if (line == "DATA" && draw(6) != 0) {
                    _in_content.insert(link);
                    _rig.say(link, "354 go\r\n");
                } else if (line == "DATA") {
                    _rig.say(link, "451 later\r\n");
                } else {
                    _rig.say(link, line != "RSET" && draw(6) == 0 ? "550 5.1.1 no\r\n" : "250 ok\r\n");
                }
            }
            heard += _rig.heard(link);
        }
    }
    void take_events() {
        _rig.run();
        for (session& one : _sessions) {
            while (_rig.events.has(one.id)) {
                const event what = _rig.events.take(one.id);
                ASSERT_NE(one.now, session::stage::over) << "after the end";
                switch (what.kind) {
                    case event_kind::recipient:
                        ASSERT_LT(one.answered++, one.asked);
                        one.accepted += what.reply.code == 250 ? 1 : 0;
                        break;
                    case event_kind::data:
                        ASSERT_EQ(one.now, session::stage::data);
                        ASSERT_EQ(one.answered, one.asked);
                        ASSERT_TRUE(what.reply.code == 354 ? one.accepted > 0 : what.reply.code >= 400);
                        one.now = what.reply.code == 354 ? session::stage::content : session::stage::over;
                        break;
                    case event_kind::credit:
                        break;
                    case event_kind::final:
                        ASSERT_EQ(one.now, session::stage::ended);
                        _delivered += what.reply.code == 250 ? 1 : 0;
                        one.now = session::stage::over;
                        break;
                    case event_kind::aborted:
                        ASSERT_EQ(one.answered, one.asked);
                        ASSERT_GE(what.reply.code, 400);
                        one.now = session::stage::over;
                        break;
                }
                ASSERT_FALSE(what.kind != event_kind::credit && what.reply.size == 0);
            }
        }
        std::erase_if(_sessions, [this](const session& one) {
            return one.now == session::stage::over && !_rig.events.has(one.id);
        });
    }

    std::mt19937 _random;
    engine_rig _rig;
    std::vector<std::shared_ptr<recipients::route>> _routes;
    std::vector<session> _sessions;
    std::set<link_id> _connected;
    std::set<link_id> _in_content;
    std::map<link_id, std::string> _heard;
    std::string _octets;
    const std::string _paths[4] = {"alice@example.com", "bob@example.com", "carol@example.com",
                                   std::string(300, 'd') + "@example.com"};
    std::uint32_t _serial = 0;
    std::uint64_t _said_250 = 0;
    std::uint64_t _delivered = 0;
    std::uint64_t _abandoned_finals = 0;
};

TEST(relay_engine_random, whatever_happens_the_promises_hold) {
    std::uint64_t delivered = 0;
    for (std::uint32_t seed = 1; seed <= 150; ++seed) {
        SCOPED_TRACE(seed);
        world all(seed);
        all.run(600);
        delivered += all.delivered();
        if (HasFatalFailure() || HasNonfatalFailure()) {
            return;
        }
    }
    EXPECT_GT(delivered, 100U) << "the test reaches the end of data often enough";
}

}  // namespace
}  // namespace postern::relay::test
