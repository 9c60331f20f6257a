#include "control/sync/source_check.h"

#include <algorithm>

#include "control/directory/connection.h"
#include "smtp/recipients/address.h"

namespace postern::sync {

namespace {

using directory::error_kind;
using directory::fail;
using directory::statement;

constexpr std::size_t longest_settings = 64U << 10U;
constexpr std::size_t longest_url = 2000;
constexpr std::size_t most_emails = 20;
constexpr std::chrono::minutes longest_interval = std::chrono::hours(31 * 24);
constexpr std::chrono::seconds longest_grace = std::chrono::hours(90 * 24);
constexpr std::chrono::seconds longest_freshness = std::chrono::hours(366 * 24);

directory::result<void> invalid(std::string text, std::string field) {
    return fail(error_kind::invalid, std::move(text), std::move(field));
}

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c != 0x7f; });
}

template <class T>
bool within(T value, T least, T most) {
    return value >= least && value <= most;
}

}  // namespace

directory::result<void> check_notices(const notices& notify) {
    const std::string& url = notify.webhook;
    if (!url.empty() && ((!url.starts_with("https://") && !url.starts_with("http://")) || url.size() > longest_url ||
                         !is_printable(url) || url.find('@') != std::string::npos)) {
        return invalid(
            "a webhook is an http:// or https:// URL of printable ASCII without user and password, at most 2000 octets",
            "webhook");
    }
    if (notify.emails.size() > most_emails) {
        return invalid("at most 20 addresses are told by e-mail; use a distribution list for more", "emails");
    }
    for (const std::string& each : notify.emails) {
        recipients::normal_address parsed;
        recipients::address_options options;
        options.allow_utf8 = false;
        options.allow_bare_postmaster = false;
        if (!recipients::parse_address(each, options, parsed) || !is_printable(each) ||
            each.find_first_of("<>") != std::string::npos) {
            return invalid("'" + each.substr(0, 320) + "' is not an e-mail address", "emails");
        }
    }
    return {};
}

directory::result<void> check(const directory::reader& in, const source_settings& set) {
    {
        statement json = in.on().query(
            "SELECT json_valid(?1) AND json_type(iif(json_valid(?1), ?1, 'null')) = 'object'", set.settings);
        if (set.settings.size() > longest_settings || !json.step() || json.integer(0) == 0) {
            return invalid("the settings are a JSON object of at most 64 KiB", "settings");
        }
    }
    if (!within(set.interval, std::chrono::minutes(1), longest_interval)) {
        return invalid("a source is read every 1 to 44640 minutes, not every " + std::to_string(set.interval.count()),
                       "interval");
    }
    if (!within(set.grace, std::chrono::seconds(0), longest_grace)) {
        return invalid("a grace lasts at most 90 days", "grace");
    }
    if (!within(set.freshness, std::chrono::seconds(0), longest_freshness)) {
        return invalid("freshness is at most 366 days; 0 for no alarm", "freshness");
    }
    if (set.freshness.count() != 0 && set.freshness < set.interval) {
        return invalid("the freshness limit is shorter than the interval: it would alarm all the time", "freshness");
    }
    if (set.limits.removed_percent > 100) {
        return invalid("removed_percent is 0 (no limit) to 100", "removed_percent");
    }
    if (set.limits.added_percent > 1000) {
        return invalid("added_percent is 0 (no limit) to 1000", "added_percent");
    }
    for (const auto& [value, field] :
         {std::pair(set.limits.removed_count, "removed_count"), std::pair(set.limits.added_count, "added_count"),
          std::pair(set.limits.total_count, "total_count"), std::pair(set.limits.floor, "floor")}) {
        if (value > 1'000'000'000) {
            return invalid("a limit is at most 1000000000; 0 for none", field);
        }
    }
    return check_notices(set.notify);
}

directory::result<void> check_type(const environment& with, std::string_view type, const source_order& order) {
    const auto found = with.types.find(type);
    if (found == with.types.end()) {
        std::string known;
        for (const auto& [name, each] : with.types) {
            known += (known.empty() ? "" : ", ") + name;
        }
        return invalid("there is no directory of type '" + std::string(type.substr(0, 64)) + "'; there is " +
                           (known.empty() ? "none in this program" : known),
                       "name");
    }
    return found->second.check ? found->second.check(order) : directory::result<void>();
}

}  // namespace postern::sync
