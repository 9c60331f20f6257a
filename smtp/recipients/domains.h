// What a generation says of each served domain: its mode, its lookup rules, its route. Travels in the table file.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace postern::recipients {

/// What a domain does with an unknown recipient (docs: modes). The numbers are the file format's.
enum class mode : std::uint8_t { observe = 0, discover = 1, defer = 2, enforce = 3 };

/// What kind of entry an address is. The numbers are the file format's.
enum class mailbox_kind : std::uint8_t { user = 0, shared = 1, resource = 2, list = 3, alias = 4, unclassified = 5 };

/// A network; IPv4 in mapped form with 96 added to its length. Host bits are zero.
struct network {
    std::array<std::uint8_t, 16> address{};
    std::uint8_t length = 128;
    bool contains(const std::array<std::uint8_t, 16>& host) const noexcept;
    friend bool operator==(const network&, const network&) = default;
};

/// A host of an inbound mail server. Lower priority first, as MX.
struct mail_host {
    std::string host;  ///< name or address
    std::uint16_t port = 25;
    std::uint16_t priority = 10;
    friend bool operator==(const mail_host&, const mail_host&) = default;
};

/// A domain's own mail server as confirmed by a person. Immutable; a change is a new object under the same id.
struct route {
    std::uint32_t id = 0;
    bool confirmed = false;  ///< unconfirmed: 451 4.3.5
    bool catch_all = false;  ///< the probe's random recipient was accepted at RCPT
    std::uint16_t max_connections = 10;
    std::vector<mail_host> hosts;
    friend bool operator==(const route&, const route&) = default;
};

struct domain_settings {
    std::uint32_t id = 0;  ///< stable, never reused, not 0
    std::string name;      ///< normal form
    std::uint32_t target =
        0;  ///< own id, or for a domain alias the id of the domain whose addresses and settings it has
    std::uint32_t route = 0;  ///< 0: none
    recipients::mode mode = recipients::mode::observe;
    char subaddress_delimiter = '+';  ///< '\0': none
    bool grace_defers = false;        ///< an address in grace gets 450 4.1.1 instead of being passed
    bool abuse_always = true;         ///< `abuse` is treated as `postmaster`
    bool strip_prvs = false;          ///< `prvs=tag=local` is looked up as `local`
    bool accept_srs = false;          ///< SRS0=/SRS1= forms are accepted
    bool on_hold = false;             ///< 450 4.3.2 to every recipient
    std::vector<network> trusted;     ///< hosts for which `internal_only` does not count
    friend bool operator==(const domain_settings&, const domain_settings&) = default;
};

}  // namespace postern::recipients
