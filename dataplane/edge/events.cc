#include "dataplane/edge/events.h"

#include <algorithm>
#include <utility>

#include "dataplane/shard/endpoint_text.h"

namespace postern::edge {

namespace {

/// Of one ring in one go: a flood must not hold the control thread.
constexpr std::size_t most_of_a_shard = 1'024;

session::outcome outcome_of(judge::finding::kind what) noexcept {
    switch (what) {
        case judge::finding::kind::good_mail:
            return session::outcome::good_mail;
        case judge::finding::kind::bad_mail:
            return session::outcome::bad_mail;
        case judge::finding::kind::listed_refused:
            break;
    }
    return session::outcome::listed_refused;
}

}  // namespace

std::string_view to_string(session::outcome how) noexcept {
    switch (how) {
        case session::outcome::listed:
            return "listed";
        case session::outcome::would_reject:
            return "would_reject";
        case session::outcome::refused_behind:
            return "refused_behind";
        case session::outcome::deferred:
            return "deferred";
        case session::outcome::rejected:
            return "rejected";
        case session::outcome::good_mail:
            return "good_mail";
        case session::outcome::bad_mail:
            return "bad_mail";
        case session::outcome::listed_refused:
            return "listed_refused";
        case session::outcome::unknown:
            break;
    }
    return "unknown";
}

shard::ip_address source_network(shard::ip_address peer) noexcept {
    const std::ptrdiff_t kept = shard::is_ipv4(peer) ? 15 : 6;
    std::fill(peer.begin() + kept, peer.end(), std::uint8_t{0});
    return peer;
}

std::string network_text(const shard::ip_address& source) {
    return shard::address_text({.address = source}) + (shard::is_ipv4(source) ? "/24" : "/48");
}

void event_log::collect(std::int64_t now) {
    for (session::seen_recipients* shard : _shards) {
        for (std::size_t taken = 0; taken < most_of_a_shard; ++taken) {
            const session::seen_recipient* seen = shard->front();
            if (seen == nullptr) {
                break;
            }
            if (event* const kept = keep(seen->path(), seen->peer, now)) {
                kept->how = seen->outcome;
                kept->domain = seen->domain;
            }
            shard->drop();
        }
    }
}

void event_log::take(judge::finding&& found, std::int64_t now) {
    if (event* const kept = keep(found.recipient, found.peer, now)) {
        kept->how = outcome_of(found.what);
        kept->domain = found.domain;
        kept->sender = found.sender;
        kept->judged_by = found.judged_by;
        kept->why = std::move(found.why);
    }
}

event* event_log::keep(std::string_view path, const std::array<std::uint8_t, 16>& peer, std::int64_t now) {
    // A name in U-labels grows when it becomes A-labels.
    if (!recipients::parse_address(path, {}, _normal) || _normal.text().size() > session::seen_recipient::longest) {
        ++_unparsed;
        return nullptr;
    }
    ++_last;
    if (_capacity == 0) {
        ++_overwritten;
        return nullptr;
    }
    if (_kept.size() == _capacity) {
        _kept.pop_front();
        ++_overwritten;
    }
    _kept.emplace_back();
    event& out = _kept.back();
    out.number = _last;
    out.at = now;
    out.address = _normal.text();
    out.source = source_network(peer);
    return &out;
}

void event_log::acknowledge(std::uint64_t number) {
    while (!_kept.empty() && _kept.front().number <= number) {
        _kept.pop_front();
    }
}

event_counts event_log::counts() const {
    event_counts out{.seen = _last, .kept = _kept.size(), .overwritten = _overwritten, .missed = _unparsed};
    for (const session::seen_recipients* shard : _shards) {
        out.missed += shard->missed();
    }
    return out;
}

}  // namespace postern::edge
