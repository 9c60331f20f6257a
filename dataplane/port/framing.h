// Segments of TCP and frames of the port's own, written into the buffers of a shard's queue.
#pragma once

#include "dataplane/net/interface.h"
#include "dataplane/port/queue.h"
#include "dataplane/tcp/segment.h"

namespace postern::port {

class framing final : public tcp::segment_sink, public net::frame_sink {
public:
    /// `to` outlives the framing.
    explicit framing(queue& to) noexcept : _queue(to) {}

    /// Whose headers segments get; set before the first segment, and outlives the framing.
    void use(const net::interface& port) noexcept { _interface = &port; }

    bool send(const tcp::outgoing& s) noexcept override;
    bool send_reply(const tcp::plain_reply& r) noexcept override;
    void send(net::octets frame) noexcept override;

private:
    queue& _queue;
    const net::interface* _interface = nullptr;
};

}  // namespace postern::port
