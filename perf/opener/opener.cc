#include "perf/opener/opener.h"

#include <algorithm>
#include <span>
#include <utility>

namespace postern::perf {
namespace {

using tcp::seq_ge;
using tcp::seq_gt;
using tcp::seq_le;
using tcp::seq_lt;
namespace flag = tcp::flag;

constexpr unsigned most_backoff = 6;

}  // namespace

opener::opener(options o, tcp::segment_sink& sink)
    : _options(std::move(o)), _sink(sink), _rto(std::chrono::seconds(1)) {}

void opener::connect(shard::instant now) {
    _now = now;
    _state = phase::syn_sent;
    _snd_una = _options.isn;
    _snd_nxt = _snd_max = _options.isn + 1;
    _resend_at = now + _rto;
    emit(_options.isn, flag::syn, {});
}

std::uint32_t opener::window() const noexcept {
    const auto used = static_cast<std::uint32_t>(std::min<std::size_t>(_unread.size(), _options.receive_window));
    const std::uint32_t edge = _rcv_nxt + _options.receive_window - used;
    return (seq_gt(edge, _rcv_edge) ? edge : _rcv_edge) - _rcv_nxt;
}

void opener::emit(std::uint32_t seq, std::uint8_t flags, std::string_view octets) {
    tcp::outgoing s;
    s.local = _options.local;
    s.peer = _options.server;
    s.seq = seq;
    s.flags = flags;
    s.link = _link;
    const bool syn = (flags & flag::syn) != 0;
    if ((flags & flag::ack) != 0) {
        s.ack = _rcv_nxt;
        _ack_at = shard::never;
    }
    const std::uint8_t scale = syn ? 0 : _rcv_scale;
    const std::uint32_t units = (window() + (1U << scale) - 1) >> scale;
    s.window = static_cast<std::uint16_t>(std::min(syn ? _options.receive_window : units, 65535U));
    if (!syn) {
        _rcv_edge = _rcv_nxt + (std::uint32_t{s.window} << scale);
    } else {
        s.options.mss = _options.mss;
        s.options.has_window_scale = _options.offers_window_scale;
        s.options.window_scale = _options.window_scale;
        s.options.sack_permitted = _options.offers_sack;
    }
    if (_timestamps || (syn && _options.offers_timestamps)) {
        s.options.has_timestamps = true;
        s.options.timestamp = clock();
        s.options.timestamp_echo = _ts_recent;
    }
    if (_sack && !_ahead.empty() && !syn) {
        std::uint64_t end = 0;
        for (const auto& [at, part] : _ahead) {
            if (s.options.sack_blocks != 0 && at <= end) {
                end = std::max(end, at + part.size());
            } else if (s.options.sack_blocks == (_timestamps ? 3 : 4)) {
                break;
            } else {
                ++s.options.sack_blocks;
                s.options.sack[s.options.sack_blocks - 1U].begin = _rcv_nxt + static_cast<std::uint32_t>(at - _taken);
                end = at + part.size();
            }
            s.options.sack[s.options.sack_blocks - 1U].end = _rcv_nxt + static_cast<std::uint32_t>(end - _taken);
        }
    }
    const std::span<const char> part(octets.data(), octets.size());
    s.payload = {&part, octets.empty() ? 0U : 1U};
    s.payload_size = octets.size();
    _sink.send(s);
}

void opener::send(std::string_view octets, shard::instant now) {
    _now = now;
    _out.append(octets);
    push();
}

void opener::close(shard::instant now) {
    _now = now;
    _closing = true;
    push();
}

void opener::abort(shard::instant now) {
    _now = now;
    if (_state == phase::open) {
        emit(_snd_nxt, flag::rst | flag::ack, {});
    }
    fall_silent();
}

void opener::fall_silent() noexcept {
    _state = phase::reset;
    _resend_at = shard::never;
    _ack_at = shard::never;
}

void opener::read(bool yes, shard::instant now) {
    _now = now;
    _reads = yes;
    if (yes && !_unread.empty()) {
        _received += std::exchange(_unread, {});
        ack_now();  // the window is open again
    }
}

std::string opener::take() {
    return std::exchange(_received, {});
}

/// Sends what the windows allow from SND.NXT on.
void opener::push() {
    if (_state != phase::open) {
        return;
    }
    const std::uint32_t room = _mss - (_timestamps ? 12U : 0U);
    for (;;) {
        const std::uint32_t offset = _snd_nxt - _snd_una;
        const auto octets = static_cast<std::uint32_t>(_out.size());
        if (offset > octets || _fin_acked) {
            break;
        }
        const std::uint32_t window = std::min(_snd_window, _cwnd);
        const std::uint32_t n = std::min({octets - offset, room, window > offset ? window - offset : 0});
        const bool fin = _closing && n == octets - offset;
        if (n == 0 && !fin) {
            break;
        }
        std::uint8_t flags = flag::ack;
        flags |= n == octets - offset && n != 0 ? flag::psh : 0;
        flags |= fin ? flag::fin : 0;
        emit(_snd_nxt, flags, std::string_view(_out).substr(offset, n));
        _snd_nxt += n + (fin ? 1 : 0);
        _fin_sent = _fin_sent || fin;
        _snd_max = tcp::seq_max(_snd_max, _snd_nxt);
        if (_resend_at == shard::never) {
            _resend_at = _now + _rto;
        }
        if (fin) {
            break;
        }
    }
    if (_snd_una == _snd_max && !_out.empty() && _resend_at == shard::never) {
        _resend_at = _now + _rto;  // to probe the shut window
    }
}

void opener::poll(shard::instant now) {
    _now = now;
    if (_ack_at <= now) {
        ack_now();
    }
    if (_resend_at > now) {
        return;
    }
    ++_resent;
    _backoff = std::min(_backoff + 1, most_backoff);
    _resend_at = now + _rto * (1 << _backoff);
    if (_state == phase::syn_sent) {
        emit(_options.isn, flag::syn, {});
        return;
    }
    _ssthresh = std::max<std::uint32_t>((_snd_nxt - _snd_una) / 2, 2U * _mss);
    _cwnd = _mss;
    _dup_acks = 0;
    _snd_nxt = _snd_una;
    if (_snd_window == 0 && !_out.empty()) {
        emit(_snd_una, flag::ack, std::string_view(_out).substr(0, 1));
        _snd_nxt = _snd_una + 1;
        _snd_max = tcp::seq_max(_snd_max, _snd_nxt);
        return;
    }
    push();
}

void opener::input(const tcp::segment& s, shard::instant now) {
    _now = now;
    if (_state == phase::idle || _state == phase::reset) {
        return;
    }
    if (_state == phase::syn_sent) {
        if (s.has(flag::ack) && s.ack != _options.isn + 1) {
            return;
        }
        if (s.has(flag::rst)) {
            fall_silent();
            return;
        }
        if (!s.has(flag::syn) || !s.has(flag::ack)) {
            return;
        }
        _state = phase::open;
        _rcv_nxt = s.seq + 1;
        _rcv_edge = _rcv_nxt;
        _snd_una = s.ack;
        _snd_window = s.window;
        _link = s.link;
        _mss = std::min<std::uint16_t>(s.options.mss != 0 ? s.options.mss : std::uint16_t{536}, _options.mss);
        _timestamps = _options.offers_timestamps && s.options.has_timestamps;
        _ts_recent = s.options.timestamp;
        _sack = _options.offers_sack && s.options.sack_permitted;
        if (_options.offers_window_scale && s.options.has_window_scale) {
            _snd_scale = s.options.window_scale;
            _rcv_scale = _options.window_scale;
        }
        _cwnd = 10U * _mss;
        _backoff = 0;
        _resend_at = shard::never;
        _out.insert(0, _options.early);
        if (_out.empty()) {
            ack_now();
        }
        push();
        return;
    }
    if (_timestamps && !s.has(flag::rst)) {
        if (!s.options.has_timestamps || seq_lt(s.options.timestamp, _ts_recent)) {
            return;
        }
    }
    const std::uint32_t length = s.length();
    if (s.has(flag::rst)) {
        if (s.seq == _rcv_nxt) {
            fall_silent();
        }
        return;
    }
    if (s.has(flag::syn)) {
        ack_now();
        return;
    }
    if (!s.has(flag::ack) || seq_gt(s.ack, _snd_max)) {
        return;
    }
    if (_timestamps && seq_le(s.seq, _rcv_nxt)) {
        _ts_recent = s.options.timestamp;
    }
    _link = s.link;
    take_ack(s);
    if (length != 0) {
        const bool next = s.seq == _rcv_nxt && _ahead.empty() && !s.has(flag::fin);
        take_octets(s);
        if (next && _ack_at == shard::never && _options.ack_delay != shard::instant{0}) {
            _ack_at = now + _options.ack_delay;
        } else {
            ack_now();  // every second one, and whatever is out of order (RFC 5681 4.2)
        }
    }
    push();
}

void opener::take_ack(const tcp::segment& s) {
    const std::uint32_t window = std::uint32_t{s.window} << _snd_scale;
    if (seq_gt(s.ack, _snd_una)) {
        const std::uint32_t acked = s.ack - _snd_una;
        if (_fin_sent && acked == _out.size() + 1) {
            _fin_acked = true;
        }
        _out.erase(0, std::min<std::size_t>(acked, _out.size()));
        _snd_una = s.ack;
        _snd_nxt = tcp::seq_max(_snd_nxt, s.ack);
        _cwnd += _cwnd < _ssthresh ? acked : std::max<std::uint32_t>(std::uint32_t{_mss} * _mss / _cwnd, 1);
        if (_timestamps && s.options.timestamp_echo != 0) {
            const std::uint32_t rtt = clock() - s.options.timestamp_echo;
            _rto = std::max<shard::instant>(_options.rto_least, std::chrono::milliseconds(2 * rtt));
        }
        _backoff = 0;
        if (_dup_acks >= 3 && _snd_una != _snd_max) {
            _snd_nxt = _snd_una;  // go back to the next hole; SACK is only listened to by way of duplicates
        }
        _dup_acks = 0;
        _resend_at = _snd_una == _snd_max ? shard::never : _now + _rto;
    } else if (s.ack == _snd_una && _snd_una != _snd_max && s.length() == 0 && window == _snd_window) {
        if (++_dup_acks == 3) {
            _ssthresh = std::max<std::uint32_t>((_snd_nxt - _snd_una) / 2, 2U * _mss);
            _cwnd = _ssthresh;
            const std::uint32_t n =
                std::min<std::uint32_t>(static_cast<std::uint32_t>(_out.size()), _mss - (_timestamps ? 12U : 0U));
            if (n != 0) {
                ++_resent;
                emit(_snd_una, flag::ack, std::string_view(_out).substr(0, n));
            }
        }
    }
    if (seq_ge(s.ack, _snd_una)) {
        if (_snd_window == 0 && window != 0) {
            _snd_nxt = _snd_una;
            _backoff = 0;
        }
        _snd_window = window;
    }
}

void opener::take_octets(const tcp::segment& s) {
    std::uint32_t seq = s.seq;
    std::string_view octets(s.payload.data(), s.payload.size());
    if (seq_lt(seq, _rcv_nxt)) {
        octets.remove_prefix(std::min<std::size_t>(_rcv_nxt - seq, octets.size()));
        seq = _rcv_nxt;
    }
    if (seq_gt(seq, _rcv_edge)) {
        return;
    }
    const std::uint64_t at = _taken + (seq - _rcv_nxt);
    octets = octets.substr(0, _rcv_edge - seq);
    if (at == _taken && _ahead.empty()) {  // as nearly always: nothing to put together
        take_in_order(octets);
        octets = {};
    }
    if (s.has(flag::fin) && !_fin_seen) {
        _fin_seen = true;
        _fin_at = _taken + (s.seq + static_cast<std::uint32_t>(s.payload.size()) - _rcv_nxt);
    }
    if (!octets.empty()) {
        std::string& part = _ahead[at];
        if (part.size() < octets.size()) {
            part = octets;
        }
    }
    deliver();
}

void opener::take_in_order(std::string_view octets) {
    (_reads ? _received : _unread).append(octets);
    _taken += octets.size();
    _rcv_nxt += static_cast<std::uint32_t>(octets.size());
}

void opener::deliver() {
    while (!_ahead.empty() && _ahead.begin()->first <= _taken) {
        const auto first = _ahead.begin();
        const std::uint64_t skip = _taken - first->first;
        if (skip < first->second.size()) {
            const std::string_view fresh = std::string_view(first->second).substr(skip);
            take_in_order(fresh);
        }
        _ahead.erase(first);
    }
    if (_fin_seen && !_fin_taken && _fin_at == _taken) {
        _fin_taken = true;
        ++_rcv_nxt;
    }
}

}  // namespace postern::perf
