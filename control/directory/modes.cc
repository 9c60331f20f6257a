// A domain's mode and its dates (the rules of the operator's manual, "Modes").
#include <array>

#include "control/directory/changes.h"
#include "control/directory/domain_rows.h"
#include "control/directory/domains.h"
#include "control/directory/history.h"
#include "control/directory/rows.h"

namespace postern::directory {

namespace {

constexpr timestamp day = 24LL * 3600 * 1000;
constexpr timestamp discover_lasts = 30 * day;
constexpr timestamp defer_lasts = 3 * day;  // senders bounce later than that
constexpr std::array<std::string_view, 4> mode_words = {"observe", "discover", "defer", "enforce"};

result<domain> put_mode(writer& in, const domain& found, recipients::mode mode, timestamp until) {
    const std::string before = domain_json(in, found.id);
    const timestamp since = mode == found.mode ? found.mode_since : in.now();
    in.on().run("UPDATE domain SET mode = ?, mode_since = ?, mode_until = ? WHERE id = ?", static_cast<int>(mode),
                since, until, found.id);
    if (mode != found.mode) {
        note_domains(in);
    }
    record(in, "mode", "domain:" + found.name, found.id, before, domain_json(in, found.id));
    return find_domain(in, found.id);
}

}  // namespace

std::string_view to_string(recipients::mode mode) noexcept {
    const auto at = static_cast<std::size_t>(mode);
    return at < mode_words.size() ? mode_words[at] : "unknown";
}

std::optional<recipients::mode> parse_mode(std::string_view word) noexcept {
    for (std::size_t at = 0; at < mode_words.size(); ++at) {
        if (mode_words[at] == word) {
            return static_cast<recipients::mode>(at);
        }
    }
    return std::nullopt;
}

result<domain> set_mode(writer& in, std::uint32_t id, recipients::mode mode, std::optional<timestamp> until) {
    auto found = find_domain(in, id);
    if (!found) {
        return found;
    }
    if (found->target != 0) {
        return fail(error_kind::invalid, found->name + " is a domain alias: it has its target's mode", "mode");
    }
    timestamp end = 0;
    switch (mode) {
        case recipients::mode::observe:
            break;
        case recipients::mode::enforce:
            if (const auto counts = count_addresses(in, id); !counts) {
                return tl::unexpected(counts.error());
            } else if (counts->valid == 0) {
                return fail(error_kind::refused,
                            "the list of " + found->name +
                                " has no valid address: enforce would turn away every mail. Import or add its "
                                "addresses first",
                            "mode");
            }
            break;
        case recipients::mode::discover:
            end = until.value_or(in.now() + discover_lasts);
            break;
        case recipients::mode::defer:
            end = until.value_or(in.now() + defer_lasts);
            break;
    }
    if (until && end == 0) {
        return fail(error_kind::invalid, std::string(to_string(mode)) + " has no end; only discover and defer have one",
                    "until");
    }
    if (end != 0 && end <= in.now()) {
        return fail(error_kind::invalid, "the end of " + std::string(to_string(mode)) + " must be in the future",
                    "until");
    }
    if (mode == found->mode && end == found->mode_until) {
        return found;
    }
    return put_mode(in, *found, mode, end);
}

result<bool> modes_end(const reader& in, timestamp now) {
    statement row =
        in.on().query("SELECT EXISTS (SELECT 1 FROM domain WHERE mode_until <> 0 AND mode_until <= ?)", now);
    const bool some = row.step() && row.integer(0) != 0;
    return or_failure(in, some);
}

result<std::vector<domain>> end_modes(writer& in, const std::function<recipients::mode(const domain&)>& next) {
    std::vector<domain> ended;
    {
        statement rows =
            in.on().query(std::string(domain_columns) + " WHERE d.mode_until <> 0 AND d.mode_until <= ?", in.now());
        while (rows.step()) {
            ended.push_back(read_domain(rows));
        }
    }
    for (domain& each : ended) {
        auto put = put_mode(in, each, next ? next(each) : recipients::mode::observe, 0);
        if (!put) {
            return tl::unexpected(put.error());
        }
        each = std::move(*put);
    }
    return or_failure(in, std::move(ended));
}

}  // namespace postern::directory
