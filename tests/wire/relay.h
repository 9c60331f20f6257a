// Frames from one network port to another and back, over a path that tampers with them. It looks like a cable: no
// address of its own, nothing answered, nothing learned.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "dataplane/port/queue.h"
#include "tests/wire/tampering.h"

namespace postern::wire {

/// What rules look at of a frame.
struct crossing {
    bool from_near = false;  ///< it came from the near port
    bool tcp = false;
    std::uint8_t flags = 0;   ///< of TCP
    std::size_t payload = 0;  ///< octets behind TCP's header
};
crossing look_at(std::span<const std::uint8_t> frame, bool from_near) noexcept;

class relay {
public:
    /// Both outlive the relay. Corruption spares Ethernet's header, whose checksum is the wire's own.
    relay(port::queue& near, port::queue& far, const path& p);

    tampering<crossing>& path() noexcept { return _path; }
    /// Takes what has arrived at either port and sends what is due. True if anything moved.
    bool turn(shard::instant now);
    /// When the next frame is due; `shard::never`: none is on its way.
    shard::instant next() const noexcept { return _way.empty() ? shard::never : _way.begin()->first; }

private:
    struct travelling {
        bool to_far = false;
        std::vector<std::uint8_t> octets;
    };
    bool take(port::queue& from, bool from_near, shard::instant now);

    port::queue& _near;
    port::queue& _far;
    tampering<crossing> _path;
    std::multimap<shard::instant, travelling> _way;
};

}  // namespace postern::wire
