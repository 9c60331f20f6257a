// Carries out the edge socket's commands and words the answers (docs/edge-socket.md), one JSON line each.
//
// No sockets here. Commands that touch the table run on the table thread, the others on the edge socket's thread;
// `needs_table` tells them apart.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/edge/command.h"
#include "dataplane/edge/events.h"
#include "dataplane/edge/table_holder.h"

namespace postern::edge {

/// The verdict on an address, in words.
struct explanation {
    bool parsed = false;   ///< false: the address can't be parsed; `why` says what is wrong, `reply` what is answered
    std::string normal;    ///< normal form; empty: the address can't be parsed
    std::string standing;  ///< "listed", "unlisted", "not_served", "always"
    std::string mode;      ///< of its domain; empty if not served
    std::string reply;     ///< what RCPT is answered; empty if the mail server decides
    std::uint64_t generation = 0;
    std::string why;
};

struct shard_report {
    std::uint64_t sessions = 0;
};

struct relay_report {
    std::uint64_t connections = 0;  ///< to mail servers, pooled ones included
};

struct listener_report {
    std::string address;
    std::uint16_t port = 0;
    bool several_routes = false;
    std::uint64_t connections = 0;  ///< now
};

/// A network port of its own.
struct port_report {
    std::string device;
    std::string driver;
    std::string mac;
    unsigned shards = 0;
    unsigned queues = 0;
    unsigned mtu = 0;
    bool huge_pages = false;
    std::string spread_by;  ///< "device", "shards", "nobody"
    std::string sleeps_by;  ///< "interrupts", "polling", "never"
    std::string twin;       ///< empty: none
    bool link_up = false;
    std::uint32_t link_mbps = 0;
    std::uint64_t link_changes = 0;
};

struct capture_report {
    std::string file;  ///< path; empty: there was none
    std::string state;
    std::uint64_t frames = 0;
    std::uint64_t octets = 0;
    std::uint64_t lost = 0;
};

/// What a running edge tells of itself and lets itself be told. Called on the edge socket's thread, but `explain`.
class process_view {
public:
    virtual ~process_view() = default;
    /// Each counter once, summed over all threads.
    virtual void counters(const std::function<void(std::string_view, std::uint64_t)>& sink) const = 0;
    virtual std::vector<shard_report> shards() const = 0;
    virtual relay_report relay() const = 0;
    virtual std::vector<listener_report> listeners() const = 0;
    virtual std::chrono::seconds uptime() const = 0;
    /// Nothing: the connections come from the kernel.
    virtual std::optional<port_report> port() const = 0;
    virtual capture_report capture() const = 0;
    /// The file's path.
    virtual tl::expected<std::string, std::string> start_capture(const command& said) = 0;
    virtual tl::expected<capture_report, std::string> stop_capture() = 0;
    virtual void drain() = 0;
    /// The recent recipients, with all that the shards have told by now.
    virtual event_log& events() = 0;
    /// On the table thread; `in_force` is null without a table and stays valid for the call.
    virtual explanation explain(const recipients::snapshot* in_force, const std::string& address) const = 0;
};

/// Whether `answer_table` must carry the command out (else `answer`).
bool needs_table(verb what) noexcept;

std::string answer_table(const command& said, table_holder& holder, const process_view& view);
std::string answer(const command& said, process_view& view);
/// `{"ok":false,"error":…}`
std::string refusal(std::string_view error);

}  // namespace postern::edge
