// Fetches the edges' events (docs/edge-socket.md) for who takes them, and acknowledges what is safe with all of these.
//
// One thread for each edge, so an edge that hangs holds up no other; none of this is in the mail path, and an edge that
// can't be reached is simply asked again.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "control/publish/publisher.h"
#include "control/recent/events.h"

namespace postern::recent {

struct collector_options {
    std::chrono::milliseconds every{1'000};  ///< between questions to an edge that has no more
    std::chrono::milliseconds patience{10'000};
};

class collector {
public:
    /// They must outlive it; the first one takes a batch first.
    collector(std::vector<consumer*> into, std::vector<publish::edge_address> edges,
              const collector_options& options = {});
    ~collector();  ///< stops and joins
    collector(const collector&) = delete;
    collector& operator=(const collector&) = delete;

private:
    struct state;
    std::unique_ptr<state> _state;
};

}  // namespace postern::recent
