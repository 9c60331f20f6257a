#include "smtp/relay/client.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace postern::relay {

namespace {

char folded(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return folded(x) == folded(y); });
}

/// The first word of `text`, which is then behind it.
std::string_view take_word(std::string_view& text) noexcept {
    const std::size_t start = std::min(text.find_first_not_of(" \t"), text.size());
    const std::size_t end = std::min(text.find_first_of(" \t", start), text.size());
    const std::string_view word = text.substr(start, end - start);
    text.remove_prefix(end);
    return word;
}

/// Replies to EHLO that mean "I know only HELO" (RFC 5321 4.1.1.1, 4.2.4).
bool knows_no_ehlo(std::uint16_t code) noexcept {
    return code >= 500 && code <= 504;
}

}  // namespace

void client::restart_clock(shard::instant now) {
    const timeouts& wait = _settings->timeouts;
    switch (current_step()) {
        case step::greeting:
        case step::ehlo:
        case step::helo:
        case step::quit:
            _deadline = now + wait.greeting;
            break;
        case step::mail:
        case step::rcpt:
        case step::data:
        case step::rset:
            _deadline = quiet() ? shard::never : now + wait.command;
            break;
        case step::content:
            _deadline = output().empty() ? shard::never : now + wait.data_block;
            break;
        case step::final:
            _deadline = now + (output().empty() ? wait.final : wait.data_block);
            break;
    }
}

step client::current_step() const noexcept {
    switch (_phase) {
        case phase::connecting:
        case phase::greeting:
            return step::greeting;
        case phase::ehlo:
            return step::ehlo;
        case phase::helo:
            return step::helo;
        case phase::content:
            return step::content;
        case phase::final:
            return step::final;
        case phase::quitting:
            return step::quit;
        case phase::ready:
        case phase::dead:
            break;
    }
    return _awaited.empty() ? step::rset : _awaited.front();
}

shard::instant client::poll_at() const noexcept {
    if (_phase == phase::dead) {
        return shard::never;
    }
    if (_phase == phase::content) {
        // Looked at again whenever the average may have fallen below the least rate.
        const limits& most = _settings->limits;
        const auto enough_until =
            _content_since +
            std::max<shard::instant>(
                most.least_rate_after,
                std::chrono::seconds(_content_octets / std::max<std::uint32_t>(most.least_octets_per_second, 1) + 1));
        return std::min(_deadline, enough_until);
    }
    return _deadline;
}

void client::tick(shard::instant now) {
    if (_phase == phase::dead) {
        return;
    }
    if (now >= _deadline) {
        fail(trouble::timeout);
    } else if (_phase == phase::content && now >= poll_at()) {
        fail(trouble::too_slow);
    }
}

void client::opened(shard::instant now) {
    if (_phase == phase::connecting) {
        _phase = phase::greeting;
        restart_clock(now);
    }
}

void client::closed(shard::instant) {
    fail(trouble::lost);
}

void client::fail(relay::trouble trouble, server_reply reply) {
    if (_phase == phase::dead) {
        return;
    }
    const relay::step at = current_step();
    _phase = phase::dead;
    _deadline = shard::never;
    _events.push_back({.kind = client_event::kind::failed, .step = at, .trouble = trouble, .reply = std::move(reply)});
}

std::optional<client_event> client::next_event() {
    if (_events.empty()) {
        return std::nullopt;
    }
    client_event first = std::move(_events.front());
    _events.pop_front();
    return first;
}

void client::received(std::span<const char> octets, shard::instant now) {
    while (!octets.empty() && _phase != phase::dead) {
        switch (_reader.take(octets)) {
            case reply_reader::result::more:
                return;
            case reply_reader::result::complete:
                take_reply(_reader.take_reply(), now);
                break;
            case reply_reader::result::malformed:
            case reply_reader::result::too_long:
                fail(trouble::malformed);
                return;
        }
    }
}

void client::take_reply(server_reply reply, shard::instant now) {
    switch (_phase) {
        case phase::connecting:
        case phase::dead:
        case phase::quitting:
            return;
        case phase::greeting:
            take_greeting(std::move(reply), now);
            return;
        case phase::ehlo:
        case phase::helo:
            take_hello(std::move(reply), now);
            return;
        case phase::ready:
        case phase::content:
        case phase::final:
            take_answer(std::move(reply), now);
            return;
    }
}

bool client::names_us(std::string_view greeting_text) const {
    std::string_view first_line = greeting_text.substr(0, greeting_text.find('\n'));
    return same(take_word(first_line), _settings->own_name);
}

void client::take_greeting(server_reply reply, shard::instant now) {
    if (reply.code == 421) {
        fail(trouble::closing, std::move(reply));
    } else if (reply.transient()) {
        fail(trouble::unavailable, std::move(reply));
    } else if (reply.permanent()) {
        fail(trouble::refused, std::move(reply));
    } else if (reply.code != 220) {
        fail(trouble::malformed, std::move(reply));
    } else if (names_us(reply.text)) {
        fail(trouble::ourselves, std::move(reply));
    } else {
        _phase = phase::ehlo;
        _out += "EHLO " + _settings->own_name + "\r\n";
        restart_clock(now);
    }
}

void client::take_hello(server_reply reply, shard::instant now) {
    if (reply.code == 421) {
        fail(trouble::closing, std::move(reply));
    } else if (reply.transient()) {
        fail(trouble::unavailable, std::move(reply));
    } else if (reply.permanent() && _phase == phase::ehlo && knows_no_ehlo(reply.code)) {
        _phase = phase::helo;
        _out += "HELO " + _settings->own_name + "\r\n";
        restart_clock(now);
    } else if (reply.permanent()) {
        fail(trouble::refused, std::move(reply));
    } else if (!reply.positive()) {
        fail(trouble::malformed, std::move(reply));
    } else if (names_us(reply.text)) {
        fail(trouble::ourselves, std::move(reply));
    } else {
        if (_phase == phase::ehlo) {
            take_extensions(reply.text);
        }
        _phase = phase::ready;
        _events.push_back({.kind = client_event::kind::ready, .step = step::ehlo, .reply = std::move(reply)});
        restart_clock(now);
        pump(now);
    }
}

void client::take_extensions(std::string_view text) {
    // The first line is the server's name and greeting.
    while (text.find('\n') != std::string_view::npos) {
        text.remove_prefix(text.find('\n') + 1);
        std::string_view line = text.substr(0, text.find('\n'));
        const std::string_view keyword = take_word(line);
        if (same(keyword, "PIPELINING")) {
            _extensions.pipelining = true;
        } else if (same(keyword, "8BITMIME")) {
            _extensions.eight_bit_mime = true;
        } else if (same(keyword, "ENHANCEDSTATUSCODES")) {
            _extensions.enhanced_status_codes = true;
        } else if (same(keyword, "SIZE")) {
            _extensions.size = true;
            const std::string_view number = take_word(line);
            std::uint64_t limit = 0;
            const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), limit);
            if (error == std::errc() && end == number.data() + number.size()) {
                _extensions.size_limit = limit;
            }
        }
    }
}

void client::take_answer(server_reply reply, shard::instant now) {
    if (reply.code == 421) {
        fail(trouble::closing, std::move(reply));
        return;
    }
    if (_phase == phase::content || (_phase == phase::final && !output().empty())) {
        // The content is not over: a refusal is the server's answer to the message so far, anything else is no answer.
        fail(reply.transient() || reply.permanent() ? trouble::early : trouble::malformed, std::move(reply));
        return;
    }
    if (_awaited.empty()) {
        fail(trouble::malformed, std::move(reply));
        return;
    }
    const relay::step to = _awaited.front();
    const bool fits = reply.code == 354 ? to == step::data : reply.positive() ? to != step::data : reply.code >= 400;
    if (!fits) {
        fail(trouble::malformed, std::move(reply));
        return;
    }
    _awaited.pop_front();
    if (to == step::data && reply.code == 354) {
        _phase = phase::content;
        _content_since = now;
        _content_octets = 0;
        _line_end = 2;
    } else if (to == step::final) {
        _phase = phase::ready;
    }
    _events.push_back({.kind = client_event::kind::answer, .step = to, .reply = std::move(reply)});
    restart_clock(now);
    pump(now);
}

void client::give(relay::step step, std::string line, shard::instant now) {
    if (_phase == phase::dead || _phase == phase::quitting) {
        return;
    }
    _unsent.push_back({step, std::move(line)});
    pump(now);
}

/// Sends what may be sent: everything with PIPELINING, else one command at a time.
void client::pump(shard::instant now) {
    while (_phase == phase::ready && !_unsent.empty() && (_extensions.pipelining || _awaited.empty())) {
        const bool first = _awaited.empty();
        _out += _unsent.front().line;
        _awaited.push_back(_unsent.front().step);
        _unsent.pop_front();
        if (first) {
            restart_clock(now);
        }
    }
}

void client::mail(std::string_view reverse_path, std::uint64_t size, body_type body, shard::instant now) {
    std::string line = "MAIL FROM:<";
    line += reverse_path;
    line += '>';
    if (size != 0 && _extensions.size) {
        line += " SIZE=" + std::to_string(size);
    }
    if (_extensions.eight_bit_mime && body != body_type::unspecified) {
        line += body == body_type::eight_bit_mime ? " BODY=8BITMIME" : " BODY=7BIT";
    }
    give(step::mail, line + "\r\n", now);
}

void client::rcpt(std::string_view path, shard::instant now) {
    std::string line = "RCPT TO:<";
    line += path;
    give(step::rcpt, line + ">\r\n", now);
}

void client::data(shard::instant now) {
    give(step::data, "DATA\r\n", now);
}

void client::rset(shard::instant now) {
    give(step::rset, "RSET\r\n", now);
}

void client::quit(shard::instant now) {
    if (_phase == phase::dead) {
        return;
    }
    _phase = phase::quitting;
    _unsent.clear();
    _awaited.clear();
    _out += "QUIT\r\n";
    restart_clock(now);
}

void client::content(std::string_view octets, shard::instant now) {
    if (_phase != phase::content || octets.empty()) {
        return;
    }
    const bool idle = output().empty();
    _out.reserve(_out.size() + octets.size() + 64);
    std::size_t from = 0;
    for (std::size_t at = 0; at < octets.size();) {
        if (_line_end == 2 && octets[at] == '.') {
            _out.append(octets.substr(from, at - from));
            _out.push_back('.');
            from = at;
        }
        // To the next CR or LF at once; in between nothing can become a line's start.
        if (octets[at] == '\r') {
            _line_end = 1;
            ++at;
        } else if (octets[at] == '\n') {
            _line_end = _line_end == 1 ? 2 : 0;
            ++at;
        } else {
            _line_end = 0;
            at = std::min(octets.find_first_of("\r\n", at + 1), octets.size());
        }
    }
    _out.append(octets.substr(from));
    if (idle) {
        restart_clock(now);
    }
}

void client::end_of_data(shard::instant now) {
    if (_phase != phase::content) {
        return;
    }
    _out += _line_end == 2 ? ".\r\n" : "\r\n.\r\n";
    _phase = phase::final;
    _awaited.push_back(step::final);
    restart_clock(now);
}

void client::sent(std::size_t octets, shard::instant now) {
    _out_sent += std::min(octets, _out.size() - _out_sent);
    if (_out_sent == _out.size()) {
        _out.clear();
        _out_sent = 0;
    }
    if (_phase == phase::content || _phase == phase::final) {
        _content_octets += octets;
        restart_clock(now);
    }
}

}  // namespace postern::relay
