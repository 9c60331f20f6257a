#include "dataplane/shard/connection_limits.h"

namespace postern::shard {

connection_limits::connection_limits(std::span<const limits> listeners) : _listeners(listeners.size()) {
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        set(static_cast<std::uint16_t>(i), listeners[i]);
    }
}

admission connection_limits::enter(std::uint16_t listener, const endpoint& peer) {
    if (_draining.load(std::memory_order_relaxed)) {
        return admission::draining;
    }
    listener_state& l = _listeners.at(listener);
    const std::uint32_t most = l.most.load(std::memory_order_relaxed);
    // By compare and exchange: an attempt that is refused must not make another one look like too many.
    std::uint32_t now = l.now.load(std::memory_order_relaxed);
    do {
        if (now >= most) {
            return admission::too_many_connections;
        }
    } while (!l.now.compare_exchange_weak(now, now + 1, std::memory_order_relaxed));
    if (!_sources.enter(peer, l.most_per_source.load(std::memory_order_relaxed))) {
        l.now.fetch_sub(1, std::memory_order_relaxed);
        return admission::too_many_from_source;
    }
    return admission::admitted;
}

void connection_limits::leave(std::uint16_t listener, const endpoint& peer) noexcept {
    _sources.leave(peer);
    _listeners[listener].now.fetch_sub(1, std::memory_order_relaxed);
}

void connection_limits::set(std::uint16_t listener, const limits& to) noexcept {
    _listeners[listener].most.store(to.connections, std::memory_order_relaxed);
    _listeners[listener].most_per_source.store(to.connections_per_source, std::memory_order_relaxed);
}

std::uint32_t connection_limits::connections(std::uint16_t listener) const noexcept {
    return _listeners[listener].now.load(std::memory_order_relaxed);
}

}  // namespace postern::shard
