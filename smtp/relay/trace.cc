#include "smtp/relay/trace.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

namespace postern::relay {

namespace {

constexpr std::size_t most_word = 256;  // a host name has at most 255
constexpr std::size_t most_line = 900;  // of 998 (RFC 5322 2.1.1)
constexpr std::string_view received_name = "received";

char folded(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return folded(x) == folded(y); });
}

/// What may stand in a domain, an address literal or an id without changing how the header is read.
bool harmless(char c) noexcept {
    return c > ' ' && c <= '~' && std::strchr("()<>;,\"\\", c) == nullptr;
}

std::string made_harmless(std::string_view text, std::size_t most) {
    std::string out(text.substr(0, most));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return !harmless(c); }, '?');
    return out;
}

std::string date_text(std::time_t when) {
    // Not strftime: its names depend on the locale.
    static constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&when, &utc);
    std::array<char, 64> text{};
    const int size = std::snprintf(text.data(), text.size(), "%s, %02d %s %d %02d:%02d:%02d +0000",
                                   days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                                   months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                                   utc.tm_min, utc.tm_sec);
    return {text.data(), static_cast<std::size_t>(std::max(size, 0))};
}

/// A path that can be named as it is.
bool nameable(std::string_view path) noexcept {
    return !path.empty() && path.size() <= most_line &&
           std::all_of(path.begin(), path.end(), [](char c) { return c >= ' ' && c <= '~'; }) &&
           path.find_first_of("<>\r\n") == std::string_view::npos;
}

}  // namespace

std::string address_text(const shard::endpoint& from) {
    static constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (std::equal(mapped.begin(), mapped.end(), from.address.begin())) {
        inet_ntop(AF_INET, from.address.data() + mapped.size(), text.data(), text.size());
        return text.data();
    }
    inet_ntop(AF_INET6, from.address.data(), text.data(), text.size());
    return std::string("IPv6:") + text.data();
}

std::string trace_line(const trace_facts& facts) {
    std::string line = "Received: from ";
    line += facts.helo.empty() ? std::string("unknown") : made_harmless(facts.helo, 255);
    line += " ([" + address_text(facts.client) + "])\r\n\tby ";
    line += facts.by;
    line += facts.extended ? " with ESMTP id " : " with SMTP id ";
    line += made_harmless(facts.message_id, 32);
    if (nameable(facts.only_recipient)) {
        line += "\r\n\tfor <";
        line += facts.only_recipient;
        line += ">";
    }
    line += ";\r\n\t" + date_text(facts.when) + "\r\n";
    return line;
}

void loop_guard::take(std::span<const char> octets) {
    for (const char c : octets) {
        switch (_place) {
            case place::over:
                return;
            case place::line_start:
                if (c == '\r') {
                    break;
                }
                if (c == '\n') {
                    _place = place::over;
                    return;
                }
                if (c == ' ' || c == '\t') {
                    end_word();
                    _place = _in_received ? place::received : place::other;
                    break;
                }
                end_word();
                _in_received = false;
                _word.assign(1, c);
                _place = place::name;
                break;
            case place::name:
                if (c == ':') {
                    while (!_word.empty() && (_word.back() == ' ' || _word.back() == '\t')) {
                        _word.pop_back();
                    }
                    _in_received = same(_word, received_name);
                    _place = _in_received ? place::received : place::other;
                    _word.clear();
                    _by_next = _counted = _quoted = _escaped = false;
                    _comments = 0;
                    if (_in_received) {
                        ++_received;
                    }
                } else if (c == '\n') {
                    _word.clear();
                    _place = place::line_start;
                } else if (_word.size() < most_word) {
                    _word.push_back(c);
                }
                break;
            case place::other:
                if (c == '\n') {
                    _place = place::line_start;
                }
                break;
            case place::received:
                if (c == '\n') {
                    _place = place::line_start;
                } else {
                    take_received(c);
                }
                break;
        }
    }
}

void loop_guard::take_received(char c) {
    if (_escaped) {
        _escaped = false;
        return;
    }
    if (c == '\\' && (_quoted || _comments > 0)) {
        _escaped = true;
        return;
    }
    if (_quoted) {
        _quoted = c != '"';
        return;
    }
    if (_comments > 0) {
        _comments = static_cast<std::uint16_t>(_comments + (c == '(' && _comments < UINT16_MAX) - (c == ')'));
        return;
    }
    if (c == '"' || c == '(' || c == ';' || c == ' ' || c == '\t' || c == '\r') {
        end_word();
        _quoted = c == '"';
        _comments = c == '(' ? 1 : 0;
        return;
    }
    if (_word.size() < most_word) {
        _word.push_back(c);
    }
}

void loop_guard::end_word() {
    if (!_in_received || _word.empty()) {
        return;
    }
    if (_by_next && !_counted &&
        std::any_of(_names->begin(), _names->end(), [this](const std::string& name) { return same(name, _word); })) {
        ++_ours;
        _counted = true;
    }
    _by_next = same(_word, "by");
    _word.clear();
}

}  // namespace postern::relay
