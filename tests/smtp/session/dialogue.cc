#include "tests/smtp/session/dialogue.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>

#include "tests/smtp/session/world.h"

namespace postern::session::testing {

namespace {

using recipients::testing::entry;

struct script_line {
    std::size_t number = 0;
    char kind = 0;  ///< 'C', '|' (C without line end), 'S', 'T', 'R', '>' (told to the relay), 'X'
    std::string text;
};

struct scene {
    settings under = usual_settings();
    bool own_domains = false;
    bool no_table = false;
    bool in_step = false;
    recipients::domain_section domains;
    std::vector<entry> list;
    shard::endpoint peer = shard::ipv4(192, 0, 2, 1, 40000);
    std::uint16_t listener = 0;
    shard::admission admission = shard::admission::admitted;
    std::string early;
    std::vector<script_line> script;
};

[[noreturn]] void fault(std::size_t line, const std::string& what) {
    throw std::runtime_error("line " + std::to_string(line) + ": " + what);
}

std::vector<std::string> words_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> words;
    for (std::string word; in >> word;) {
        words.push_back(word);
    }
    return words;
}

recipients::network network_of(const std::string& text) {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    unsigned length = 32;
    char slash = 0;
    char dot = 0;
    std::istringstream in(text);
    in >> a >> dot >> b >> dot >> c >> dot >> d;
    if (in >> slash) {
        in >> length;
    }
    recipients::network out;
    out.address = shard::ipv4(static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(c),
                              static_cast<std::uint8_t>(d));
    out.length = static_cast<std::uint8_t>(96 + length);
    return out;
}

std::string expanded(const std::string& text, std::size_t line) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) {
            const char next = text[++i];
            if (next == 'r' || next == 'n' || next == '\\') {
                out += next == 'r' ? '\r' : next == 'n' ? '\n' : '\\';
            } else if (next == 'x' && i + 2 < text.size()) {
                out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
                i += 2;
            } else {
                fault(line, "unknown escape");
            }
        } else if (const std::size_t end = text.find('}', i); text[i] == '{' && end != std::string::npos) {
            const std::string inside = text.substr(i + 1, end - i - 1);
            const std::size_t star = inside.rfind('*');
            if (star == std::string::npos) {
                fault(line, "a repetition has no count");
            }
            const std::string unit = expanded(inside.substr(0, star), line);
            for (int n = std::stoi(inside.substr(star + 1)); n > 0; --n) {
                out += unit;
            }
            i = end;
        } else {
            out += text[i];
        }
    }
    return out;
}

void set(settings& under, const std::vector<std::string>& words, std::size_t line) {
    const std::string& name = words.at(1);
    const std::string& value = words.at(2);
    const auto number = [&](auto& into) {
        into = static_cast<std::remove_reference_t<decltype(into)>>(std::stoull(value));
    };
    const auto time = [&](milliseconds& into) { into = milliseconds(std::stoll(value)); };
    const std::map<std::string, std::function<void()>> all{
        {"size_limit", [&] { number(under.size_limit); }},
        {"recipient_limit", [&] { number(under.recipient_limit); }},
        {"null_sender_recipients", [&] { number(under.null_sender_recipients); }},
        {"command_line_limit", [&] { number(under.command_line_limit); }},
        {"protocol_error_limit", [&] { number(under.protocol_error_limit); }},
        {"discard_limit", [&] { number(under.discard_limit); }},
        {"swallow_limit", [&] { number(under.swallow_limit); }},
        {"data_minimum", [&] { number(under.data_minimum); }},
        {"postmaster_route", [&] { number(under.postmaster_route); }},
        {"transactions", [&] { number(under.transactions); }},
        {"texts", [&] { number(under.texts); }},
        {"serve_address_literals", [&] { under.serve_address_literals = value == "yes"; }},
        {"bare_line_ends",
         [&] { under.bare_line_ends = value == "normalise" ? bare_line_ends::normalise : bare_line_ends::refuse; }},
        {"bare_line_end_exception", [&] { under.bare_line_end_exceptions.push_back(network_of(value)); }},
        {"greeting_delay", [&] { time(under.timeouts.greeting_delay); }},
        {"session_timeout", [&] { time(under.timeouts.session); }},
    };
    const auto found = all.find(name);
    if (found == all.end()) {
        fault(line, "unknown setting " + name);
    }
    found->second();
}

void add_domain(scene& of, const std::vector<std::string>& words, std::size_t line) {
    static const std::map<std::string, recipients::mode> modes{{"observe", recipients::mode::observe},
                                                               {"discover", recipients::mode::discover},
                                                               {"defer", recipients::mode::defer},
                                                               {"enforce", recipients::mode::enforce}};
    of.own_domains = true;
    auto domain = recipients::testing::make_domain(static_cast<std::uint32_t>(of.domains.domains.size() + 1),
                                                   words.at(1), modes.at(words.at(2)));
    for (std::size_t i = 3; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word.rfind("route=", 0) == 0) {
            domain.route = static_cast<std::uint32_t>(std::stoul(word.substr(6)));
        } else if (word == "on_hold") {
            domain.on_hold = true;
        } else if (word == "grace_defers") {
            domain.grace_defers = true;
        } else if (word.rfind("trusted=", 0) == 0) {
            domain.trusted.push_back(network_of(word.substr(8)));
        } else {
            fault(line, "unknown word " + word);
        }
    }
    of.domains.domains.push_back(domain);
}

void add_route(scene& of, const std::vector<std::string>& words) {
    const auto has = [&](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    recipients::route route;
    route.id = static_cast<std::uint32_t>(std::stoul(words.at(1)));
    route.confirmed = !has("unconfirmed");
    route.catch_all = has("catch_all");
    route.hosts.push_back({"mail" + words.at(1) + ".example", 25, 10});
    of.domains.routes.push_back(route);
}

void add_listed(scene& of, const std::vector<std::string>& words, std::size_t line) {
    const auto has = [&](const char* word) { return std::find(words.begin(), words.end(), word) != words.end(); };
    entry one;
    one.text = words.at(1);
    one.domain = 0;
    const std::string name = one.text.substr(one.text.find('@') + 1);
    for (const auto& domain : of.domains.domains) {
        one.domain = domain.name == name ? domain.id : one.domain;
    }
    if (one.domain == 0) {
        fault(line, "a listed address of no domain");
    }
    one.grace = has("grace");
    one.internal_only = has("internal_only");
    of.list.push_back(one);
}

void set_scene(scene& of, const std::string& text, std::size_t line) {
    static const std::map<std::string, shard::admission> admissions{
        {"too_many_connections", shard::admission::too_many_connections},
        {"too_many_from_source", shard::admission::too_many_from_source},
        {"draining", shard::admission::draining}};
    const auto words = words_of(text);
    const std::string& first = words.at(0);
    if (first == "domain") {
        add_domain(of, words, line);
    } else if (first == "route") {
        add_route(of, words);
    } else if (first == "listed") {
        add_listed(of, words, line);
    } else if (first == "set") {
        set(of.under, words, line);
    } else if (first == "peer") {
        of.peer.address = network_of(words.at(1)).address;
    } else if (first == "listener") {
        of.listener = static_cast<std::uint16_t>(std::stoul(words.at(1)));
    } else if (first == "admission") {
        of.admission = admissions.at(words.at(1));
    } else if (first == "early") {
        of.early = expanded(text.substr(6), line);
    } else if (text == "in step") {
        of.in_step = true;
    } else if (text == "table none") {
        of.no_table = true;
    } else {
        fault(line, "not understood: " + text);
    }
}

scene read(const std::string& path) {
    std::ifstream in(path);
    if (!in) {
        throw std::runtime_error(path + " cannot be read");
    }
    scene out;
    std::size_t number = 0;
    for (std::string text; std::getline(in, text);) {
        ++number;
        if (text.empty() || text[0] == '#') {
            continue;
        }
        const char kind = text[0];
        const char mark = text.size() > 1 ? text[1] : '\0';
        const bool is_script = (mark == ':' && std::string_view("CSTRX").find(kind) != std::string_view::npos) ||
                               (mark == '|' && kind == 'C') || (mark == '>' && kind == 'R');
        if (!is_script) {
            set_scene(out, text, number);
            continue;
        }
        std::string rest = text.substr(text.size() > 2 && text[2] == ' ' ? 3 : 2);
        if (kind == 'C') {
            rest = expanded(rest, number) + (mark == ':' ? "\r\n" : "");
        } else if (kind == 'S') {
            rest = expanded(rest, number);
        }
        out.script.push_back({number, mark == ':' ? kind : mark, rest});
    }
    return out;
}

class player {
public:
    player(scene of, playing how)
        : _scene(std::move(of)),
          _how(how),
          _world(_scene.under,
                 recipients::testing::snapshot_of(_scene.own_domains ? _scene.list : usual_list(),
                                                  _scene.own_domains ? _scene.domains : usual_domains(), 7)) {
        if (_scene.no_table) {
            _world.in_force = nullptr;
        }
        _client = _world.loop.connect(_scene.peer, _scene.listener, _scene.admission, _scene.early);
        _world.loop.settle();
    }

    std::vector<std::string> run() {
        const std::vector<script_line>& script = _scene.script;
        for (std::size_t i = 0; i < script.size(); ++i) {
            if (_how == playing::pipelined && i >= _sent_to && i != 0) {  // the greeting must be read first
                send_ahead(i);
            }
            if (i >= _sent_to || (script[i].kind != 'C' && script[i].kind != '|' && script[i].kind != 'R')) {
                play_line(script[i]);
            }
        }
        const std::string rest = take();
        if (!rest.empty()) {
            differ(script.empty() ? 0 : script.back().number, "more was said: " + visible(rest));
        }
        if (_told_checked && _told != _world.relay.log.size()) {
            differ(script.back().number, "the relay was told more: " + _world.relay.log[_told]);
        }
        return _differences;
    }

private:
    void differ(std::size_t line, const std::string& what) {
        _differences.push_back("line " + std::to_string(line) + ": " + what);
    }

    /// What a client and the script of the relay can do without waiting for an answer.
    static bool can_go_ahead(const script_line& one) {
        switch (one.kind) {
            case 'C':
            case '|':
            case '>':
                return true;
            case 'S':
                return one.text != "<nothing>";
            case 'R':
                return one.text.rfind("rcpt ", 0) == 0 || one.text.rfind("data ", 0) == 0 ||
                       one.text.rfind("final ", 0) == 0;
            default:
                return false;
        }
    }

    void send_ahead(std::size_t from) {
        std::string octets;
        std::size_t to = from;
        for (; to < _scene.script.size() && can_go_ahead(_scene.script[to]); ++to) {
            const script_line& one = _scene.script[to];
            if (one.kind == 'C' || one.kind == '|') {
                octets += one.text;
            } else if (one.kind == 'R') {
                play_line(one);
            }
        }
        _sent_to = std::max(to, from + 1);
        if (to == from) {
            _sent_to = from;
            return;
        }
        if (!octets.empty()) {
            _world.loop.send(_client, octets);
            _world.loop.settle();
        }
    }

    void play_line(const script_line& one) {
        switch (one.kind) {
            case 'C':
            case '|':
                send(one.text);
                break;
            case 'S':
                expect(one);
                break;
            case 'T':
                _world.loop.advance(std::chrono::seconds(std::stoll(one.text)));
                break;
            case 'R':
                direct(one);
                break;
            case '>':
                told(one);
                break;
            case 'X':
                happen(one);
                break;
            default:
                break;
        }
    }

    void send(const std::string& octets) {
        if (_how != playing::octet_by_octet) {
            _world.loop.send(_client, octets);
            _world.loop.settle();
            return;
        }
        for (const char c : octets) {
            _world.loop.send(_client, {&c, 1});
            _world.loop.settle();
        }
    }

    std::string take() {
        _heard += _world.loop.receive(_client);
        return std::exchange(_heard, {});
    }

    void expect(const script_line& one) {
        _heard += _world.loop.receive(_client);
        if (one.text == "<nothing>") {
            if (!_heard.empty()) {
                differ(one.number, "something was said: " + visible(take()));
            }
        } else if (one.text == "<closed>") {
            if (!_world.loop.saw_fin(_client) || !_heard.empty()) {
                differ(one.number, "not closed, or more was said: " + visible(take()));
            }
        } else if (one.text == "<reset>") {
            if (!_world.loop.saw_rst(_client)) {
                differ(one.number, "not reset");
            }
        } else {
            const std::size_t end = _heard.find("\r\n");
            const std::string line = _heard.substr(0, end);
            _heard.erase(0, end == std::string::npos ? end : end + 2);
            if (line != one.text || end == std::string::npos) {
                differ(one.number, "expected \"" + one.text + "\", heard \"" + visible(line) + "\"");
            }
        }
    }

    void told(const script_line& one) {
        _told_checked = true;
        const std::string line = _told < _world.relay.log.size() ? _world.relay.log[_told++] : "(nothing)";
        if (line != one.text) {
            differ(one.number, "the relay should be told \"" + one.text + "\", but \"" + line + "\"");
        }
    }

    void direct(const script_line& one) {
        fake_relay& relay = _world.relay;
        const std::size_t space = std::min(one.text.find(' '), one.text.size());
        const std::string verb = one.text.substr(0, space);
        const std::string rest = space == one.text.size() ? "" : one.text.substr(space + 1);
        const auto answer = [&](auto& script) {
            script.push_back(rest == "-" ? std::nullopt : std::optional<std::string>(rest));
        };
        if (verb == "rcpt") {
            answer(relay.answers.recipient);
        } else if (verb == "data") {
            answer(relay.answers.data);
        } else if (verb == "final") {
            answer(relay.answers.final);
        } else if (verb == "now") {
            const std::string text = rest.substr(rest.find(' ') + 1);
            if (rest.rfind("rcpt ", 0) == 0) {
                relay.answer_recipient(text);
            } else if (rest.rfind("data ", 0) == 0) {
                relay.answer_data(text);
            } else {
                relay.answer_final(text);
            }
            _world.loop.settle();
        } else if (verb == "abort") {
            relay.abort(rest);
            _world.loop.settle();
        } else if (verb == "room") {
            relay.room_left = std::stoul(rest);
        } else if (verb == "credit") {
            relay.credit(rest.empty() ? SIZE_MAX : std::stoul(rest));
            _world.loop.settle();
        } else if (verb == "refuse") {
            relay.accept_transactions = false;
        } else {
            fault(one.number, "the relay can't " + verb);
        }
    }

    void happen(const script_line& one) {
        if (one.text == "close") {
            _world.loop.close(_client);
        } else if (one.text == "reset") {
            _world.loop.reset(_client);
        } else if (one.text == "drain") {
            _world.loop.drain();
        } else if (one.text == "table none") {
            _world.in_force = nullptr;
        } else {
            fault(one.number, "unknown event " + one.text);
        }
        _world.loop.settle();
    }

    scene _scene;
    playing _how;
    world _world;
    shard::connection _client;
    std::string _heard;
    std::size_t _sent_to = 0;  ///< lines of the script before this one have been sent ahead
    std::size_t _told = 0;
    bool _told_checked = false;
    std::vector<std::string> _differences;
};

}  // namespace

std::vector<std::string> play(const std::string& path, playing how) {
    try {
        scene of = read(path);
        const bool in_step = of.in_step && how == playing::pipelined;
        return player(std::move(of), in_step ? playing::as_written : how).run();
    } catch (const std::exception& error) {
        return {error.what()};
    }
}

}  // namespace postern::session::testing
