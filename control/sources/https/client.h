// Requests over libcurl, one at a time over connections that stay open: certificates always verified, no redirect
// followed, nothing of the environment's proxies or the machine's ~/.netrc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "control/sources/failure.h"
#include "control/sources/https/answer.h"

namespace postern::sources::https {

struct client_settings {
    std::string ca_certificates;  ///< PEM; empty: the system's
    std::string proxy;            ///< "http://HOST:PORT" or "https://…"; empty: none
    std::string proxy_user;
    std::string proxy_password;
    std::uint32_t connect_timeout_s = 10;  ///< of name, TCP and TLS together
    std::uint32_t answer_timeout_s = 60;   ///< of silence
    bool clear = false;                    ///< http:// too: the caller answers for where it leads
    std::size_t longest_answer = 16U << 20U;
    // Where a person sets what a refusal is about.
    std::string ca_member = "ca_certificates";
    std::string proxy_password_member = "the secret proxy_password";
};

struct request {
    std::string server;  ///< "https://graph.example:443"
    std::string host;    ///< of it, for words
    std::string target;  ///< path and query
    std::string token;   ///< bearer; empty: none
    std::string form;    ///< POST of this form; empty: GET, unless there is a file
    std::string file;    ///< POST of this file's octets
    std::string file_type;
};

/// Told of every step that went well for the first time on a host: "name", "TCP", "TLS".
using connection_observer = std::function<void(const std::string& server, const char* step, const std::string& detail)>;

/// For one thread. A request ends within about a second of the stop.
class client {
public:
    /// `policy` must outlive it.
    client(client_settings settings, const egress_policy& policy, patience limits, connection_observer observer = {});
    ~client();
    client(const client&) = delete;
    client& operator=(const client&) = delete;

    answer perform(const request& what);
    /// URL of the host that was asked last.
    const std::string& server() const noexcept { return _server; }
    const patience& limits() const noexcept { return _limits; }

private:
    struct handle;
    struct transfer;
    void observe(const transfer& of);
    failure explain(int code, const transfer& of) const;

    const client_settings _settings;
    const egress_policy& _policy;
    const patience _limits;
    const connection_observer _observer;
    std::unique_ptr<handle> _handle;
    std::string _server;
    std::string _host;
    std::set<std::string> _observed;  ///< server and step
};

}  // namespace postern::sources::https
