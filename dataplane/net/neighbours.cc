#include "dataplane/net/neighbours.h"

namespace postern::net {

neighbours::neighbours(const std::vector<ip_address>& gateways, shard::instant now) {
    for (const ip_address& ip : gateways) {
        _gateways.push_back({ip, std::nullopt, now, {}, 0});
    }
    _hosts.reserve(most_hosts);
}

void neighbours::heard(const ip_address& ip, const mac_address& mac, bool answer, shard::instant now) {
    for (gateway& g : _gateways) {
        if (g.ip != ip) {
            continue;
        }
        if (!answer && g.mac && g.mac != mac && now - g.confirmed < confirm_after) {
            g.due = now;  // somebody claims it: ask
            return;
        }
        _changes += g.mac == mac ? 0 : 1;
        g.mac = mac;
        if (answer) {
            g.confirmed = now;
            g.unanswered = 0;
            g.due = now + confirm_after;
        }
        return;
    }
    const auto known = std::find_if(_hosts.begin(), _hosts.end(), [&](const entry& e) { return e.ip == ip; });
    if (known != _hosts.end()) {
        _changes += known->mac == mac ? 0 : 1;
        *known = {ip, mac, now};
        return;
    }
    ++_changes;
    if (_hosts.size() < most_hosts) {
        _hosts.push_back({ip, mac, now});
        return;
    }
    const auto by_age = [](const entry& a, const entry& b) { return a.heard < b.heard; };
    *std::min_element(_hosts.begin(), _hosts.end(), by_age) = {ip, mac, now};
}

void neighbours::confirm(shard::instant now) noexcept {
    for (gateway& g : _gateways) {
        g.due = now;
    }
}

std::optional<mac_address> neighbours::find(const ip_address& ip) const noexcept {
    for (const gateway& g : _gateways) {
        if (g.ip == ip) {
            return g.mac;
        }
    }
    for (const entry& e : _hosts) {
        if (e.ip == ip) {
            return e.mac;
        }
    }
    return std::nullopt;
}

std::vector<link_view::host> neighbours::known() const {
    std::vector<link_view::host> out;
    for (const gateway& g : _gateways) {
        if (g.mac) {
            out.push_back({g.ip, *g.mac});
        }
    }
    for (const entry& e : _hosts) {
        out.push_back({e.ip, e.mac});
    }
    return out;
}

void neighbours::adopt(const std::vector<link_view::host>& others) {
    _hosts.clear();
    for (gateway& g : _gateways) {
        g.due = shard::never;
    }
    for (const link_view::host& h : others) {
        const auto mine =
            std::find_if(_gateways.begin(), _gateways.end(), [&](const gateway& g) { return g.ip == h.ip; });
        if (mine != _gateways.end()) {
            mine->mac = h.mac;
        } else if (_hosts.size() < most_hosts) {
            _hosts.push_back({h.ip, h.mac, {}});
        }
    }
}

bool neighbours::gateways_reachable() const noexcept {
    return std::all_of(_gateways.begin(), _gateways.end(),
                       [](const gateway& g) { return g.mac && g.unanswered < most_unanswered; });
}

std::optional<neighbours::question> neighbours::next_question(shard::instant now) noexcept {
    for (gateway& g : _gateways) {
        if (g.due > now) {
            continue;
        }
        g.due = now + ask_again;
        // A known one is asked where it was first (RFC 4861 7.3.3, RFC 1122 2.3.2.1), then everybody.
        const bool there = g.mac && g.unanswered < most_unanswered;
        g.unanswered += g.unanswered < most_unanswered ? 1 : 0;
        return question{g.ip, there ? g.mac : std::nullopt};
    }
    return std::nullopt;
}

shard::instant neighbours::next_timer() const noexcept {
    shard::instant due = shard::never;
    for (const gateway& g : _gateways) {
        due = std::min(due, g.due);
    }
    return due;
}

}  // namespace postern::net
