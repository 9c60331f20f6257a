#include "dataplane/port/kernel_link.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>

namespace postern::port {
namespace {

using failure = tl::unexpected<std::string>;

failure refused(const std::string& what, int error) {
    return failure(what + ": " + std::strerror(error));
}

ifreq request_for(const std::string& name) {
    ifreq out{};
    name.copy(out.ifr_name, IFNAMSIZ - 1);
    return out;
}

/// One request to rtnetlink and its acknowledgement.
class netlink_request {
public:
    netlink_request(std::uint16_t type, std::uint16_t flags) {
        header().nlmsg_type = type;
        header().nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
        header().nlmsg_len = NLMSG_HDRLEN;
    }
    template <class T>
    netlink_request& body(const T& what) {
        append(&what, sizeof what);
        return *this;
    }
    netlink_request& attribute(std::uint16_t type, std::span<const std::uint8_t> value) {
        const rtattr head{static_cast<std::uint16_t>(RTA_LENGTH(value.size())), type};
        append(&head, sizeof head);
        append(value.data(), value.size());
        return *this;
    }
    netlink_request& attribute(std::uint16_t type, std::uint32_t value) {
        return attribute(type, {reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
    }
    /// 0, or why the kernel refused.
    int send(const process::descriptor& to) {
        if (::send(to.get(), _octets.data(), header().nlmsg_len, 0) < 0) {
            return errno;
        }
        alignas(nlmsghdr) std::array<char, 1024> answer;  // NOLINT: filled below
        const ssize_t n = ::recv(to.get(), answer.data(), answer.size(), 0);
        if (n < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) {
            return n < 0 ? errno : EPROTO;
        }
        nlmsgerr told{};
        std::memcpy(&told, answer.data() + NLMSG_HDRLEN, sizeof told);
        return -told.error;
    }

private:
    nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(_octets.data()); }
    void append(const void* what, std::size_t n) {
        std::memcpy(_octets.data() + header().nlmsg_len, what, n);
        header().nlmsg_len = static_cast<std::uint32_t>(NLMSG_ALIGN(header().nlmsg_len + n));
    }
    alignas(nlmsghdr) std::array<char, 256> _octets{};
};

/// The address as rtnetlink has it: 4 octets or 16.
std::span<const std::uint8_t> octets_of(const net::ip_address& ip) {
    return std::span(ip).subspan(net::is_ipv4(ip) ? 12 : 0);
}
std::uint8_t family_of(const net::ip_address& ip) {
    return net::is_ipv4(ip) ? AF_INET : AF_INET6;
}

tl::expected<void, std::string> set_kernel_variable(const std::string& name, const char* variable, int value) {
    const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/" + variable;
    std::ofstream out(path);
    if (!(out << value << std::flush)) {
        return failure("cannot write " + std::to_string(value) + " to " + path);
    }
    return {};
}

tl::expected<void, std::string> set_ipv6(const std::string& name, const net::interface_settings& network) {
    const bool has = std::any_of(network.addresses.begin(), network.addresses.end(),
                                 [](const net::own_address& a) { return !net::is_ipv4(a.ip); });
    if (!has) {
        // A kernel without IPv6 has nothing to be told.
        return ::access("/proc/sys/net/ipv6", F_OK) == 0 ? set_kernel_variable(name, "disable_ipv6", 1)
                                                         : tl::expected<void, std::string>();
    }
    // Detection is the port's; two that claim the same address from the same Ethernet address would find one another.
    for (const char* const variable : {"accept_ra", "autoconf", "accept_dad", "dad_transmits"}) {
        if (auto done = set_kernel_variable(name, variable, 0); !done) {
            return done;
        }
    }
    return {};
}

tl::expected<void, std::string> set_link(const std::string& name, const net::interface_settings& network) {
    const process::descriptor any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq mac = request_for(name);
    mac.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::memcpy(mac.ifr_hwaddr.sa_data, network.mac.data(), network.mac.size());
    if (::ioctl(any.get(), SIOCSIFHWADDR, &mac) != 0) {
        return refused("set the Ethernet address of " + name, errno);
    }
    ifreq mtu = request_for(name);
    mtu.ifr_mtu = network.mtu;
    if (::ioctl(any.get(), SIOCSIFMTU, &mtu) != 0) {
        return refused("set the MTU of " + name, errno);
    }
    ifreq up = request_for(name);
    up.ifr_flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST | IFF_MULTICAST;
    if (::ioctl(any.get(), SIOCSIFFLAGS, &up) != 0) {
        return refused("set up " + name, errno);
    }
    return {};
}

tl::expected<void, std::string> set_addresses(const std::string& name, const net::interface_settings& network) {
    const process::descriptor rtnetlink(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    const unsigned index = ::if_nametoindex(name.c_str());
    if (!rtnetlink || index == 0) {
        return refused("speak to the kernel of " + name, errno);
    }
    for (const net::own_address& a : network.addresses) {
        ifaddrmsg body{};
        body.ifa_family = family_of(a.ip);
        body.ifa_prefixlen = a.prefix;
        body.ifa_flags = net::is_ipv4(a.ip) ? 0 : IFA_F_NODAD;
        body.ifa_index = index;
        netlink_request add(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
        add.body(body).attribute(IFA_LOCAL, octets_of(a.ip)).attribute(IFA_ADDRESS, octets_of(a.ip));
        if (const int error = add.send(rtnetlink); error != 0) {
            return refused("give " + name + " an address of the port's", error);
        }
    }
    for (const net::ip_address& gateway : network.gateways) {
        rtmsg body{};
        body.rtm_family = family_of(gateway);
        body.rtm_table = RT_TABLE_MAIN;
        body.rtm_protocol = RTPROT_STATIC;
        body.rtm_scope = RT_SCOPE_UNIVERSE;
        body.rtm_type = RTN_UNICAST;
        netlink_request add(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        add.body(body).attribute(RTA_GATEWAY, octets_of(gateway)).attribute(RTA_OIF, index);
        add.attribute(RTA_PRIORITY, twin_route_metric);
        if (const int error = add.send(rtnetlink); error != 0) {
            return refused("set the route by a gateway on " + name, error);
        }
    }
    return {};
}

}  // namespace

tl::expected<process::descriptor, std::string> make_kernel_link(const std::string& name,
                                                                const net::interface_settings& network) {
    if (name.empty() || name.size() >= IFNAMSIZ) {
        return failure("\"" + name + "\" can't be the name of a device: it has 1 to 15 characters");
    }
    if (::if_nametoindex(name.c_str()) != 0) {
        return failure("the kernel has a device " + name + " already; name another one");
    }
    process::descriptor made(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!made) {
        return refused("open /dev/net/tun", errno);
    }
    ifreq wanted = request_for(name);
    wanted.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (::ioctl(made.get(), TUNSETIFF, &wanted) != 0) {
        return refused("make the device " + name, errno);
    }
    tl::expected<void, std::string> done = set_ipv6(name, network);
    done = done ? set_link(name, network) : done;
    done = done ? set_addresses(name, network) : done;
    if (!done) {
        return failure(std::move(done.error()));
    }
    return made;
}

}  // namespace postern::port
