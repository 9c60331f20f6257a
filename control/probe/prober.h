// Probes an inbound mail server before a person confirms it: each of its hosts by name, connection and SMTP dialogue.
//
// Refused (`loops`): a host that resolves to an address where an edge of ours listens, or greets with our name.
// Blocking, with a deadline for each host; any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/probe/dialogue.h"
#include "smtp/recipients/domains.h"

namespace postern::probe {

/// Where an edge of ours listens. A wildcard address stands for every address of this machine.
struct own_listener {
    std::string address;  ///< "0.0.0.0", "192.0.2.1", "::"
    std::uint16_t port = 25;
};

/// "192.0.2.1:25", "[::]:25"
tl::expected<own_listener, std::string> parse_listener(const std::string& text);

struct prober_options {
    std::string helo;                         ///< what we say at EHLO
    std::vector<std::string> own_names;       ///< with which no inbound server may greet
    std::vector<own_listener> own_listeners;  ///< to which none may resolve
    /// Whether we may connect there ("192.0.2.1"): the operator's egress policy. Null: anywhere.
    std::function<bool(const std::string& address)> may_reach;
    std::chrono::milliseconds connect_timeout{15'000};
    std::chrono::milliseconds host_timeout{60'000};  ///< for one host in all
};

struct host_finding {
    recipients::mail_host host;
    bool usable = false;
    bool loops = false;
    std::optional<bool> catch_all;
    std::optional<bool> postmaster;  ///< accepted at RCPT
    std::optional<bool> abuse;
    std::vector<std::string> extensions;
    std::vector<step> steps;
};

struct finding {
    bool usable = false;     ///< one host at least is usable, none loops
    bool loops = false;      ///< a host is one of us
    bool catch_all = false;  ///< a host accepted a random recipient
    std::string recipient;   ///< the random address that was asked for
    std::vector<host_finding> hosts;
};

/// What the hosts say of one recipient. Neither accepted nor refused: no finding (a 4xx, nobody answered).
struct recipient_finding {
    std::string recipient;  ///< that was asked for
    bool accepted = false;  ///< by one host at least
    bool refused = false;   ///< by one host at least, for good
    bool loops = false;     ///< a host is one of us
    std::string trouble;    ///< without a finding: why, in words
};

class prober {
public:
    explicit prober(prober_options options);
    /// `domain`: in which the random recipient is made up; its postmaster and abuse are asked for, too, unless it is a
    /// name of RFC 2606's `invalid`.
    finding run(const std::vector<recipients::mail_host>& hosts, const std::string& domain) const;

    /// Asks for one recipient alone: null sender, RCPT, RSET, QUIT. Ends soon after `stop` is set.
    recipient_finding ask(const std::vector<recipients::mail_host>& hosts, const std::string& recipient,
                          const std::atomic<bool>& stop) const;
    /// The same for a random recipient of the domain: accepted is catch-all.
    recipient_finding ask_random(const std::vector<recipients::mail_host>& hosts, const std::string& domain,
                                 const std::atomic<bool>& stop) const;

private:
    struct question {
        std::string recipient;
        bool must_work = true;  ///< ask for postmaster and abuse, too
        const std::atomic<bool>* stop = nullptr;
    };
    host_finding run_host(const recipients::mail_host& host, const question& asked) const;
    prober_options _options;
};

}  // namespace postern::probe
