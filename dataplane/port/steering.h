// Which shard a frame belongs to: a pure function of the connection's addresses and ports.
//
// Where the NIC spreads frames by the Toeplitz hash (RSS), it is the NIC's own function, made of the key and the table
// as they were read back from it, so that its frames are on the right shard already. Else it is the same function with
// a key and a table of our own. Everything that is not TCP is shard 0's: ARP, neighbour discovery, echo, the kernel's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/octets.h"
#include "dataplane/port/toeplitz.h"

namespace postern::port {

class steering {
public:
    /// What of a TCP segment is hashed.
    enum class input : std::uint8_t { tuple, addresses };
    struct rules {
        std::array<std::uint8_t, toeplitz::key_octets> key{};
        std::vector<std::uint16_t> table;  ///< the shard for each value of hash modulo its size
        input ipv4 = input::tuple;
        input ipv6 = input::tuple;
        bool of_device = false;  ///< read back from the NIC
    };

    /// The table has an entry, and its shards are there.
    explicit steering(rules r) : _rules(std::move(r)), _toeplitz(_rules.key) {}

    /// Rules of our own. The key is drawn at random: with a known one, who picks source ports puts every connection on
    /// one shard. Throws std::system_error if the kernel gives none.
    static rules own_rules(unsigned shards);

    std::uint32_t hash(const net::ip_address& from, std::uint16_t from_port, const net::ip_address& to,
                       std::uint16_t to_port) const noexcept;
    /// Of segments from `from` to us.
    unsigned owner(const net::ip_address& from, std::uint16_t from_port, const net::ip_address& to,
                   std::uint16_t to_port) const noexcept {
        return owner_of_hash(hash(from, from_port, to, to_port));
    }
    unsigned owner_of_hash(std::uint32_t h) const noexcept { return _rules.table[h % _rules.table.size()]; }

    struct place {
        unsigned shard = 0;
        std::optional<std::uint32_t> hash;  ///< of a TCP segment
    };
    /// Of a whole frame. An ICMP error about a packet that is too big is its connection's. Nothing: it is no packet
    /// that anybody takes, and may be dropped by whoever has it.
    std::optional<place> place_of(net::octets frame) const noexcept;

    const rules& in_force() const noexcept { return _rules; }

private:
    rules _rules;
    toeplitz _toeplitz;
};

}  // namespace postern::port
