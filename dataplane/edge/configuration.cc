#include "dataplane/edge/configuration.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <thread>

#include "board/machine/cpu_list.h"
#include "board/process/egress.h"
#include "board/process/files.h"
#include "board/process/settings.h"
#include "dataplane/shard/endpoint_text.h"
#include "smtp/judge/rspamd.h"
#include "smtp/recipients/address.h"

namespace postern::edge {
namespace {

using process::settings_section;
using std::chrono::milliseconds;

constexpr std::size_t longest_file = 1 << 20;
constexpr std::size_t most_listeners = 64;
constexpr std::string_view want_address = "write an IP address of this machine, or 0.0.0.0 or :: for all";

std::string host_name() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') {
        return "localhost";
    }
    return name.data();
}

bool is_host_name(const std::string& name) {
    recipients::normal_address parsed;
    return recipients::parse_domain(name, parsed).has_value() && !parsed.is_literal();
}

void read_path(settings_section& section, std::string_view key, std::string& out, const std::string& folder) {
    section.text(key, out);
    if (out.empty()) {
        section.error(key, "it must not be empty; write a path");
    } else if (out.front() != '/') {
        out = (std::filesystem::path(folder) / out).lexically_normal().string();
    }
}

void read_seconds(settings_section& section, std::string_view key, milliseconds& out, int least, int most) {
    auto count = static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(out).count());
    section.number(key, count, least, most);
    out = std::chrono::seconds(count);
}

/// An address with the length of what is behind its slash (absent: all of it), both as for mapped IPv4.
std::optional<recipients::network> parse_network(const std::string& text, bool with_length) {
    recipients::network out;
    const std::size_t slash = text.find('/');
    const auto address = shard::parse_address(text.substr(0, slash));
    if (!address) {
        return std::nullopt;
    }
    out.address = *address;
    const unsigned bits = net::is_ipv4(*address) ? 32 : 128;
    unsigned length = bits;
    if (slash != std::string::npos) {
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, length);
        if (!with_length || error != std::errc() || stop != end || length > bits) {
            return std::nullopt;
        }
    }
    length += 128 - bits;
    out.length = static_cast<std::uint8_t>(length);
    for (std::size_t bit = length; bit < 128; ++bit) {
        out.address[bit / 8] = static_cast<std::uint8_t>(out.address[bit / 8] & ~(0x80U >> (bit % 8)));
    }
    return out;
}

/// The transport: what [port] says, or nothing for the kernel's sockets.
void read_transport(settings_section& section, settings_section port, configuration& out) {
    std::size_t transport = 0;
    section.choice("transport", transport, {"sockets", "dpdk"});
    if (transport == 0) {
        if (port.present()) {
            port.error("", "it is there for transport = \"dpdk\" alone; set edge.transport, or remove it");
        }
        return;
    }
    out.port.emplace();
    read_port(port, *out.port);
    if (out.port->queues > out.shard_count()) {
        port.error("queues", "they are more than the " + std::to_string(out.shard_count()) +
                                 " shards; each queue is one shard's");
    }
}

/// Shards' CPUs, in the kernel's notation.
void read_cores(settings_section& section, configuration& out) {
    std::string cores;
    section.text("cores", cores);
    const auto list = machine::parse_cpu_list(cores);
    if (!list) {
        section.error("cores", "it is no list of CPUs; write it as 2-5 or 2,4");
        return;
    }
    out.cores = *list;
    if (!list->empty() && list->size() < out.shards) {
        section.error("cores", "it names " + std::to_string(list->size()) + " CPUs for " + std::to_string(out.shards) +
                                   " shards; name one for each");
    }
}

void read_edge(settings_section section, settings_section port, configuration& out, const std::string& folder) {
    section.text("name", out.name);
    if (out.name.empty()) {
        out.name = host_name();
    } else if (!is_host_name(out.name)) {
        section.error("name", "it is not a host name; write the name that the reverse DNS of this machine gives");
    }
    section.text("user", out.user);
    section.text("group", out.group);
    read_path(section, "state", out.state, folder);
    read_path(section, "tables", out.tables, folder);
    read_path(section, "socket", out.socket, folder);
    section.number<std::uint32_t>("shards", out.shards, 0, 256);
    section.number<std::uint32_t>("events", out.events, 0, 10'000'000);
    read_cores(section, out);
    read_transport(section, port, out);
}

void read_connection_limits(settings_section& section, shard::connection_limits::limits& out) {
    section.number<std::uint32_t>("connections", out.connections, 1, 1'000'000);
    section.number<std::uint32_t>("connections_per_source", out.connections_per_source, 1, 1'000'000);
}

void read_listeners(settings_section root, const shard::connection_limits::limits& usual, configuration& out) {
    for (settings_section& section : root.tables("listener")) {
        listener_configuration listener;
        listener.limits = usual;
        listener.at.port = 25;
        std::string address;
        section.text("address", address);
        if (!section.has("address")) {
            section.error("address", "it is missing; " + std::string(want_address));
        } else if (const auto parsed = parse_network(address, false)) {
            listener.at.address = parsed->address;
        } else {
            section.error("address", "it is not an IP address; " + std::string(want_address));
        }
        section.number<std::uint16_t>("port", listener.at.port, 0, 65535);
        section.boolean("several_routes", listener.several_routes);
        read_connection_limits(section, listener.limits);
        const bool twice =
            listener.at.port != 0 && std::any_of(out.listeners.begin(), out.listeners.end(),
                                                 [&](const auto& other) { return other.at == listener.at; });
        if (twice) {
            section.error("address", "another listener has the same address and port; remove one");
        }
        session::listener_settings announces;
        if (listener.several_routes) {
            announces.extensions = announces.extensions.with(protocol::extension::one_recipient_domain);
        }
        out.session.listeners.push_back(announces);
        out.relay.own_addresses.push_back(listener.at);
        out.listeners.push_back(listener);
    }
    if (out.listeners.size() > most_listeners) {
        root.error("listener", "there are more than " + std::to_string(most_listeners) +
                                   "; listen on 0.0.0.0 or :: instead of on each address");
    }
    if (!root.has("listener")) {
        root.error("listener", "there is none; add [[listener]] with address and port");
    }
}

void read_limits(settings_section section, shard::connection_limits::limits& connections, session::settings& out) {
    read_connection_limits(section, connections);
    section.number<std::uint32_t>("recipients", out.recipient_limit, 100, 100'000);
    section.number<std::uint32_t>("null_sender_recipients", out.null_sender_recipients, 0, 100'000);
    section.number<std::uint64_t>("message_size", out.size_limit, 0, 4'000'000'000);
    section.number<std::uint16_t>("command_line", out.command_line_limit, 512, 4096);
    section.number<std::uint16_t>("protocol_errors", out.protocol_error_limit, 1, 10'000);
    section.number<std::uint32_t>("discarded", out.discard_limit, 1'024, 1'000'000'000);
    section.number<std::uint64_t>("swallowed", out.swallow_limit, 0, 4'000'000'000);
    section.number<std::uint32_t>("transactions", out.transactions, 1, 1'000'000);
}

void read_timeouts(settings_section section, configuration& out) {
    session::timeouts& times = out.session.timeouts;
    auto delay = static_cast<int>(times.greeting_delay.count());
    section.number("greeting_delay_ms", delay, 0, 10'000);
    times.greeting_delay = milliseconds(delay);
    read_seconds(section, "greeting", times.greeting, 1, 3600);
    read_seconds(section, "command", times.command, 1, 3600);
    read_seconds(section, "idle", times.idle, 1, 86'400);
    read_seconds(section, "data", times.data, 1, 3600);
    section.number<std::uint64_t>("data_minimum", out.session.data_minimum, 1, 1'000'000'000);
    read_seconds(section, "session", times.session, 1, 604'800);
    milliseconds drain = out.drain;
    read_seconds(section, "drain", drain, 0, 3600);
    out.drain = std::chrono::duration_cast<std::chrono::seconds>(drain);
}

void read_smtp(settings_section section, session::settings& out) {
    section.number<std::uint32_t>("postmaster_route", out.postmaster_route, 0, 4'000'000'000);
    section.boolean("address_literals", out.serve_address_literals);
    std::size_t policy = 0;
    section.choice("bare_line_ends", policy, {"refuse", "normalise"});
    out.bare_line_ends = policy == 0 ? session::bare_line_ends::refuse : session::bare_line_ends::normalise;
    std::vector<std::string> exceptions;
    section.texts("bare_line_end_exceptions", exceptions);
    for (const std::string& text : exceptions) {
        if (const auto network = parse_network(text, true)) {
            out.bare_line_end_exceptions.push_back(*network);
        } else {
            section.error("bare_line_end_exceptions",
                          "\"" + text + "\" is not a network; write it as 192.0.2.0/24 or 2001:db8::/32");
        }
    }
}

void read_relay(settings_section section, relay::settings& out) {
    section.number<unsigned>("threads", out.threads, 1, 64);
    section.number<std::uint32_t>("transactions", out.transactions_per_shard, 1, 100'000);
    section.number<std::uint32_t>("chunks", out.chunks_per_shard, 4, 1'000'000);
    section.texts("fleet", out.fleet_names);
    for (const std::string& name : out.fleet_names) {
        if (!is_host_name(name)) {
            section.error("fleet", "\"" + name + "\" is not a host name; write the other edges' names");
        }
    }
    read_seconds(section, "connect", out.timeouts.connect, 1, 300);
    read_seconds(section, "connect_total", out.timeouts.connect_total, 1, 600);
    read_seconds(section, "greeting", out.timeouts.greeting, 1, 600);
    read_seconds(section, "command", out.timeouts.command, 1, 3600);
    read_seconds(section, "data", out.timeouts.data_block, 1, 3600);
    read_seconds(section, "final", out.timeouts.final, 1, 3600);
    read_seconds(section, "idle", out.timeouts.idle, 0, 3600);
    read_seconds(section, "wait", out.timeouts.wait, 1, 600);
    read_seconds(section, "host_down", out.timeouts.host_down, 0, 3600);
    section.number<std::uint32_t>("messages_per_connection", out.limits.messages_per_connection, 1, 1'000'000);
    section.number<std::uint32_t>("unlisted_per_second", out.limits.unlisted_per_second, 0, 1'000'000);
}

void read_judge(settings_section section, judge::settings& out) {
    std::string url;
    section.text("rspamd", url);
    if (!url.empty()) {
        if (auto parsed = judge::rspamd_url(url)) {
            out.rspamd = std::move(*parsed);
        } else {
            section.error("rspamd", parsed.error());
        }
    }
    read_seconds(section, "timeout", out.timeout, 1, 300);
    section.number<std::size_t>("copy", out.copy, 4'096, 67'108'864);
    section.number<std::uint32_t>("messages", out.messages, 1, 10'000);
}

void read_log(settings_section section, configuration& out) {
    constexpr std::array levels{process::level::debug, process::level::info, process::level::warn,
                                process::level::error};
    std::size_t level = 1;
    section.choice("level", level, {"debug", "info", "warn", "error"});
    out.log_level = levels.at(level);
}

/// What follows from several values together.
void complete(settings_section root, configuration& out) {
    out.session.name = out.name;
    out.relay.own_name = out.name;
    out.relay.shards = out.shard_count();
    // A session waits a little longer for the relay than the relay can take for any one answer.
    const relay::timeouts& relay = out.relay.timeouts;
    const milliseconds first_answer = relay.wait + relay.connect_total + 2 * relay.command;
    out.session.timeouts.relay =
        std::max({first_answer, relay.data_block, relay.final}) + milliseconds(std::chrono::seconds(30));
    if (const auto fault = session::find_fault(out.session)) {
        root.error("", *fault);
    }
}

}  // namespace

unsigned configuration::shard_count() const noexcept {
    if (shards != 0) {
        return shards;
    }
    return std::max(1U, cores.empty() ? std::thread::hardware_concurrency() : static_cast<unsigned>(cores.size()));
}

std::uint64_t configuration::open_files() const noexcept {
    constexpr std::uint64_t others = 256;  // logs, folders, edge socket clients, event descriptors of every thread
    std::uint64_t sum = others + std::uint64_t{shard_count()} * (listeners.size() + 4);
    for (const listener_configuration& each : listeners) {
        sum += port ? 0 : each.limits.connections;  // those over a port of our own are none of the kernel's
    }
    // A connection to a mail server belongs to a transaction or waits in a pool.
    return sum + std::uint64_t{shard_count()} * relay.transactions_per_shard;
}

tl::expected<configuration, std::vector<std::string>> parse_configuration(std::string_view text,
                                                                          const std::string& file,
                                                                          const std::string& folder) {
    configuration out;
    process::settings_file settings(text, file);
    if (settings.parsed()) {
        settings_section root = settings.root();
        read_edge(root.table("edge"), root.table("port"), out, folder);
        shard::connection_limits::limits connections;
        read_limits(root.table("limits"), connections, out.session);
        read_listeners(root, connections, out);
        read_timeouts(root.table("timeouts"), out);
        read_smtp(root.table("smtp"), out.session);
        read_relay(root.table("relay"), out.relay);
        process::egress_policy egress;
        process::read_egress(root.table("egress"), egress);
        out.relay.may_reach = [egress](const shard::endpoint& to) { return egress.allows(to.address); };
        read_judge(root.table("judge"), out.judge);
        read_log(root.table("log"), out);
        complete(root, out);
    }
    std::vector<std::string> errors = settings.finish();
    if (!errors.empty()) {
        return tl::unexpected(std::move(errors));
    }
    return out;
}

tl::expected<configuration, std::vector<std::string>> read_configuration(const std::string& path) {
    const auto text = process::read_file(path, longest_file);
    if (!text) {
        return tl::unexpected(std::vector<std::string>{
            text.error() + "; write the configuration there, or name another file with --config"});
    }
    std::error_code problem;
    const std::filesystem::path absolute = std::filesystem::absolute(path, problem);
    if (problem) {
        return tl::unexpected(std::vector<std::string>{"cannot find the folder of " + path + ": " + problem.message()});
    }
    return parse_configuration(*text, path, absolute.parent_path().string());
}

}  // namespace postern::edge
