#include "control/discovery/decide.h"

#include "board/process/log.h"
#include "control/directory/assertions.h"
#include "control/directory/connection.h"
#include "control/directory/mailboxes.h"

namespace postern::discovery {

namespace {

using directory::statement;
using kind = happening::kind;

constexpr std::int64_t day = 86'400'000;

struct list_row {
    std::uint64_t id = 0;  ///< 0: not in the list
    bool valid = false;
    bool blocked = false;
};
list_row find_row(const directory::reader& in, std::uint32_t domain, std::string_view local) {
    statement row = in.on().query("SELECT id, valid, hold FROM address WHERE domain = ? AND normal = ?", domain, local);
    return row.step() ? list_row{row.as<std::uint64_t>(0), row.integer(1) != 0, row.integer(2) == 2} : list_row{};
}

/// Who took the address out of the domain's list, other than discovery; empty: nobody.
std::string taken_by(const directory::reader& in, const candidate& one) {
    statement row = in.on().query(
        "SELECT coalesce(s.name, a.who) FROM history h JOIN act a ON a.id = h.act LEFT JOIN source s ON s.id = h.source"
        " WHERE h.subject = 'address:' || ? AND h.domain = ? AND h.what IN ('withdrawn', 'removed') AND"
        " coalesce(s.name, '') NOT GLOB 'discovery:*' ORDER BY h.id DESC LIMIT 1",
        one.address, one.domain);
    return row.step() ? std::string(row.text(0)) : std::string();
}

happening made(kind what, const domain_state& of, const candidate& one, std::string detail = {}) {
    return {what, of.domain.name, one.address, std::move(detail), one.good, one.senders};
}

result<std::optional<happening>> add(directory::writer& in, const domain_state& of, candidate& one,
                                     const list_row& row) {
    const auto source = directory::need_source(in, source_name(of.domain), of.domain.organisation);
    if (!source) {
        return tl::unexpected(source.error());
    }
    if (row.id != 0) {
        if (const auto done = directory::assert_address(in, row.id, *source); !done) {
            return tl::unexpected(done.error());
        }
    } else {
        directory::new_mailbox input;
        input.address = one.address;
        input.kind = recipients::mailbox_kind::unclassified;
        input.source = *source;
        if (const auto done = directory::add_mailbox(in, input); !done) {
            if (in.on().failed()) {
                return tl::unexpected(done.error());
            }
            // An address that the list can't have must not hold up the events behind it.
            process::log(process::level::warn, "discovery_not_added",
                         {{"address", one.address}, {"reason", done.error().text}});
            drop_candidate(in, one.id);
            return std::nullopt;
        }
    }
    move_candidate(in, one, candidate_state::added);
    return directory::or_failure(in, std::optional(made(kind::added, of, one)));
}

}  // namespace

result<bool> is_asserted(const directory::reader& in, const directory::domain& domain, std::string_view local) {
    statement row = in.on().query(
        "SELECT 1 FROM address a JOIN assertion n ON n.address = a.id JOIN source s ON s.id = n.source"
        " WHERE a.domain = ? AND a.normal = ? AND s.name = ?",
        domain.id, local, source_name(domain));
    const bool found = row.step();
    return directory::or_failure(in, found);
}

result<std::optional<happening>> decide(directory::writer& in, const domain_state& of, candidate& one) {
    const bool open = one.state == candidate_state::waiting || one.state == candidate_state::refused;
    if (!open || one.times.count(in.now() - of.set.days * day) < of.set.clean) {
        return std::nullopt;
    }
    const list_row row = find_row(in, one.domain, one.local);
    if (row.valid || row.blocked) {
        drop_candidate(in, one.id);  // it was decided elsewhere meanwhile
        return directory::or_failure(in, std::optional<happening>());
    }
    if (std::string who = taken_by(in, one); !who.empty()) {
        one.taken_by = std::move(who);
        move_candidate(in, one, candidate_state::left);
        return directory::or_failure(in, std::optional(made(kind::left, of, one, one.taken_by)));
    }
    if (!one.untagged) {
        move_candidate(in, one, candidate_state::checking);
        return directory::or_failure(in, std::optional<happening>());
    }
    return add(in, of, one, row);
}

result<std::optional<happening>> decide_base(directory::writer& in, const domain_state& of, candidate& one,
                                             bool accepted) {
    if (one.state != candidate_state::checking) {
        return std::nullopt;
    }
    if (accepted) {
        one.untagged = true;
        one.state = candidate_state::waiting;
        keep_candidate(in, one);
        return decide(in, of, one);
    }
    move_candidate(in, one, candidate_state::base_refused);
    return directory::or_failure(in, std::optional(made(kind::base_refused, of, one)));
}

result<bool> review(directory::writer& in, const domain_state& of, std::vector<happening>& into, std::size_t limit) {
    if (of.now != standing::running) {
        return true;
    }
    std::vector<std::string> locals;
    {
        statement rows = in.on().query(
            "SELECT normal FROM discovery_candidate WHERE domain = ? AND state IN (0, 5) AND good > 0 AND times <> ''",
            of.domain.id);
        while (rows.step()) {
            locals.emplace_back(rows.text(0));
        }
    }
    std::size_t moved = 0;
    for (const std::string& local : locals) {
        auto found = find_candidate(in, of.domain.id, local);
        if (!found) {
            return tl::unexpected(found.error());
        }
        if (!*found) {
            continue;
        }
        const auto before = (*found)->state;
        auto done = decide(in, of, **found);
        if (!done) {
            return tl::unexpected(done.error());
        }
        if (*done) {
            into.push_back(**std::move(done));
        }
        if ((*found)->state != before && ++moved >= limit) {
            return false;
        }
    }
    return directory::or_failure(in, true);
}

result<void> withdraw(directory::writer& in, const directory::domain& domain, std::string_view local) {
    const auto asserted = is_asserted(in, domain, local);
    if (!asserted) {
        return tl::unexpected(asserted.error());
    }
    if (!*asserted) {
        return {};
    }
    const auto source = directory::need_source(in, source_name(domain), domain.organisation);
    if (!source) {
        return tl::unexpected(source.error());
    }
    return directory::withdraw_address(in, find_row(in, domain.id, local).id, *source);
}

result<std::optional<happening>> refuse_listed(directory::writer& in, const directory::domain& domain,
                                               std::string_view local, const std::string& said) {
    // A subaddress that is refused says nothing about its base.
    const list_row row = find_row(in, domain.id, local);
    if (!row.valid) {
        return std::nullopt;
    }
    happening out{kind::flagged, domain.name, std::string(local) + "@" + domain.name, said, 0, 0};
    const auto asserted = is_asserted(in, domain, local);
    if (!asserted) {
        return tl::unexpected(asserted.error());
    }
    if (*asserted) {
        if (const auto done = withdraw(in, domain, local); !done) {
            return tl::unexpected(done.error());
        }
        auto one = need_candidate(in, domain, std::string(local), in.now());
        if (!one) {
            return tl::unexpected(one.error());
        }
        void_evidence(in, *one);
        one->why = said;
        move_candidate(in, *one, candidate_state::refused);
        out.what = kind::withdrawn;
    }
    if (!find_row(in, domain.id, local).valid) {
        return directory::or_failure(in, std::optional(std::move(out)));
    }
    in.on().run("UPDATE discovery_refusal SET times = times + 1, last = ? WHERE domain = ? AND normal = ?", in.now(),
                domain.id, local);
    if (in.on().changed() == 0) {
        in.on().run(
            "INSERT INTO discovery_refusal(domain, normal, times, first, last) SELECT ?1, ?2, 1, ?3, ?3 WHERE"
            " (SELECT count(*) FROM discovery_refusal WHERE domain = ?1) < ?4",
            domain.id, local, in.now(), most_refusals);
        return directory::or_failure(in, std::optional(std::move(out)));
    }
    return directory::or_failure(in, *asserted ? std::optional(std::move(out)) : std::nullopt);
}

}  // namespace postern::discovery
