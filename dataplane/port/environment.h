// DPDK's environment (EAL) of this process: memory, devices, threads. Made from Postern's own settings: no EAL flags
// for operators. DPDK keeps it in globals and cannot be started twice, so there is one for the process's life.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace postern::port {

struct environment_settings {
    /// Devices by name, each with its arguments: "0000:00:04.0" (PCI), "net_tap0,iface=postern0" (virtual). No other
    /// device of the machine is touched.
    std::vector<std::string> devices;
    std::size_t memory_mib = 256;  ///< for buffers and rings
    bool telemetry = false;        ///< rte_telemetry's socket, in a folder of this process's own
};

struct environment {
    bool huge_pages = false;  ///< memory is on huge pages; else on ordinary ones
    std::string telemetry;    ///< path of its socket, if it was asked for
};

/// Starts DPDK. Huge pages are used if enough are free, else ordinary pages; virtual devices alone run without root
/// where their own means allow it. Call once, before other threads are made: they inherit that the real-time signals
/// are blocked, which drivers may use to wake shards. The error says what to do.
tl::expected<environment, std::string> start_environment(const environment_settings& settings);

/// Free huge pages of 2 MiB that this machine has, in MiB.
std::size_t free_huge_mib();

/// Makes the calling thread one that uses ports, for the object's life: with caches of its own in buffer pools, and
/// open to the drivers' signals if it receives.
class registered_thread {
public:
    enum class signals : bool { blocked, open };  ///< the drivers'

    explicit registered_thread(signals drivers = signals::open);
    ~registered_thread();
    registered_thread(const registered_thread&) = delete;
    registered_thread& operator=(const registered_thread&) = delete;

private:
    bool _ours = false;
};

}  // namespace postern::port
