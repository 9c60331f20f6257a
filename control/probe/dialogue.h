// The SMTP side of a probe, sans-IO: octets from the mail server in, command lines out, findings at the end.
//
// Greeting, EHLO (HELO if it is refused), MAIL with the null sender, one random recipient, the addresses that must work
// (postmaster and abuse, if they are given), RSET, QUIT. No DATA is ever sent, so no mail can result. formats:
// "Confirming the inbound server". RFC 5321 3.1, 3.2, 3.3, 4.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::probe {

enum class outcome : std::uint8_t { good, bad, skipped };
std::string_view to_string(outcome of) noexcept;

/// One line of what a person is shown.
struct step {
    std::string name;  ///< "name", "connect", "greeting", "ehlo", "tls", "sender", "recipient"
    probe::outcome outcome = outcome::good;
    std::string detail;
};

struct dialogue_options {
    std::string helo;       ///< our name
    std::string recipient;  ///< the random address
    std::vector<std::string> own_names;
    std::string postmaster;  ///< whole addresses; empty: not asked for
    std::string abuse;
};

class dialogue {
public:
    static constexpr std::size_t max_line = 2048;        ///< RFC 5321 says 512; servers are longer
    static constexpr std::size_t max_reply_lines = 128;  ///< of one reply

    explicit dialogue(dialogue_options options);

    void received(std::string_view octets);
    void closed();     ///< the server closed the connection
    void timed_out();  ///< the server did not answer in time

    /// What is to be sent now; empties it.
    std::string take_output();
    bool done() const noexcept { return _state == state::done; }

    const std::vector<step>& steps() const noexcept { return _steps; }
    const std::vector<std::string>& extensions() const noexcept { return _extensions; }
    /// Whether the random recipient was accepted at RCPT; nothing if there was no finding (4xx, or never asked).
    std::optional<bool> catch_all() const noexcept { return _catch_all; }
    /// Whether they were accepted at RCPT; nothing if there was no finding.
    std::optional<bool> postmaster() const noexcept { return _postmaster; }
    std::optional<bool> abuse() const noexcept { return _abuse; }
    bool greets_with_own_name() const noexcept { return _own_name; }
    /// The server speaks SMTP with us: greeting, EHLO and MAIL were all right.
    bool usable() const noexcept { return _usable && !_own_name; }

private:
    enum class state : std::uint8_t { greeting, ehlo, helo, sender, recipient, postmaster, abuse, reset, quit, done };
    struct reply {
        unsigned code = 0;
        std::vector<std::string> lines;  ///< texts without code
    };
    void line(std::string_view text);
    void answered(const reply& whole);
    void greeted(const reply& whole);
    void helloed(const reply& whole);
    void broken(const std::string& why);
    void must_work(const std::string& name, const reply& whole, std::optional<bool>& finding);
    void ask_next();
    void add(std::string name, outcome of, std::string detail);
    void say(state next, std::string_view command);

    dialogue_options _options;
    state _state = state::greeting;
    std::string _partial;
    reply _reply;
    std::string _output;
    std::vector<step> _steps;
    std::vector<std::string> _extensions;
    std::optional<bool> _catch_all;
    std::optional<bool> _postmaster;
    std::optional<bool> _abuse;
    bool _own_name = false;
    bool _usable = false;
};

}  // namespace postern::probe
