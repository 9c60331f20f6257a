#include "tests/dataplane/tcp/script.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "tests/dataplane/tcp/bench.h"

namespace postern::tcp::testing {
namespace {

constexpr std::pair<char, std::uint8_t> flag_letters[] = {{'S', flag::syn}, {'F', flag::fin}, {'R', flag::rst},
                                                          {'P', flag::psh}, {'.', flag::ack}, {'U', flag::urg}};

std::string flags_text(std::uint8_t flags) {
    std::string s;
    for (const auto& [letter, bit] : flag_letters) {
        if ((flags & bit) != 0) {
            s += letter;
        }
    }
    return s;
}

/// A line, word by word.
class words {
public:
    explicit words(std::string_view line) : _rest(line) { skip(); }

    bool empty() const { return _rest.empty(); }
    std::string word() {
        const std::size_t end = std::min(_rest.find(' '), _rest.size());
        std::string w(_rest.substr(0, end));
        _rest.remove_prefix(end);
        skip();
        return w;
    }
    bool take(std::string_view expected) {
        if (!_rest.starts_with(expected)) {
            return false;
        }
        _rest.remove_prefix(expected.size());
        skip();
        return true;
    }
    std::uint32_t number() {
        std::size_t used = 0;
        const long long n = std::stoll(std::string(_rest), &used);
        _rest.remove_prefix(used);
        skip();
        return static_cast<std::uint32_t>(n);
    }
    /// "…", or all that is left.
    std::string text() {
        if (!_rest.starts_with('"')) {
            return unescaped(std::exchange(_rest, {}));
        }
        std::size_t end = 1;
        while (end < _rest.size() && _rest[end] != '"') {
            end += _rest[end] == '\\' ? 2 : 1;
        }
        const std::string_view inside = _rest.substr(1, end - 1);
        _rest.remove_prefix(std::min(end + 1, _rest.size()));
        skip();
        return unescaped(inside);
    }
    bool at_text() const { return _rest.starts_with('"'); }
    /// <…>, its inside.
    std::optional<std::string> angled() {
        if (!_rest.starts_with('<')) {
            return std::nullopt;
        }
        const std::size_t end = _rest.find('>');
        std::string inside(_rest.substr(1, end - 1));
        _rest.remove_prefix(end + 1);
        skip();
        return inside;
    }

private:
    void skip() {
        while (_rest.starts_with(' ')) {
            _rest.remove_prefix(1);
        }
    }
    static std::string unescaped(std::string_view from) {
        std::string to;
        for (std::size_t i = 0; i < from.size(); ++i) {
            if (from[i] == '\\' && i + 1 < from.size()) {
                ++i;
                to += from[i] == 'r' ? '\r' : from[i] == 'n' ? '\n' : from[i];
            } else {
                to += from[i];
            }
        }
        return to;
    }
    std::string_view _rest;
};

std::string escaped(std::string_view from) {
    std::string to;
    for (const char c : from) {
        if (c == '\r') {
            to += "\\r";
        } else if (c == '\n') {
            to += "\\n";
        } else {
            to += c;
        }
    }
    return to;
}

/// The stream that payloads without a text are taken from.
std::string letters(std::uint32_t from, std::uint32_t n) {
    std::string s;
    for (std::uint32_t i = 0; i < n; ++i) {
        s += static_cast<char>('a' + (from + i) % 26);
    }
    return s;
}

struct speaker {
    shard::endpoint self;
    shard::endpoint server;
    std::uint32_t isn = 1000;
    std::uint32_t server_isn = 0;
    bool answered = false;
};

class player {
public:
    std::vector<std::string> play(std::string_view text) {
        std::istringstream lines{std::string(text)};
        for (std::string line; std::getline(lines, line);) {
            ++_line;
            const std::size_t end = line.find('#');
            line.resize(end == std::string::npos ? line.size() : end);
            while (line.ends_with(' ')) {
                line.pop_back();
            }
            if (!line.empty()) {
                try {
                    step(line);
                } catch (const std::logic_error& e) {
                    complain("cannot be understood: " + line + " (" + e.what() + ")");
                }
            }
            if (_complaints.size() > 5) {
                return _complaints;
            }
        }
        start();
        expect_silence();
        if (!_bench->tcp.consistent()) {
            complain("the endpoint's state contradicts itself");
        }
        for (const std::string& c : _bench->layer.complaints) {
            complain(c);
        }
        return _complaints;
    }

private:
    void complain(const std::string& what) { _complaints.push_back("line " + std::to_string(_line) + ": " + what); }

    void start() {
        if (_bench == nullptr) {
            _bench = std::make_unique<bench>(_settings, _limits);
            _bench->layer.on_readable = [this](shard::connection c, std::string_view octets) {
                if (!_reply.empty()) {
                    _bench->layer.say(c, _reply);
                }
                return std::min(_consume, octets.size());
            };
            client("a", false, 1000);
        }
    }

    void client(const std::string& name, bool v6, std::uint32_t isn) {
        if (!_clients.contains(name)) {
            const auto port = static_cast<std::uint16_t>(40000 + _clients.size());
            speaker s;
            s.self = v6 ? ipv6(9, port) : ipv4(192, 0, 2, 1, port);
            s.server = v6 ? server_v6 : server_v4;
            s.isn = isn;
            _clients[name] = s;
        }
        _now = name;
    }

    void step(const std::string& line) {
        words w(line);
        const std::string verb = w.word();
        if (verb == "set") {
            set(w);
            return;
        }
        start();
        if (verb == "<" || verb == "<&") {
            arrive(w, verb == "<&");
        } else if (verb == ">") {
            expect(w);
        } else if (verb == "+") {
            pass_time(w);
        } else if (verb == "layer") {
            layer(w);
        } else if (verb == "?") {
            expect_event(w);
        } else if (verb == "client") {
            const std::string name = w.word();
            const bool v6 = w.take("v6");
            client(name, v6, w.take("isn") ? w.number() : 1000);
        } else if (verb == "icmp") {
            path_report r{.peer = me().self, .local = me().server};
            r.next_mtu = static_cast<std::uint16_t>(w.number());
            w.take("seq");
            r.seq = me().server_isn + w.number();
            r.quoted_size = w.take("size") ? static_cast<std::uint16_t>(w.number()) : std::uint16_t{0};
            _bench->tcp.path_mtu(r);
            _bench->turn();
        } else if (verb == "frames") {
            _bench->port.frames = w.take("all") ? SIZE_MAX : w.number();
        } else if (verb == "count") {
            count(w);
        } else if (verb == "holds") {
            holds(w);
        } else {
            throw std::invalid_argument("no such verb");
        }
    }

    void set(words& w) {
        const std::string name = w.word();
        const std::uint32_t n = w.number();
        const auto time = std::chrono::milliseconds(n);
        const std::map<std::string, std::function<void()>> known = {
            {"connections", [&] { _settings.connections = n; }},
            {"half_open", [&] { _settings.half_open = n; }},
            {"time_wait", [&] { _settings.time_wait = n; }},
            {"buffers", [&] { _settings.buffers = n; }},
            {"out_of_order", [&] { _settings.out_of_order = n; }},
            {"resets_per_second", [&] { _settings.resets_per_second = static_cast<std::uint16_t>(n); }},
            {"challenge_acks", [&] { _settings.challenge_acks = static_cast<std::uint8_t>(n); }},
            {"receive_window", [&] { _settings.receive_window = n; }},
            {"mtu", [&] { _settings.mtu = static_cast<std::uint16_t>(n); }},
            {"retransmissions", [&] { _settings.retransmissions = static_cast<std::uint8_t>(n); }},
            {"linger_octets", [&] { _settings.linger_octets = n; }},
            {"linger_time", [&] { _settings.linger_time = time; }},
            {"unsent_time", [&] { _settings.unsent_time = time; }},
            {"rto_least", [&] { _settings.rto_least = time; }},
            {"limit_connections", [&] { _limits.connections = n; }},
            {"limit_source", [&] { _limits.connections_per_source = n; }},
        };
        known.at(name)();
    }

    speaker& me() { return _clients.at(_now); }

    static std::uint8_t flags_of(const std::string& text) {
        std::uint8_t flags = 0;
        for (const char c : text) {
            for (const auto& [letter, bit] : flag_letters) {
                flags |= c == letter ? bit : 0;
            }
        }
        return flags;
    }

    segment_options options_of(const std::string& list) const {
        segment_options o;
        std::istringstream parts(list);
        for (std::string part; std::getline(parts, part, ',');) {
            words w(part);
            if (w.take("mss")) {
                o.mss = static_cast<std::uint16_t>(w.number());
            } else if (w.take("sackOK")) {
                o.sack_permitted = true;
            } else if (w.take("wscale")) {
                o.has_window_scale = true;
                o.window_scale = static_cast<std::uint8_t>(w.number());
            } else if (w.take("TS val")) {
                o.has_timestamps = true;
                o.timestamp = w.number();
                w.take("ecr");
                o.timestamp_echo = w.take("last") ? _last_timestamp : w.number();
            } else if (w.take("sack")) {
                while (!w.empty()) {
                    const std::uint32_t begin = w.number();
                    w.take(":");
                    o.sack[o.sack_blocks++] = {begin, w.number()};
                }
            } else {
                throw std::invalid_argument("option " + part);
            }
        }
        return o;
    }

    void arrive(words& w, bool with_next) {
        if (_burst.empty()) {
            expect_silence();
        }
        speaker& from = me();
        segment s;
        s.peer = from.self;
        s.local = from.server;
        s.flags = flags_of(w.word());
        const std::uint32_t begin = w.number();
        w.take(":");
        w.number();
        w.take("(");
        const std::uint32_t length = w.number();
        w.take(")");
        s.seq = from.isn + begin;
        _payloads.push_back(w.at_text() ? w.text() : letters(begin, length));
        s.payload = {_payloads.back().data(), _payloads.back().size()};
        s.ack = w.take("ack") ? from.server_isn + w.number() : 0;
        s.window = w.take("win") ? static_cast<std::uint16_t>(w.number()) : std::uint16_t{65535};
        if (const auto list = w.angled()) {
            s.options = options_of(*list);
        }
        _burst.push_back(s);
        if (!with_next) {
            _bench->turn(_burst);
            _burst.clear();
            _payloads.clear();
            _bench->settle();
        }
    }

    void expect_silence() {
        for (const sent_segment& s : _bench->take_all()) {
            complain("it sent " + describe(s));
        }
    }

    speaker& receiver(const sent_segment& s) {
        for (auto& [name, one] : _clients) {
            if (one.self == s.head.peer) {
                return one;
            }
        }
        throw std::logic_error("sent to nobody");
    }

    std::string describe(const sent_segment& s) {
        const speaker& to = receiver(s);
        std::ostringstream out;
        const auto begin = static_cast<std::int32_t>(s.head.seq - to.server_isn);
        out << flags_text(s.head.flags) << ' ' << begin << ':' << begin + static_cast<std::int32_t>(s.payload.size())
            << '(' << s.payload.size() << ')';
        if (!s.payload.empty() && s.payload.size() < 80) {
            out << " \"" << escaped(s.payload) << '"';
        }
        if (s.has(flag::ack)) {
            out << " ack " << static_cast<std::int32_t>(s.head.ack - to.isn);
        }
        out << " win " << s.head.window << ' ' << describe(s.head.options, to);
        return out.str();
    }

    std::string describe(const segment_options& o, const speaker& to) const {
        std::ostringstream out;
        const char* comma = "";
        const auto next = [&]() -> std::ostream& { return out << std::exchange(comma, ","); };
        out << '<';
        if (o.mss != 0) {
            next() << "mss " << o.mss;
        }
        if (o.sack_permitted) {
            next() << "sackOK";
        }
        if (o.has_timestamps) {
            next() << "TS ecr " << o.timestamp_echo;
        }
        if (o.has_window_scale) {
            next() << "wscale " << int{o.window_scale};
        }
        if (o.sack_blocks != 0) {
            next() << "sack";
            for (std::size_t i = 0; i < o.sack_blocks; ++i) {
                out << ' ' << o.sack[i].begin - to.isn << ':' << o.sack[i].end - to.isn;
            }
        }
        out << '>';
        return out.str();
    }

    void expect(words& w) {
        if (w.take("nothing")) {
            expect_silence();
            return;
        }
        if (_bench->port.out.empty()) {
            complain("it sent nothing");
            return;
        }
        const sent_segment s = _bench->take();
        speaker& to = receiver(s);
        if (s.has(flag::syn) && !to.answered) {
            to.answered = true;
            to.server_isn = s.head.seq;
        } else if (w.take("new")) {
            to.server_isn = s.head.seq;
        }
        if (s.head.options.has_timestamps) {
            _last_timestamp = s.head.options.timestamp;
        }
        const std::string was = describe(s);
        const std::uint8_t flags = flags_of(w.word());
        const std::uint32_t begin = w.number();
        w.take(":");
        w.number();
        w.take("(");
        const std::uint32_t length = w.number();
        w.take(")");
        bool ok = flags == s.head.flags && s.head.seq == to.server_isn + begin && s.payload.size() == length;
        if (w.at_text()) {
            ok = ok && s.payload == w.text();
        }
        if (w.take("ack")) {
            ok = ok && s.has(flag::ack) && s.head.ack == to.isn + w.number();
        }
        if (w.take("win")) {
            ok = ok && s.head.window == w.number();
        }
        if (const auto list = w.angled()) {
            ok = ok && describe(s.head.options, to) == "<" + *list + ">";
        }
        if (!ok) {
            complain("it sent " + was);
        }
    }

    void pass_time(words& w) {
        expect_silence();
        _bench->advance(std::chrono::duration_cast<shard::instant>(std::chrono::duration<double>(std::stod(w.word()))));
    }

    void layer(words& w) {
        auto& probe = _bench->layer;
        const std::string what = w.word();
        if (what == "reply") {
            _reply = w.text();
            return;
        }
        if (what == "consume") {
            _consume = w.take("all") ? SIZE_MAX : w.number();
            return;
        }
        const std::string text = w.empty() ? std::string() : w.text();
        const shard::connection c = connection_of(me());
        probe.on_turn_begin = [&, c] {
            if (what == "say") {
                if (!probe.say(c, text)) {
                    complain("there was no room to say it");
                }
            } else if (what == "fill") {
                const std::uint32_t n = static_cast<std::uint32_t>(std::stoul(text));
                const std::string all = letters(_said, n);
                for (std::size_t at = 0; at < all.size();) {
                    const std::string part = all.substr(at, 8000);
                    if (!probe.say(c, part)) {
                        complain("there was no room to fill");
                        break;
                    }
                    at += part.size();
                }
                _said += n;
            } else if (what == "finish") {
                if (!text.empty()) {
                    probe.say(c, text);
                }
                probe.finish(c);
            } else if (what == "abort") {
                probe.abort(c);
            } else if (what == "want" || what == "unwant") {
                probe.transport_of.want_read(c, what == "want");
            } else if (what == "deadline") {
                probe.transport_of.set_deadline(
                    c, probe.transport_of.now() + std::chrono::milliseconds(std::stoi(text) * 1000));
            } else {
                complain("layer: no such verb");
            }
        };
        _bench->turn();
        probe.on_turn_begin = [] {};
        _bench->settle();
    }

    shard::connection connection_of(const speaker& s) {
        for (const auto& [slot, c] : _bench->layer.live) {
            if (_bench->tcp.info(c).peer == s.self) {
                return c;
            }
        }
        complain("the layer does not know this connection");
        return {};
    }

    void expect_event(words& w) {
        using probe = shard::probe<endpoint>;
        if (_events_seen == _bench->layer.events.size()) {
            if (!w.take("nothing")) {
                complain("there was no callback");
            }
            return;
        }
        const probe::event& e = _bench->layer.events[_events_seen++];
        std::string was;
        switch (e.what) {
            case probe::kind::opened:
                was = _bench->layer.last_admission != shard::admission::admitted ? "opened refused"
                      : _bench->layer.last_info.early_octets                     ? "opened early"
                                                                                 : "opened";
                break;
            case probe::kind::readable:
                was = "read " + escaped(e.octets);
                break;
            case probe::kind::writable:
                was = "writable";
                break;
            case probe::kind::peer_closed:
                was = "closed";
                break;
            case probe::kind::reset:
                was = "reset";
                break;
            case probe::kind::deadline:
                was = "deadline";
                break;
            case probe::kind::turn_begin:
            case probe::kind::turn_end:
                break;
        }
        std::string expected = w.word();
        if (!w.empty()) {
            expected += " " + escaped(w.text());
        }
        if (was != expected) {
            complain("the callback was: " + was);
        }
    }

    void count(words& w) {
        const std::string name = w.word();
        const std::uint32_t n = w.number();
        bool found = false;
        _bench->tcp.counts().for_each([&](std::string_view known, std::uint64_t value) {
            if (known == name) {
                found = true;
                if (value != n) {
                    complain(name + " is " + std::to_string(value));
                }
            }
        });
        if (!found) {
            throw std::invalid_argument("no counter " + name);
        }
    }

    void holds(words& w) {
        while (!w.empty()) {
            const std::string name = w.word();
            const std::uint32_t n = w.number();
            const std::map<std::string, std::size_t> known = {
                {"connections", _bench->tcp.connections()}, {"half_open", _bench->tcp.half_open()},
                {"time_wait", _bench->tcp.in_time_wait()},  {"buffers", _bench->tcp.buffered()},
                {"timers", _bench->tcp.timers()},           {"out_of_order", _bench->tcp.held_out_of_order()}};
            if (known.at(name) != n) {
                complain(name + ": " + std::to_string(known.at(name)));
            }
        }
    }

    settings _settings;
    shard::connection_limits::limits _limits{1'000'000, 1'000'000};
    std::unique_ptr<bench> _bench;
    std::map<std::string, speaker> _clients;
    std::string _now;
    int _line = 0;
    std::vector<std::string> _complaints;
    std::vector<segment> _burst;
    std::deque<std::string> _payloads;
    std::string _reply;
    std::size_t _consume = SIZE_MAX;
    std::uint32_t _said = 1;
    std::uint32_t _last_timestamp = 0;
    std::size_t _events_seen = 0;
};

const std::filesystem::path folder = std::filesystem::path(POSTERN_SOURCE_DIR) / "tests/dataplane/tcp/scripts";

}  // namespace

std::vector<std::string> play(std::string_view text) {
    return player().play(text);
}

std::vector<std::string> script_files() {
    std::vector<std::string> names;
    for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
        if (file.is_regular_file()) {
            names.push_back(std::filesystem::relative(file.path(), folder).string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string read_script(const std::string& name) {
    std::ifstream in(folder / name);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

}  // namespace postern::tcp::testing
