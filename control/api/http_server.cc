#include "control/api/http_server.h"

#include <array>
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "board/process/log.h"
#include "board/process/version.h"
#include "control/api/problem.h"
#include "control/api/tls_context.h"
#include "control/api/upload_file.h"

namespace postern::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t block_octets = 64UL * 1024;

/// Completion token: the error comes as a value, so a client that goes away is no exception.
auto as_value(error_code& error) {
    return asio::redirect_error(asio::use_awaitable, error);
}

std::optional<method> to_method(http::verb verb) {
    switch (verb) {
        case http::verb::get:
        case http::verb::head:
            return method::get;
        case http::verb::post:
            return method::post;
        case http::verb::put:
            return method::put;
        case http::verb::patch:
            return method::patch;
        case http::verb::delete_:
            return method::del;
        default:
            return std::nullopt;
    }
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c + 32);
        }
    }
    return out;
}

asio::ip::address peer_address(const tcp::socket& socket) {
    error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    auto address = error ? asio::ip::address() : endpoint.address();
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    }
    return address;
}

}  // namespace

struct http_server::state {
    state(server_options given, application& with)
        : options(std::move(given)), app(with), pool(options.workers), waiting(options.waiting_workers), acceptor(io) {}

    server_options options;
    application& app;
    asio::io_context io{1};
    asio::thread_pool pool;
    asio::thread_pool waiting;
    tcp::acceptor acceptor;
    std::optional<asio::ssl::context> tls;
    std::thread thread;
    std::uint16_t port = 0;

    std::atomic<std::uint64_t> connections{0};
    std::atomic<std::uint64_t> connections_refused{0};
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> open{0};
    std::atomic<bool> stopping{false};
    std::set<beast::tcp_stream*> streams;  ///< of all connections; on the I/O thread only
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t busy = 0;  ///< requests between their head and the end of their answer; under `mutex`

    asio::awaitable<void> accept_loop();
    asio::awaitable<void> connection(tcp::socket socket);
    template <class Stream>
    asio::awaitable<void> serve(Stream& stream, beast::tcp_stream& below, bool loopback);
    template <class Stream, class Parser>
    asio::awaitable<bool> read_body(Stream& stream, beast::tcp_stream& below, beast::flat_buffer& buffer,
                                    Parser& parser, body_kind kind, request& into, upload_file& file,
                                    std::optional<response>& refusal);
    template <class Stream>
    asio::awaitable<bool> send(Stream& stream, beast::tcp_stream& below, response& answer, unsigned version, bool head,
                               bool keep_alive);
    asio::awaitable<admission> admit(request& head);
    asio::awaitable<response> ask(request& whole, bool may_wait);
    void begin_request();
    void end_request();
};

response application::refuse(const request& /*head*/, const problem& why) {
    return to_response(why);
}

void http_server::state::begin_request() {
    ++requests;
    const std::lock_guard lock(mutex);
    ++busy;
}

void http_server::state::end_request() {
    const std::lock_guard lock(mutex);
    --busy;
    changed.notify_all();
}

asio::awaitable<admission> http_server::state::admit(request& head) {
    auto work = [this, &head]() -> asio::awaitable<admission> {
        admission out;
        try {
            out = app.admit(head);
        } catch (const std::exception& failure) {
            out.refusal = app.refuse(head, internal(failure.what()));
        }
        co_return out;
    };
    co_return co_await asio::co_spawn(pool, std::move(work), asio::use_awaitable);
}

asio::awaitable<response> http_server::state::ask(request& whole, bool may_wait) {
    auto work = [this, &whole]() -> asio::awaitable<response> {
        response out;
        try {
            out = app.handle(whole);
        } catch (const std::exception& failure) {
            out = app.refuse(whole, internal(failure.what()));
        }
        co_return out;
    };
    co_return co_await asio::co_spawn(may_wait ? waiting : pool, std::move(work), asio::use_awaitable);
}

/// Reads the body as `kind` says. False: the connection is broken. A refusal: the body is not wanted any further.
template <class Stream, class Parser>
asio::awaitable<bool> http_server::state::read_body(Stream& stream, beast::tcp_stream& below,
                                                    beast::flat_buffer& buffer, Parser& parser, body_kind kind,
                                                    request& into, upload_file& file,
                                                    std::optional<response>& refusal) {
    if (kind == body_kind::upload) {
        if (const auto opened = file.open(options.upload_folder); !opened) {
            process::log(process::level::error, "upload_failed", {{"error", opened.error()}});
            refusal = app.refuse(into, unavailable("The upload can't be kept: " + opened.error() + "."));
            co_return true;
        }
    }
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
        http::response<http::empty_body> go_on(http::status::continue_, 11);
        error_code error;
        below.expires_after(options.block_timeout);
        co_await http::async_write(stream, go_on, as_value(error));
        if (error) {
            co_return false;
        }
    }
    std::vector<char> block(block_octets);
    while (!parser.is_done()) {
        parser.get().body().data = block.data();
        parser.get().body().size = block.size();
        parser.get().body().more = true;
        error_code error;
        below.expires_after(options.block_timeout);
        co_await http::async_read(stream, buffer, parser, as_value(error));
        if (error == http::error::body_limit) {
            refusal = app.refuse(
                into, too_large("The body is longer than " +
                                std::to_string(kind == body_kind::upload ? options.upload_limit : options.body_limit) +
                                " octets."));
            co_return true;
        }
        if (error && error != http::error::need_buffer) {
            co_return false;
        }
        const std::string_view got(block.data(), block.size() - parser.get().body().size);
        if (kind == body_kind::memory) {
            into.body += got;
        } else if (kind == body_kind::upload) {
            if (const auto written = file.write(got); !written) {
                process::log(process::level::error, "upload_failed", {{"error", written.error()}});
                refusal = app.refuse(into, unavailable("The upload can't be kept: " + written.error() + "."));
                co_return true;
            }
        } else if (!got.empty()) {
            refusal = app.refuse(into, bad_request("This request takes no body."));
            co_return true;
        }
    }
    if (kind == body_kind::upload) {
        file.finish(into);
    }
    co_return true;
}

template <class Stream>
asio::awaitable<bool> http_server::state::send(Stream& stream, beast::tcp_stream& below, response& answer,
                                               unsigned version, bool head, bool keep_alive) {
    const bool has_body = answer.status != 204 && answer.status != 304;
    const auto fill = [&](auto& message) {
        message.set(http::field::server, "postern/" + std::string(process::version));
        message.set(http::field::cache_control, "no-store");
        message.set("X-Content-Type-Options", "nosniff");
        if (!answer.content_type.empty() && has_body) {
            message.set(http::field::content_type, answer.content_type);
        }
        for (const auto& [name, value] : answer.fields) {
            message.set(name, value);
        }
        message.keep_alive(keep_alive);
    };
    error_code error;
    if (!answer.stream) {
        http::response<http::string_body> message(static_cast<http::status>(answer.status), version);
        message.body() = std::move(answer.body);
        fill(message);
        if (has_body) {
            message.content_length(message.body().size());
        }
        below.expires_after(options.block_timeout);
        http::response_serializer<http::string_body> serializer(message);
        if (head) {
            co_await http::async_write_header(stream, serializer, as_value(error));
        } else {
            co_await http::async_write(stream, serializer, as_value(error));
        }
        co_return !error && keep_alive;
    }
    http::response<http::buffer_body> message(static_cast<http::status>(answer.status), version);
    fill(message);
    message.chunked(version >= 11);
    if (version < 11) {
        message.keep_alive(false);  // the end of the connection is the end of the body
        keep_alive = false;
    }
    message.body().data = nullptr;
    message.body().more = true;
    http::response_serializer<http::buffer_body> serializer(message);
    below.expires_after(options.block_timeout);
    co_await http::async_write_header(stream, serializer, as_value(error));
    while (!error && !head && !serializer.is_done()) {
        std::string part;
        const auto pull = [&answer, &part]() -> asio::awaitable<bool> {
            try {
                co_return answer.stream(part);
            } catch (const std::exception& failure) {
                process::log(process::level::error, "api_internal_error", {{"detail", failure.what()}});
                co_return false;
            }
        };
        if (!co_await asio::co_spawn(pool, pull, asio::use_awaitable)) {
            co_return false;
        }
        message.body().data = part.empty() ? nullptr : part.data();
        message.body().size = part.size();
        message.body().more = !part.empty();
        below.expires_after(options.block_timeout);
        co_await http::async_write(stream, serializer, as_value(error));
        if (error == http::error::need_buffer) {
            error = {};
        }
    }
    co_return !error && keep_alive;
}

template <class Stream>
asio::awaitable<void> http_server::state::serve(Stream& stream, beast::tcp_stream& below, bool loopback) {
    beast::flat_buffer buffer(options.header_limit + block_octets);
    bool keep_alive = true;
    for (bool first = true; keep_alive && !stopping; first = false) {
        error_code error;
        if (!first && buffer.size() == 0) {
            // Waiting for the next request is not the same as being slow with one.
            below.expires_after(options.idle_timeout);
            const std::size_t n = co_await stream.async_read_some(buffer.prepare(block_octets / 16), as_value(error));
            if (error) {
                break;
            }
            buffer.commit(n);
        }
        http::request_parser<http::buffer_body> parser;
        parser.header_limit(options.header_limit);
        parser.body_limit(boost::none);  // set by what the request may bring, once that is known
        below.expires_after(options.header_timeout);
        co_await http::async_read_header(stream, buffer, parser, as_value(error));
        if (error == http::error::end_of_stream || error == beast::error::timeout) {
            break;
        }
        begin_request();
        const struct ending {
            state& of;
            ~ending() { of.end_request(); }
        } at_end{*this};
        if (error) {
            if (error.category() == http::make_error_code(http::error::end_of_stream).category()) {
                response refusal =
                    to_response(bad_request("This is not an HTTP request that can be read: " + error.message()));
                if (error == http::error::header_limit) {
                    refusal.status = 431;
                }
                co_await send(stream, below, refusal, 11, false, false);
            }
            break;
        }
        const auto& message = parser.get();
        const unsigned version = message.version();
        const bool head = message.method() == http::verb::head;
        keep_alive = message.keep_alive() && !stopping;
        request asked;
        asked.loopback = loopback;
        asked.tls = tls.has_value();
        const std::string target(message.target());
        const std::size_t mark = target.find('?');
        asked.path = target.substr(0, mark);
        asked.query = mark == std::string::npos ? std::string() : target.substr(mark + 1);
        for (const auto& field : message) {
            asked.fields.emplace_back(lower(field.name_string()), field.value());
        }
        std::optional<response> refusal;
        admission admitted;
        const auto verb = to_method(message.method());
        if (!verb) {
            refusal = app.refuse(asked, bad_request("The method is not one that this API knows."));
            refusal->status = 501;
        } else {
            asked.verb = *verb;
            admitted = co_await admit(asked);
            refusal = std::move(admitted.refusal);
        }
        upload_file file;
        if (!refusal) {
            const std::uint64_t limit = admitted.body == body_kind::upload   ? options.upload_limit
                                        : admitted.body == body_kind::memory ? options.body_limit
                                                                             : 0;
            if (parser.content_length() && *parser.content_length() > limit) {
                refusal = app.refuse(
                    asked, limit == 0 ? bad_request("This request takes no body.")
                                      : too_large("The body is longer than " + std::to_string(limit) + " octets."));
            } else {
                parser.body_limit(limit == 0 ? block_octets : limit);
                if (!co_await read_body(stream, below, buffer, parser, admitted.body, asked, file, refusal)) {
                    break;
                }
            }
        }
        if (refusal) {
            // What is left of the body is not read: the connection can't be used again, unless there is none.
            keep_alive = keep_alive && parser.is_done();
            co_await send(stream, below, *refusal, version, head, keep_alive);
            if (!keep_alive) {
                break;
            }
            continue;
        }
        response answered = co_await ask(asked, admitted.may_wait);
        keep_alive = co_await send(stream, below, answered, version, head, keep_alive && !stopping);
    }
}

asio::awaitable<void> http_server::state::connection(tcp::socket socket) {
    const struct counting {
        std::atomic<std::uint64_t>& count;
        ~counting() { --count; }
    } at_end{open};
    if (stopping) {
        co_return;
    }
    const bool loopback = peer_address(socket).is_loopback();
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    beast::tcp_stream below(std::move(socket));
    const struct listing {
        std::set<beast::tcp_stream*>& in;
        beast::tcp_stream* what;
        ~listing() { in.erase(what); }
    } at_close{streams, &below};
    streams.insert(&below);
    try {
        if (tls) {
            beast::ssl_stream<beast::tcp_stream&> stream(below, *tls);
            error_code error;
            below.expires_after(options.header_timeout);
            co_await stream.async_handshake(asio::ssl::stream_base::server, as_value(error));
            if (error) {
                process::log(process::level::debug, "tls_handshake_failed", {{"error", error.message()}});
                co_return;
            }
            co_await serve(stream, below, loopback);
            below.expires_after(std::chrono::seconds(2));
            co_await stream.async_shutdown(as_value(error));
        } else {
            co_await serve(below, below, loopback);
        }
    } catch (const std::exception& failure) {
        process::log(process::level::error, "api_connection_failed", {{"error", failure.what()}});
    }
    // A refused request's unread octets would turn close() into a reset that destroys our answer on its way.
    below.socket().shutdown(tcp::socket::shutdown_send, ignored);
    std::array<char, 4096> rest{};
    std::size_t drained = 0;
    below.expires_after(std::chrono::seconds(2));
    while (drained < 16 * block_octets && !stopping) {
        error_code error;
        const std::size_t n = co_await below.async_read_some(asio::buffer(rest), as_value(error));
        if (error) {
            break;
        }
        drained += n;
    }
    below.close();
}

asio::awaitable<void> http_server::state::accept_loop() {
    while (!stopping) {
        error_code error;
        tcp::socket socket = co_await acceptor.async_accept(as_value(error));
        if (error == asio::error::operation_aborted) {
            co_return;
        }
        if (error) {
            // Out of descriptors, mostly: wait for some connection to end instead of spinning.
            process::log(process::level::error, "api_accept_failed", {{"error", error.message()}});
            asio::steady_timer pause(io, std::chrono::milliseconds(100));
            co_await pause.async_wait(as_value(error));
            continue;
        }
        if (open >= options.max_connections) {
            ++connections_refused;
            continue;
        }
        ++connections;
        ++open;
        asio::co_spawn(io, connection(std::move(socket)), asio::detached);
    }
}

tl::expected<std::unique_ptr<http_server>, std::string> http_server::open(const server_options& options,
                                                                          application& app) {
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    if (error) {
        return tl::unexpected("the API's address \"" + options.address + "\" is not an IP address");
    }
    if (options.certificate.empty() != options.key.empty()) {
        return tl::unexpected(std::string("the API's certificate and key go together: set both or none"));
    }
    if (!address.is_loopback() && options.certificate.empty()) {
        return tl::unexpected("the API's address " + options.address +
                              " is not a loopback address, so it needs TLS: set certificate and key, or address = "
                              "\"127.0.0.1\"");
    }
    auto made = std::make_unique<state>(options, app);
    if (!options.certificate.empty()) {
        auto context = make_context(options);
        if (!context) {
            return tl::unexpected(std::move(context.error()));
        }
        made->tls.emplace(std::move(*context));
    }
    const tcp::endpoint endpoint(address, options.port);
    made->acceptor.open(endpoint.protocol(), error);
    if (!error) {
        made->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error) {
        made->acceptor.bind(endpoint, error);
    }
    if (!error) {
        made->acceptor.listen(asio::socket_base::max_listen_connections, error);
    }
    if (error) {
        std::string text =
            "cannot listen on " + options.address + " port " + std::to_string(options.port) + ": " + error.message();
        if (error == asio::error::address_in_use) {
            text += "; another program has it: stop it, or set another port";
        } else if (error == asio::error::access_denied) {
            text += "; ports below 1024 need CAP_NET_BIND_SERVICE: use a port above, or the systemd unit";
        }
        return tl::unexpected(std::move(text));
    }
    made->port = made->acceptor.local_endpoint().port();
    return std::unique_ptr<http_server>(new http_server(std::move(made)));
}

http_server::http_server(std::unique_ptr<state> made) : _state(std::move(made)) {}

http_server::~http_server() {
    stop(std::chrono::milliseconds(0));
}

std::uint16_t http_server::port() const noexcept {
    return _state->port;
}

bool http_server::tls() const noexcept {
    return _state->tls.has_value();
}

std::string http_server::url() const {
    const bool six = _state->options.address.find(':') != std::string::npos;
    return std::string(tls() ? "https://" : "http://") + (six ? "[" : "") + _state->options.address +
           (six ? "]:" : ":") + std::to_string(_state->port);
}

server_counters http_server::counters() const noexcept {
    return {_state->connections, _state->connections_refused, _state->requests, _state->open};
}

void http_server::start() {
    asio::co_spawn(_state->io, _state->accept_loop(), asio::detached);
    _state->thread = std::thread([this] { _state->io.run(); });
}

void http_server::stop(std::chrono::milliseconds grace) {
    if (_state->stopping.exchange(true)) {
        return;
    }
    asio::post(_state->io, [this] {
        error_code ignored;
        _state->acceptor.close(ignored);
    });
    {
        std::unique_lock lock(_state->mutex);
        _state->changed.wait_for(lock, grace, [this] { return _state->busy == 0; });
    }
    // Every coroutine ends by itself once its connection is closed, and with the last one the thread.
    asio::post(_state->io, [this] {
        for (beast::tcp_stream* const each : _state->streams) {
            each->close();
        }
    });
    if (_state->thread.joinable()) {
        _state->thread.join();
    }
    _state->pool.join();
    _state->waiting.join();
}

}  // namespace postern::api
