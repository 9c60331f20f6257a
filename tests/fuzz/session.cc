// Sessions under whatever clients send, the relay says and time does. What must hold: every reply is one, no message is
// acknowledged that the relay's server did not acknowledge, the relay is told nothing out of order (fake_relay throws),
// the transport's contract is kept (fake_transport throws), and in the end every session is over and nothing is left.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/smtp/session/world.h"

namespace {

using namespace postern;
using session::testing::world;

void require(bool holds, const char* what) {
    if (!holds) {
        std::fputs(what, stderr);
        std::abort();
    }
}

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/// One client: what it heard is looked at line by line.
struct client {
    shard::connection id;
    std::string heard;
};

void check_replies(client& of, std::size_t& delivered) {
    for (std::size_t end = of.heard.find("\r\n"); end != std::string::npos; end = of.heard.find("\r\n")) {
        const std::string line = of.heard.substr(0, end);
        of.heard.erase(0, end + 2);
        require(line.size() >= 4 && line[0] >= '2' && line[0] <= '5' && is_digit(line[1]) && is_digit(line[2]) &&
                    (line[3] == ' ' || line[3] == '-'),
                "a line that is no reply");
        if (line[0] == '4' || line[0] == '5') {
            require(line.size() > 9 && line[4] == line[0] && line[5] == '.', "no enhanced code");
        }
        if (line.find("Delivered") != std::string::npos) {
            ++delivered;
        }
    }
}

class input {
public:
    input(const std::uint8_t* data, std::size_t size) : _data(data), _left(size) {}
    bool empty() const { return _left == 0; }
    std::uint8_t octet() {
        if (_left == 0) {
            return 0;
        }
        --_left;
        return *_data++;
    }
    std::string text(std::size_t most) {
        const std::size_t n = std::min(most, _left);
        std::string out(_data, _data + n);
        _data += n;
        _left -= n;
        return out;
    }

private:
    const std::uint8_t* _data;
    std::size_t _left;
};

constexpr std::string_view phrases[] = {
    "EHLO x\r\n",
    "MAIL FROM:<s@example.org>\r\n",
    "RCPT TO:<alice@example.com>\r\n",
    "RCPT TO:<nobody@example.com>\r\n",
    "RCPT TO:<carol@example.net>\r\n",
    "RCPT TO:<postmaster>\r\n",
    "RCPT TO:<new@observed.example>\r\n",
    "DATA\r\n",
    "text\r\n",
    ".\r\n",
    "a\nb",
    "\r",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "HELO x",
};

recipients::domain_section domains() {
    recipients::domain_section section = session::testing::usual_domains();
    section.domains.push_back(recipients::testing::make_domain(3, "observed.example", recipients::mode::observe));
    section.domains.back().route = 3;
    section.routes.push_back({3, true, true, 10, {{"mail.observed.example", 25, 10}}});
    return section;
}

constexpr const char* answers[] = {"250 2.1.5 OK",        "450 4.2.1 Busy", "550 5.1.1 No such user",
                                   "451 4.4.1 No server", "354 Go ahead",   "421 4.3.2 Closing"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::shared_ptr<const recipients::snapshot> table =
        recipients::testing::snapshot_of(session::testing::usual_list(), domains(), 7);
    input in(data, size);
    session::settings under = session::testing::usual_settings();
    const std::uint8_t flags = in.octet();
    under.bare_line_ends = (flags & 1U) != 0 ? session::bare_line_ends::normalise : session::bare_line_ends::refuse;
    under.size_limit = (flags & 2U) != 0 ? 60 : 0;
    under.postmaster_route = 1;
    under.discard_limit = 2000;
    under.swallow_limit = 500;
    under.transactions = (flags & 4U) != 0 ? 2 : 100;
    under.texts = (flags & 8U) != 0 ? 2 : 1000;
    under.timeouts.greeting_delay = session::milliseconds((flags & 16U) != 0 ? 1000 : 0);
    world w(under, table);
    w.transport.output_limit = w.transport.max_reserve;

    std::vector<client> clients;
    std::size_t delivered = 0;
    std::size_t acknowledged = 0;
    const auto look = [&] {
        for (client& one : clients) {
            one.heard += w.loop.receive(one.id);
            check_replies(one, delivered);
        }
        require(delivered <= acknowledged, "a message was acknowledged that the server did not acknowledge");
    };
    w.relay.silent = true;  // its answers come when the input says so
    clients.push_back({w.loop.connect(), {}});
    while (!in.empty()) {
        const std::uint8_t op = in.octet();
        client& one = clients[op % clients.size()];
        const auto wishes = w.relay.wishes();
        const auto wish = wishes.empty() ? session::testing::fake_relay::wish{} : wishes[op % wishes.size()];
        const std::uint8_t what = in.octet();
        switch (what % 16) {
            case 0:
                if (clients.size() < 4) {
                    clients.push_back({w.loop.connect(), {}});
                }
                break;
            case 1:
            case 2:
            case 3:
            case 4:
            case 5:
                w.loop.send(one.id, phrases[what / 16]);
                break;
            case 6:
                w.loop.send(one.id, in.text(what / 16 + 1U));
                break;
            case 7:
                w.loop.close(one.id);
                break;
            case 8:
                if (what > 200) {
                    w.loop.reset(one.id);
                }
                break;
            case 9:
                w.loop.advance(std::chrono::seconds(what));
                break;
            case 10:
                if (wish.recipient) {
                    w.relay.answer_recipient(answers[what / 16 % 4], wish.id);
                }
                break;
            case 11:
                if (wish.data) {
                    w.relay.answer_data(what < 128 ? "354 Go ahead" : answers[what / 16 % 6], wish.id);
                }
                break;
            case 12:
                if (wish.final) {
                    acknowledged += what < 128 ? 1 : 0;
                    w.relay.answer_final(what < 128 ? "250 2.0.0 Delivered" : answers[what / 16 % 6], wish.id);
                }
                break;
            case 13:
                if (!wishes.empty()) {
                    w.relay.abort(answers[1 + what / 16 % 3], wish.id);
                }
                break;
            case 14:
                if (wish.credit) {
                    w.relay.credit(what < 128 ? what / 16 : SIZE_MAX, wish.id);
                }
                break;
            case 15:
                w.loop.stall(one.id, what < 64);
                if (what > 240) {
                    w.in_force = w.in_force.load() == nullptr ? table.get() : nullptr;
                } else if (what > 220) {
                    w.loop.drain();
                }
                break;
            default:
                break;
        }
        w.loop.settle();
        look();
    }
    for (const client& one : clients) {
        w.loop.stall(one.id, false);
    }
    w.loop.settle();
    w.loop.advance(std::chrono::hours(5));
    look();
    require(w.layer.open_sessions() == 0 && w.transport.open_connections() == 0, "a session outlives its timeouts");
    require(w.relay.open_transactions() == 0, "a transaction of the relay outlives its session");
    require(w.count.sessions_open.get() == 0, "the count of sessions is wrong");
    return 0;
}
