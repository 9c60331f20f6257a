#include "smtp/relay/pool.h"

#include <algorithm>
#include <tuple>

namespace postern::relay {

std::array<std::uint8_t, 16> source_of(const shard::endpoint& client) noexcept {
    static constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::array<std::uint8_t, 16> source = client.address;
    if (!std::equal(mapped.begin(), mapped.end(), source.begin())) {
        std::fill(source.begin() + 8, source.end(), std::uint8_t{0});
    }
    return source;
}

bool pool::has_share(const recipients::route& route, const claim& asker) const {
    const std::size_t all = std::max<std::size_t>(route.max_connections, 1);
    const auto source = _by_source.find(asker.source);
    const std::size_t of_source = source == _by_source.end() ? 0 : source->second;
    if (of_source >= std::max<std::size_t>(all / std::max<std::uint32_t>(_limits->source_divisor, 1), 1)) {
        return false;
    }
    return !asker.unlisted ||
           _unlisted < std::max<std::size_t>(all / std::max<std::uint32_t>(_limits->unlisted_divisor, 1), 1);
}

void pool::take_share(const claim& asker) {
    ++_by_source[asker.source];
    _unlisted += asker.unlisted ? 1 : 0;
}

void pool::give_share_back(const claim& asker) {
    const auto source = _by_source.find(asker.source);
    if (source != _by_source.end() && --source->second == 0) {
        _by_source.erase(source);
    }
    _unlisted -= asker.unlisted ? 1 : 0;
}

pool::grant pool::take(const recipients::route& route, const claim& asker, shard::instant now) {
    // Hosts that work before hosts that failed lately, then by priority; only the first group of equals is looked at:
    // a busy host is waited for, not passed over for a worse one.
    using rank = std::pair<bool, std::uint16_t>;
    const auto rank_of = [this, now](const recipients::mail_host& host) {
        const auto known = _hosts.find({host.host, host.port});
        return rank(known != _hosts.end() && known->second.down_until > now, host.priority);
    };
    std::vector<const recipients::mail_host*> group;
    rank best{true, UINT16_MAX};
    for (const recipients::mail_host& host : route.hosts) {
        if (std::find(asker.tried->begin(), asker.tried->end(), host_key(host.host, host.port)) != asker.tried->end()) {
            continue;
        }
        const rank of_host = rank_of(host);
        if (group.empty() || of_host < best) {
            group.clear();
            best = of_host;
        }
        if (of_host == best) {
            group.push_back(&host);
        }
    }
    if (group.empty()) {
        return {.verdict = verdict::no_host};
    }
    if (!has_share(route, asker)) {
        return {.verdict = verdict::wait};
    }
    const recipients::mail_host* least_used = nullptr;
    std::size_t least = std::max<std::size_t>(route.max_connections, 1);
    for (const recipients::mail_host* host : group) {
        host_state& state = _hosts[{host->host, host->port}];
        if (!state.idle.empty()) {
            const link_id link = state.idle.back();
            state.idle.pop_back();
            take_share(asker);
            return {.verdict = verdict::reuse, .link = link, .host = *host};
        }
        if (state.connections < least) {
            least = state.connections;
            least_used = host;
        }
    }
    if (least_used == nullptr) {
        return {.verdict = verdict::wait};
    }
    ++_hosts[{least_used->host, least_used->port}].connections;
    take_share(asker);
    return {.verdict = verdict::open, .host = *least_used};
}

void pool::closed(const host_key& host, link_id link) {
    const auto known = _hosts.find(host);
    if (known == _hosts.end()) {
        return;
    }
    host_state& state = known->second;
    std::erase(state.idle, link);
    --state.connections;
    if (state.connections == 0 && state.down_until == shard::instant{}) {
        _hosts.erase(known);
    }
}

std::size_t pool::connections(const host_key& host) const {
    const auto known = _hosts.find(host);
    return known == _hosts.end() ? 0 : known->second.connections;
}

std::size_t pool::idle_connections(const host_key& host) const {
    const auto known = _hosts.find(host);
    return known == _hosts.end() ? 0 : known->second.idle.size();
}

}  // namespace postern::relay
