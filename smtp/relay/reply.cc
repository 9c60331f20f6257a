#include "smtp/relay/reply.h"

#include <algorithm>
#include <array>
#include <utility>

namespace postern::relay {

namespace {

bool digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

char folded(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool printable(char c) noexcept {
    return c >= ' ' && c <= '~';
}

/// The length of an enhanced code of class `kind` ('2', '4', '5') at the start of `line`, or 0.
std::size_t enhanced_size(std::string_view line, char kind) noexcept {
    if (line.size() < 5 || line[0] != kind || line[1] != '.') {
        return 0;
    }
    std::size_t at = 2;
    for (int part = 0; part < 2; ++part) {
        const std::size_t start = at;
        while (at < line.size() && digit(line[at])) {
            ++at;
        }
        if (at == start || at - start > 3) {
            return 0;
        }
        if (part == 0) {
            if (at == line.size() || line[at] != '.') {
                return 0;
            }
            ++at;
        }
    }
    return at == line.size() || line[at] == ' ' || line[at] == '\t' ? at : 0;
}

/// An enhanced code of any class, for taking away one that does not fit.
std::size_t any_enhanced_size(std::string_view line) noexcept {
    const bool has_class = !line.empty() && (line[0] == '2' || line[0] == '4' || line[0] == '5');
    return has_class ? enhanced_size(line, line[0]) : 0;
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

class reply_writer {
public:
    explicit reply_writer(reply& to) noexcept : _to(to) { _to.size = 0; }

    void put(char c) noexcept {
        if (_to.size < _to.text.size()) {
            _to.text[_to.size++] = printable(c) ? c : '?';
        }
    }
    void put(std::string_view text) noexcept {
        for (const char c : text) {
            put(c);
        }
    }
    void code(std::uint16_t code) noexcept {
        _to.code = code;
        put(static_cast<char>('0' + code / 100));
        put(static_cast<char>('0' + code / 10 % 10));
        put(static_cast<char>('0' + code % 10));
    }

private:
    reply& _to;
};

std::string_view generic_enhanced(char kind, answered what) noexcept {
    if (kind == '2') {
        return what == answered::rcpt ? "2.1.5" : what == answered::mail ? "2.1.0" : "2.0.0";
    }
    return kind == '4' ? "4.0.0" : "5.0.0";
}

}  // namespace

reply_reader::result reply_reader::take(std::span<const char>& octets) {
    while (!octets.empty()) {
        const auto lf = std::find(octets.begin(), octets.end(), '\n');
        const auto n = static_cast<std::size_t>(lf - octets.begin());
        if (_line.size() + n > most_line_octets || _octets + n > most_octets) {
            return result::too_long;
        }
        _line.append(octets.data(), n);
        _octets += n + 1;
        if (lf == octets.end()) {
            octets = {};
            return result::more;
        }
        octets = octets.subspan(n + 1);
        const result line = end_line();
        if (line != result::more) {
            return line;
        }
    }
    return result::more;
}

reply_reader::result reply_reader::end_line() {
    if (!_line.empty() && _line.back() == '\r') {
        _line.pop_back();
    }
    const bool has_code = _line.size() >= 3 && digit(_line[0]) && digit(_line[1]) && digit(_line[2]);
    if (!has_code || _line[0] < '2' || _line[0] > '5' || (_line.size() > 3 && _line[3] != ' ' && _line[3] != '-')) {
        return result::malformed;
    }
    const auto code = static_cast<std::uint16_t>((_line[0] - '0') * 100 + (_line[1] - '0') * 10 + (_line[2] - '0'));
    if (_lines > 0 && code != _reply.code) {
        return result::malformed;
    }
    if (++_lines > most_lines) {
        return result::too_long;
    }
    const bool last = _line.size() == 3 || _line[3] == ' ';
    if (_lines > 1) {
        _reply.text.push_back('\n');
    }
    _reply.code = code;
    _reply.text.append(_line, std::min<std::size_t>(4, _line.size()));
    _line.clear();
    return last ? result::complete : result::more;
}

server_reply reply_reader::take_reply() {
    _lines = 0;
    _octets = 0;
    return std::exchange(_reply, {});
}

reply make_reply(std::uint16_t code, std::string_view enhanced, std::string_view text) noexcept {
    reply out;
    reply_writer to(out);
    to.code(code);
    to.put(' ');
    if (!enhanced.empty()) {
        to.put(enhanced);
        to.put(' ');
    }
    to.put(text);
    return out;
}

reply pass_on(const server_reply& from, answered what) {
    if (from.code == 354) {
        return make_reply(354, {}, "Go ahead");
    }
    reply out;
    reply_writer to(out);
    // Codes that say something else than "done" to the client stay between the server and us.
    const bool odd = from.positive() && (from.code < 250 || from.code > 252);
    to.code(odd ? std::uint16_t{250} : from.code);
    const auto kind = static_cast<char>('0' + from.code / 100);
    std::string_view rest = from.text;
    std::string_view enhanced;
    bool first = true;
    do {
        const std::size_t lf = std::min(rest.find('\n'), rest.size());
        std::string_view line = trimmed(rest.substr(0, lf));
        rest.remove_prefix(std::min(lf + 1, rest.size()));
        // Each line repeats the code; once is enough.
        const std::size_t own = any_enhanced_size(line);
        if (first) {
            enhanced = enhanced_size(line, kind) != 0 ? line.substr(0, own) : generic_enhanced(kind, what);
            to.put(' ');
            to.put(enhanced);
            first = false;
        }
        line = trimmed(line.substr(own));
        if (!line.empty()) {
            to.put(' ');
            to.put(line);
        }
    } while (!rest.empty());
    return out;
}

std::string for_people(const server_reply& from) {
    std::string text = std::to_string(from.code) + " " + from.text.substr(0, 196);
    std::replace_if(
        text.begin(), text.end(), [](char c) { return !printable(c); }, ' ');
    return text;
}

bool says_unknown(const server_reply& reply) {
    constexpr std::string_view code = "5.1.1";
    return reply.permanent() && reply.text.starts_with(code) &&
           (reply.text.size() == code.size() || reply.text[code.size()] == ' ' || reply.text[code.size()] == '\n');
}

bool refuses_us(const server_reply& reply) {
    if (reply.code == 530) {
        return true;
    }
    if (!reply.permanent()) {
        return false;
    }
    // Sendmail, Postfix, Exim, Exchange, Courier, qmail, Domino and those that imitate them.
    static constexpr std::array<std::string_view, 13> phrases = {
        "relaying denied",        "relay access denied",    "relay denied",         "unable to relay",
        "relay not permitted",    "not permitted to relay", "relaying not allowed", "relaying prohibited",
        "relay rejected",         "cannot relay",           "relaying is not",      "rcpthosts",
        "authentication required"};
    std::string text(reply.text.size(), '\0');
    std::transform(reply.text.begin(), reply.text.end(), text.begin(), folded);
    return std::any_of(phrases.begin(), phrases.end(),
                       [&text](std::string_view phrase) { return text.find(phrase) != std::string::npos; });
}

}  // namespace postern::relay
