// One connection of a shard over kernel sockets, as operations keeps it. Included by the operations' own files only.
#pragma once

#include <cstdint>

#include "dataplane/sockets/operations.h"

namespace postern::sockets {

enum class phase : std::uint8_t {
    free,       ///< the slot holds no connection
    open,       ///< the session layer knows it
    unsent,     ///< finished; the last replies are not out yet
    lingering,  ///< FIN is sent; what the peer sends is discarded until it closes
};

struct operations::socket_state : shard::timer_wheel::timer {
    int fd = -1;
    std::uint32_t slot = 0;
    std::uint32_t serial = 0;  ///< of the last connection of this slot; never 0 once used
    phase now = phase::free;
    shard::admission word = shard::admission::admitted;

    bool queued : 1 = false;       ///< in _ready or in the rest of _batch
    bool to_flush : 1 = false;     ///< in _unsent
    bool starved : 1 = false;      ///< in _starved
    bool fresh : 1 = false;        ///< `opened` is still to be called
    bool broken : 1 = false;       ///< `reset` is still to be called
    bool wants : 1 = false;        ///< the layer wants octets
    bool offer_again : 1 = false;  ///< want_read(true) since the last offer
    bool received : 1 = false;     ///< it had its recv in this turn
    bool readable : 1 = false;     ///< the kernel may have octets, FIN or an error
    bool peer_ending : 1 = false;  ///< the kernel saw FIN; it is read after the octets
    bool peer_ended : 1 = false;   ///< FIN was read
    bool peer_end_told : 1 = false;
    bool silent : 1 = false;        ///< finished, and its peer said that it sends nothing more
    bool send_blocked : 1 = false;  ///< the kernel took less than there was, and has not said that it takes more

    block* input = nullptr;   ///< unconsumed octets, at most `window`
    block* output = nullptr;  ///< first of the unsent blocks
    block* output_last = nullptr;
    std::uint32_t output_room = 0;  ///< octets of those blocks, used or not
    std::uint32_t waits_for = 0;    ///< octets of a reserve that came back empty
    std::uint32_t discarded = 0;    ///< octets while lingering

    shard::connection_info info;

    shard::connection id() const noexcept { return {slot, serial}; }
    std::size_t held() const noexcept { return input == nullptr ? 0 : input->size(); }
    bool output_stalled() const noexcept { return send_blocked && output_room > shard::block_pool::large_room; }
};

}  // namespace postern::sockets
