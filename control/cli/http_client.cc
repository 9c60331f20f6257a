#include "control/cli/http_client.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <memory>

#include "board/process/files.h"
#include "board/process/version.h"

namespace postern::cli {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t block_octets = 64UL * 1024;
constexpr std::uint64_t max_body = 256ULL << 20U;

struct place {
    bool tls = false;
    std::string host;
    std::string port;
    std::string shown;  ///< for Host
};

tl::expected<place, std::string> parse_url(const std::string& text) {
    const auto parsed = boost::urls::parse_uri(text);
    if (!parsed || (parsed->scheme() != "http" && parsed->scheme() != "https") || parsed->host().empty() ||
        (!parsed->path().empty() && parsed->path() != "/") || parsed->has_query() || parsed->has_userinfo()) {
        return tl::unexpected("\"" + text + "\" is not a URL such as http://127.0.0.1:8025; see --url and POSTERN_URL");
    }
    place out;
    out.tls = parsed->scheme() == "https";
    out.host = parsed->host_address();
    out.port = parsed->has_port() && !parsed->port().empty() ? std::string(parsed->port()) : (out.tls ? "443" : "80");
    out.shown = std::string(parsed->encoded_host()) + ":" + out.port;
    return out;
}

void set_timeout(tcp::socket& socket, unsigned seconds) {
    timeval limit{};
    limit.tv_sec = static_cast<time_t>(seconds);
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

std::string explain(const error_code& error) {
    if (error == asio::error::would_block || error == asio::error::try_again) {
        return "no answer in time";
    }
    return error.message();
}

/// The body's octets as they are to be sent: from memory or from a file.
class outgoing {
public:
    static tl::expected<outgoing, std::string> open(const call_options& what) {
        outgoing out;
        out._memory = what.body;
        out._size = what.body.size();
        if (!what.file.empty()) {
            out._file.reset(what.file == "-" ? nullptr : std::fopen(what.file.c_str(), "rbe"));
            struct stat status {};
            if (!out._file || ::fstat(::fileno(out._file.get()), &status) != 0 || !S_ISREG(status.st_mode)) {
                const int error = out._file ? EINVAL : errno;
                return tl::unexpected(process::errno_text("read", what.file, error) +
                                      "; name a file that you can read");
            }
            out._size = static_cast<std::uint64_t>(status.st_size);
        }
        return out;
    }
    std::uint64_t size() const { return _size; }
    /// 0 at the end or on an error.
    std::size_t read(char* into, std::size_t room) {
        if (_file) {
            return std::fread(into, 1, room, _file.get());
        }
        const std::size_t count = std::min(room, _memory.size());
        _memory.copy(into, count);
        _memory.remove_prefix(count);
        return count;
    }

private:
    struct closing {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::unique_ptr<std::FILE, closing> _file;
    std::string_view _memory;
    std::uint64_t _size = 0;
};

template <class Stream>
tl::expected<void, std::string> send(Stream& stream, const place& to, const client_options& at,
                                     const call_options& what, outgoing& body) {
    http::request<http::buffer_body> message;
    message.method_string(what.method);
    message.target(what.target);
    message.version(11);
    message.set(http::field::host, to.shown);
    message.set(http::field::user_agent, "posternctl/" + std::string(process::version));
    message.set(http::field::connection, "close");
    if (!at.token.empty()) {
        message.set(http::field::authorization, "Bearer " + at.token);
    }
    for (const auto& [name, value] : what.fields) {
        message.set(name, value);
    }
    const bool has_body = !what.content_type.empty();
    if (has_body) {
        message.set(http::field::content_type, what.content_type);
    }
    if (has_body || what.method != "GET") {
        message.content_length(has_body ? body.size() : 0);
    }
    message.body().data = nullptr;
    message.body().more = has_body && body.size() > 0;
    http::request_serializer<http::buffer_body> serializer(message);
    error_code error;
    http::write_header(stream, serializer, error);
    std::array<char, block_octets> block{};  // NOLINT: filled by read
    std::uint64_t sent = 0;
    while (!error && message.body().more) {
        const std::size_t count = body.read(block.data(), std::min<std::uint64_t>(block.size(), body.size() - sent));
        if (count == 0) {
            return tl::unexpected("the file became shorter while it was sent: " + what.file);
        }
        sent += count;
        message.body().data = block.data();
        message.body().size = count;
        message.body().more = sent < body.size();
        http::write(stream, serializer, error);
        if (error == http::error::need_buffer) {
            error = {};
        }
        if (what.sent) {
            what.sent(sent, body.size());
        }
    }
    if (!error && !serializer.is_done()) {
        message.body().data = nullptr;
        message.body().size = 0;
        http::write(stream, serializer, error);
    }
    // A server that refuses a body early answers and closes: its answer counts, not the broken pipe.
    if (error && error != asio::error::broken_pipe && error != asio::error::connection_reset) {
        return tl::unexpected("cannot send to " + at.url + ": " + explain(error));
    }
    return {};
}

template <class Stream>
tl::expected<reply, std::string> receive(Stream& stream, const client_options& at, const call_options& what) {
    beast::flat_buffer buffer;
    http::response_parser<http::buffer_body> parser;
    parser.body_limit(what.sink ? std::numeric_limits<std::uint64_t>::max() : max_body);
    error_code error;
    do {
        http::read_header(stream, buffer, parser, error);
    } while (!error && parser.get().result() == http::status::continue_);
    if (error) {
        return tl::unexpected("no answer from " + at.url + ": " + explain(error));
    }
    reply out;
    out.status = parser.get().result_int();
    for (const auto& field : parser.get()) {
        out.fields.emplace_back(field.name_string(), field.value());
    }
    std::array<char, block_octets> block{};  // NOLINT: filled by read
    while (!parser.is_done()) {
        parser.get().body().data = block.data();
        parser.get().body().size = block.size();
        http::read(stream, buffer, parser, error);
        if (error && error != http::error::need_buffer) {
            return tl::unexpected("the answer of " + at.url + " broke off: " + explain(error));
        }
        error = {};
        const std::string_view part(block.data(), block.size() - parser.get().body().size);
        if (what.sink && out.status == 200) {
            if (!what.sink(part)) {
                return tl::unexpected(std::string("the answer can't be written"));
            }
        } else {
            out.body += part;
        }
    }
    return out;
}

template <class Stream>
tl::expected<reply, std::string> exchange(Stream& stream, const place& to, const client_options& at,
                                          const call_options& what, outgoing& body) {
    if (auto sent = send(stream, to, at, what, body); !sent) {
        return tl::unexpected(std::move(sent.error()));
    }
    return receive(stream, at, what);
}

}  // namespace

std::string_view reply::field(std::string_view name) const noexcept {
    for (const auto& [each, value] : fields) {
        if (beast::iequals(each, name)) {
            return value;
        }
    }
    return {};
}

tl::expected<reply, std::string> perform(const client_options& at, const call_options& what) {
    const auto to = parse_url(at.url);
    if (!to) {
        return tl::unexpected(to.error());
    }
    auto body = outgoing::open(what);
    if (!body) {
        return tl::unexpected(body.error());
    }
    asio::io_context io;
    error_code error;
    tcp::resolver resolver(io);
    const auto found = resolver.resolve(to->host, to->port, error);
    if (error) {
        return tl::unexpected("cannot find " + to->host + ": " + error.message());
    }
    tcp::socket socket(io);
    asio::connect(socket, found, error);
    if (error) {
        return tl::unexpected("cannot reach " + at.url + ": " + error.message() +
                              "; is postern-control running, and is the URL right (--url, POSTERN_URL)?");
    }
    set_timeout(socket, at.timeout_seconds);
    if (!to->tls) {
        return exchange(socket, *to, at, what, *body);
    }
    asio::ssl::context context(asio::ssl::context::tls_client);
    if (at.ca.empty()) {
        context.set_default_verify_paths(error);
    } else {
        context.load_verify_file(at.ca, error);
    }
    if (error) {
        return tl::unexpected("cannot use the authorities" + (at.ca.empty() ? std::string() : " of " + at.ca) + ": " +
                              error.message());
    }
    asio::ssl::stream<tcp::socket> stream(std::move(socket), context);
    stream.set_verify_mode(asio::ssl::verify_peer);
    stream.set_verify_callback(asio::ssl::host_name_verification(to->host));
    ::SSL_set_tlsext_host_name(stream.native_handle(), to->host.c_str());
    stream.handshake(asio::ssl::stream_base::client, error);
    if (error) {
        return tl::unexpected("no TLS with " + at.url + ": " + explain(error) +
                              "; a certificate of your own is trusted with --ca FILE");
    }
    return exchange(stream, *to, at, what, *body);
}

}  // namespace postern::cli
