// The server's TLS context from its certificate and key. Includes Asio: for http_server.cc only.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <string>
#include <tl/expected.hpp>

#include "control/api/http_server.h"

namespace postern::api {

tl::expected<boost::asio::ssl::context, std::string> make_context(const server_options& options);

}  // namespace postern::api
