// Questions to DNS that control asks: who proves a domain (TXT), where its mail goes (MX). Never asked by an edge.
//
// Over c-ares: RFC 1035, truncated answers again over TCP (RFC 7766). What comes back is a stranger's text: bounded,
// and not to be trusted further than the question.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::dns {

struct resolver_options {
    std::vector<std::string> servers;  ///< "192.0.2.53", "127.0.0.1:5353", "[::1]:5353"; empty: /etc/resolv.conf's
    std::chrono::milliseconds timeout{2'000};    ///< for each try
    unsigned tries = 2;                          ///< at each server
    std::chrono::milliseconds deadline{10'000};  ///< for one question in all
};

struct lookup_error {
    bool absent = false;  ///< DNS answered that there is none; else it could not be asked
    std::string text;     ///< in words, with the name
};
template <class T>
using answer = tl::expected<T, lookup_error>;

struct mx_record {
    std::uint16_t preference = 0;
    std::string host;  ///< lower case, no dot at the end; empty: the domain takes no mail (RFC 7505)
};

constexpr std::size_t most_records = 100;    ///< of one answer; further ones are left out
constexpr std::size_t longest_text = 4'096;  ///< octets of one TXT record; the rest is cut off

/// Blocking; any thread, each call with a channel of its own.
class resolver {
public:
    explicit resolver(resolver_options options) : _options(std::move(options)) {}
    /// Each record's strings put together (RFC 7208 3.3).
    answer<std::vector<std::string>> txt(const std::string& name) const;
    /// By preference.
    answer<std::vector<mx_record>> mx(const std::string& name) const;
    /// IPv4 and IPv6 addresses as text; not `absent` if one family has none.
    answer<std::vector<std::string>> addresses(const std::string& name) const;

private:
    resolver_options _options;
};

/// Whether it is one as `servers` has them.
bool is_server(const std::string& text);

}  // namespace postern::dns
