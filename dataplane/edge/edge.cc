#include "dataplane/edge/edge.h"

#include <pthread.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <utility>

#include "board/process/log.h"
#include "board/process/notify.h"
#include "dataplane/edge/counter_sums.h"
#include "dataplane/edge/judging.h"
#include "dataplane/edge/packet_path.h"
#include "dataplane/edge/port_commands.h"
#include "dataplane/edge/privileges.h"
#include "dataplane/edge/shard_worker.h"
#include "dataplane/edge/socket_server.h"
#include "dataplane/edge/table_holder.h"
#include "dataplane/shard/connection_limits.h"
#include "dataplane/shard/endpoint_text.h"
#include "dataplane/shard/quiescence.h"
#include "dataplane/sockets/operations.h"
#include "dataplane/sockets/shard_loop.h"
#include "smtp/judge/service.h"
#include "smtp/recipients/address.h"
#include "smtp/relay/service.h"
#include "smtp/session/decision.h"
#include "smtp/session/layer.h"

namespace postern::edge {
namespace {

namespace asio = boost::asio;
using process::level;
using process::result;

/// Connections that are only told why they are refused, or are ending, beside those that the limits allow.
constexpr std::uint32_t spare_connections = 256;

/// Threads started within its life never get the signals that the main thread handles.
class signals_blocked {
public:
    signals_blocked() {
        sigset_t handled;
        sigemptyset(&handled);
        for (const int number : {SIGTERM, SIGINT, SIGHUP}) {
            sigaddset(&handled, number);
        }
        ::pthread_sigmask(SIG_BLOCK, &handled, &_before);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &_before, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t _before{};
};

std::uint32_t random_number() {
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != static_cast<ssize_t>(sizeof number)) {
        throw std::runtime_error("the system gives no random numbers");
    }
    return number;
}

std::string_view word(recipients::standing standing) {
    switch (standing) {
        case recipients::standing::listed:
            return "listed";
        case recipients::standing::unlisted:
            return "unlisted";
        case recipients::standing::not_served:
            return "not_served";
        case recipients::standing::always:
            return "always";
    }
    return "";
}

std::string_view word(recipients::mode mode) {
    switch (mode) {
        case recipients::mode::observe:
            return "observe";
        case recipients::mode::discover:
            return "discover";
        case recipients::mode::defer:
            return "defer";
        case recipients::mode::enforce:
            return "enforce";
    }
    return "";
}

std::vector<shard::connection_limits::limits> limits_of(const configuration& settings) {
    std::vector<shard::connection_limits::limits> out;
    for (const listener_configuration& each : settings.listeners) {
        out.push_back(each.limits);
    }
    return out;
}

sockets::options options_of(const configuration& settings) {
    sockets::options out;
    out.connections = spare_connections;
    for (const listener_configuration& each : settings.listeners) {
        out.connections += each.limits.connections;
    }
    return out;
}

relay::settings relay_settings(const configuration& settings, const std::vector<shard::endpoint>& own,
                               judge::intake* judge) {
    relay::settings out = settings.relay;
    out.judge = judge;
    out.own_addresses = own;
    out.alarm = [](std::uint32_t route, std::string_view text) {
        process::log(level::warn, "route_alarm", {{"route", route}, {"reason", text}});
    };
    return out;
}

/// How often what the shards saw is collected: a little at a time, for a shard may wait for the core meanwhile.
constexpr std::chrono::milliseconds collect_every{20};

/// How often the port's link is looked at.
constexpr std::chrono::milliseconds watch_every{200};

constexpr const char* no_port =
    "the connections come from the kernel; capture with tcpdump, or set edge.transport to \"dpdk\"";

std::int64_t unix_milliseconds() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// Tells this start of the process from others.
std::string name_of_run() {
    return std::to_string(unix_milliseconds()) + "-" + std::to_string(random_number());
}

/// A shard over kernel sockets.
class sockets_worker final : public shard_worker {
public:
    sockets_worker(sockets::shard_listeners listeners, const sockets::options& options, const surroundings& around)
        : shard_worker(around),
          _transport(std::move(listeners), around.limits, options),
          _sessions(_transport, context_of(around)),
          _loop(_transport, _sessions) {}

    void run() override { _loop.run(); }
    void drain(shard::instant most) noexcept override { _loop.drain(most); }
    void hold(bool yes) noexcept override { _loop.hold(yes); }
    shard::waker& waker() noexcept override { return _transport.waker(); }
    void each_count(const std::function<void(std::string_view, std::uint64_t)>& see) const override {
        _transport.counts().for_each(see);
    }

private:
    sockets::operations _transport;
    session::layer<sockets::operations> _sessions;
    sockets::shard_loop<session::layer<sockets::operations>> _loop;
};

/// Where SMTP is answered, as it was opened.
std::vector<shard::endpoint> places_of(const configuration& settings, const opened_resources& opened) {
    std::vector<shard::endpoint> out;
    if (opened.listeners.empty()) {
        for (const listener_configuration& each : settings.listeners) {
            out.push_back(each.at);
        }
        return out;
    }
    for (const sockets::listening_socket& each : opened.listeners.front()) {
        out.push_back(each.at);
    }
    return out;
}

}  // namespace

result<opened_resources> open_resources(const configuration& settings) {
    if (auto allowed = allow_open_files(settings.open_files()); !allowed) {
        return tl::unexpected(std::move(allowed.error()));
    }
    opened_resources out;
    auto environment = open_environment(settings);
    if (!environment) {
        return tl::unexpected(std::move(environment.error()));
    }
    out.environment = std::move(*environment);
    if (settings.port) {
        auto port = open_port(settings);
        if (!port) {
            return tl::unexpected(std::move(port.error()));
        }
        out.port = std::move(*port);
    } else {
        auto listeners =
            sockets::open_listeners(places_of(settings, out), settings.shard_count(), sockets::inherited_listeners());
        if (!listeners) {
            return tl::unexpected(std::move(listeners.error()));
        }
        out.listeners = std::move(*listeners);
    }
    auto edge_socket = create_edge_socket(settings.socket, out.environment.runs_as);
    if (!edge_socket) {
        return tl::unexpected(std::move(edge_socket.error()));
    }
    out.edge_socket = std::move(*edge_socket);
    if (auto handed = hand_over_state(out.environment); !handed) {
        return tl::unexpected(std::move(handed.error()));
    }
    if (auto dropped = drop_privileges(out.environment.runs_as); !dropped) {
        return tl::unexpected(std::move(dropped.error()));
    }
    if (::geteuid() == 0) {
        process::log(level::warn, "runs_as_root", {{"remedy", "set edge.user"}});
    }
    const auto forbidden = forbid_dangerous_calls();
    if (!forbidden) {
        return tl::unexpected(forbidden.error());
    }
    return out;
}

struct running_edge::state final : process_view {
    state(configuration the_settings, opened_resources the_opened);
    ~state() override { end(); }

    void add_workers(std::vector<sockets::shard_listeners> listeners, const std::shared_ptr<packet_port>& port);
    void start();
    void end();
    void wait_for_signal();
    void drain_within(std::chrono::seconds most);
    void release_when_empty();
    void shard_ended();

    void counters(const std::function<void(std::string_view, std::uint64_t)>& sink) const override;
    std::vector<shard_report> shards() const override;
    std::vector<listener_report> listeners() const override;
    relay_report relay() const override { return {relay_service.counts().connections_open.get()}; }
    std::chrono::seconds uptime() const override {
        return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started);
    }
    void drain() override {
        process::log(level::info, "draining", {{"by", "edge socket"}});
        drain_within(settings.drain);
    }
    explanation explain(const recipients::snapshot* in_force, const std::string& address) const override;
    event_log& events() override {
        collect();
        return log;
    }
    void collect();
    void collect_again();
    std::optional<port_report> port() const override {
        return port_desk ? std::optional(port_desk->report()) : std::nullopt;
    }
    capture_report capture() const override { return port_desk ? port_desk->capture() : capture_report{}; }
    result<std::string> start_capture(const command& said) override {
        return port_desk ? port_desk->start_capture(said) : tl::unexpected(std::string(no_port));
    }
    result<capture_report> stop_capture() override {
        return port_desk ? port_desk->stop_capture() : tl::unexpected(std::string(no_port));
    }
    void watch_port();

    const configuration settings;
    environment place;
    const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    const std::vector<shard::endpoint> listens_at;
    shard::connection_limits limits;
    table_holder holder;
    std::unique_ptr<judge::service> its_judge;
    relay::service relay_service;
    std::vector<std::unique_ptr<shard_worker>> workers;
    asio::io_context context{1};
    asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
    asio::signal_set signals{context, SIGTERM, SIGINT, SIGHUP};
    asio::steady_timer empty_again{context};
    asio::steady_timer collection{context};
    asio::steady_timer port_watch{context};
    std::optional<port_commands> port_desk;
    event_log log;
    socket_server server;
    bool draining = false;
    std::size_t shards_left = 0;
};

running_edge::state::state(configuration the_settings, opened_resources the_opened)
    : settings(std::move(the_settings)),
      place(std::move(the_opened.environment)),
      listens_at(places_of(settings, the_opened)),
      limits(limits_of(settings)),
      holder(place.state.get(), place.tables.get(), shard::wait_for_readers),
      its_judge(make_judge(settings, place)),
      relay_service(relay_settings(settings, listens_at, its_judge.get())),
      log(settings.events, name_of_run()),
      server(context, std::move(the_opened.edge_socket), holder, *this) {
    add_workers(std::move(the_opened.listeners), the_opened.port);
    if (the_opened.port) {
        port_desk.emplace(std::move(the_opened.port), settings, place.state.get());
    }
    // Before anything is answered: a restart must not turn mail away that the table in force accepts.
    holder.load_last_good();
    try {
        start();
    } catch (...) {
        end();
        throw;
    }
}

void running_edge::state::add_workers(std::vector<sockets::shard_listeners> listeners,
                                      const std::shared_ptr<packet_port>& port) {
    const unsigned shards = port ? settings.shard_count() : static_cast<unsigned>(listeners.size());
    for (unsigned number = 0; number < shards; ++number) {
        const shard_worker::surroundings around{settings.session, holder.in_force(), relay_service.port_of(number),
                                                limits,           random_number(),   settings.events != 0};
        if (port) {
            workers.push_back(make_packet_worker(port, number, settings, around));
        } else {
            workers.push_back(
                std::make_unique<sockets_worker>(std::move(listeners[number]), options_of(settings), around));
        }
        relay_service.set_waker(number, &workers.back()->waker());
        log.add_shard(workers.back()->seen);
    }
}

/// Keeps the calling thread to the CPU that edge.cores has for the shard.
void pin_to_core(const configuration& settings, std::size_t shard) {
    if (settings.cores.empty()) {
        return;
    }
    const unsigned core = settings.cores[shard % settings.cores.size()];
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set); error != 0) {
        process::log(level::error, "shard_not_pinned",
                     {{"shard", shard}, {"cpu", core}, {"reason", std::generic_category().message(error)}});
    }
}

void running_edge::state::start() {
    const signals_blocked blocked;
    if (its_judge) {
        if (const auto begun = its_judge->start(); !begun) {
            throw std::runtime_error(begun.error());
        }
    }
    if (const auto begun = relay_service.start(); !begun) {
        throw std::runtime_error(begun.error());
    }
    for (std::size_t i = 0; i < workers.size(); ++i) {
        workers[i]->thread = std::thread([this, i] {
            ::pthread_setname_np(::pthread_self(), ("shard-" + std::to_string(i)).c_str());
            pin_to_core(settings, i);
            workers[i]->run();
            asio::post(context, [this] { shard_ended(); });
        });
        ++shards_left;
    }
    for (const shard::endpoint& each : listens_at) {
        process::log(level::info, "listening", {{"at", shard::endpoint_text(each)}});
    }
    process::log(level::info, "started",
                 {{"name", settings.name},
                  {"shards", workers.size()},
                  {"socket", settings.socket},
                  {"generation", holder.remembered().in_force.generation}});
    wait_for_signal();
    if (settings.events != 0) {
        collect_again();
    }
    if (port_desk) {
        watch_port();
    }
    if (!process::notify_service_manager("READY=1")) {
        process::log(level::warn, "service_manager_not_told", {{"state", "READY=1"}});
    }
}

void running_edge::state::end() {
    server.stop();
    for (const auto& worker : workers) {
        if (worker->thread.joinable()) {
            limits.drain();
            worker->drain(shard::instant(0));
            worker->thread.join();
        }
    }
    port_desk.reset();
    relay_service.stop();
    if (its_judge) {
        its_judge->stop();
    }
    // The folder may belong to root; then the next start replaces the stale socket.
    ::unlink(settings.socket.c_str());
}

void running_edge::state::wait_for_signal() {
    signals.async_wait([this](const boost::system::error_code& cancelled, int number) {
        if (cancelled) {
            return;
        }
        if (number == SIGHUP) {
            process::log(level::info, "nothing_to_reload",
                         {{"remedy", "restart to change the configuration; tables come over the edge socket"}});
        } else if (draining) {
            process::log(level::warn, "ending_at_once", {{"signal", number}});
            drain_within(std::chrono::seconds(0));
        } else {
            process::log(level::info, "draining", {{"by", "signal"}, {"signal", number}});
            drain_within(settings.drain);
        }
        wait_for_signal();
    });
}

void running_edge::state::drain_within(std::chrono::seconds most) {
    const bool first = !std::exchange(draining, true);
    if (first) {
        process::notify_service_manager("STOPPING=1");
    }
    limits.drain();
    for (const auto& worker : workers) {
        if (first) {
            worker->hold(true);
        }
        worker->drain(most);
    }
    if (first) {
        release_when_empty();
    }
}

void running_edge::state::release_when_empty() {
    const bool empty =
        std::all_of(workers.begin(), workers.end(), [](const auto& w) { return w->counts.sessions_open.get() == 0; });
    if (empty) {
        for (const auto& worker : workers) {
            worker->hold(false);
        }
        return;
    }
    empty_again.expires_after(std::chrono::milliseconds(20));
    empty_again.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) {
            release_when_empty();
        }
    });
}

void running_edge::state::collect() {
    const std::int64_t now = unix_milliseconds();
    log.collect(now);
    while (std::optional<judge::finding> found = its_judge ? its_judge->next() : std::nullopt) {
        log.take(std::move(*found), now);
    }
}

void running_edge::state::collect_again() {
    collection.expires_after(collect_every);
    collection.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) {
            collect();
            collect_again();
        }
    });
}

void running_edge::state::watch_port() {
    if (port_desk->watch()) {
        workers.front()->waker().wake();  // it announces the addresses again
    }
    port_watch.expires_after(watch_every);
    port_watch.async_wait([this](const boost::system::error_code& cancelled) {
        if (!cancelled) {
            watch_port();
        }
    });
}

void running_edge::state::shard_ended() {
    if (--shards_left == 0) {
        context.stop();
    }
}

void running_edge::state::counters(const std::function<void(std::string_view, std::uint64_t)>& sink) const {
    counter_sums smtp;
    counter_sums transport;
    for (const auto& worker : workers) {
        smtp.begin();
        worker->counts.each([&](std::string_view name, std::uint64_t value) { smtp.add(name, value); });
        transport.begin();
        worker->each_count([&](std::string_view name, std::uint64_t value) { transport.add(name, value); });
    }
    smtp.each(sink);
    transport.each([&](std::string_view name, std::uint64_t value) {
        std::string prefixed = settings.port ? "packets_" : "sockets_";
        prefixed += name;
        sink(prefixed, value);
    });
    if (port_desk) {
        port_desk->counters(sink);
    }
    relay_service.counts().each(sink);
    if (its_judge) {
        its_judge->counts().each(sink);
    }
    const table_counters& table = holder.counts();
    sink("table_generation", table.generation.load(std::memory_order_relaxed));
    sink("table_addresses", table.addresses.load(std::memory_order_relaxed));
    sink("table_commits", table.commits.load(std::memory_order_relaxed));
    sink("table_refused", table.refused.load(std::memory_order_relaxed));
    const event_counts told = log.counts();
    sink("events_seen", told.seen);
    sink("events_kept", told.kept);
    sink("events_overwritten", told.overwritten);
    sink("events_missed", told.missed);
}

std::vector<shard_report> running_edge::state::shards() const {
    std::vector<shard_report> out;
    for (const auto& worker : workers) {
        out.push_back({worker->counts.sessions_open.get()});
    }
    return out;
}

std::vector<listener_report> running_edge::state::listeners() const {
    std::vector<listener_report> out;
    for (std::size_t i = 0; i < listens_at.size(); ++i) {
        out.push_back({shard::address_text(listens_at[i]), listens_at[i].port, settings.listeners[i].several_routes,
                       limits.connections(static_cast<std::uint16_t>(i))});
    }
    return out;
}

explanation running_edge::state::explain(const recipients::snapshot* in_force, const std::string& address) const {
    explanation out;
    out.generation = in_force == nullptr ? 0 : in_force->generation;
    recipients::normal_address normal;
    if (const auto parsed = recipients::parse_address(address, {}, normal); !parsed) {
        out.reply = "501 5.1.3";
        out.why = recipients::to_string(parsed.error());
        return out;
    }
    out.normal = normal.text();
    // From a host that is in no domain's trusted networks.
    const session::explanation found = session::explain(in_force, normal, {}, settings.session);
    if (found.verdict.domain != nullptr) {
        out.mode = word(found.verdict.domain->mode);
    }
    if (in_force != nullptr) {
        out.standing = word(found.verdict.standing);
    }
    if (!found.decision.pass) {
        const std::string_view line = protocol::text(found.decision.reply);
        out.reply = line.substr(0, line.find('\r'));
    }
    out.why = session::to_string(found.decision.why);
    return out;
}

running_edge::running_edge(configuration settings, opened_resources opened)
    : _state(std::make_unique<state>(std::move(settings), std::move(opened))) {}

running_edge::~running_edge() = default;

void running_edge::run() {
    _state->context.run();
    process::log(level::info, "ended");
}

}  // namespace postern::edge
