#include "perf/worker.h"

#include <algorithm>
#include <cmath>

namespace postern::perf {

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::uint64_t retry_ns = second_ns / 10;
constexpr std::size_t connecting_at_once = 64;  ///< well below any listener's backlog
constexpr std::size_t ending_at_once = 1024;    ///< a port's ring takes their last replies

std::uint64_t tag_of(std::uint32_t slot, std::uint32_t serial) noexcept {
    return (std::uint64_t{serial} << 32U) | slot;
}

}  // namespace

struct worker::connection {
    connection(thread_context& context, moment at, bool secure, std::uint64_t its_tag)
        : talk(context, at.due, secure), tag(its_tag), heard(at.now) {}

    std::uint32_t slot() const noexcept { return static_cast<std::uint32_t>(tag & 0xffff'ffffU); }

    dialogue talk;
    std::unique_ptr<tls_client> tls;  ///< from the answer to STARTTLS on
    std::uint64_t tag;
    std::uint64_t heard;    ///< when the last octets came, or commands were sent
    std::uint64_t due = 0;  ///< from when the message counts that is on its way (open loop)
    bool connecting = true;
    bool waiting = false;  ///< in the queue of those that may send
};

worker::worker(const plan& to_do, transport_maker make, const share& part, const limits& bounds,
               const swap_windows* windows, const std::atomic<bool>& stop)
    : _plan(to_do),
      _make(std::move(make)),
      _share(part),
      _limits(bounds),
      _stop_asked(stop),
      _context{to_do, random_source(part.seed), _tally, nullptr, windows},
      _slots(part.connections),
      _next_number(part.first),
      _units_left(part.units) {
    if (windows != nullptr) {
        _judge.emplace(*windows);
        _context.judge = &*_judge;
    }
    if (to_do.tls_share > 0) {
        _tls.emplace();
    }
    _free.reserve(_slots.size());
    for (std::size_t slot = _slots.size(); slot-- > 0;) {
        _free.push_back(static_cast<std::uint32_t>(slot));
    }
}

worker::~worker() = default;

process::result<void> worker::run() {
    auto made = _make(_slots.size());
    if (!made) {
        return tl::unexpected(std::move(made.error()));
    }
    _transport = std::move(*made);
    auto ran = drive();
    _wire = _transport->counts();
    _transport.reset();
    return ran;
}

process::result<void> worker::drive() {
    _started = monotonic_ns();
    _second_at = _started + second_ns;
    _pace = perf::pace(_share.per_second, _started, _limits.ramp_ns, _share.open_loop);
    while (true) {
        std::uint64_t now = monotonic_ns();
        mark_phase(now);
        while (!_stopping && _open < wanted_open(now) && !_free.empty() && _units_left != 0 &&
               _connecting < connecting_at_once && now >= _reopen_at &&
               (_plan.exchange != exchange::sessions || _pace.may(now))) {
            if (!open_one(now)) {
                break;
            }
        }
        if (!_fatal.empty()) {
            return tl::unexpected(_fatal);
        }
        run_ready(now);
        if (_open == 0 && (_stopping || _units_left == 0)) {
            begin_stop(now);
            if (_closing == 0) {
                break;
            }
        }
        if (auto waited = _transport->wait(next_wakeup(now) - now, *this); !waited) {
            return waited;
        }
        now = monotonic_ns();
        check_timeouts(now);
        mark_second(now);
    }
    if (_by_count) {
        _measured = counts() - _before;
        _measured_ns = monotonic_ns() - _measured_from;
    }
    report_swaps();
    if (_judge) {
        _tally.swap_judged = _judge->judged();
        _tally.swap_unjudged = _judge->unjudged();
    }
    return {};
}

/// Starts the measuring after the warm-up, and the end when its time has come.
void worker::mark_phase(std::uint64_t now) {
    if (!_warm && now - _started >= _limits.warmup_ns) {
        _warm = true;
        _measured_from = now;
        _before = counts();
        _last_second = _before;
        _last_latency = {};
        _second_at = _started + _limits.warmup_ns + second_ns;
        _tally.rcpt_latency = {};
        _tally.swap_latency = {};
        _tally.calm_latency = {};
        _tally.message_latency = {};
        _tally.session_latency = {};
        _tally.handshake_latency = {};
    }
    if (!_stopping && (now - _started >= _limits.warmup_ns + _limits.duration_ns ||
                       _stop_asked.load(std::memory_order_relaxed) || _tally.failures() >= _limits.failures)) {
        mark_second(now);  // the last one may be full
        begin_stop(now);
    }
}

void worker::begin_stop(std::uint64_t now) {
    if (_stopping) {
        return;
    }
    _stopping = true;
    _stopped_at = now;
    _by_count = _units_left == 0;
    _measured = counts() - _before;
    _measured_ns = now - _measured_from;
    _overdue = _by_count ? 0 : _pace.overdue(now);
}

/// How many connections are to be open by now.
std::size_t worker::wanted_open(std::uint64_t now) const noexcept {
    const std::uint64_t passed = now - _started;
    if (passed >= _limits.ramp_ns) {
        return _share.connections;
    }
    const double part = static_cast<double>(passed) / static_cast<double>(_limits.ramp_ns);
    return static_cast<std::size_t>(part * static_cast<double>(_share.connections)) + 1;
}

void worker::mark_second(std::uint64_t now) {
    _live.rcpts.store(_tally.rcpts, std::memory_order_relaxed);
    _live.sessions.store(_tally.sessions, std::memory_order_relaxed);
    _live.messages.store(_tally.messages, std::memory_order_relaxed);
    _live.failures.store(_tally.failures(), std::memory_order_relaxed);
    _live.open.store(_open, std::memory_order_relaxed);
    if (now < _second_at || _stopping || !_warm) {
        return;
    }
    const amount all = counts();
    const histogram& latency = latency_of(_plan.exchange, _tally);
    _seconds.push_back({all - _last_second, latency.since(_last_latency)});
    _last_second = all;
    _last_latency = latency;
    _second_at += second_ns;
    report_swaps();
}

void worker::report_swaps() {
    if (!_judge) {
        return;
    }
    while (const auto wrong = _judge->next_wrong()) {
        _tally.count(_tally.wrong, "RCPT TO:<" + _plan.recipients.text(wrong->who) +
                                       ">: " + (wrong->accepted ? "accepted" : "refused") +
                                       " after the swap to the list that says otherwise was over");
    }
}

std::uint64_t worker::next_wakeup(std::uint64_t now) const noexcept {
    std::uint64_t at = now + second_ns / (now - _started < _limits.ramp_ns ? 1000 : 10);
    const bool may_open = _plan.exchange == exchange::sessions && !_stopping && !_free.empty() && _units_left != 0;
    if (!_ready.empty() || (may_open && _share.per_second > 0)) {
        at = std::min(at, _pace.due());
    }
    return std::max(at, now);
}

bool worker::open_one(std::uint64_t now) {
    const std::uint32_t slot = _free.back();
    if (const auto begun = _transport->open(slot, _next_number); !begun) {
        connect_failed(begun.error(), now);
        return false;
    }
    _free.pop_back();
    moment at{now, now};
    if (_plan.exchange == exchange::sessions) {
        at.due = _pace.counts_from(now);
        _pace.take(1, now);
        --_units_left;
    }
    _slots[slot] = std::make_unique<connection>(_context, at, next_has_tls(), tag_of(slot, ++_next_serial));
    ++_next_number;
    ++_open;
    ++_connecting;
    return true;
}

/// The first connection tells whether the target is there at all.
void worker::connect_failed(const std::string& why, std::uint64_t now) {
    if (_tally.connections == 0) {
        _fatal = why;
    }
    _tally.count(_tally.connect_errors, why);
    _reopen_at = now + retry_ns;
}

void worker::connected(std::uint32_t slot) {
    connection& with = *_slots[slot];
    with.connecting = false;
    --_connecting;
    ++_tally.connections;
    with.heard = monotonic_ns();
}

void worker::refused(std::uint32_t slot, const std::string& why) {
    const std::uint64_t now = monotonic_ns();
    connect_failed(why, now);
    forget(*_slots[slot], now);
    _free.push_back(slot);
}

void worker::lost(std::uint32_t slot, const std::string& why) {
    connection& with = *_slots[slot];
    with.talk.lost(why);
    close(with, monotonic_ns());
}

void worker::gone(std::uint32_t slot) {
    --_closing;
    _free.push_back(slot);
}

void worker::received(std::uint32_t slot, std::string_view octets) {
    connection& from = *_slots[slot];
    const std::uint64_t now = monotonic_ns();
    from.heard = now;
    if (from.tls != nullptr) {
        through_tls(from, octets, now);
    } else {
        from.talk.received(octets, now);
    }
    switch (from.talk.now_in()) {
        case dialogue::state::talking:
            break;
        case dialogue::state::securing:
            if (from.tls == nullptr) {
                from.tls = std::make_unique<tls_client>(*_tls);
                _out.clear();
                from.tls->begin(_out);
                _transport->send(slot, _out);
            }
            return;
        case dialogue::state::done:
        case dialogue::state::failed:
            close(from, now);
            return;
    }
    if (!from.talk.ready() || from.waiting) {
        return;
    }
    if (!from.talk.next_counts() || (_ready.empty() && _pace.may(now))) {
        advance(from, now);
    } else {
        from.waiting = true;
        _ready.push_back(from.tag);
    }
}

/// Octets of the server came in a connection with TLS.
void worker::through_tls(connection& from, std::string_view octets, std::uint64_t now) {
    const bool shaking = from.tls->now_in() == tls_client::state::handshake;
    _plain.clear();
    _out.clear();
    from.tls->received(octets, _plain, _out);
    if (!_out.empty()) {
        _transport->send(from.slot(), _out);
    }
    switch (from.tls->now_in()) {
        case tls_client::state::handshake:
            return;
        case tls_client::state::failed:
            if (shaking) {
                from.talk.handshake_failed(from.tls->error());
                return;
            }
            break;
        case tls_client::state::open:
        case tls_client::state::closed:
            break;
    }
    if (shaking) {
        from.talk.secured(now);
    }
    from.talk.received(_plain, now);
    if (from.tls->now_in() != tls_client::state::open) {
        from.talk.lost("TLS: " + (from.tls->error().empty() ? "closed by the server" : from.tls->error()));
    }
}

/// Every one so many connections has TLS: the share is met as closely as whole connections can.
bool worker::next_has_tls() const noexcept {
    const auto before = static_cast<double>(_next_number);
    return std::floor((before + 1) * _plan.tls_share) > std::floor(before * _plan.tls_share);
}

/// Sends the next segment of a connection whose turn it is.
void worker::advance(connection& with, std::uint64_t now) {
    bool stop = _stopping;
    std::size_t rcpts = _plan.depth;
    switch (_plan.exchange) {
        case exchange::recipients:
            rcpts = static_cast<std::size_t>(std::min<std::uint64_t>(rcpts, _units_left));
            stop = stop || rcpts == 0;
            break;
        case exchange::messages:
            if (with.talk.between_transactions()) {
                stop = stop || _units_left == 0;
                _units_left -= stop ? 0U : 1U;
            } else {
                stop = false;  // what was begun is finished
            }
            break;
        case exchange::sessions:
            stop = false;
            break;
    }
    rcpts = std::max<std::size_t>(rcpts, 1);
    const bool counts = !stop && with.talk.next_counts();
    if (counts) {
        with.due = _pace.counts_from(now);
    }
    const bool of_message = _share.open_loop && _plan.exchange == exchange::messages;
    const std::uint64_t due = counts || of_message ? with.due : now;
    _plain.clear();
    const std::size_t asked = with.talk.next_segment(_plain, {now, due}, rcpts, stop);
    if (_plan.exchange == exchange::recipients) {
        _units_left -= asked;
    }
    if (counts) {
        _pace.take(_plan.exchange == exchange::messages ? _plan.per_transaction : asked, now);
    }
    with.heard = now;
    if (with.tls != nullptr) {
        _out.clear();
        with.tls->seal(_plain, _out);
    }
    _transport->send(with.slot(), with.tls != nullptr ? _out : _plain);
}

void worker::run_ready(std::uint64_t now) {
    // In the end those that wait say QUIT as others are gone.
    while (!_ready.empty() && (_stopping ? _open + _closing < _ready.size() + ending_at_once : _pace.may(now))) {
        const std::uint64_t tag = _ready.front();
        _ready.pop_front();
        const auto& slot = _slots[tag & 0xffff'ffffU];
        if (slot != nullptr && slot->tag == tag) {
            slot->waiting = false;
            now = monotonic_ns();
            advance(*slot, now);
        }
    }
}

/// The dialogue is over; the transport may still be closing.
void worker::close(connection& ended, std::uint64_t now) {
    const std::uint32_t slot = ended.slot();
    forget(ended, now);
    if (_transport->close(slot)) {
        _free.push_back(slot);
    } else {
        ++_closing;
    }
}

void worker::forget(connection& ended, std::uint64_t now) {
    if (ended.talk.now_in() == dialogue::state::failed) {
        _reopen_at = now + retry_ns;
    }
    _stopped_at = now;
    _connecting -= ended.connecting ? 1U : 0U;
    --_open;
    _slots[ended.slot()].reset();
}

/// A part of the connections at a time, all of them within a second or an eighth of the timeout.
void worker::check_timeouts(std::uint64_t now) {
    const std::uint64_t round = std::min(second_ns, _limits.reply_timeout_ns / 8);
    const std::uint64_t passed = now - _checked_at;
    const std::size_t count = passed >= round ? _slots.size() : _slots.size() * passed / round;
    if (count == 0) {
        return;
    }
    _checked_at = now;
    // A connection that waits for its turn owes us nothing; in the end all are given up if none ends within one
    // reply's time.
    for (std::size_t i = 0; i < count; ++i, _next_check = (_next_check + 1) % _slots.size()) {
        const auto& slot = _slots[_next_check];
        if (slot == nullptr) {
            continue;
        }
        const bool late = !slot->waiting && now - slot->heard > _limits.reply_timeout_ns;
        const bool too_late = _stopping && now - _stopped_at > _limits.reply_timeout_ns;
        if (late || too_late) {
            slot->talk.timed_out();
            close(*slot, now);
        }
    }
}

}  // namespace postern::perf
