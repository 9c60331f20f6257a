// One connection during one call of the engine: its slot, and reply space that is committed when the work is done.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

#include "dataplane/shard/seam.h"
#include "smtp/session/engine.h"
#include "smtp/session/link.h"
#include "smtp/session/state.h"

namespace postern::session {

class engine::work {
public:
    work(session::link& transport, shard::connection c, client_session& s) : _link(transport), _c(c), _session(&s) {}
    ~work() { commit(); }
    work(const work&) = delete;
    work& operator=(const work&) = delete;

    shard::connection connection() const noexcept { return _c; }
    client_session& session() const noexcept { return *_session; }
    /// The connection was closed in this call: neither it nor its slot may be touched.
    bool gone() const noexcept { return _session == nullptr; }
    void leave() noexcept {
        _session = nullptr;
        _room = {};
        _used = 0;
    }

    /// Sees to it that `octets` can be put; if space must be reserved, then for `more` at once. False: there is no
    /// room, and `writable` will be called.
    bool ensure(std::size_t octets, std::size_t more = 0) {
        if (_room.size() - _used < octets) {
            commit();
            _room = _link.reserve(_c, std::max(octets, more));
        }
        return _room.size() - _used >= octets;
    }
    /// Precondition: `ensure` of its size, and nothing but `put` since.
    void put(std::string_view text) noexcept {
        assert(_room.size() - _used >= text.size());
        std::memcpy(_room.data() + _used, text.data(), text.size());
        _used += text.size();
    }
    /// `ensure`, `put` and `commit` in one.
    bool say_now(std::string_view text) {
        commit();
        return _link.say_now(_c, text);
    }
    /// Hands what was put to the transport. The space must be reserved again afterwards.
    void commit() {
        if (_used != 0) {
            _link.commit(_c, _used);
        }
        _room = {};
        _used = 0;
    }

    // Any of these may end the reserved span (seam.h), so what was put is handed over first.
    const shard::connection_info& info() {
        commit();
        return _link.info(_c);
    }
    void set_deadline(shard::instant when) {
        commit();
        _link.set_deadline(_c, when);
    }
    void want_read() {
        commit();
        _link.want_read(_c, true);
    }

    /// A command line was dealt with: the time for the next one begins.
    void complete() noexcept { _completed = true; }
    bool completed() const noexcept { return _completed; }

private:
    session::link& _link;
    shard::connection _c;
    client_session* _session;
    std::span<char> _room;
    std::size_t _used = 0;
    bool _completed = false;
};

}  // namespace postern::session
