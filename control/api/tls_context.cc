#include "control/api/tls_context.h"

#include <boost/asio/ip/address.hpp>

namespace postern::api {

namespace asio = boost::asio;
using boost::system::error_code;

tl::expected<asio::ssl::context, std::string> make_context(const server_options& options) {
    asio::ssl::context context(asio::ssl::context::tls_server);
    error_code error;
    context.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                            asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 |
                            asio::ssl::context::no_tlsv1_1 | asio::ssl::context::single_dh_use,
                        error);
    if (!error) {
        context.use_certificate_chain_file(options.certificate, error);
    }
    if (error) {
        return tl::unexpected("cannot use the certificate " + options.certificate + ": " + error.message() +
                              "; it must be a PEM file that postern-control can read, the chain included");
    }
    context.use_private_key_file(options.key, asio::ssl::context::pem, error);
    if (error) {
        return tl::unexpected("cannot use the key " + options.key + ": " + error.message() +
                              "; it must be a PEM file that postern-control can read, and belong to " +
                              options.certificate);
    }
    return context;
}

bool is_address(const std::string& text) {
    error_code error;
    static_cast<void>(asio::ip::make_address(text, error));
    return !error;
}

tl::expected<void, std::string> check_tls(const server_options& options) {
    if (options.certificate.empty()) {
        return {};
    }
    const auto context = make_context(options);
    if (!context) {
        return tl::unexpected(context.error());
    }
    return {};
}

bool is_loopback_address(const std::string& address) {
    error_code error;
    const auto parsed = asio::ip::make_address(address, error);
    return !error && parsed.is_loopback();
}

}  // namespace postern::api
