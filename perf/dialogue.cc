#include "perf/dialogue.h"

#include <algorithm>

namespace postern::perf {

namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

/// The code of a reply line, 0 if it is none (RFC 5321 4.2: three digits, then `-`, a blank or the end).
int code_of(std::string_view line) noexcept {
    if (line.size() < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2])) {
        return 0;
    }
    if (line.size() > 3 && line[3] != ' ' && line[3] != '-') {
        return 0;
    }
    return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

bool starts_with_keyword(std::string_view text, std::string_view keyword) noexcept {
    const auto same = [](char a, char b) { return (a >= 'a' && a <= 'z' ? a - 'a' + 'A' : a) == b; };
    return text.size() >= keyword.size() &&
           std::equal(keyword.begin(), keyword.end(), text.begin(), [&](char k, char t) { return same(t, k); }) &&
           (text.size() == keyword.size() || text[keyword.size()] == ' ');
}

/// For messages to people: control octets replaced, cut at a readable length.
std::string printable(std::string_view text) {
    std::string out(text.substr(0, 200));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return out;
}

}  // namespace

const histogram& latency_of(exchange what, const tally& counts) noexcept {
    switch (what) {
        case exchange::sessions:
            return counts.session_latency;
        case exchange::messages:
            return counts.message_latency;
        case exchange::recipients:
            break;
    }
    return counts.rcpt_latency;
}

void dialogue::received(std::string_view octets, std::uint64_t now) {
    while (!octets.empty() && _state == state::talking) {
        const std::size_t end = octets.find('\n');
        if (end == std::string_view::npos) {
            if (_partial.size() + octets.size() > line_limit) {
                fail("a reply line of over 4096 octets");
                return;
            }
            _partial += octets;
            return;
        }
        std::string_view text = octets.substr(0, end);
        octets.remove_prefix(end + 1);
        if (!_partial.empty()) {
            _partial += text;
            text = _partial;
        }
        if (text.size() > line_limit || text.empty() || text.back() != '\r') {
            fail("a reply line that does not end in CRLF or is over 4096 octets: '" + printable(text) + "'");
            return;
        }
        text.remove_suffix(1);
        line(text, now);
        _partial.clear();
    }
    if (_state == state::securing && !octets.empty()) {
        fail("octets in the clear after the answer to STARTTLS: '" + printable(octets) + "'");  // RFC 3207 6
    }
    if (!octets.empty() && _state == state::done) {
        _context->tally.count(_context->tally.wrong, "octets after the answer to QUIT: '" + printable(octets) + "'");
    }
}

void dialogue::line(std::string_view text, std::uint64_t now) {
    const int code = code_of(text);
    if (code == 0 || (_lines != 0 && code != _code)) {
        fail("not a reply line: '" + printable(text) + "'");
        return;
    }
    const bool last = text.size() == 3 || text[3] == ' ';
    const bool of_ehlo = _greeted && _answered < _sent.size() && _sent[_answered].step == step::ehlo;
    if (of_ehlo && text.size() > 4) {
        _pipelining = _pipelining || starts_with_keyword(text.substr(4), "PIPELINING");
        _starttls = _starttls || starts_with_keyword(text.substr(4), "STARTTLS");
    }
    if (last) {
        _lines = 0;
        reply(text, now);
        return;
    }
    _code = code;
    if (++_lines >= lines_limit) {
        fail("a reply of over 100 lines");
    }
}

void dialogue::reply(std::string_view text, std::uint64_t now) {
    if (!_greeted) {
        _greeted = true;
        check(expected_reply::greeting, text, nullptr);
        return;
    }
    if (_answered == _sent.size()) {
        fail("a reply without a command: '" + printable(text) + "'");
        return;
    }
    const command& asked = _sent[_answered++];
    tally& counts = _context->tally;
    switch (asked.step) {
        case step::ehlo:
            ehlo_reply(asked, text);
            break;
        case step::starttls:
            check(expected_reply::starttls, text, &asked);
            if (_state == state::talking) {
                _state = state::securing;
                _shaking_since = now;
            }
            break;
        case step::mail:
            check(expected_reply::mail, text, &asked);
            break;
        case step::rcpt:
            rcpt_reply(asked, text, now);
            break;
        case step::data:
            check(_accepted != 0 ? expected_reply::data : expected_reply::data_refused, text, &asked);
            _at = text.front() == '3' ? step::body : step::rset;
            break;
        case step::body:
            ++counts.replies[static_cast<std::size_t>(code_of(text))];
            check(expected_reply::message, text, &asked);
            if (text.front() == '2') {
                ++counts.messages;
                counts.message_latency.add(now - asked.at.due);
            }
            break;
        case step::rset:
            check(expected_reply::rset, text, &asked);
            break;
        case step::quit:
            check(expected_reply::quit, text, &asked);
            if (_state == state::talking) {
                ++counts.sessions;
                counts.session_latency.add(now - _began);
                _state = state::done;
            }
            break;
    }
}

void dialogue::ehlo_reply(const command& asked, std::string_view text) {
    check(expected_reply::ehlo, text, &asked);
    if (_protection == protection::wanted) {
        if (!_starttls) {
            fail("the server does not announce STARTTLS; use --tls-share 0");
        }
    } else if (_context->plan.depth > 1 && !_pipelining) {
        fail("the server does not announce PIPELINING; use --pipeline 1");
    }
}

void dialogue::secured(std::uint64_t now) {
    tally& counts = _context->tally;
    ++counts.handshakes;
    counts.handshake_latency.add(now - _shaking_since);
    _protection = protection::secured;
    _state = state::talking;
    _pipelining = false;  // what was said in the clear counts no longer (RFC 3207 4.2)
    _at = step::ehlo;
}

void dialogue::handshake_failed(std::string_view why) {
    _context->tally.count(_context->tally.handshake_errors, "no TLS: " + printable(why));
    _state = state::failed;
}

void dialogue::rcpt_reply(const command& asked, std::string_view text, std::uint64_t now) {
    tally& counts = _context->tally;
    const bool accepted = text.front() == '2';
    ++counts.rcpts;
    ++counts.replies[static_cast<std::size_t>(code_of(text))];
    counts.accepted += accepted ? 1U : 0U;
    _accepted += accepted ? 1U : 0U;
    counts.rcpt_latency.add(now - asked.at.due);
    if (_context->windows != nullptr) {
        const bool during = facts_of(*_context->windows, asked.at.now, now).during;
        (during ? counts.swap_latency : counts.calm_latency).add(now - asked.at.due);
    }

    const expectations& expect = _context->plan.expect;
    const auto wrong = [&](const std::string& expected) {
        counts.count(counts.wrong,
                     words_of(asked) + ": expected " + expected + ", the answer was '" + printable(text) + "'");
    };
    switch (asked.who.standing) {
        case standing::valid:
            if (!expect.met(expected_reply::valid, text)) {
                wrong(expect.text(expected_reply::valid));
            }
            return;
        case standing::stranger:
            if (!expect.met(expected_reply::stranger, text)) {
                wrong(expect.text(expected_reply::stranger));
            }
            return;
        case standing::only_a:
        case standing::only_b:
            break;
    }
    // Either of the two answers has to be a proper one; which of them it may be, the windows say.
    const bool as_valid = expect.met(expected_reply::valid, text);
    if (!as_valid && !expect.met(expected_reply::stranger, text)) {
        wrong(expect.text(expected_reply::valid) + " or " + expect.text(expected_reply::stranger));
        return;
    }
    if (_context->judge != nullptr &&
        _context->judge->judge({asked.at.now, now, asked.who, as_valid}) == swap_judge::judgement::wrong) {
        wrong(as_valid ? "a refusal (no list in force has it)" : "acceptance (every list in force has it)");
    }
}

void dialogue::check(expected_reply what, std::string_view text, const command* asked) {
    if (!_context->plan.expect.met(what, text)) {
        fail((asked == nullptr ? std::string("greeting") : words_of(*asked)) + ": expected " +
             _context->plan.expect.text(what) + ", the answer was '" + printable(text) + "'");
    }
}

void dialogue::fail(std::string words) {
    if (over()) {
        return;
    }
    _context->tally.count(_context->tally.wrong, std::move(words));
    _state = state::failed;
}

void dialogue::lost(std::string_view why) {
    if (!over()) {
        const std::string at = where();
        _context->tally.count(_context->tally.dropped, "connection lost (" + std::string(why) + ") " +
                                                           (at.empty() ? std::string("while idle") : "at " + at));
        _state = state::failed;
    }
}

void dialogue::timed_out() {
    if (!over()) {
        const std::string at = where();
        _context->tally.count(_context->tally.timeouts, "no reply in time to " + (at.empty() ? "connect" : at));
        _state = state::failed;
    }
}

/// What waits for the server; nothing if no command does.
std::string dialogue::where() const {
    if (_state == state::securing) {
        return "the TLS handshake";
    }
    return _answered < _sent.size() ? words_of(_sent[_answered]) : std::string();
}

std::string dialogue::words_of(const command& asked) const {
    switch (asked.step) {
        case step::ehlo:
            return "EHLO";
        case step::starttls:
            return "STARTTLS";
        case step::mail:
            return "MAIL";
        case step::rcpt:
            return "RCPT TO:<" + _context->plan.recipients.text(asked.who) + ">";
        case step::data:
            return "DATA";
        case step::body:
            return "end of data";
        case step::rset:
            return "RSET";
        case step::quit:
            return "QUIT";
    }
    return {};
}

bool dialogue::next_counts() const noexcept {
    switch (_context->plan.exchange) {
        case exchange::recipients:
            return _at == step::rcpt || (_at != step::ehlo && _at != step::starttls && _context->plan.depth > 1);
        case exchange::messages:
            return _at == step::mail;
        case exchange::sessions:
            return false;
    }
    return false;
}

std::size_t dialogue::next_segment(std::string& out, moment at, std::size_t rcpts, bool stop) {
    const plan& to_do = _context->plan;
    _sent.clear();
    _answered = 0;
    if (stop && _at != step::body) {  // after 354 only the body can follow
        _at = step::quit;
    }
    rcpts = std::min(rcpts, to_do.depth);
    std::size_t asked = 0;
    while (true) {
        const step what = _at;
        if (what == step::rcpt && asked == rcpts) {
            break;
        }
        asked += what == step::rcpt ? 1U : 0U;
        put(what, out, at);
        // EHLO, STARTTLS, DATA and QUIT end a group (RFC 2920 3.1, RFC 3207 4); what follows DATA depends on its
        // answer.
        if (to_do.depth == 1 || what == step::ehlo || what == step::starttls || what == step::data ||
            what == step::body || what == step::quit) {
            break;
        }
    }
    return asked;
}

void dialogue::put(step what, std::string& out, moment at) {
    const plan& to_do = _context->plan;
    command sent{what, {}, at};
    switch (what) {
        case step::ehlo:
            out += "EHLO ";
            out += to_do.helo;
            _at = _protection == protection::wanted ? step::starttls : step::mail;
            break;
        case step::starttls:
            out += "STARTTLS";
            break;  // TLS decides what follows
        case step::mail:
            out += "MAIL FROM:<";
            out += to_do.sender;
            out += '>';
            _in_transaction = 0;
            _accepted = 0;
            _at = step::rcpt;
            break;
        case step::rcpt:
            sent.who = to_do.recipients.draw(_context->random);
            out += "RCPT TO:<";
            to_do.recipients.append(sent.who, out);
            out += '>';
            ++_in_transaction;
            switch (to_do.exchange) {
                case exchange::recipients:
                    _at = _in_transaction < to_do.per_transaction ? step::rcpt : step::rset;
                    break;
                case exchange::sessions:
                    _at = step::quit;
                    break;
                case exchange::messages:
                    _at = _in_transaction < to_do.per_transaction ? step::rcpt : step::data;
                    break;
            }
            break;
        case step::data:
            out += "DATA";
            break;  // the answer decides what follows
        case step::body:
            out += to_do.body;
            out += '.';
            _at = step::mail;
            break;
        case step::rset:
            out += "RSET";
            _at = step::mail;
            break;
        case step::quit:
            out += "QUIT";
            break;
    }
    out += "\r\n";
    _sent.push_back(sent);
}

}  // namespace postern::perf
