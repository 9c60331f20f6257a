// The ports of this program's tests: net_tap in a network namespace of its own, whose kernel is the client, and
// net_null.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>

#include "dataplane/port/device.h"
#include "dataplane/port/environment.h"

namespace postern::port {

inline constexpr std::uint16_t smtp = 25;

/// A port: how many shards serve it, and by how many queues of its own.
struct shape {
    const char* device;
    const char* interface;  ///< the kernel's end
    std::uint8_t network;   ///< 10.25.N.0/24 and 2001:db8:N::/64; .1 is the port, .9 the kernel
    std::uint16_t shards;
    std::uint16_t queues;

    /// Gives the kernel's end its addresses and sets it up.
    std::string kernel_commands() const {
        const std::string number = std::to_string(network);
        std::string out = "ip addr add 10.25.";
        out.append(number).append(".9/24 dev ").append(interface);
        out.append(" && ip -6 addr add 2001:db8:").append(number).append("::9/64 nodad dev ").append(interface);
        return out.append(" && ip link set up dev ").append(interface);
    }
    net::ip_address ours() const { return net::ipv4(10, 25, network, 1); }
    net::ip_address ours6() const { return {0x20, 0x01, 0x0d, 0xb8, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}; }
};
inline constexpr std::array shapes{shape{"net_tap0", "postern0", 0, 1, 1}, shape{"net_tap1", "postern1", 1, 2, 2},
                                   shape{"net_tap2", "postern2", 2, 3, 1}};

inline void PrintTo(const shape& s, std::ostream* out) {
    *out << s.shards << " shards on " << s.queues << " queues";
}

/// Once for the process: DPDK does not start twice.
struct rig {
    std::map<std::string, std::unique_ptr<device>> ports;
    std::string fault;

    rig() {
        if (::geteuid() != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) {
            fault = "needs root and /dev/net/tun, for a network namespace and a TAP device";
            return;
        }
        // This thread's namespace, and that of the threads it starts from now on; it goes with the process.
        if (::unshare(CLONE_NEWNET) != 0) {
            fault = std::string("no network namespace: ") + std::strerror(errno);
            return;
        }
        environment_settings wanted{{"net_null0", "net_null1", "net_null2", "net_null3"}, 192, false};
        for (const shape& each : shapes) {
            wanted.devices.push_back(std::string(each.device) + ",iface=" + each.interface);
        }
        if (const auto started = start_environment(wanted); !started) {
            ADD_FAILURE() << started.error();
            return;
        }
        for (const shape& each : shapes) {
            device_settings settings;
            settings.name = each.device;
            settings.shards = each.shards;
            settings.queues = each.queues;
            settings.descriptors = 256;
            auto opened = device::open(settings);
            if (!opened) {
                ADD_FAILURE() << opened.error();
                return;
            }
            ports[each.device] = std::move(*opened);
            EXPECT_EQ(std::system(each.kernel_commands().c_str()), 0);
        }
    }
    static rig& one() {
        static rig instance;
        return instance;
    }
};

}  // namespace postern::port
