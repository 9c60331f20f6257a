// One thread of the load generator: its dialogues over a transport, its pace, its tally.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "board/process/files.h"
#include "perf/dialogue.h"
#include "perf/histogram.h"
#include "perf/pace.h"
#include "perf/swap_windows.h"
#include "perf/tally.h"
#include "perf/tls_client.h"
#include "perf/transport.h"

namespace postern::perf {

/// One thread's part of the load.
struct share {
    std::size_t connections = 1;       ///< open at a time
    std::uint64_t units = UINT64_MAX;  ///< RCPTs, sessions or messages, by the exchange
    double per_second = 0;             ///< RCPTs; 0: as fast as replies come
    bool open_loop = false;            ///< by a timetable (perf/pace.h); needs `per_second`
    std::uint32_t first = 0;           ///< the first connection's number among those of all threads
    std::uint64_t seed = 0;
};

/// How long, and when it is enough.
struct limits {
    std::uint64_t ramp_ns = 0;  ///< over which connections are opened and the rate grows; the first part of the warm-up
    std::uint64_t warmup_ns = 0;  ///< before the measuring begins
    std::uint64_t duration_ns = 0;
    std::uint64_t reply_timeout_ns = 0;
    std::uint64_t failures = 0;  ///< wrong answers, lost connections and the like after which a thread gives up
};

/// How much was done.
struct amount {
    std::uint64_t rcpts = 0;
    std::uint64_t sessions = 0;
    std::uint64_t messages = 0;

    amount operator-(const amount& before) const noexcept {
        return {rcpts - before.rcpts, sessions - before.sessions, messages - before.messages};
    }
    amount& operator+=(const amount& more) noexcept {
        rcpts += more.rcpts;
        sessions += more.sessions;
        messages += more.messages;
        return *this;
    }
};

/// One second of the measured time, for plots and consecutive windows.
struct second {
    amount done;
    std::vector<histogram::part> latency;  ///< of RCPTs; of sessions or messages if the exchange is made of these
};

/// What is read by the main thread while the load runs.
struct live_counts {
    std::atomic<std::uint64_t> rcpts{0};
    std::atomic<std::uint64_t> sessions{0};
    std::atomic<std::uint64_t> messages{0};
    std::atomic<std::uint64_t> failures{0};
    std::atomic<std::uint64_t> open{0};
};

class worker final : private transport::listener {
public:
    worker(const plan& to_do, transport_maker make, const share& part, const limits& bounds,
           const swap_windows* windows, const std::atomic<bool>& stop);
    ~worker();
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    /// Runs the load to its end. An error: the machine's resources or the target failed us before anything was
    /// measured.
    process::result<void> run();

    const perf::tally& result() const noexcept { return _tally; }
    const std::vector<second>& seconds() const noexcept { return _seconds; }
    const amount& measured() const noexcept { return _measured; }
    /// RCPTs that were due in an open loop and that no connection was free to send when the load ended.
    std::uint64_t overdue() const noexcept { return _overdue; }
    std::uint64_t measured_ns() const noexcept { return _measured_ns; }
    const live_counts& live() const noexcept { return _live; }
    /// Of the transport; after the end.
    const wire_counts& wire() const noexcept { return _wire; }

private:
    struct connection;

    void connected(std::uint32_t slot) override;
    void refused(std::uint32_t slot, const std::string& why) override;
    void received(std::uint32_t slot, std::string_view octets) override;
    void lost(std::uint32_t slot, const std::string& why) override;
    void gone(std::uint32_t slot) override;

    process::result<void> drive();
    bool open_one(std::uint64_t now);
    void through_tls(connection& from, std::string_view octets, std::uint64_t now);
    bool next_has_tls() const noexcept;
    void advance(connection& with, std::uint64_t now);
    void run_ready(std::uint64_t now);
    void connect_failed(const std::string& why, std::uint64_t now);
    void close(connection& ended, std::uint64_t now);
    void forget(connection& ended, std::uint64_t now);
    void check_timeouts(std::uint64_t now);
    void report_swaps();
    void mark_second(std::uint64_t now);
    void mark_phase(std::uint64_t now);
    void begin_stop(std::uint64_t now);
    std::size_t wanted_open(std::uint64_t now) const noexcept;
    amount counts() const noexcept { return {_tally.rcpts, _tally.sessions, _tally.messages}; }
    std::uint64_t next_wakeup(std::uint64_t now) const noexcept;

    const plan& _plan;
    transport_maker _make;
    share _share;
    limits _limits;
    const std::atomic<bool>& _stop_asked;
    perf::tally _tally;
    std::optional<swap_judge> _judge;
    thread_context _context;
    live_counts _live;

    std::unique_ptr<transport> _transport;
    wire_counts _wire;
    std::vector<std::unique_ptr<connection>> _slots;
    std::vector<std::uint32_t> _free;
    std::deque<std::uint64_t> _ready;  ///< connections that may send, waiting for their turn: {serial, slot}
    std::optional<tls_settings> _tls;
    std::string _plain;  ///< of one connection at a time: what goes to the server, or what TLS had inside
    std::string _out;    ///< likewise: the records of TLS to be sent
    std::string _fatal;
    std::size_t _open = 0;
    std::size_t _connecting = 0;
    std::size_t _closing = 0;     ///< slots whose connections the transport still closes
    std::size_t _next_check = 0;  ///< the slot whose timeout is looked at next
    std::uint64_t _next_number;   ///< of a connection, among those of all threads
    std::uint32_t _next_serial = 0;
    std::uint64_t _units_left;
    perf::pace _pace;
    std::uint64_t _reopen_at = 0;  ///< after a failed connection
    std::uint64_t _started = 0;
    std::uint64_t _second_at = 0;
    std::uint64_t _checked_at = 0;
    std::uint64_t _stopped_at = 0;  ///< or when a connection ended since
    std::uint64_t _measured_from = 0;
    std::uint64_t _measured_ns = 0;
    bool _warm = false;
    bool _stopping = false;
    bool _by_count = false;
    std::uint64_t _overdue = 0;
    amount _before;  ///< counts when the measuring began
    amount _last_second;
    histogram _last_latency;  ///< at the end of the last second
    amount _measured;
    std::vector<second> _seconds;
};

}  // namespace postern::perf
