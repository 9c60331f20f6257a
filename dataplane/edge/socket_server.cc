#include "dataplane/edge/socket_server.h"

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "board/process/log.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

constexpr auto as_result = asio::as_tuple(asio::use_awaitable);

struct client {
    client(stream_protocol::socket connected) : socket(std::move(connected)), timer(socket.get_executor()) {}
    void close() {
        error_code ignored;
        socket.close(ignored);
        timer.cancel();
    }
    stream_protocol::socket socket;
    asio::steady_timer timer;
};

}  // namespace

struct socket_server::state : std::enable_shared_from_this<socket_server::state> {
    state(asio::io_context& io, table_holder& the_holder, process_view& the_view)
        : acceptor(io), pause(io), holder(the_holder), view(the_view) {}

    asio::awaitable<void> accept();
    asio::awaitable<void> serve(std::shared_ptr<client> who);
    asio::awaitable<bool> send(std::shared_ptr<client> to, std::string line);
    asio::awaitable<std::string> reply_to(std::string_view line, bool& last);

    stream_protocol::acceptor acceptor;
    asio::steady_timer pause;
    table_holder& holder;
    process_view& view;
    asio::thread_pool table_thread{1};
    std::set<std::shared_ptr<client>> clients;
    bool stopped = false;
};

asio::awaitable<void> socket_server::state::accept() {
    const auto self = shared_from_this();
    while (!stopped) {
        auto [problem, socket] = co_await acceptor.async_accept(as_result);
        if (stopped) {
            co_return;
        }
        if (problem) {
            // Out of descriptors, most likely: others may close some.
            process::log(process::level::warn, "edge_socket_accept", {{"reason", problem.message()}});
            pause.expires_after(std::chrono::milliseconds(100));
            co_await pause.async_wait(as_result);
            continue;
        }
        auto who = std::make_shared<client>(std::move(socket));
        const bool room = clients.size() < most_clients;
        if (room) {
            clients.insert(who);
            asio::co_spawn(acceptor.get_executor(), serve(std::move(who)), asio::detached);
        } else {
            // One write into an empty buffer: it fits or the client is not told.
            const std::string line = refusal("too many clients of the edge socket; close another first") + "\n";
            error_code ignored;
            who->socket.non_blocking(true, ignored);
            who->socket.write_some(asio::buffer(line), ignored);
            who->close();
        }
    }
}

asio::awaitable<std::string> socket_server::state::reply_to(std::string_view line, bool& last) {
    const auto said = parse_command(line);
    if (!said) {
        co_return refusal(said.error());
    }
    last = said->what == verb::quit;
    if (!needs_table(said->what)) {
        co_return answer(*said, view);
    }
    co_return co_await asio::co_spawn(
        table_thread, [this, &said]() -> asio::awaitable<std::string> { co_return answer_table(*said, holder, view); },
        asio::use_awaitable);
}

asio::awaitable<bool> socket_server::state::send(std::shared_ptr<client> to, std::string line) {
    line += '\n';
    to->timer.expires_after(write_timeout);
    to->timer.async_wait([weak = std::weak_ptr(to)](error_code cancelled) {
        if (const auto slow = weak.lock(); slow && !cancelled) {
            slow->close();
        }
    });
    const auto [problem, size] = co_await asio::async_write(to->socket, asio::buffer(line), as_result);
    to->timer.cancel();
    co_return !problem;
}

asio::awaitable<void> socket_server::state::serve(std::shared_ptr<client> who) {
    const auto self = shared_from_this();
    std::string pending;
    std::array<char, 4096> block;  // NOLINT: filled by read
    bool last = false;
    while (!last) {
        const auto [problem, size] = co_await who->socket.async_read_some(asio::buffer(block), as_result);
        if (problem || stopped) {
            break;
        }
        pending.append(block.data(), size);
        std::size_t begin = 0;
        for (std::size_t end = pending.find('\n'); end != std::string::npos && !last; end = pending.find('\n', begin)) {
            std::string reply = co_await reply_to(std::string_view(pending).substr(begin, end - begin), last);
            begin = end + 1;
            if (stopped) {
                break;
            }
            const bool sent = co_await send(who, std::move(reply));
            last = last || !sent;
        }
        pending.erase(0, begin);
        if (stopped) {
            break;
        }
        if (!last && pending.size() > longest_command + 1) {
            co_await send(who, refusal("the line is longer than " + std::to_string(longest_command) + " octets"));
            last = true;
        }
    }
    who->close();
    clients.erase(who);
}

socket_server::socket_server(asio::io_context& context, process::descriptor listening, table_holder& holder,
                             process_view& view)
    : _state(std::make_shared<state>(context, holder, view)) {
    _state->acceptor.assign(stream_protocol(), listening.release());
    asio::co_spawn(context, _state->accept(), asio::detached);
}

socket_server::~socket_server() {
    stop();
}

void socket_server::stop() {
    if (_state->stopped) {
        return;
    }
    _state->stopped = true;
    error_code ignored;
    _state->acceptor.close(ignored);
    _state->pause.cancel();
    for (const auto& each : _state->clients) {
        each->close();
    }
    _state->table_thread.join();
}

}  // namespace postern::edge
