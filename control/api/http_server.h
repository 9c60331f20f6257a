// The HTTP/1.1 server in front of the API: connections, TLS, limits and time-outs, bodies to memory or to a file.
//
// One I/O thread owns every connection (coroutines over Asio and Beast, in http_server.cc only); `application` is asked
// on worker threads: for admission when a request's head is there, for the answer when its body is. RFC 9110, 9112.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "control/api/message.h"
#include "control/api/problem.h"

namespace postern::api {

enum class body_kind : std::uint8_t {
    none,    ///< a body is refused
    memory,  ///< at most `server_options::body_limit` octets, in `request::body`
    upload,  ///< at most `server_options::upload_limit` octets, in a file (`request::upload`)
};

struct admission {
    std::optional<response> refusal;  ///< sent instead of reading the body
    body_kind body = body_kind::none;
    bool may_wait = false;  ///< the answer may take long: it is made on threads that plain reads don't share
};

class application {
public:
    virtual ~application() = default;
    /// The head of a request has come: is it to be answered, and what may its body be? Fills in `caller`, `arguments`.
    virtual admission admit(request& head) = 0;
    /// The whole request. Any worker thread; exceptions become a 500. The file of an upload is removed afterwards,
    /// unless it was renamed.
    virtual response handle(request& whole) = 0;
    /// What the server itself refuses (a body that is too long, a failure), in this API's form.
    virtual response refuse(const request& head, const problem& why);
};

struct server_options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 8025;     ///< 0: the kernel chooses
    std::string certificate;       ///< PEM file, chain included; needed for any address but a loopback one
    std::string key;               ///< PEM file
    std::string upload_folder;     ///< for bodies on their way to a file
    unsigned workers = 4;          ///< threads for admission and for answers that do not wait
    unsigned waiting_workers = 8;  ///< threads for those that may
    std::size_t max_connections = 256;
    std::uint32_t header_limit = 16 * 1024;
    std::uint64_t body_limit = 8ULL << 20U;
    std::uint64_t upload_limit = 4ULL << 30U;
    std::chrono::milliseconds header_timeout{15'000};  ///< from a request's first octet, and for TLS's handshake
    std::chrono::milliseconds idle_timeout{60'000};    ///< between requests of a connection
    std::chrono::milliseconds block_timeout{30'000};   ///< for each 64 KiB of a body, read or written
};

struct server_counters {
    std::uint64_t connections = 0;          ///< accepted
    std::uint64_t connections_refused = 0;  ///< over the limit
    std::uint64_t requests = 0;
    std::uint64_t open = 0;  ///< connections now
};

class http_server {
public:
    /// Binds and listens, reads the certificate. The error names what was wrong and what to do.
    static tl::expected<std::unique_ptr<http_server>, std::string> open(const server_options& options,
                                                                        application& app);
    ~http_server();
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    std::uint16_t port() const noexcept;
    bool tls() const noexcept;
    std::string url() const;  ///< "http://127.0.0.1:8025"
    server_counters counters() const noexcept;

    void start();
    /// No new connections; requests being answered are finished, at most for `grace`; then every thread has ended.
    void stop(std::chrono::milliseconds grace);

private:
    struct state;
    explicit http_server(std::unique_ptr<state> made);
    std::unique_ptr<state> _state;
};

/// Whether `address` is an IP address, and one of the loopback network.
bool is_loopback_address(const std::string& address);
bool is_address(const std::string& text);  ///< an IP address

/// Whether certificate and key (if any) can be used, as `http_server::open` would.
tl::expected<void, std::string> check_tls(const server_options& options);

}  // namespace postern::api
