#include "control/probe/dialogue.h"

#include <algorithm>
#include <utility>

namespace postern::probe {
namespace {

std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// Fit for people and logs whatever the server sent.
std::string printable(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, 512)) {
        const auto octet = static_cast<unsigned char>(c);
        out += octet < 0x20 || octet > 0x7E ? '?' : c;
    }
    return out;
}

}  // namespace

std::string_view to_string(outcome of) noexcept {
    switch (of) {
        case outcome::good:
            return "good";
        case outcome::bad:
            return "bad";
        case outcome::skipped:
            return "skipped";
    }
    return "bad";
}

dialogue::dialogue(dialogue_options options) : _options(std::move(options)) {}

void dialogue::add(std::string name, outcome of, std::string detail) {
    _steps.push_back({std::move(name), of, std::move(detail)});
}

void dialogue::say(state next, std::string_view command) {
    _state = next;
    _output += command;
    _output += "\r\n";
}

std::string dialogue::take_output() {
    return std::exchange(_output, {});
}

void dialogue::received(std::string_view octets) {
    while (!octets.empty() && !done()) {
        const std::size_t end = octets.find('\n');
        _partial += octets.substr(0, end);
        octets.remove_prefix(end == std::string_view::npos ? octets.size() : end + 1);
        if (_partial.size() > max_line) {
            broken("the server sent a line longer than " + std::to_string(max_line) + " octets");
            return;
        }
        if (end == std::string_view::npos) {
            return;
        }
        if (_partial.ends_with('\r')) {
            _partial.pop_back();
        }
        line(std::exchange(_partial, {}));
    }
}

void dialogue::line(std::string_view text) {
    const bool digits =
        text.size() >= 3 && std::all_of(text.begin(), text.begin() + 3, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || (text.size() > 3 && text[3] != ' ' && text[3] != '-')) {
        broken("this is no SMTP reply: \"" + printable(text) + "\"");
        return;
    }
    _reply.code = static_cast<unsigned>((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
    _reply.lines.push_back(printable(text.size() > 4 ? text.substr(4) : std::string_view{}));
    if (text.size() > 3 && text[3] == '-') {
        if (_reply.lines.size() >= max_reply_lines) {
            broken("the server sent a reply of more than " + std::to_string(max_reply_lines) + " lines");
        }
        return;
    }
    answered(std::exchange(_reply, {}));
}

void dialogue::greeted(const reply& whole) {
    const std::string said = std::to_string(whole.code) + " " + whole.lines.front();
    if (whole.code != 220) {
        add("greeting", outcome::bad, "the server greets with \"" + said + "\", not with 220");
        say(state::quit, "QUIT");
        return;
    }
    const std::string name = lower(whole.lines.front().substr(0, whole.lines.front().find(' ')));
    _own_name = std::any_of(_options.own_names.begin(), _options.own_names.end(),
                            [&](const std::string& own) { return !own.empty() && lower(own) == name; });
    if (_own_name) {
        add("greeting", outcome::bad,
            "it greets with our own name (" + name +
                "): mail would go round in a loop; give the mail server behind us");
        say(state::quit, "QUIT");
        return;
    }
    add("greeting", outcome::good, said);
    say(state::ehlo, "EHLO " + _options.helo);
}

void dialogue::helloed(const reply& whole) {
    if (whole.code / 100 != 2) {
        const std::string said = std::to_string(whole.code) + " " + whole.lines.front();
        if (_state == state::ehlo && whole.code / 100 == 5) {
            add("ehlo", outcome::good, "EHLO is refused (" + said + "), HELO is tried");
            say(state::helo, "HELO " + _options.helo);
            return;
        }
        add("ehlo", outcome::bad, "the server does not greet us back: " + said);
        say(state::quit, "QUIT");
        return;
    }
    std::string listed;
    for (std::size_t at = 1; _state == state::ehlo && at < whole.lines.size(); ++at) {
        _extensions.push_back(whole.lines[at]);
        listed += (listed.empty() ? "" : ", ") + whole.lines[at];
    }
    add(_state == state::ehlo ? "ehlo" : "helo", outcome::good,
        listed.empty() ? "accepted, without extensions" : "extensions: " + listed);
    const bool offers_tls = std::find(_extensions.begin(), _extensions.end(), "STARTTLS") != _extensions.end();
    add("tls", outcome::skipped,
        offers_tls ? "the server offers STARTTLS; this version of Postern does not use it yet"
                   : "the server does not offer STARTTLS");
    say(state::sender, "MAIL FROM:<>");
}

/// What comes behind the recipient of this state.
void dialogue::ask_next() {
    if (_state == state::recipient && !_options.postmaster.empty()) {
        say(state::postmaster, "RCPT TO:<" + _options.postmaster + ">");
    } else if (_state != state::abuse && !_options.abuse.empty()) {
        say(state::abuse, "RCPT TO:<" + _options.abuse + ">");
    } else {
        say(state::reset, "RSET");
    }
}

void dialogue::must_work(const std::string& name, const reply& whole, std::optional<bool>& finding) {
    const std::string said = std::to_string(whole.code) + " " + whole.lines.front();
    if (whole.code / 100 == 2) {
        finding = true;
        add(name, outcome::good, name + " is accepted: " + said);
    } else if (whole.code / 100 == 5) {
        finding = false;
        add(name, outcome::bad, name + " is refused, which must work (RFC 5321 4.5.1, RFC 2142): " + said);
    } else {
        add(name, outcome::skipped, "no finding: the server put it off: " + said);
    }
    ask_next();
}

void dialogue::answered(const reply& whole) {
    const std::string said = std::to_string(whole.code) + " " + whole.lines.front();
    switch (_state) {
        case state::greeting:
            greeted(whole);
            return;
        case state::ehlo:
        case state::helo:
            helloed(whole);
            return;
        case state::sender:
            if (whole.code / 100 != 2) {
                add("sender", outcome::bad, "the null sender is refused: " + said);
                say(state::quit, "QUIT");
                return;
            }
            _usable = true;
            add("sender", outcome::good, "the null sender is accepted: " + said);
            say(state::recipient, "RCPT TO:<" + _options.recipient + ">");
            return;
        case state::recipient:
            if (whole.code / 100 == 2) {
                _catch_all = true;
                add("recipient", outcome::bad,
                    "a random recipient (" + _options.recipient + ") is accepted: " + said +
                        "; the server takes every address, or refuses after DATA only, so it can't tell which exist "
                        "(Exchange: turn recipient filtering on)");
            } else if (whole.code / 100 == 5) {
                _catch_all = false;
                add("recipient", outcome::good, "a random recipient is refused, as it should be: " + said);
            } else {
                add("recipient", outcome::skipped, "no finding: the server put it off: " + said);
            }
            ask_next();
            return;
        case state::postmaster:
            must_work("postmaster", whole, _postmaster);
            return;
        case state::abuse:
            must_work("abuse", whole, _abuse);
            return;
        case state::reset:
            say(state::quit, "QUIT");
            return;
        case state::quit:
            _state = state::done;
            return;
        case state::done:
            return;
    }
}

void dialogue::broken(const std::string& why) {
    static constexpr std::string_view names[] = {"greeting",   "ehlo",  "helo",  "sender", "recipient",
                                                 "postmaster", "abuse", "reset", "quit"};
    // After the findings are in, how the server says good-bye does not matter.
    if (_state < state::reset) {
        add(std::string(names[static_cast<std::size_t>(_state)]), outcome::bad, why);
        _usable = _usable && _state > state::sender;
    }
    _state = state::done;
}

void dialogue::closed() {
    if (!done()) {
        broken("the server closed the connection");
    }
}

void dialogue::timed_out() {
    if (!done()) {
        broken("the server did not answer in time");
    }
}

}  // namespace postern::probe
