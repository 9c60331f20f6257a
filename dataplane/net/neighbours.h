// Who is behind which Ethernet address: the gateways, which are asked for and confirmed, and the hosts of our own
// networks, which are learned when they ask for us.
//
// A shard's replies go back to where a connection's last segment came from; this is for what has no such segment. So
// nothing queues here and nobody but a gateway is ever asked for. Hosts are a cache of fixed size; when it is full the
// one heard of longest ago goes.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/link_view.h"
#include "dataplane/shard/seam.h"

namespace postern::net {

class neighbours {
public:
    static constexpr std::size_t most_hosts = 512;
    static constexpr shard::instant ask_again = std::chrono::seconds(1);
    static constexpr shard::instant confirm_after = std::chrono::seconds(30);
    /// Unanswered questions after which a known gateway counts as unreachable; its address stays in use.
    static constexpr unsigned most_unanswered = 3;

    neighbours(const std::vector<ip_address>& gateways, shard::instant now);

    /// Hears that `ip` is at `mac`. `answer`: it was said in answer to us, so a gateway is confirmed. Only what is in
    /// one of our networks may be passed. An unasked-for word does not move a gateway that was confirmed lately.
    void heard(const ip_address& ip, const mac_address& mac, bool answer, shard::instant now);

    /// The gateways are to be asked for now, whatever was known of them.
    void confirm(shard::instant now) noexcept;

    std::optional<mac_address> find(const ip_address& ip) const noexcept;
    /// Whether every gateway has answered lately.
    bool gateways_reachable() const noexcept;

    /// The next gateway to be asked for now, by multicast or, if known, at its address. Nothing: none is due.
    struct question {
        ip_address ip;
        std::optional<mac_address> at;
    };
    std::optional<question> next_question(shard::instant now) noexcept;
    shard::instant next_timer() const noexcept;

    std::size_t hosts() const noexcept { return _hosts.size(); }

    /// Counts what changed of who is where.
    std::uint64_t changes() const noexcept { return _changes; }
    std::vector<link_view::host> known() const;
    /// Knows what another shard knows, and nothing else; nobody is asked for any more.
    void adopt(const std::vector<link_view::host>& others);

private:
    struct entry {
        ip_address ip{};
        mac_address mac{};
        shard::instant heard{};
    };
    struct gateway {
        ip_address ip{};
        std::optional<mac_address> mac;
        shard::instant due{};  ///< when it is asked for next
        shard::instant confirmed{};
        unsigned unanswered = 0;
    };
    std::vector<gateway> _gateways;
    std::vector<entry> _hosts;
    std::uint64_t _changes = 0;
};

}  // namespace postern::net
