// The sessions of a shard by their connections' slots: beside the connections where the transport has room for them
// (`shard::slot_rooms`), else in chunks of their own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "board/process/huge_chunk.h"
#include "dataplane/shard/seam.h"
#include "smtp/session/state.h"

namespace postern::session {

class session_slots {
public:
    /// Rooms that are too small for a session are left alone.
    explicit session_slots(const shard::slot_rooms& rooms) noexcept
        : _rooms(rooms.octets >= sizeof(client_session) ? rooms.first : nullptr),
          _apart(_rooms != nullptr ? rooms.apart : sizeof(client_session)) {}

    /// The session of a slot, closed if it has none; null: no slot near it was ever opened.
    client_session* find(std::uint32_t slot) const noexcept {
        const std::size_t number = slot / chunk_slots;
        if (number >= _chunks.size() || _chunks[number].first == nullptr) {
            return nullptr;
        }
        return reinterpret_cast<client_session*>(_chunks[number].first + slot % chunk_slots * _apart);
    }

    /// A new, closed session for a slot; null: memory is out.
    client_session* make(std::uint32_t slot) {
        const std::size_t number = slot / chunk_slots;
        if (number >= _chunks.size()) {
            _chunks.resize(number + 1);
        }
        if (_chunks[number].first == nullptr && !begin(number)) {
            return nullptr;
        }
        _end = std::max(_end, slot + 1);
        return ::new (find(slot)) client_session;
    }

    /// Calls `f(slot, session)` for each session that is not closed.
    template <class F>
    void for_each_open(F&& f) {
        for (std::uint32_t slot = 0; slot < _end; ++slot) {
            client_session* const s = find(slot);
            if (s != nullptr && s->state != session_state::closed) {
                f(slot, *s);
            }
        }
    }

private:
    static constexpr std::uint32_t chunk_slots = process::huge_chunk_octets / sizeof(client_session);
    static_assert((chunk_slots & (chunk_slots - 1)) == 0);
    // Octets that are zero are a closed session.
    static_assert(session_state{} == session_state::closed);

    struct chunk {
        std::byte* first = nullptr;
        process::huge_chunk own;  ///< none among rooms
    };

    bool begin(std::size_t number) noexcept {
        chunk& c = _chunks[number];
        if (_rooms != nullptr) {
            c.first = _rooms + number * chunk_slots * _apart;
            return true;
        }
        c.own = process::make_huge_chunk();
        c.first = c.own.get();
        if (c.first != nullptr) {
            std::uninitialized_value_construct_n(reinterpret_cast<client_session*>(c.first), chunk_slots);
        }
        return c.first != nullptr;
    }

    std::byte* _rooms;
    std::size_t _apart;  ///< octets from one session to the next
    std::vector<chunk> _chunks;
    std::uint32_t _end = 0;  ///< behind the highest slot that was made
};

}  // namespace postern::session
