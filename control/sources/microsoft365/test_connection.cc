#include <chrono>
#include <ctime>
#include <string>
#include <utility>

#include "control/sources/microsoft365/assertion.h"
#include "control/sources/microsoft365/converse.h"
#include "control/sources/microsoft365/microsoft365.h"

namespace postern::sources::microsoft365 {
namespace {

using outcome = enum test_step::outcome;

constexpr std::size_t most_shown = 5;

/// The first entries, to be shown.
class first_entries final : public entry_sink {
public:
    explicit first_entries(std::vector<directory_entry>& into) : _into(into) {}
    bool entry(directory_entry&& one) override {
        if (_into.size() < most_shown) {
            _into.push_back(std::move(one));
        }
        return true;
    }
    bool gone(std::string_view /*identity*/) override { return true; }
    bool restart_whole() override {
        _into.clear();
        return true;
    }

private:
    std::vector<directory_entry>& _into;
};

std::string date_text(std::int64_t unix_s) {
    const std::time_t when = unix_s;
    std::tm parts{};
    std::array<char, 16> out{};
    ::gmtime_r(&when, &parts);
    return {out.data(), std::strftime(out.data(), out.size(), "%Y-%m-%d", &parts)};
}

std::string token_words(const tenant_settings& settings) {
    return "signed in to the tenant " + settings.tenant + " as the application " + settings.client_id +
           (settings.sign_in == sign_in::secret ? " by its secret"
                                                : " by its certificate, which is good until " +
                                                      date_text(end_of_certificate(settings.client_certificate)));
}

/// "3 users", "100 users or more": what was looked at.
std::string tally_words(std::string_view what, const tally& of) {
    std::string out = std::to_string(of.entries) + " of the first " + std::to_string(of.all()) + " " +
                      std::string(what) + " have an address";
    const auto add = [&out](std::uint64_t count, const char* words) {
        if (count != 0) {
            out += "; " + std::to_string(count) + " " + words;
        }
    };
    add(of.guests, "are guests, left out");
    add(of.disabled, "are disabled, left out by choice");
    add(of.excluded, "are excluded by a pattern");
    add(of.unreadable, "values are no addresses");
    return out;
}

}  // namespace

test_report test_connection(const tenant_settings& settings, const std::atomic<bool>& stop,
                            const egress_policy& policy) {
    test_report report;
    const auto add = [&report](std::string server, std::string_view step, outcome of, std::string detail) {
        report.steps.push_back({std::move(server), std::string(step), of, std::move(detail)});
    };
    bool addresses = true;
    conversation_options options;
    const patience limits{stop, clock::now() + std::chrono::seconds(settings.fetch_timeout_s)};
    options.until = limits.until;
    options.first_pages = true;
    options.observer = [&](std::string_view step, const tally& of) {
        if (step == "token") {
            add(settings.login().url(), step, outcome::good, token_words(settings));
            return;
        }
        const bool enough = of.entries != 0 || step == "groups";
        addresses = addresses && enough;
        add(settings.graph().url(), step, enough ? outcome::good : outcome::bad,
            tally_words(step, of) + (enough ? ""
                                            : "; see whether the tenant has mailboxes, and what exclude and disabled "
                                              "leave out"));
    };
    https::client over(client_settings_of(settings), policy, limits,
                       [&](const std::string& server, const char* step, const std::string& detail) {
                           add(server, step, outcome::good, detail);
                       });
    first_entries into(report.entries);
    fetch_outcome out;
    const fetch_request whole;
    conversation with(settings, whole, into, out, std::move(options));
    converse(with, over);
    report.server = settings.graph().url();
    if (out.end != fetch_outcome::end::complete) {
        add(over.server(), out.step, outcome::bad, out.reason);
        return report;
    }
    if (!settings.groups) {
        add(report.server, "groups", outcome::skipped, "by choice");
    }
    if (addresses) {
        add(report.server, "changes", outcome::good,
            "Graph tells changes by delta links; one that is older than 7 days means that the whole is read");
    }
    report.good = addresses;
    return report;
}

}  // namespace postern::sources::microsoft365
