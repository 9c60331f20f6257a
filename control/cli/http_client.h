// The API's client for posternctl: one request a connection, HTTP or HTTPS with the certificate verified, files sent
// and received without holding them in memory. Blocking, with time-outs.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace postern::cli {

struct client_options {
    std::string url = "http://127.0.0.1:8025";
    std::string token;
    std::string ca;  ///< PEM file of authorities to trust instead of the system's
    unsigned timeout_seconds = 120;
};

struct reply {
    unsigned status = 0;
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;

    std::string_view field(std::string_view name) const noexcept;  ///< "" if absent; the name in any case
};

struct call_options {
    std::string method = "GET";
    std::string target;  ///< path and query
    std::string body;
    std::string content_type;  ///< empty: no body
    std::vector<std::pair<std::string, std::string>> fields;
    std::string file;                                        ///< sent as the body instead of `body`
    std::function<void(std::uint64_t, std::uint64_t)> sent;  ///< octets of the file sent, and in all
    std::function<bool(std::string_view)> sink;              ///< gets the body of a 200 piece by piece
};

/// The error is a sentence: the URL is none, the server can't be reached, its certificate is not trusted.
tl::expected<reply, std::string> perform(const client_options& at, const call_options& what);

}  // namespace postern::cli
