#include "dataplane/tcp/reassembly.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace postern::tcp {

reassembly* reassembly::make(shard::block_pool& pool, std::uint32_t base) noexcept {
    block* const own = pool.borrow(sizeof(reassembly));
    return own == nullptr ? nullptr : ::new (own->data()) reassembly(own, base);
}

void reassembly::release(shard::block_pool& pool) noexcept {
    for (block* const page : _pages) {
        if (page != nullptr) {
            pool.give_back(page);
        }
    }
    pool.give_back(_own);
}

std::size_t reassembly::held() const noexcept {
    return (_pages_held + 1) * (sizeof(block) + shard::block_pool::small_room);
}

bool reassembly::borrow_pages(shard::block_pool& pool, std::uint32_t from, std::uint32_t to) noexcept {
    for (std::uint32_t page = from; page <= to; ++page) {
        block*& b = _pages[page % most_pages];
        if (b == nullptr) {
            b = pool.borrow(page_size);
            if (b == nullptr) {
                return false;  // pages that were borrowed for nothing are used or given back later
            }
            ++_pages_held;
        }
    }
    return true;
}

bool reassembly::store(shard::block_pool& pool, std::uint32_t next, std::uint32_t seq,
                       std::span<const char> octets) noexcept {
    const seq_range r{seq, seq + static_cast<std::uint32_t>(octets.size())};
    const bool joins = std::any_of(_ranges.begin(), _ranges.begin() + static_cast<std::ptrdiff_t>(_count),
                                   [&](seq_range o) { return seq_le(o.begin, r.end) && seq_le(r.begin, o.end); });
    if (octets.empty() || seq_le(seq, next) || (!joins && _count == most_ranges) ||
        page_of(r.end - 1) - page_of(next) >= most_pages || !borrow_pages(pool, page_of(seq), page_of(r.end - 1))) {
        return false;
    }
    std::uint32_t at = seq;
    while (!octets.empty()) {
        const std::uint32_t offset = (at - _base) % page_size;
        const std::size_t n = std::min<std::size_t>(octets.size(), page_size - offset);
        std::memcpy(_pages[page_of(at) % most_pages]->data() + offset, octets.data(), n);
        octets = octets.subspan(n);
        at += static_cast<std::uint32_t>(n);
    }
    insert(r);
    return true;
}

/// Merges `r` with the ranges it touches; the result becomes the first.
void reassembly::insert(seq_range r) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < _count; ++i) {
        const seq_range o = _ranges[i];
        if (seq_le(o.begin, r.end) && seq_le(r.begin, o.end)) {
            r = {seq_min(o.begin, r.begin), seq_max(o.end, r.end)};
        } else {
            _ranges[kept++] = o;
        }
    }
    std::copy_backward(_ranges.begin(), _ranges.begin() + static_cast<std::ptrdiff_t>(kept),
                       _ranges.begin() + static_cast<std::ptrdiff_t>(kept) + 1);
    _ranges[0] = r;
    _count = kept + 1;
}

std::span<const char> reassembly::at(std::uint32_t next) const noexcept {
    for (std::size_t i = 0; i < _count; ++i) {
        const seq_range r = _ranges[i];
        if (seq_le(r.begin, next) && seq_lt(next, r.end)) {
            const std::uint32_t offset = (next - _base) % page_size;
            const std::uint32_t n = std::min(r.end - next, page_size - offset);
            return {_pages[page_of(next) % most_pages]->data() + offset, n};
        }
    }
    return {};
}

void reassembly::forget_before(shard::block_pool& pool, std::uint32_t next) noexcept {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < _count; ++i) {
        seq_range r = _ranges[i];
        if (seq_gt(r.end, next)) {
            r.begin = seq_max(r.begin, next);
            _ranges[kept++] = r;
        }
    }
    _count = kept;
    // Pages that no range needs.
    for (std::size_t i = 0; i < most_pages && _pages_held != 0; ++i) {
        if (_pages[i] == nullptr) {
            continue;
        }
        const bool needed =
            std::any_of(_ranges.begin(), _ranges.begin() + static_cast<std::ptrdiff_t>(_count), [&](seq_range r) {
                const std::uint32_t from = page_of(r.begin);
                const std::uint32_t pages = page_of(r.end - 1) - from;
                const std::size_t ahead = (i + most_pages - from % most_pages) % most_pages;
                return ahead <= pages;
            });
        if (!needed) {
            pool.give_back(_pages[i]);
            _pages[i] = nullptr;
            --_pages_held;
        }
    }
    // `_base` follows in steps of all pages, so that distances from it stay small however long the connection lives.
    constexpr std::uint32_t turn = page_size * static_cast<std::uint32_t>(most_pages);
    _base += (next - _base) / turn * turn;
}

}  // namespace postern::tcp
