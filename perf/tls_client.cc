#include "perf/tls_client.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>

namespace postern::perf {

namespace {

constexpr std::size_t record_limit = 16384;  // RFC 8446 5.1

std::string openssl_words() {
    const unsigned long code = ::ERR_get_error();
    ::ERR_clear_error();
    const char* const words = ::ERR_reason_error_string(code);
    return words != nullptr ? words : "the connection's state is broken";
}

}  // namespace

tls_settings::tls_settings() : _context(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free) {
    if (_context == nullptr) {
        throw std::runtime_error("cannot set up TLS: " + openssl_words());
    }
    ::SSL_CTX_set_min_proto_version(_context.get(), TLS1_2_VERSION);
    ::SSL_CTX_set_verify(_context.get(), SSL_VERIFY_NONE, nullptr);
    ::SSL_CTX_set_session_cache_mode(_context.get(), SSL_SESS_CACHE_OFF);
    ::SSL_CTX_set_mode(_context.get(), SSL_MODE_RELEASE_BUFFERS);
}

tls_client::tls_client(const tls_settings& settings)
    : _ssl(::SSL_new(settings.get()), &::SSL_free), _in(::BIO_new(::BIO_s_mem())), _out(::BIO_new(::BIO_s_mem())) {
    if (_ssl == nullptr || _in == nullptr || _out == nullptr) {
        ::BIO_free(_in);
        ::BIO_free(_out);
        throw std::bad_alloc();
    }
    ::SSL_set_bio(_ssl.get(), _in, _out);
    ::SSL_set_connect_state(_ssl.get());
}

void tls_client::begin(std::string& out) {
    shake();
    drain(out);
}

void tls_client::received(std::string_view octets, std::string& plain, std::string& out) {
    while (!octets.empty() && _state != state::failed) {
        const int taken = ::BIO_write(_in, octets.data(), static_cast<int>(std::min(octets.size(), record_limit)));
        if (taken <= 0) {
            fail();
            break;
        }
        octets.remove_prefix(static_cast<std::size_t>(taken));
        if (_state == state::handshake) {
            shake();
        }
        std::array<char, record_limit> part;
        while (_state == state::open) {
            const int size = ::SSL_read(_ssl.get(), part.data(), static_cast<int>(part.size()));
            if (size > 0) {
                plain.append(part.data(), static_cast<std::size_t>(size));
                continue;
            }
            const int error = ::SSL_get_error(_ssl.get(), size);
            if (error == SSL_ERROR_ZERO_RETURN) {
                _state = state::closed;
            } else if (error != SSL_ERROR_WANT_READ) {
                fail();
            }
            break;
        }
    }
    drain(out);
}

void tls_client::seal(std::string_view plain, std::string& out) {
    while (!plain.empty() && _state == state::open) {
        const int taken = ::SSL_write(_ssl.get(), plain.data(), static_cast<int>(std::min(plain.size(), record_limit)));
        if (taken <= 0) {
            fail();
            break;
        }
        plain.remove_prefix(static_cast<std::size_t>(taken));
    }
    drain(out);
}

void tls_client::shake() {
    const int done = ::SSL_do_handshake(_ssl.get());
    if (done == 1) {
        _state = state::open;
    } else if (::SSL_get_error(_ssl.get(), done) != SSL_ERROR_WANT_READ) {
        fail();
    }
}

void tls_client::fail() {
    _state = state::failed;
    _error = openssl_words();
}

void tls_client::drain(std::string& out) {
    char* octets = nullptr;
    const long size = BIO_get_mem_data(_out, &octets);
    if (size > 0) {
        out.append(octets, static_cast<std::size_t>(size));
        BIO_reset(_out);
    }
}

}  // namespace postern::perf
