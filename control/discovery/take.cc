#include "control/discovery/take.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/directory/connection.h"

namespace postern::discovery {

namespace {

using directory::statement;
using recent::outcome;
using recent::sighting;

/// One batch at work: the states of its domains are looked up once.
class taker {
public:
    explicit taker(directory::writer& in) : _in(in) {}
    result<void> take(const sighting& one);
    taken end();

private:
    result<const domain_state*> state_of(std::uint32_t domain);
    result<void> judged(const domain_state& of, const sighting& one);
    result<void> refused(const domain_state& of, const sighting& one);
    void count_good(candidate& of, const subject& what, const sighting& one);
    void note(std::optional<happening> what) {
        if (what) {
            _out.happenings.push_back(*std::move(what));
        }
    }

    directory::writer& _in;
    std::map<std::uint32_t, std::optional<domain_state>> _states;  // nothing: there is no such domain any more
    std::set<std::uint32_t> _grown;
    taken _out;
};

result<const domain_state*> taker::state_of(std::uint32_t domain) {
    auto found = _states.find(domain);
    if (found == _states.end()) {
        auto state = find_state(_in, domain);
        if (!state && state.error().kind != directory::error_kind::not_found) {
            return tl::unexpected(state.error());
        }
        found = _states.emplace(domain, state ? std::optional(*std::move(state)) : std::nullopt).first;
    }
    return found->second ? &*found->second : nullptr;
}

void taker::count_good(candidate& of, const subject& what, const sighting& one) {
    ++of.good;
    of.times.add(one.at);
    of.untagged = of.untagged || !what.tagged;
    of.why.clear();
    count_sender(_in, of, one.sender);
    // The base itself was taken: what a subaddress left open is answered.
    if (!what.tagged && (of.state == candidate_state::checking || of.state == candidate_state::base_refused)) {
        of.state = candidate_state::waiting;
        of.since = _in.now();
    }
}

result<void> taker::judged(const domain_state& of, const sighting& one) {
    const auto what = subject_of(one.address, of.domain.settings);
    if (!what || (of.now != standing::running && of.now != standing::waiting)) {
        ++(what && of.now == standing::suspended ? _out.suspended : _out.ignored);
        return {};
    }
    auto found = need_candidate(_in, of.domain, what->local, one.at);
    if (!found) {
        return tl::unexpected(found.error());
    }
    candidate& of_it = *found;
    if (of_it.good + of_it.bad == 0) {
        _grown.insert(of.domain.id);
    }
    if (of_it.state == candidate_state::added) {
        const auto still = is_asserted(_in, of.domain, of_it.local);
        if (!still) {
            return tl::unexpected(still.error());
        }
        if (!*still) {  // an authority took it over, and has let it go since
            void_evidence(_in, of_it);
            of_it.state = candidate_state::waiting;
            of_it.since = _in.now();
        }
    }
    of_it.first = std::min(of_it.first, one.at);
    of_it.last = std::max(of_it.last, one.at);
    of_it.judged_by = one.judged_by;
    if (one.how == outcome::bad_mail) {
        ++_out.bad;
        ++of_it.bad;
        of_it.why = one.why;
        keep_candidate(_in, of_it);
        return directory::or_failure(_in);
    }
    ++_out.good;
    count_good(of_it, *what, one);
    keep_candidate(_in, of_it);
    if (of.now == standing::running) {
        auto done = decide(_in, of, of_it);
        if (!done) {
            return tl::unexpected(done.error());
        }
        note(*std::move(done));
    }
    return directory::or_failure(_in);
}

result<void> taker::refused(const domain_state& of, const sighting& one) {
    const std::string_view address = one.address;
    auto done = refuse_listed(_in, of.domain, address.substr(0, address.rfind('@')), one.why);
    if (!done) {
        return tl::unexpected(done.error());
    }
    note(*std::move(done));
    return {};
}

result<void> taker::take(const sighting& one) {
    const auto of = state_of(one.domain);
    if (!of) {
        return tl::unexpected(of.error());
    }
    if (*of == nullptr) {
        ++_out.ignored;
        return {};
    }
    return one.how == outcome::listed_refused ? refused(**of, one) : judged(**of, one);
}

taken taker::end() {
    for (const std::uint32_t domain : _grown) {
        _out.dropped += make_room(_in, domain);
    }
    return std::move(_out);
}

}  // namespace

bool has_findings(const recent::batch& told) {
    return std::ranges::any_of(told.sightings, [](const sighting& each) { return recent::is_finding(each.how); });
}

result<std::uint64_t> find_position(const directory::reader& in, std::string_view edge, std::string_view run) {
    statement row = in.on().query("SELECT last FROM discovery_position WHERE edge = ? AND run = ?", edge, run);
    const std::uint64_t last = row.step() ? row.as<std::uint64_t>(0) : 0;
    return directory::or_failure(in, last);
}

result<taken> take_findings(directory::writer& in, const recent::batch& told) {
    const auto position = find_position(in, told.edge, told.run);
    if (!position) {
        return tl::unexpected(position.error());
    }
    taker work(in);
    for (const sighting& each : told.sightings) {
        if (!recent::is_finding(each.how) || each.number <= *position) {
            continue;
        }
        if (const auto done = work.take(each); !done) {
            return tl::unexpected(done.error());
        }
    }
    in.on().run(
        "INSERT INTO discovery_position(edge, run, last) VALUES (?, ?, ?) ON CONFLICT (edge) DO UPDATE SET run ="
        " excluded.run, last = excluded.last",
        told.edge, told.run, std::max(told.last, *position));
    taken out = work.end();
    return directory::or_failure(in, std::move(out));
}

}  // namespace postern::discovery
