#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/read.h"
#include "control/sources/ldap/session.h"
#include "control/sources/ldap/words.h"
#include "control/sources/text.h"

namespace postern::sources::ldap {
namespace {

using outcome = enum test_step::outcome;

constexpr std::size_t most_looked_at = 100;
constexpr std::size_t most_shown = 5;

/// The first objects of a search.
class first_objects final : public search_handler {
public:
    bool take_object(object&& one, std::span<const received_control> /*controls*/) override {
        objects.push_back(std::move(one));
        return objects.size() < most_looked_at;
    }
    bool take_reference(const std::vector<std::string>& urls) override {
        if (!urls.empty() && std::all_of(urls.begin(), urls.end(), may_hold_recipients)) {
            referral = urls.front();
        }
        return true;
    }
    std::vector<object> objects;
    std::string referral;
};

/// The steps that one server passed, and the one that it did not.
class examination {
public:
    examination(const ldap_settings& settings, std::string url, test_report& report)
        : _settings(settings), _url(std::move(url)), _report(report) {}

    void add(std::string name, outcome of, std::string detail) {
        _report.steps.push_back({_url, std::move(name), of, std::move(detail)});
    }

    bool examine(connection& on) { return base(on) && filter(on) && attributes() && changes(on); }

private:
    bool bad(const failure& why) {
        add(why.step, outcome::bad, why.reason);
        return false;
    }

    bool base(connection& on) {
        auto read = on.read(_settings.base, {"objectClass"});
        if (!read) {
            read.error().step = "base";
            return bad(read.error());
        }
        if (!*read) {
            add("base", outcome::bad,
                "there is no " + _settings.base +
                    ", or the account may not see it; correct the base, or the account's rights");
            return false;
        }
        add("base", outcome::good, _settings.base + " is there");
        return true;
    }

    bool filter(connection& on) {
        const search_request request{_settings.base,
                                     true,
                                     _settings.filter,
                                     _mapper.wanted(),
                                     {{oid::paged_results, encode_paged(most_looked_at, ""), false}},
                                     false};
        const auto end = on.search(request, _first);
        if (!end) {
            failure why = end.error();
            why.step = why.step == "search" ? "filter" : why.step;
            return bad(why);
        }
        if (*end && (*end)->code != code::success) {
            failure why = search_failure(_settings.base, **end);
            why.step = "filter";
            return bad(why);
        }
        if (!_first.referral.empty() && !_settings.ignore_referrals) {
            add("filter", outcome::bad,
                "another server holds a part of the tree, " + one_line(_first.referral) +
                    ", so a sync would be partial and remove nothing; make a source of its own for it and set "
                    "ignore_referrals here, or take a base without it");
            return false;
        }
        if (_first.objects.empty()) {
            add("filter", outcome::bad,
                "nothing below " + _settings.base + " that the account may see passes the filter " + _settings.filter +
                    "; correct the base, the filter or the account's rights");
            return false;
        }
        add("filter", outcome::good,
            (_first.objects.size() < most_looked_at ? "found " + std::to_string(_first.objects.size())
                                                    : "found " + std::to_string(most_looked_at) + " or more") +
                " objects");
        return true;
    }

    bool attributes() {
        std::array<std::size_t, 6> counts{};
        std::size_t unreadable = 0;
        for (const object& each : _first.objects) {
            mapped one = _mapper.map(each);
            ++counts.at(static_cast<std::size_t>(one.verdict));
            unreadable += one.unreadable;
            if (one.verdict == mapped::verdict::entry && _report.entries.size() < most_shown) {
                _report.entries.push_back(std::move(one.entry));
            }
        }
        const auto count = [&](enum mapped::verdict of) { return counts.at(static_cast<std::size_t>(of)); };
        const std::string of = " of " + std::to_string(_first.objects.size()) + " objects";
        if (count(mapped::verdict::no_identity) != 0) {
            add("attributes", outcome::bad,
                std::to_string(count(mapped::verdict::no_identity)) + of +
                    " show no identity (objectGUID, entryUUID or nsUniqueId), so they can't be told from one another; "
                    "give the account the right to read it");
            return false;
        }
        std::string names = _settings.mail_attribute;
        for (const std::string& each : _settings.alias_attributes) {
            names += ", " + each;
        }
        if (count(mapped::verdict::entry) == 0) {
            add("attributes", outcome::bad,
                "none" + of + " has an address to take (" + names + "; " +
                    std::to_string(count(mapped::verdict::excluded)) + " are excluded, " +
                    std::to_string(count(mapped::verdict::disabled)) +
                    " disabled); correct the attributes' names, the exclusions or the account's rights");
            return false;
        }
        add("attributes", outcome::good,
            std::to_string(count(mapped::verdict::entry)) + of + " have an address (" + names + ")" +
                (unreadable == 0 ? "" : "; " + std::to_string(unreadable) + " values are no addresses"));
        return true;
    }

    bool changes(connection& on) {
        const auto root = read_root(on);
        if (!root) {
            return bad(root.error());
        }
        const bool usn = !root->service_name.empty() && root->highest_usn != 0;
        struct way {
            change_method method;
            bool announced;
            const char* words;
        };
        const std::array<way, 3> ways = {{
            {change_method::dirsync, root->active_directory && root->has(oid::dirsync), "DirSync"},
            {change_method::usn, root->active_directory && usn, "uSNChanged"},
            {change_method::syncrepl, root->has(oid::sync_request), "content synchronisation (RFC 4533)"},
        }};
        if (_settings.changes == change_method::none) {
            add("changes", outcome::skipped, "every sync reads the whole, by choice");
            return true;
        }
        for (const way& each : ways) {
            if (each.announced && (_settings.changes == change_method::automatic || _settings.changes == each.method)) {
                add("changes", outcome::good, std::string("the server tells changes by ") + each.words);
                return true;
            }
        }
        if (_settings.changes == change_method::automatic) {
            add("changes", outcome::skipped, "the server announces no way to tell changes: every sync reads the whole");
            return true;
        }
        add("changes", outcome::bad,
            "the server does not announce " + std::string(to_string(_settings.changes)) + "; set changes to auto");
        return false;
    }

    const ldap_settings& _settings;
    std::string _url;
    test_report& _report;
    const entry_mapper _mapper{_settings};
    first_objects _first;
};

}  // namespace

test_report test_connection(const ldap_settings& settings, const std::atomic<bool>& stop, const egress_policy& policy) {
    test_report report;
    const patience limits{stop, clock::now() + std::chrono::seconds(settings.fetch_timeout_s)};
    for (const server_address& each : settings.servers) {
        const std::string url = settings.url_of(each);
        report.entries.clear();
        examination one(settings, url, report);
        const auto observer = [&](const char* step, std::string detail) {
            one.add(step, outcome::good, std::move(detail));
            if (settings.security == security::none && std::string_view(step) == "TCP") {
                one.add("TLS", outcome::skipped, "by choice: what is read can be listened to and changed on its way");
            }
        };
        const auto on = connection::open(settings, each, policy, limits, observer);
        if (!on) {
            one.add(on.error().step, outcome::bad, on.error().reason);
            if (!on.error().elsewhere) {
                break;
            }
            continue;
        }
        if (one.examine(**on)) {
            report.good = true;
            report.server = url;
            break;
        }
    }
    return report;
}

}  // namespace postern::sources::ldap
