// A session layer that greets, gives back what it got, and ends when its peer does.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string_view>

#include "dataplane/shard/seam.h"

namespace postern::port {

template <shard::transport Transport>
class echo_layer {
public:
    explicit echo_layer(Transport& t) : _transport(t) {}

    void opened(shard::connection c, const shard::connection_info&, shard::admission a) {
        _open[c.slot] = {c, false, false};
        shard::say_now(_transport, c, "220 echo\r\n");
        if (a != shard::admission::admitted) {
            end(c);
        } else {
            _transport.want_read(c, true);
        }
    }
    std::size_t readable(shard::connection c, std::span<const char> octets) {
        session& s = _open[c.slot];
        const std::size_t some = std::min<std::size_t>(octets.size(), 4096);
        const std::span<char> room = _transport.reserve(c, some);
        if (room.empty()) {
            s.left = true;  // `writable` follows
            return 0;
        }
        std::memcpy(room.data(), octets.data(), some);
        _transport.commit(c, some);
        s.left = some < octets.size();
        if (s.left) {
            _transport.want_read(c, true);
        } else if (s.closed) {
            end(c);
        }
        return some;
    }
    void writable(shard::connection c) { _transport.want_read(c, true); }
    void peer_closed(shard::connection c) {
        session& s = _open[c.slot];
        s.closed = true;
        if (!s.left) {
            end(c);
        }
    }
    void reset(shard::connection c) { _open.erase(c.slot); }
    void deadline(shard::connection) {}
    void turn_begin() {}
    void turn_end() {}
    bool idle() const { return true; }
    void drain() {
        const auto all = _open;
        for (const auto& [slot, s] : all) {
            end(s.id);
        }
    }
    std::size_t open_sessions() const { return _open.size(); }

private:
    struct session {
        shard::connection id;
        bool left = false;    ///< octets that were offered and not taken
        bool closed = false;  ///< the peer has sent FIN
    };
    void end(shard::connection c) {
        _open.erase(c.slot);
        _transport.finish(c);
    }
    Transport& _transport;
    std::map<std::uint32_t, session> _open;
};

}  // namespace postern::port
