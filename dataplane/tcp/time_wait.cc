#include "dataplane/tcp/time_wait.h"

namespace postern::tcp {

std::size_t time_wait_table::place(std::uint64_t hash) const noexcept {
    std::size_t i = home(hash);
    while (_index[i] != 0 && _ring[_index[i] - 1].hash != hash) {
        i = (i + 1) & _index_mask;
    }
    return i;
}

time_wait_table::entry* time_wait_table::find(std::uint64_t hash) noexcept {
    const std::uint32_t at = _index[place(hash)];
    return at == 0 ? nullptr : &_ring[at - 1];
}

bool time_wait_table::add(entry e, shard::instant now) noexcept {
    erase(e.hash);
    bool recycled = false;
    if (_used == _most) {
        recycled = _ring[_first].alive != 0;
        drop_first();
    }
    const std::size_t at = (_first + _used) % _most;
    ++_used;
    ++_alive;
    e.alive = 1;
    e.expires = units(now + _stay) & 0x3fffffff;
    _index[place(e.hash)] = static_cast<std::uint32_t>(at) + 1;
    _ring[at] = e;
    return recycled;
}

void time_wait_table::erase(std::uint64_t hash) noexcept {
    const std::size_t i = place(hash);
    if (_index[i] != 0) {
        unlink(i);
    }
}

void time_wait_table::expire(shard::instant now) noexcept {
    while (_used != 0) {
        const entry& oldest = _ring[_first];
        constexpr std::uint32_t half = 1U << 29;
        if (oldest.alive != 0 && ((units(now) - oldest.expires) & 0x3fffffff) >= half) {
            return;
        }
        drop_first();
    }
}

void time_wait_table::drop_first() noexcept {
    if (_ring[_first].alive != 0) {
        unlink(place(_ring[_first].hash));
    }
    _first = (_first + 1) % _most;
    --_used;
}

/// Takes the entry at place `i` of the index out of it; its place in the ring comes free in its turn.
void time_wait_table::unlink(std::size_t i) noexcept {
    _ring[_index[i] - 1].alive = 0;
    --_alive;
    for (std::size_t j = (i + 1) & _index_mask; _index[j] != 0; j = (j + 1) & _index_mask) {
        const std::size_t wants = home(_ring[_index[j] - 1].hash);
        if (((j - wants) & _index_mask) >= ((j - i) & _index_mask)) {
            _index[i] = _index[j];
            i = j;
        }
    }
    _index[i] = 0;
}

}  // namespace postern::tcp
