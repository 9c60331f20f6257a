// The load's connections over a network port of its own: clients of TCP (perf/opener) on the layers below it that the
// edge has (dataplane/net, dataplane/port), from as many addresses as it takes.
//
// A connection's place is its slot, and its ends follow from that by arithmetic. What is not acknowledged in time is
// sent again and counted. The thread polls: it takes a core of its own.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/port/device.h"
#include "dataplane/port/environment.h"
#include "dataplane/port/framing.h"
#include "dataplane/shard/timer_wheel.h"
#include "perf/opener/opener.h"
#include "perf/port_plan.h"
#include "perf/random.h"
#include "perf/rig/client_names.h"
#include "perf/transport.h"

namespace postern::perf {

/// Starts DPDK and the port, before other threads are made. The error says what is missing.
process::result<std::unique_ptr<port::device>> open_port(const port_plan& plan);

class packets final : public transport {
public:
    /// Waits until the server's, or the gateway's, Ethernet address is known; the error says that nobody answers. All
    /// outlives the transport.
    static process::result<std::unique_ptr<transport>> make(const port_plan& plan, port::device& device,
                                                            std::size_t slots, std::uint64_t seed);

    process::result<void> open(std::uint32_t slot, std::uint64_t number) override;
    void send(std::uint32_t slot, std::string_view octets) override;
    bool close(std::uint32_t slot) override;
    process::result<void> wait(std::uint64_t most_ns, listener& tell) override;
    wire_counts counts() const override;

private:
    enum class phase : std::uint8_t { connecting, open, closing };
    struct connection;

    packets(const port_plan& plan, port::device& device, std::size_t slots, std::uint64_t seed);
    shard::endpoint local_of(std::uint32_t slot) const noexcept;
    bool turn(listener* tell);
    void take(const port::received_frame& frame, listener* tell);
    void take(const tcp::segment& s, listener* tell);
    void tell_news(std::uint32_t slot, listener& tell);
    void expired(connection& c, listener& tell);
    void forget(std::uint32_t slot);
    void set_timer(connection& c) noexcept;
    void refuse(const tcp::segment& s) noexcept;

    const port_plan& _plan;
    port::device& _device;
    port::registered_thread _registered;
    port::queue _queue;
    port::framing _framing;
    shard::instant _now;
    net::interface _interface;
    shard::timer_wheel _timers;
    rig::client_names _names;
    random_source _random;
    std::vector<std::unique_ptr<connection>> _connections;  ///< by slot
    std::vector<std::uint32_t> _generations;                ///< connections that a slot had
    wire_counts _counts;
};

}  // namespace postern::perf
