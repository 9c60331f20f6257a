// A dummy of what TLS will be: a filter between transport and session layer with the seam on both sides.
//
// The wire carries records, two octets of length and the payload enciphered with a running key stream, so octets can be
// deciphered only once, only in order and only when their record is whole. A filter therefore keeps deciphered octets
// that its session layer left unconsumed, and offers them again by itself.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dataplane/shard/seam.h"

namespace postern::shard {

/// One direction of the wire; both ends run one.
class record_stream {
public:
    static constexpr std::size_t head = 2;
    static constexpr std::size_t most = 16 * 1024 - head;

    /// Enciphers `payload` in place and writes its head to the two octets before it.
    void seal(char* head_and_payload, std::size_t size) {
        head_and_payload[0] = static_cast<char>(size >> 8);
        head_and_payload[1] = static_cast<char>(size & 0xff);
        cipher(head_and_payload + head, size);
    }
    std::string sealed(std::string_view plain) {
        std::string wire;
        while (!plain.empty()) {
            const std::string_view part = plain.substr(0, std::min<std::size_t>(plain.size(), 1000));
            plain.remove_prefix(part.size());
            std::string record(head, '\0');
            record.append(part);
            seal(record.data(), part.size());
            wire += record;
        }
        return wire;
    }
    /// Appends the payload of the first record to `plain` and returns its octets on the wire, or 0: it is not whole.
    std::size_t open(std::span<const char> wire, std::string& plain) {
        if (wire.size() < head) {
            return 0;
        }
        const std::size_t size =
            static_cast<std::size_t>(static_cast<unsigned char>(wire[0])) << 8 | static_cast<unsigned char>(wire[1]);
        if (wire.size() < head + size) {
            return 0;
        }
        const std::size_t before = plain.size();
        plain.append(wire.data() + head, size);
        cipher(plain.data() + before, size);
        return head + size;
    }

private:
    void cipher(char* octets, std::size_t size) {
        for (std::size_t i = 0; i < size; ++i) {
            _state = _state * 6364136223846793005U + 1442695040888963407U;
            octets[i] = static_cast<char>(octets[i] ^ static_cast<char>(_state >> 56));
        }
    }
    std::uint64_t _state = 42;
};

/// The side towards the session layer.
template <transport Lower>
class filter_operations {
public:
    static constexpr std::size_t max_reserve = Lower::max_reserve - record_stream::head;

    explicit filter_operations(Lower& lower) : _lower(lower) {}

    std::span<char> reserve(connection c, std::size_t n) {
        const std::span<char> room = _lower.reserve(c, n + record_stream::head);
        if (room.empty()) {
            return {};
        }
        _reserved = room.data();
        return room.subspan(record_stream::head, std::min(room.size() - record_stream::head, record_stream::most));
    }
    void commit(connection c, std::size_t n) {
        if (n != 0) {
            _states[c.slot].out.seal(_reserved, n);
            _lower.commit(c, n + record_stream::head);
        }
    }
    void want_read(connection c, bool yes) {
        state& s = _states[c.slot];
        s.wants = yes;
        if (yes && !s.plain.empty() && !s.pending) {
            s.pending = true;
            _pending.push_back(c);
        }
        _lower.want_read(c, yes);
    }
    void set_deadline(connection c, instant when) { _lower.set_deadline(c, when); }
    void finish(connection c) {
        _states.erase(c.slot);
        _lower.finish(c);
    }
    void abort(connection c) {
        _states.erase(c.slot);
        _lower.abort(c);
    }
    const connection_info& info(connection c) const { return _lower.info(c); }
    instant now() const { return _lower.now(); }

private:
    template <transport L, session_layer Upper>
    friend class filter_layer;

    struct state {
        connection id;
        record_stream in;
        record_stream out;
        std::string plain;  ///< deciphered and not consumed
        bool wants = true;
        bool pending = false;  ///< in _pending
        bool full = false;     ///< whole records are left with the transport for want of room in `plain`
        bool ended = false;    ///< the peer's FIN is still to be told
    };

    Lower& _lower;
    char* _reserved = nullptr;
    std::unordered_map<std::uint32_t, state> _states;
    std::deque<connection> _pending;  ///< to be offered again
};

/// The side towards the transport.
template <transport Lower, session_layer Upper>
class filter_layer {
public:
    static constexpr std::size_t most_plain = 16 * 1024;

    filter_layer(filter_operations<Lower>& operations, Upper& upper) : _operations(operations), _upper(upper) {}

    void opened(connection c, const connection_info& info, admission word) {
        _operations._states[c.slot] = {};
        _operations._states[c.slot].id = c;
        _upper.opened(c, info, word);
    }
    std::size_t readable(connection c, std::span<const char> octets) {
        std::size_t taken = 0;
        std::size_t opened = 0;
        do {
            state& s = *find(c);
            opened = 0;
            while (s.plain.size() < most_plain) {
                const std::size_t n = s.in.open(octets.subspan(taken + opened), s.plain);
                if (n == 0) {
                    break;
                }
                opened += n;
            }
            taken += opened;
            s.full = s.plain.size() >= most_plain;
            if (opened != 0 && s.wants) {
                offer(c);
            }
        } while (opened != 0 && find(c) != nullptr && find(c)->wants);
        tell_end(c);
        return taken;
    }
    void writable(connection c) { _upper.writable(c); }
    void peer_closed(connection c) {
        find(c)->ended = true;
        tell_end(c);
    }
    void reset(connection c) {
        _operations._states.erase(c.slot);
        _upper.reset(c);
    }
    void deadline(connection c) { _upper.deadline(c); }
    void turn_begin() {
        _upper.turn_begin();
        for (std::size_t n = _operations._pending.size(); n > 0; --n) {
            const connection c = _operations._pending.front();
            _operations._pending.pop_front();
            state* s = find(c);
            if (s == nullptr || !s->pending) {
                continue;
            }
            s->pending = false;
            if (s->wants && !s->plain.empty()) {
                offer(c);
                s = find(c);
                if (s != nullptr && s->full && s->plain.size() < most_plain) {
                    _operations._lower.want_read(c, s->wants);
                }
            }
            tell_end(c);
        }
    }
    void turn_end() { _upper.turn_end(); }
    bool idle() const { return _operations._pending.empty() && _upper.idle(); }
    void drain() { _upper.drain(); }
    std::size_t open_sessions() const { return _upper.open_sessions(); }

private:
    using state = typename filter_operations<Lower>::state;

    state* find(connection c) {
        const auto found = _operations._states.find(c.slot);
        return found != _operations._states.end() && found->second.id == c ? &found->second : nullptr;
    }

    /// The peer's FIN comes after all that it sent was offered.
    void tell_end(connection c) {
        state* const s = find(c);
        if (s != nullptr && s->ended && !s->full && !s->pending) {
            s->ended = false;
            _upper.peer_closed(c);
        }
    }

    void offer(connection c) {
        // A copy: the layer may end the connection, and its state with it, from within.
        const std::vector<char> plain(find(c)->plain.begin(), find(c)->plain.end());
        const std::size_t consumed = _upper.readable(c, plain);
        if (state* const s = find(c)) {
            s->plain.erase(0, consumed);
        }
    }

    filter_operations<Lower>& _operations;
    Upper& _upper;
};

}  // namespace postern::shard
