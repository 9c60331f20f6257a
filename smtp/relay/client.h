// The client's side of one SMTP connection to a mail server, sans-IO: octets and time in, octets and events out.
//
// `opened`, `received`, `sent`, `closed` and `tick` are what the world does to it; `output` is what it wants sent, and
// `poll_at` when it wants to be ticked; `next_event` tells its owner what came of the commands he gave. Commands may be
// given at once: they are sent together where the server offers PIPELINING, else one by one. After `failed` it is dead.
// RFC 5321 3, 4.1, 4.5.2 (dot stuffing), 4.5.3.2 (timeouts); 1870, 2920, 6152.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/shard/seam.h"
#include "smtp/relay/port.h"
#include "smtp/relay/reply.h"
#include "smtp/relay/settings.h"

namespace postern::relay {

/// What a server says it can do (EHLO).
struct extensions {
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool enhanced_status_codes = false;
    bool size = false;
    std::uint64_t size_limit = 0;  ///< 0: none told
};

/// Why a connection is of no more use.
enum class trouble : std::uint8_t {
    lost,         ///< closed or reset by the server, or never reached
    closing,      ///< 421
    early,        ///< another 4xx or 5xx before the end of data: the server's answer to the message
    timeout,      ///< no answer in time, or nothing of the content was taken in time
    too_slow,     ///< content under the least rate
    malformed,    ///< no reply at all, an endless one, or one that cannot stand here
    unavailable,  ///< 4xx to the greeting or EHLO
    refused,      ///< 5xx to the greeting, EHLO and HELO: about us
    ourselves,    ///< it greets with our name
};

enum class step : std::uint8_t { greeting, ehlo, helo, mail, rcpt, data, content, final, rset, quit };

struct client_event {
    enum class kind : std::uint8_t {
        ready,   ///< greeted; commands are answered from now on
        answer,  ///< `reply` to the oldest command of kind `step` (mail, rcpt, data, final, rset)
        failed,  ///< `trouble`, at `step`; `reply` if the server said something (else its code is 0)
    };
    client_event::kind kind = kind::ready;
    relay::step step = step::greeting;
    relay::trouble trouble = trouble::lost;
    server_reply reply;
};

class client {
public:
    /// `settings` outlives the client.
    explicit client(const settings& settings) : _settings(&settings) {}

    // The world.
    void opened(shard::instant now);  ///< the connection stands
    void received(std::span<const char> octets, shard::instant now);
    void closed(shard::instant now);                    ///< by the server, or an error
    void sent(std::size_t octets, shard::instant now);  ///< so many of `output` are gone
    void tick(shard::instant now);
    std::string_view output() const noexcept { return std::string_view(_out).substr(_out_sent); }
    shard::instant poll_at() const noexcept;

    // The owner. Commands in an order that SMTP allows, after `ready`.
    void mail(std::string_view reverse_path, std::uint64_t size, body_type body, shard::instant now);
    void rcpt(std::string_view path, shard::instant now);
    void data(shard::instant now);                              ///< when all before is answered
    void content(std::string_view octets, shard::instant now);  ///< after 354; when `output` is empty, else it grows
    void end_of_data(shard::instant now);
    void rset(shard::instant now);
    void forget_unsent() { _unsent.clear(); }  ///< commands that wait for the answers to others
    void quit(shard::instant now);             ///< nothing is answered any more; close it once `output` is empty

    std::optional<client_event> next_event();
    const relay::extensions& extensions() const noexcept { return _extensions; }
    bool dead() const noexcept { return _phase == phase::dead; }
    /// No command waits for an answer.
    bool quiet() const noexcept { return _phase == phase::ready && _awaited.empty() && _unsent.empty(); }
    bool within_content() const noexcept { return _phase == phase::content; }
    /// The end of data was given to the network to the last octet.
    bool content_is_gone() const noexcept { return _phase == phase::final && output().empty(); }

private:
    enum class phase : std::uint8_t { connecting, greeting, ehlo, helo, ready, content, final, quitting, dead };
    struct command {
        relay::step step;
        std::string line;
    };

    void take_reply(server_reply reply, shard::instant now);
    void take_greeting(server_reply reply, shard::instant now);
    void take_hello(server_reply reply, shard::instant now);
    void take_extensions(std::string_view text);
    void take_answer(server_reply reply, shard::instant now);
    bool names_us(std::string_view greeting_text) const;
    void give(relay::step step, std::string line, shard::instant now);
    void pump(shard::instant now);
    void fail(relay::trouble trouble, server_reply reply = {});
    relay::step current_step() const noexcept;
    void restart_clock(shard::instant now);

    const settings* _settings;
    phase _phase = phase::connecting;
    relay::extensions _extensions;
    reply_reader _reader;
    std::string _out;
    std::size_t _out_sent = 0;
    std::deque<command> _unsent;       ///< given, not yet in `_out`
    std::deque<relay::step> _awaited;  ///< in `_out` or sent, not yet answered
    std::deque<client_event> _events;
    shard::instant _deadline = shard::never;
    shard::instant _content_since{};    ///< 354
    std::uint64_t _content_octets = 0;  ///< taken by the network since
    std::uint8_t _line_end = 2;         ///< of content so far: 2 after CRLF (or at its start), 1 after CR
};

}  // namespace postern::relay
