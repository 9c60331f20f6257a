// Requests over libcurl, one at a time over connections that stay open: certificates always verified, no redirect
// followed, nothing of the environment's proxies or the machine's ~/.netrc. Not part of the folder's public face.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "control/sources/failure.h"
#include "control/sources/microsoft365/conversation.h"
#include "control/sources/microsoft365/settings.h"

namespace postern::sources::microsoft365 {

/// Told of every step that went well for the first time on a host: "name", "TCP", "TLS".
using connection_observer = std::function<void(const std::string& server, const char* step, const std::string& detail)>;

/// For one thread. A request ends within about a second of the stop.
class http_client {
public:
    /// All must outlive it.
    http_client(const tenant_settings& settings, const egress_policy& policy, patience limits,
                connection_observer observer = {});
    ~http_client();
    http_client(const http_client&) = delete;
    http_client& operator=(const http_client&) = delete;

    answer perform(const request& what);
    /// URL of the host that was asked last.
    const std::string& server() const noexcept { return _server; }
    const patience& limits() const noexcept { return _limits; }

private:
    struct handle;
    struct transfer;
    void observe(const transfer& of);
    failure explain(int code, const transfer& of) const;

    const tenant_settings& _settings;
    const egress_policy& _policy;
    const patience _limits;
    const connection_observer _observer;
    std::unique_ptr<handle> _handle;
    std::string _server;
    std::string _host;
    std::set<std::string> _observed;  ///< server and step
};

/// Lets a conversation have its way until it is over.
void converse(conversation& with, http_client& over);

}  // namespace postern::sources::microsoft365
