#include "control/discovery/ends.h"

#include <map>

#include "control/directory/connection.h"
#include "control/recent/readiness.h"

namespace postern::discovery {

namespace {

using directory::statement;
using recipients::mode;

constexpr timestamp look_back = 14 * 86'400'000LL;  // as the question for readiness has it

}  // namespace

result<std::vector<std::string>> against_enforce(const directory::reader& in, const recent::recent_store* seen,
                                                 const domain_state& of) {
    std::vector<std::string> out;
    if (of.now == standing::suspended || of.now == standing::waiting) {
        out.push_back("discovery did not get far: " + of.text);
    }
    if (seen == nullptr) {
        out.emplace_back("recent recipients are not kept, so what would be refused is not known");
        return out;
    }
    recent::readiness_question question;
    const timestamp now = of.domain.mode_until;
    question.since = now - look_back;
    question.addresses = 0;
    question.probed.catch_all = of.probe.takes_any;
    const auto found = recent::assess(in, *seen, of.domain, now, std::move(question));
    if (!found) {
        return tl::unexpected(found.error());
    }
    for (const recent::finding& each : found->reasons) {
        out.push_back(each.text);
    }
    return out;
}

result<std::vector<ended_mode>> end_modes(directory::writer& in, const recent::recent_store* seen) {
    std::map<std::uint32_t, ended_mode> endings;
    std::optional<directory::error> failed;
    const auto ended = directory::end_modes(in, [&](const directory::domain& domain) {
        auto state = find_state(in, domain);
        if (!state) {
            failed = state.error();
            return mode::observe;
        }
        ended_mode& next = endings[domain.id];
        next.before = *std::move(state);
        if (domain.mode != mode::discover || next.before.set.ends_in != mode::enforce) {
            return mode::observe;
        }
        auto against = against_enforce(in, seen, next.before);
        if (!against) {
            next.against = {"whether it is ready could not be found out: " + against.error().text};
            return mode::observe;
        }
        next.against = *std::move(against);
        return next.against.empty() ? mode::enforce : mode::observe;
    });
    if (!ended || failed) {
        return tl::unexpected(failed ? *failed : ended.error());
    }
    std::vector<ended_mode> out;
    for (const directory::domain& each : *ended) {
        ended_mode& one = endings[each.id];
        one.now = each;
        out.push_back(std::move(one));
    }
    return directory::or_failure(in, std::move(out));
}

result<std::vector<std::uint32_t>> ends_to_tell(const directory::reader& in, timestamp now) {
    // What was begun to last a few days only is not told of again at once.
    statement rows = in.on().query(
        "SELECT d.id FROM domain d LEFT JOIN discovery x ON x.domain = d.id WHERE d.mode = 1 AND d.mode_until > ?1 AND"
        " d.mode_until <= ?1 + ?2 AND d.mode_until - d.mode_since > 2 * ?2 AND coalesce(x.warned, 0) < d.mode_since",
        now, warned_before);
    std::vector<std::uint32_t> out;
    while (rows.step()) {
        out.push_back(rows.as<std::uint32_t>(0));
    }
    return directory::or_failure(in, std::move(out));
}

void note_told_of_end(directory::writer& in, std::uint32_t domain) {
    need_row(in, domain);
    in.on().run("UPDATE discovery SET warned = ? WHERE domain = ?", in.now(), domain);
}

}  // namespace postern::discovery
