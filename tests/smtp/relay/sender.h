// What a session does with its port, for tests: one transaction at a time per sender, over any shard's port.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "smtp/relay/port.h"

namespace postern::relay::test {

inline shard::endpoint address_v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d,
                                  std::uint16_t port = 0) {
    shard::endpoint out;
    out.address[10] = out.address[11] = 0xff;
    out.address[12] = a;
    out.address[13] = b;
    out.address[14] = c;
    out.address[15] = d;
    out.port = port;
    return out;
}

inline std::shared_ptr<recipients::route> make_route(std::uint32_t id, std::vector<recipients::mail_host> hosts) {
    auto out = std::make_shared<recipients::route>();
    out->id = id;
    out->confirmed = true;
    out->hosts = std::move(hosts);
    return out;
}

/// The events of one port, by transaction.
class inbox {
public:
    explicit inbox(port& from) : _port(from) {}

    port& at() { return _port; }
    void drain() {
        event one;
        while (_port.next_event(one)) {
            _events[key(one.id)].push_back(one);
        }
    }
    bool has(transaction_id id) { return !_events[key(id)].empty(); }
    event take(transaction_id id) {
        event first = _events[key(id)].front();
        _events[key(id)].pop_front();
        return first;
    }
    std::size_t waiting() const {
        std::size_t all = 0;
        for (const auto& [id, events] : _events) {
            all += events.size();
        }
        return all;
    }

private:
    static std::uint64_t key(transaction_id id) { return std::uint64_t{id.slot} << 32U | id.serial; }
    port& _port;
    std::map<std::uint64_t, std::deque<event>> _events;
};

}  // namespace postern::relay::test
