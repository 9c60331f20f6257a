// The sessions of one shard as a transport sees them: models `shard::session_layer` over any `shard::transport`.
//
//     transport carrier{…};
//     session::layer<transport> sessions{carrier, {settings, table, relay.port_of(i), counters, id_seed}};
//     carrier.run(sessions);
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "dataplane/shard/seam.h"
#include "smtp/session/engine.h"
#include "smtp/session/link.h"

namespace postern::session {

template <class Transport>
class layer final : private link {
public:
    /// Both `transport` and what `of` refers to must outlive the layer.
    layer(Transport& transport, const context& of) : _transport(transport), _engine(*this, of, rooms_of(transport)) {
        static_assert(shard::transport<Transport>);
        static_assert(Transport::max_reserve >= longest_reply);
    }
    layer(const layer&) = delete;
    layer& operator=(const layer&) = delete;

    void opened(shard::connection c, const shard::connection_info& info, shard::admission admitted) {
        _engine.opened(c, info, admitted);
    }
    std::size_t readable(shard::connection c, std::span<const char> octets) { return _engine.readable(c, octets); }
    void writable(shard::connection c) { _engine.writable(c); }
    void peer_closed(shard::connection c) { _engine.peer_closed(c); }
    void reset(shard::connection c) { _engine.reset(c); }
    void deadline(shard::connection c) { _engine.deadline(c); }
    void turn_begin() { _engine.turn_begin(); }
    void turn_end() { _engine.turn_end(); }
    [[gnu::always_inline]] void prefetch(std::uint32_t slot) const noexcept { _engine.prefetch(slot); }
    bool idle() const { return _engine.idle(); }
    void drain() { _engine.drain(); }
    std::size_t open_sessions() const { return _engine.open_sessions(); }

private:
    static shard::slot_rooms rooms_of(Transport& transport) {
        if constexpr (requires { transport.rooms(); }) {
            return transport.rooms();
        } else {
            return {};
        }
    }
    std::span<char> reserve(shard::connection c, std::size_t octets) override { return _transport.reserve(c, octets); }
    void commit(shard::connection c, std::size_t octets) override { _transport.commit(c, octets); }
    bool say_now(shard::connection c, std::string_view text) override { return shard::say_now(_transport, c, text); }
    void want_read(shard::connection c, bool wanted) override { _transport.want_read(c, wanted); }
    void set_deadline(shard::connection c, shard::instant when) override { _transport.set_deadline(c, when); }
    void finish(shard::connection c) override { _transport.finish(c); }
    void finish_silent(shard::connection c) override {
        if constexpr (requires { _transport.finish_silent(c); }) {
            _transport.finish_silent(c);
        } else {
            _transport.finish(c);
        }
    }
    void abort(shard::connection c) override { _transport.abort(c); }
    const shard::connection_info& info(shard::connection c) const override { return _transport.info(c); }
    shard::instant now() const override { return _transport.now(); }

    Transport& _transport;
    engine _engine;
};

}  // namespace postern::session
