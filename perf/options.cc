#include "perf/options.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>

#include "board/process/version.h"

namespace postern::perf {

namespace {

constexpr double ns_per_second = 1e9;
constexpr double day_s = 86400;
constexpr std::size_t body_limit = std::size_t{64} << 20U;
constexpr std::uint64_t bodies_limit = std::uint64_t{1} << 30U;  ///< all connections' bodies together
constexpr std::size_t descriptors_beside = 64;                   ///< files, epoll, standard streams

/// What the command line says, before it is checked.
struct words {
    bool remote = false;
    bool churn = false;
    bool messages = false;
    std::size_t size = 2048;
    double duration = 10;
    double ramp = 0;
    double warmup = 0;
    double timeout = 30;
    std::string valid;
    std::string only_a;
    std::string only_b;
    std::string windows;
    std::vector<std::string> expect;
    double valid_share = -1;
    std::string transport = "sockets";
    port_words port;
};

bool is_loopback(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        const auto& four = reinterpret_cast<const sockaddr_in&>(address);
        return ntohl(four.sin_addr.s_addr) >> 24U == 127;
    }
    const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
    return IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
}

process::result<void> load_list(const std::string& path, address_list& into) {
    if (path.empty()) {
        return {};
    }
    auto list = address_list::load(path);
    if (!list) {
        return tl::unexpected(std::move(list.error()));
    }
    into = std::move(*list);
    return {};
}

/// As many descriptors as connections, if the hard limit allows.
process::result<void> raise_descriptors(std::size_t connections) {
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    const rlim_t wanted = connections + descriptors_beside;
    if (now.rlim_cur >= wanted) {
        return {};
    }
    if (now.rlim_max < wanted) {
        return tl::unexpected("--connections " + std::to_string(connections) + " needs " + std::to_string(wanted) +
                              " open files and the limit is " + std::to_string(now.rlim_max) +
                              ": raise it (ulimit -Hn)");
    }
    now.rlim_cur = wanted;
    if (::setrlimit(RLIMIT_NOFILE, &now) != 0) {
        return tl::unexpected(process::errno_text("raise", "the limit on open files", errno));
    }
    return {};
}

/// Over the kernel's sockets or a port of the load's own.
process::result<void> check_transport(options& made, const words& said) {
    if (said.transport == "dpdk") {
        if (made.threads != 1) {
            return tl::unexpected(std::string("--transport dpdk has one thread: the port's"));
        }
        auto port = make_port_plan(said.port, made.target, made.connections);
        if (!port) {
            return tl::unexpected(std::move(port.error()));
        }
        made.port.emplace(std::move(*port));
        return {};
    }
    if (!said.port.device.empty() || !said.port.address.empty()) {
        return tl::unexpected(std::string("--device and --address are for --transport dpdk"));
    }
    if (made.target.sources != 0 && (made.target.address.ss_family != AF_INET || said.remote)) {
        return tl::unexpected(
            std::string("--sources spreads over 127.0.0.0/8: it needs an IPv4 loopback target, or --transport dpdk"));
    }
    return {};
}

process::result<void> check_and_load(options& made, const words& said) {
    auto target = resolve_target(made.target_text, said.remote);
    if (!target) {
        return tl::unexpected(std::move(target.error()));
    }
    const std::uint32_t sources = made.target.sources;
    made.target = *target;
    made.target.sources = sources;
    if (auto carried = check_transport(made, said); !carried) {
        return carried;
    }
    if (said.churn && said.messages) {
        return tl::unexpected(std::string("--churn and --messages exclude each other"));
    }
    plan& to_do = made.plan;
    to_do.exchange = said.churn ? exchange::sessions : said.messages ? exchange::messages : exchange::recipients;
    if (said.messages && made.connections * said.size > bodies_limit) {
        return tl::unexpected(std::string("--connections times --size is over 1 GiB; make one of them smaller"));
    }
    if (made.open_loop && made.rate == 0) {
        return tl::unexpected(std::string("--open-loop needs --rate: the timetable"));
    }
    if ((made.json == "-") + (made.csv == "-") + (made.plot == "-") > 1) {
        return tl::unexpected(std::string("only one of --json, --csv and --plot can go to standard output"));
    }
    if (made.connections < made.threads) {
        return tl::unexpected(std::string("--connections must be at least --threads"));
    }
    for (const auto& rule : said.expect) {
        if (auto set = to_do.expect.set(rule); !set) {
            return set;
        }
    }
    recipient_pool& pool = to_do.recipients;
    for (const auto& [path, list] : {std::pair{&said.valid, &pool.valid}, std::pair{&said.only_a, &pool.only_a},
                                     std::pair{&said.only_b, &pool.only_b}}) {
        if (auto loaded = load_list(*path, *list); !loaded) {
            return loaded;
        }
    }
    if (said.valid_share >= 0) {
        pool.valid_share = said.valid_share;
    } else {
        pool.valid_share = said.valid.empty() ? 0 : pool.stranger_domains.empty() ? 1 - pool.swap_share : 0.5;
    }
    if (auto fits = pool.check(); !fits) {
        return fits;
    }
    if (pool.swap_share > 0 && said.windows.empty()) {
        return tl::unexpected(std::string("--swap-share needs --swap-windows FILE, to know which list is in force"));
    }
    if (!said.windows.empty()) {
        auto windows = swap_windows::open(said.windows);
        if (!windows) {
            return tl::unexpected(std::move(windows.error()));
        }
        made.windows.emplace(std::move(*windows));
    }
    if (said.messages) {
        to_do.body = make_body(said.size);
    }
    made.bounds.duration_ns = static_cast<std::uint64_t>(said.duration * ns_per_second);
    made.bounds.ramp_ns = static_cast<std::uint64_t>(said.ramp * ns_per_second);
    made.bounds.warmup_ns = made.bounds.ramp_ns + static_cast<std::uint64_t>(said.warmup * ns_per_second);
    made.bounds.reply_timeout_ns = static_cast<std::uint64_t>(said.timeout * ns_per_second);
    return made.port ? process::result<void>() : raise_descriptors(made.connections);
}

}  // namespace

process::result<endpoint> resolve_target(const std::string& text, bool remote) {
    const std::size_t colon = text.rfind(':');
    std::string host = text.substr(0, colon);
    if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) {
        return tl::unexpected("--target '" + text + "': HOST:PORT is expected, [ADDRESS]:PORT for IPv6");
    }
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int error = ::getaddrinfo(host.c_str(), text.c_str() + colon + 1, &hints, &found);
    if (error != 0) {
        return tl::unexpected("--target '" + text + "': " + ::gai_strerror(error));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> list(found, &::freeaddrinfo);
    if (!remote && !is_loopback(*list->ai_addr)) {
        return tl::unexpected("--target '" + text +
                              "' is not a loopback address. Load is for servers you answer for; say --remote if it is");
    }
    endpoint out;
    std::copy_n(reinterpret_cast<const char*>(list->ai_addr), list->ai_addrlen, reinterpret_cast<char*>(&out.address));
    out.size = list->ai_addrlen;
    return out;
}

std::string make_body(std::size_t octets) {
    std::string body = "From: load@load.invalid\r\nSubject: postern-load\r\nMIME-Version: 1.0\r\n\r\n";
    constexpr std::size_t line = 76;
    while (body.size() + 2 < octets) {
        const std::size_t room = std::min(line, octets - body.size() - 2);
        for (std::size_t i = 0; i < room; ++i) {
            body += static_cast<char>('a' + (body.size() * 7 + i) % 26);
        }
        body += "\r\n";
    }
    return body;
}

std::optional<options> read_options(int argc, char** argv, int& exit_status) {
    options made;
    words said;
    plan& to_do = made.plan;
    CLI::App app("Puts load on an SMTP server and checks every reply. The manual is postern-load(1).", "postern-load");
    app.set_version_flag("--version", "postern-load " + std::string(process::version));
    app.add_option("--target", made.target_text, "Server: HOST:PORT, [ADDRESS]:PORT for IPv6")->required();
    app.add_flag("--remote", said.remote, "The target may be another machine: it is mine to load");
    app.add_option("--transport", said.transport,
                   "sockets: the kernel's; dpdk: a network port of its own, with a TCP of its own")
        ->check(CLI::IsMember({"sockets", "dpdk"}));
    app.add_option("--device", said.port.device,
                   "With dpdk: the port, with its driver's arguments, as in net_af_packet0,iface=eth1");
    app.add_option("--address", said.port.address,
                   "With dpdk: the first source address, with its network, as in 192.0.2.16/24");
    app.add_option("--gateway", said.port.gateway, "With dpdk: the way to a target that is not in that network");
    app.add_option("--mac", said.port.mac, "With dpdk: the port's Ethernet address; the device's own unless given");
    app.add_option("--vlan", said.port.vlan, "With dpdk: the VLAN; 0: untagged")->check(CLI::Range(0, 4094));
    app.add_option("--mtu", said.port.mtu, "With dpdk: the MTU")->check(CLI::Range(576, 9216));
    app.add_option("--descriptors", said.port.descriptors, "With dpdk: of each of the port's queues")
        ->check(CLI::Range(64, 8192));
    app.add_option("--memory-mib", said.port.memory_mib,
                   "With dpdk: memory for buffers; as much as is needed unless given");
    app.add_flag("!--no-offload-checksums", said.port.offload_checksums,
                 "With dpdk: checksums are not left to the device");
    app.add_option("--connections", made.connections, "Connections open at a time")->check(CLI::Range(1, 4000000));
    app.add_option("--threads", made.threads, "Threads, each with its part of the connections")
        ->check(CLI::Range(1, 64));
    app.add_option("--sources", made.target.sources,
                   "Spread the connections over this many addresses of 127.0.0.0/8; with dpdk from --address on")
        ->check(CLI::Range(0, 65536));
    app.add_option("--pipeline", to_do.depth, "RCPTs sent in one segment; 1: one command at a time")
        ->check(CLI::Range(1, 1000));
    app.add_option("--per-transaction", to_do.per_transaction, "RCPTs between two MAILs")->check(CLI::Range(1, 100000));
    app.add_option("--tls-share", to_do.tls_share,
                   "Share of the connections that say STARTTLS and go on inside TLS, 0 to 1")
        ->check(CLI::Range(0.0, 1.0));
    app.add_flag("--churn", said.churn, "A connection for each recipient: EHLO, MAIL, RCPT, QUIT");
    app.add_flag("--messages", said.messages,
                 "Deliver whole messages, --per-transaction recipients each (1 unless given)");
    app.add_option("--size", said.size, "Octets of a message")->check(CLI::Range(std::size_t{128}, body_limit));
    app.add_option("--helo", to_do.helo, "Name in EHLO");
    app.add_option("--sender", to_do.sender, "Address in MAIL FROM; the null sender unless given");
    app.add_option("--recipients", said.valid, "File of listed addresses, one a line");
    app.add_option("--valid-share", said.valid_share, "Share of listed addresses among all asked for, 0 to 1")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--strangers", to_do.recipients.stranger_domains, "Domains in which strangers are made up")
        ->delimiter(',');
    app.add_option("--only-a", said.only_a, "File of addresses that list A alone has (hot swaps)");
    app.add_option("--only-b", said.only_b, "File of addresses that list B alone has");
    app.add_option("--swap-share", to_do.recipients.swap_share, "Share of the addresses of one list, 0 to 1")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--swap-windows", said.windows, "File in which the driver of the swaps tells what is in force when");
    app.add_option("--expect", said.expect, "NAME=PREFIX[|PREFIX]: what a reply must begin with; may be repeated");
    app.add_option("--duration", said.duration, "Seconds; 10, or with --count no limit")
        ->check(CLI::Range(0.001, day_s));
    app.add_option("--warmup", said.warmup, "Seconds before the measuring begins")->check(CLI::Range(0.0, 3600.0));
    app.add_option("--count", made.count, "End after so many RCPTs (sessions with --churn, messages with --messages)");
    app.add_option("--rate", made.rate, "RCPTs a second at most; as fast as replies come unless given")
        ->check(CLI::NonNegativeNumber);
    app.add_flag("--open-loop", made.open_loop,
                 "--rate is a timetable that waits for nobody; latency counts from when a RCPT was due");
    app.add_option("--ramp", said.ramp, "Seconds over which connections are opened and --rate is reached")
        ->check(CLI::Range(0.0, 3600.0));
    app.add_option("--timeout", said.timeout, "Seconds within which a reply must come")
        ->check(CLI::Range(0.01, 3600.0));
    made.bounds.failures = 100;
    app.add_option("--failures", made.bounds.failures, "End after so many wrong answers and lost connections a thread")
        ->check(CLI::PositiveNumber);
    app.add_option("--seed", made.seed, "Seed of the random choices");
    app.add_option("--json", made.json, "File for the report as JSON; - for standard output");
    app.add_option("--csv", made.csv,
                   "File for counts and latencies of each second, comma separated; - for standard output");
    app.add_option("--plot", made.plot, "File for latency by percentile, and throughput and latency over time, as SVG");
    app.add_flag("--quiet", made.quiet, "No progress and no text report");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        exit_status = app.exit(error) == 0 ? 0 : 2;
        return std::nullopt;
    }
    if (made.count != 0 && app.count("--duration") == 0) {
        said.duration = day_s;
    }
    if (said.messages && app.count("--per-transaction") == 0) {
        to_do.per_transaction = 1;
    }
    if (auto checked = check_and_load(made, said); !checked) {
        std::fprintf(stderr, "postern-load: %s\n", checked.error().c_str());
        exit_status = 2;
        return std::nullopt;
    }
    return made;
}

}  // namespace postern::perf
