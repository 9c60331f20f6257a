// What arrived in order and is not consumed: kept in blocks, offered as the seam has it.
#include <algorithm>
#include <cstring>

#include "dataplane/tcp/endpoint_steps.h"

namespace postern::tcp {

/// Copies octets behind what is held, as many as find blocks, and returns how many.
std::uint32_t endpoint::keep(conn k, std::span<const char> octets) noexcept {
    block* last = k.h.input;
    while (last != nullptr && last->next != nullptr) {
        last = last->next;
    }
    std::size_t kept = 0;
    while (kept < octets.size()) {
        const std::span<const char> rest = octets.subspan(kept);
        if (last == nullptr || last->tail().empty()) {
            block* const b = last == nullptr && rest.size() <= shard::block_pool::slab_room
                                 ? _pool.borrow_slab()
                                 : _pool.borrow(std::min(rest.size(), shard::block_pool::large_room));
            if (b == nullptr) {
                break;
            }
            (last == nullptr ? k.h.input : last->next) = b;
            last = b;
        }
        const std::size_t n = std::min(rest.size(), last->tail().size());
        std::memcpy(last->tail().data(), rest.data(), n);
        last->end += static_cast<std::uint32_t>(n);
        kept += n;
    }
    return static_cast<std::uint32_t>(kept);
}

/// Brings what is held together at the front, up to what one block can hold.
void endpoint::gather(conn k) noexcept {
    if (k.h.input->next == nullptr || k.h.input->size() == most_offered) {
        return;
    }
    if (k.h.input->room < most_offered) {
        block* const large = _pool.borrow(most_offered);
        if (large == nullptr) {
            _counts.no_buffer.add();
            return;
        }
        const std::span<const char> content = k.h.input->content();
        std::memcpy(large->data(), content.data(), content.size());
        large->end = static_cast<std::uint32_t>(content.size());
        large->next = k.h.input->next;
        _pool.give_back(k.h.input);
        k.h.input = large;
    }
    block& first = *k.h.input;
    if (first.begin != 0) {
        const std::size_t n = first.size();
        std::memmove(first.data(), first.data() + first.begin, n);
        first.begin = 0;
        first.end = static_cast<std::uint32_t>(n);
    }
    while (first.next != nullptr && !first.tail().empty()) {
        block& second = *first.next;
        const std::size_t n = std::min(first.tail().size(), second.size());
        std::memcpy(first.tail().data(), second.data() + second.begin, n);
        first.end += static_cast<std::uint32_t>(n);
        second.begin += static_cast<std::uint32_t>(n);
        if (second.size() == 0) {
            first.next = second.next;
            _pool.give_back(&second);
        }
    }
}

void endpoint::drop_input(conn k, std::size_t n) noexcept {
    while (n != 0 && k.h.input != nullptr) {
        block* const first = k.h.input;
        const std::size_t taken = std::min(n, first->size());
        first->begin += static_cast<std::uint32_t>(taken);
        n -= taken;
        if (first->size() == 0) {
            k.h.input = first->next;
            _pool.give_back(first);
        }
    }
}

bool endpoint::must_offer(conn k) const noexcept {
    if (!k.h.is(mark::wants) || k.h.input == nullptr || output_stalled(k)) {
        return false;
    }
    const std::size_t visible = std::min<std::size_t>(held(k), most_offered);
    return visible > k.c.offered || k.h.is(mark::offer_again);
}

bool endpoint::wants_service(conn k) const noexcept {
    if (k.h.now == state::free || !k.h.is(mark::open)) {
        return false;
    }
    if (k.h.is(mark::fresh)) {
        return false;  // input_done queues it
    }
    if (k.h.is(mark::broken) || (k.c.waits_for != 0 && has_room(k, k.c.waits_for))) {
        return true;
    }
    return must_offer(k) ||
           (k.h.is(mark::peer_ended) && !k.h.is(mark::end_told) && k.h.is(mark::wants) && held(k) == k.c.offered);
}

endpoint::step endpoint::next_of_batch() {
    while (_batch_at < _batch.size()) {
        const conn k = at(_batch[_batch_at]);
        const step one = serve(k);
        if (one.what != callback::none) {
            return one;
        }
        k.h.clear(mark::in_batch);
        k.h.clear(mark::offered_now);
        ++_batch_at;
        if (wants_service(k)) {
            queue_next(k);
        }
    }
    _batch.clear();
    _batch_at = 0;
    return {};
}

/// The next callback for one connection in this pass.
endpoint::step endpoint::serve(conn k) noexcept {
    if (k.h.now == state::free || !k.h.is(mark::open)) {
        return {};
    }
    const shard::connection id = k.id();
    if (k.h.is(mark::fresh)) {
        k.h.clear(mark::fresh);
        k.c.info.early_octets = k.h.input != nullptr;
        if (k.c.info.early_octets) {
            _counts.early_octets.add();
        }
        return {callback::opened, id};
    }
    if (k.h.is(mark::broken)) {
        release(k);
        return {callback::reset, id};
    }
    if (k.c.waits_for != 0) {
        if (has_room(k, k.c.waits_for)) {
            k.c.waits_for = 0;
            return {callback::writable, id};
        }
        wait_for_room(k);
    }
    if (!k.h.is(mark::offered_now) && must_offer(k)) {
        k.h.set(mark::offered_now);
        k.h.clear(mark::offer_again);
        gather(k);
        _offered_block = k.h.input;
        _offered = k.h.input->content();
        return {callback::readable, id};
    }
    if (k.h.is(mark::peer_ended) && !k.h.is(mark::end_told) && k.h.is(mark::wants) && held(k) == k.c.offered) {
        k.h.set(mark::end_told);
        return {callback::peer_closed, id};
    }
    return {};
}

void endpoint::consumed_part(shard::connection id, std::size_t n) noexcept {
    const std::span<const char> offered = _offered;
    const std::span<const char> rest = offered.subspan(std::min(n, offered.size()));
    block* const from = _offered_block;
    _offered = {};
    _offered_block = nullptr;
    std::uint32_t slot = 0;
    if (!find(id, slot) || (from != nullptr && _connections[slot].h.input != from)) {
        if (from != nullptr) {
            _pool.give_back(from);  // the layer ended the connection from within
        }
        return;
    }
    const conn k = at(slot);
    if (from == nullptr && rest.empty() && k.h.input == nullptr) {
        k.c.offered = 0;  // straight from the frame, and all of it
    } else if (from != nullptr) {
        const auto visible = static_cast<std::uint32_t>(std::min<std::size_t>(held(k), most_offered));
        drop_input(k, offered.size() - rest.size());
        // All taken, and yet some is left: there was no block to bring it together, and the layer has not seen it.
        k.c.offered = rest.empty() ? 0 : visible - static_cast<std::uint32_t>(offered.size() - rest.size());
    } else {
        const std::uint32_t kept = keep(k, rest);
        k.c.offered = kept;
        if (kept < rest.size()) {
            // As if they had never come: no ACK said otherwise, for ACKs go out at the end of the turn.
            k.h.rcv_nxt -= static_cast<std::uint32_t>(rest.size()) - kept;
            k.h.set(mark::ack_now);
            _counts.no_buffer.add();
        }
    }
    const std::uint32_t worth_telling = std::min(_settings.receive_window / 2, 2U * k.h.mss);
    if (window_edge(k) - k.h.rcv_edge >= worth_telling) {
        k.h.set(mark::ack_now);  // RFC 9293 3.8.6.2.2
    }
    if (k.h.is(mark::ack_now)) {
        mark_unsent(k);
    }
    if (wants_service(k) && !k.h.is(mark::in_batch)) {
        queue_next(k);
    }
}

}  // namespace postern::tcp
