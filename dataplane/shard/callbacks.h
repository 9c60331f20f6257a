// Which callbacks of the seam a transport has for its session layer, and the loop that makes them.
//
//     make_callbacks(transport, sessions);     // all that there are now
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/shard/seam.h"

namespace postern::shard {

enum class callback : std::uint8_t { none, opened, reset, writable, readable, peer_closed };

/// One callback, and the connection that it is for.
struct step {
    callback what = callback::none;
    connection id;
};

/// The side of a transport that its loop drives.
template <class T>
concept caller = requires(T& t, const T& ct, connection c, std::size_t n) {
    /// The next callback; `none`: no more now.
    { t.next() } -> std::same_as<step>;
    /// What `opened` is told.
    { ct.info(c) } -> std::same_as<const connection_info&>;
    { ct.admission_of(c) } -> std::same_as<admission>;
    /// What the step `readable` offers, and then what the layer said it consumed of it.
    { ct.offered() } -> std::same_as<std::span<const char>>;
    { t.consumed(c, n) } -> std::same_as<void>;
};

template <caller Transport, session_layer Sessions>
void make_callbacks(Transport& transport, Sessions& sessions) {
    for (;;) {
        const step one = transport.next();
        switch (one.what) {
            case callback::none:
                return;
            case callback::opened:
                sessions.opened(one.id, transport.info(one.id), transport.admission_of(one.id));
                break;
            case callback::reset:
                sessions.reset(one.id);
                break;
            case callback::writable:
                sessions.writable(one.id);
                break;
            case callback::readable:
                transport.consumed(one.id, sessions.readable(one.id, transport.offered()));
                break;
            case callback::peer_closed:
                sessions.peer_closed(one.id);
                break;
        }
    }
}

}  // namespace postern::shard
