#include "smtp/relay/shard_port.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "smtp/relay/reply.h"

namespace postern::relay {

namespace {

constexpr std::size_t least_helo_room = 512;

}  // namespace

struct shard_port::transaction {
    enum class stage : std::uint8_t {
        free,
        recipients,  ///< before DATA
        data_asked,
        content,
        ended,    ///< end of data was said
        over,     ///< the relay thread ended it; the session has yet to take the last event
        closing,  ///< forgotten by the session, the relay thread has yet to confirm
    };
    transaction_id id{};
    transaction::stage stage = stage::free;
    std::uint8_t in_flight = 0;  ///< recipients at the relay thread
    std::uint8_t next_sent = 0;  ///< reply slot of the next recipient sent
    std::uint8_t credits_used = 0;
    bool credit_due = false;  ///< a chunk has come free for it
    bool waits_for_chunk = false;
    bool in_local = false;
    bool in_fills = false;
    bool data_sent = false;
    std::uint16_t unsent = 0;  ///< recipients that wait in the text
    std::uint16_t unfit = 0;   ///< and those behind them that did not fit
    std::uint16_t lost = 0;    ///< recipients that the end of the transaction answers
    std::uint16_t text_end = 0;
    std::uint16_t text_next = 0;   ///< where the first unsent recipient is
    std::uint16_t text_start = 0;  ///< behind the envelope
    std::uint16_t fill_size = 0;
    std::uint16_t thread = 0;
    std::uint32_t fill = none;
    std::uint32_t next_in_bucket = none;
    std::uint32_t next_waiter = none;
    std::uint32_t next_local = none;
    std::uint32_t next_fill = none;
};

shard_port::shard_port(shard_memory& memory, std::vector<lane*> lanes, std::vector<thread_waker*> wakers,
                       counters& counts, const std::atomic<bool>& closed)
    : _memory(memory),
      _lanes(std::move(lanes)),
      _wakers(std::move(wakers)),
      _counts(counts),
      _closed(closed),
      _transactions(std::make_unique<transaction[]>(memory.cell_count)),
      _buckets(std::bit_ceil(std::size_t{memory.cell_count} * 2), none),
      _told(_lanes.size(), false) {
    _free_cells.reserve(memory.cell_count);
    for (std::uint32_t i = memory.cell_count; i > 0; --i) {
        _free_cells.push_back(i - 1);
    }
    _free_chunks.reserve(memory.chunk_count);
    for (std::uint32_t i = memory.chunk_count; i > 0; --i) {
        _free_chunks.push_back(i - 1);
    }
}

shard_port::~shard_port() = default;

std::uint32_t shard_port::cells_in_use() const noexcept {
    return _memory.cell_count - static_cast<std::uint32_t>(_free_cells.size());
}

std::uint32_t shard_port::chunks_in_use() const noexcept {
    return _memory.chunk_count - static_cast<std::uint32_t>(_free_chunks.size());
}

std::uint32_t& shard_port::bucket(std::uint32_t slot) const noexcept {
    // Session slots are drawn by the shard and close together: their low bits spread well.
    return _buckets[slot & (_buckets.size() - 1)];
}

shard_port::transaction* shard_port::find(transaction_id id) const noexcept {
    for (std::uint32_t i = bucket(id.slot); i != none; i = _transactions[i].next_in_bucket) {
        if (_transactions[i].id == id) {
            return &_transactions[i];
        }
    }
    return nullptr;
}

void shard_port::forget(std::uint32_t cell) noexcept {
    transaction& t = _transactions[cell];
    std::uint32_t* link = &bucket(t.id.slot);
    while (*link != cell) {
        link = &_transactions[*link].next_in_bucket;
    }
    *link = t.next_in_bucket;
    t.next_in_bucket = none;
}

void shard_port::send(std::uint32_t cell, to_relay message) noexcept {
    message.cell = cell;
    const std::size_t thread = _transactions[cell].thread;
    // lane.h bounds each kind of message per cell, so there is room; a ring that is full is a broken invariant.
    if (!_lanes[thread]->commands.push(message)) {
        std::abort();
    }
    _told[thread] = true;
}

bool shard_port::begin(transaction_id id, const std::shared_ptr<const recipients::route>& route,
                       const relay::envelope& envelope) {
    const std::size_t helo_size = std::min(envelope.helo.size(), least_helo_room);
    const std::size_t message_id_size = std::min<std::size_t>(envelope.message_id.size(), 32);
    const std::size_t all = envelope.reverse_path.size() + helo_size + message_id_size;
    if (route == nullptr || _free_cells.empty() || _closed.load(std::memory_order_relaxed) ||
        all > cell_text_octets / 2 || find(id) != nullptr) {
        _counts.transactions_refused.add();
        return false;
    }
    const std::uint32_t number = _free_cells.back();
    _free_cells.pop_back();
    transaction& t = _transactions[number];
    // A cell may still stand in a list on its last transaction's account; the lists bear that (each visit looks at what
    // there is to do), so its links stay.
    t = transaction{.waits_for_chunk = t.waits_for_chunk,
                    .in_local = t.in_local,
                    .in_fills = t.in_fills,
                    .next_waiter = t.next_waiter,
                    .next_local = t.next_local,
                    .next_fill = t.next_fill};
    t.id = id;
    t.stage = transaction::stage::recipients;
    t.thread = static_cast<std::uint16_t>(route->id % _lanes.size());
    t.text_start = t.text_next = t.text_end = static_cast<std::uint16_t>(all);
    t.next_in_bucket = bucket(id.slot);
    bucket(id.slot) = number;

    cell& common = _memory.cells[number];
    common.id = id;
    common.route = route;
    common.client = envelope.client;
    common.declared_size = envelope.declared_size;
    common.body = envelope.body;
    common.extended = envelope.extended;
    common.reverse_path_size = static_cast<std::uint16_t>(envelope.reverse_path.size());
    common.helo_size = static_cast<std::uint16_t>(helo_size);
    common.message_id_size = static_cast<std::uint16_t>(message_id_size);
    char* to = _memory.texts[number].from_shard.data();
    to = std::copy(envelope.reverse_path.begin(), envelope.reverse_path.end(), to);
    to = std::copy_n(envelope.helo.begin(), helo_size, to);
    std::copy_n(envelope.message_id.begin(), message_id_size, to);

    _counts.transactions.add();
    send(number, {.command = command::begin});
    return true;
}

void shard_port::recipient(transaction_id id, std::string_view path, const list_word& word) {
    transaction* const t = find(id);
    if (t == nullptr) {
        return;
    }
    const auto cell = static_cast<std::uint32_t>(t - _transactions.get());
    if (t->stage == transaction::stage::over) {
        // Asked before the session took the event that ended it: that event will answer it.
        ++t->lost;
        return;
    }
    if (t->stage != transaction::stage::recipients) {
        return;
    }
    if (t->in_flight == 0 && t->unsent == 0 && t->unfit == 0) {
        t->text_next = t->text_end = t->text_start;
    }
    const std::size_t needed = sizeof(recipient_text) + path.size();
    if (t->unfit > 0 || t->unsent + t->in_flight >= most_recipients_waiting ||
        needed > cell_text_octets - t->text_end) {
        ++t->unfit;
        if (t->unsent + t->in_flight == 0) {
            mark_local(cell);
        }
        return;
    }
    const recipient_text header{.word = word, .size = static_cast<std::uint16_t>(path.size())};
    char* const to = _memory.texts[cell].from_shard.data() + t->text_end;
    std::memcpy(to, &header, sizeof header);
    std::copy(path.begin(), path.end(), to + sizeof header);
    t->text_end = static_cast<std::uint16_t>(t->text_end + needed);
    ++t->unsent;
    send_waiting_recipients(cell);
}

void shard_port::send_waiting_recipients(std::uint32_t cell) noexcept {
    transaction& t = _transactions[cell];
    while (t.unsent > 0 && t.in_flight < recipients_in_flight) {
        recipient_text header;
        std::memcpy(&header, _memory.texts[cell].from_shard.data() + t.text_next, sizeof header);
        send(cell, {.command = command::recipient, .at = t.text_next});
        t.text_next = static_cast<std::uint16_t>(t.text_next + sizeof header + header.size);
        --t.unsent;
        ++t.in_flight;
    }
}

void shard_port::data(transaction_id id) {
    transaction* const t = find(id);
    if (t == nullptr || t->stage != transaction::stage::recipients) {
        return;
    }
    t->stage = transaction::stage::data_asked;
    send_data(static_cast<std::uint32_t>(t - _transactions.get()));
}

/// Once every recipient is sent; the relay thread answers those before it.
void shard_port::send_data(std::uint32_t cell) noexcept {
    transaction& t = _transactions[cell];
    if (t.stage == transaction::stage::data_asked && !t.data_sent && t.unsent == 0 && t.unfit == 0) {
        t.data_sent = true;
        send(cell, {.command = command::data});
    }
}

std::size_t shard_port::room(transaction_id id) const {
    transaction* const t = find(id);
    if (t == nullptr || t->stage != transaction::stage::content) {
        return 0;
    }
    const std::size_t chunks = std::min<std::size_t>(credits_per_transaction - t->credits_used, _free_chunks.size());
    const std::size_t in_fill = t->fill == none ? 0 : chunk_octets - t->fill_size;
    if (chunks == 0 && in_fill == 0 && t->credits_used < credits_per_transaction) {
        wait_for_chunk(static_cast<std::uint32_t>(t - _transactions.get()));
    }
    return in_fill + chunks * chunk_octets;
}

void shard_port::wait_for_chunk(std::uint32_t cell) const noexcept {
    transaction& t = _transactions[cell];
    if (t.waits_for_chunk) {
        return;
    }
    t.waits_for_chunk = true;
    t.next_waiter = none;
    if (_chunk_waiters.last == none) {
        _chunk_waiters.first = cell;
    } else {
        _transactions[_chunk_waiters.last].next_waiter = cell;
    }
    _chunk_waiters.last = cell;
}

bool shard_port::take_chunk(std::uint32_t cell) noexcept {
    transaction& t = _transactions[cell];
    if (t.credits_used == credits_per_transaction) {
        return false;
    }
    if (_free_chunks.empty()) {
        wait_for_chunk(cell);
        return false;
    }
    t.fill = _free_chunks.back();
    t.fill_size = 0;
    _free_chunks.pop_back();
    ++t.credits_used;
    return true;
}

std::size_t shard_port::chunk(transaction_id id, std::span<const char> octets) {
    transaction* const t = find(id);
    if (t == nullptr || t->stage != transaction::stage::content) {
        return 0;
    }
    const auto cell = static_cast<std::uint32_t>(t - _transactions.get());
    std::size_t taken = 0;
    while (taken < octets.size()) {
        if (t->fill == none && !take_chunk(cell)) {
            break;
        }
        const std::size_t n = std::min(octets.size() - taken, chunk_octets - t->fill_size);
        std::memcpy(_memory.chunks[t->fill].octets.data() + t->fill_size, octets.data() + taken, n);
        taken += n;
        t->fill_size = static_cast<std::uint16_t>(t->fill_size + n);
        if (t->fill_size == chunk_octets) {
            send_fill(cell);
        }
    }
    if (t->fill != none && !t->in_fills) {
        t->in_fills = true;
        t->next_fill = none;
        if (_fills.last == none) {
            _fills.first = cell;
        } else {
            _transactions[_fills.last].next_fill = cell;
        }
        _fills.last = cell;
    }
    return taken;
}

void shard_port::send_fill(std::uint32_t cell) noexcept {
    transaction& t = _transactions[cell];
    if (t.fill != none) {
        send(cell, {.command = command::chunk, .size = t.fill_size, .at = t.fill});
        t.fill = none;
        t.fill_size = 0;
    }
}

void shard_port::end_of_data(transaction_id id) {
    transaction* const t = find(id);
    if (t == nullptr || t->stage != transaction::stage::content) {
        return;
    }
    const auto cell = static_cast<std::uint32_t>(t - _transactions.get());
    send_fill(cell);
    t->stage = transaction::stage::ended;
    send(cell, {.command = command::end});
}

void shard_port::abandon(transaction_id id) {
    transaction* const t = find(id);
    if (t != nullptr) {
        close(static_cast<std::uint32_t>(t - _transactions.get()), true);
    }
}

/// The session is done with it; its cell comes back with the relay thread's `closed`.
void shard_port::close(std::uint32_t cell, bool abandoned) noexcept {
    transaction& t = _transactions[cell];
    if (t.fill != none) {
        _free_chunks.push_back(t.fill);
        t.fill = none;
    }
    forget(cell);
    t.stage = transaction::stage::closing;
    send(cell, {.command = command::close, .flag = abandoned});
}

void shard_port::give_chunk(std::uint32_t number) noexcept {
    _free_chunks.push_back(number);
    tell_chunk_waiters(1);
}

void shard_port::tell_chunk_waiters(std::size_t most) noexcept {
    while (most > 0 && _chunk_waiters.first != none) {
        const std::uint32_t cell = _chunk_waiters.first;
        transaction& t = _transactions[cell];
        _chunk_waiters.first = t.next_waiter;
        if (_chunk_waiters.first == none) {
            _chunk_waiters.last = none;
        }
        t.waits_for_chunk = false;
        if (t.stage == transaction::stage::content) {
            t.credit_due = true;
            mark_local(cell);
            --most;
        }
    }
}

void shard_port::mark_local(std::uint32_t cell) noexcept {
    transaction& t = _transactions[cell];
    if (t.in_local) {
        return;
    }
    t.in_local = true;
    t.next_local = none;
    if (_local.last == none) {
        _local.first = cell;
    } else {
        _transactions[_local.last].next_local = cell;
    }
    _local.last = cell;
}

/// The next event that this side makes itself.
bool shard_port::local_event(event& out) noexcept {
    while (_local.first != none) {
        const std::uint32_t cell = _local.first;
        transaction& t = _transactions[cell];
        out.id = t.id;
        out.count = 0;
        if (t.stage == transaction::stage::over) {
            // What was asked and not answered gets the end's reply; then the end itself.
            if (t.lost > 0) {
                --t.lost;
                out.kind = event_kind::recipient;
                _memory.texts[cell].end_reply.get(out.reply);
                return true;
            }
            out.kind = event_kind::aborted;
            _memory.texts[cell].end_reply.get(out.reply);
            close(cell, false);
        } else if (t.unfit > 0 && t.in_flight == 0 && t.unsent == 0 && t.stage != transaction::stage::closing) {
            --t.unfit;
            out.kind = event_kind::recipient;
            out.reply = make_reply(452, "4.5.3", "Too many recipients");
            send_data(cell);
            if (t.unfit > 0 || t.credit_due) {
                return true;
            }
        } else if (t.credit_due && t.stage == transaction::stage::content) {
            t.credit_due = false;
            out.kind = event_kind::credit;
            out.count = 1;
        } else {
            out.id = {};
        }
        _local.first = t.next_local;
        if (_local.first == none) {
            _local.last = none;
        }
        t.in_local = false;
        if (out.id.serial != 0) {
            return true;
        }
    }
    return false;
}

/// Takes one message of a relay thread; true if it is an event for the session.
bool shard_port::take(const to_shard& message, event& out) noexcept {
    transaction& t = _transactions[message.cell];
    const cell_texts& texts = _memory.texts[message.cell];
    const bool stale = t.stage == transaction::stage::closing || t.stage == transaction::stage::over;
    out.id = t.id;
    out.count = 0;
    switch (message.news) {
        case news::credit:
            --t.credits_used;
            give_chunk(message.at);
            if (stale || t.stage != transaction::stage::content) {
                return false;
            }
            out.kind = event_kind::credit;
            out.count = 1;
            return true;
        case news::closed:
            _memory.cells[message.cell].route.reset();
            t.stage = transaction::stage::free;
            _free_cells.push_back(message.cell);
            return false;
        case news::recipient:
            if (stale) {
                break;
            }
            --t.in_flight;
            out.kind = event_kind::recipient;
            texts.recipient_replies[message.at].get(out.reply);
            send_waiting_recipients(message.cell);
            if (t.in_flight == 0 && t.unfit > 0) {
                mark_local(message.cell);
            }
            send_data(message.cell);
            return true;
        case news::data:
            if (stale) {
                break;
            }
            out.kind = event_kind::data;
            texts.data_reply.get(out.reply);
            if (out.reply.code == 354) {
                t.stage = transaction::stage::content;
            } else {
                close(message.cell, false);
            }
            return true;
        case news::final:
            if (stale) {
                break;
            }
            out.kind = event_kind::final;
            texts.end_reply.get(out.reply);
            close(message.cell, false);
            return true;
        case news::aborted:
            if (stale) {
                break;
            }
            t.lost = static_cast<std::uint16_t>(t.in_flight + t.unsent + t.unfit);
            t.in_flight = 0;
            t.unsent = t.unfit = 0;
            t.stage = transaction::stage::over;
            mark_local(message.cell);
            return local_event(out);
    }
    _counts.stale_messages.add();
    return false;
}

bool shard_port::next_event(event& out) {
    if (local_event(out)) {
        return true;
    }
    for (std::size_t tried = 0; tried < _lanes.size();) {
        to_shard message;
        if (!_lanes[_next_lane]->events.pop(message)) {
            _next_lane = (_next_lane + 1) % _lanes.size();
            ++tried;
            continue;
        }
        if (take(message, out) || local_event(out)) {
            return true;
        }
    }
    return false;
}

bool shard_port::idle() const {
    return _local.first == none &&
           std::all_of(_lanes.begin(), _lanes.end(), [](const lane* one) { return one->events.empty(); });
}

void shard_port::flush() {
    while (_fills.first != none) {
        const std::uint32_t cell = _fills.first;
        transaction& t = _transactions[cell];
        _fills.first = t.next_fill;
        t.in_fills = false;
        send_fill(cell);
    }
    _fills.last = none;
    // One that was told of a free chunk and had no use for it any more leaves it to the next.
    tell_chunk_waiters(_free_chunks.size());
    for (std::size_t i = 0; i < _told.size(); ++i) {
        if (_told[i]) {
            _told[i] = false;
            _wakers[i]->wake();
        }
    }
}

}  // namespace postern::relay
