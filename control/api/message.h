// A request and a response as the API's handlers see them: HTTP without its wire. http_server.cc is the only place that
// knows Beast; everything behind this header is tested without a socket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::directory {
struct scope;  // control/directory/scope.h
}

namespace postern::api {

enum class method : std::uint8_t { get, post, put, patch, del };
std::string_view to_string(method verb) noexcept;  ///< "GET", …, "DELETE"

/// What a token may do; each role may all that the ones before it may.
enum class role : std::uint8_t {
    nobody,     ///< no token
    reader,     ///< read lists, status and history
    operator_,  ///< edit lists: mailboxes, aliases, groups, imports
    admin,      ///< domains, modes, inbound servers, organisations, tokens
};
std::string_view to_string(role who) noexcept;  ///< "reader", "operator", "admin"
std::optional<role> parse_role(std::string_view word) noexcept;

/// Who is asking, as found from the token.
struct caller {
    api::role role = api::role::nobody;
    std::int64_t token = 0;  ///< the token's id, 0 without one
    std::string name;        ///< the token's name, with its organisation's id in front ("7/ops") unless it reaches all
    std::shared_ptr<const directory::scope> scope;  ///< what the token reaches; null: everything
};

struct request {
    api::method verb = api::method::get;
    std::string path;                                         ///< as sent, without the query
    std::string query;                                        ///< as sent, without the `?`
    std::vector<std::pair<std::string, std::string>> fields;  ///< header fields, names in lower case
    std::string body;                                         ///< empty for an upload
    std::string upload;                                       ///< the temporary file that holds an uploaded body
    std::string upload_digest;                                ///< SHA-256 of it, in hex
    bool loopback = false;                                    ///< the client's address is a loopback one
    bool tls = false;                                         ///< it came over TLS
    std::vector<std::string> arguments;                       ///< the path's parameters, decoded, in order
    api::caller caller;

    /// The header field's value, "" if it is absent.
    std::string_view field(std::string_view lower_case_name) const noexcept;
};

struct response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
    /// If set, the body is streamed: each call fills its argument with the next part; an empty part ends the body.
    /// Called on a worker thread; false breaks the connection off (an answer that could not be finished must not look
    /// whole).
    std::function<bool(std::string&)> stream;
};

}  // namespace postern::api
