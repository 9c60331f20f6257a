// The client's side of TLS on one connection, sans-IO: records of the server in, plain text and records to send out.
//
//     tls_client tls(settings);
//     tls.begin(out);                      // the ClientHello
//     tls.received(octets, plain, out);    // until `now_in` says open, and ever after
//     tls.seal(plain, out);
//
// TLS 1.2 and 1.3 (RFC 5246, RFC 8446) over OpenSSL's memory BIOs. Load is not for secrets: the server's certificate is
// not verified. Every handshake is a whole one, no session is resumed, so that each costs the server what a stranger's
// does.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace postern::perf {

/// What the sessions of one thread share.
class tls_settings {
public:
    /// Throws std::runtime_error with OpenSSL's words if there is no memory or no random source.
    tls_settings();
    SSL_CTX* get() const noexcept { return _context.get(); }

private:
    std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)> _context;
};

class tls_client {
public:
    enum class state : std::uint8_t {
        handshake,
        open,
        closed,  ///< the server said that nothing follows (close_notify)
        failed,  ///< `error` says why
    };

    /// Throws std::bad_alloc.
    explicit tls_client(const tls_settings& settings);

    /// Appends the ClientHello to `out`.
    void begin(std::string& out);
    /// Takes octets of the server: appends what they say to `plain`, and what TLS itself answers to `out`.
    void received(std::string_view octets, std::string& plain, std::string& out);
    /// Appends the records of `plain` to `out`. Precondition: open.
    void seal(std::string_view plain, std::string& out);

    state now_in() const noexcept { return _state; }
    const std::string& error() const noexcept { return _error; }

private:
    void shake();
    void fail();
    void drain(std::string& out);

    std::unique_ptr<SSL, decltype(&::SSL_free)> _ssl;
    BIO* _in;   ///< owned by `_ssl`
    BIO* _out;  ///< likewise
    state _state = state::handshake;
    std::string _error;
};

}  // namespace postern::perf
