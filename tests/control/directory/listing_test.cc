// Lists of mailboxes and aliases against what the rows themselves say: every filter and search, page by page, over a
// directory that changes at random; and the kept counts against counting.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "control/directory/assertions.h"
#include "control/directory/connection.h"
#include "control/directory/organisations.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

constexpr std::string_view csv = "csv:list";

class listing : public store_test {
protected:
    listing() {
        add("example.com");
        add("example.net");
        writer in = write();
        const auto other = need(add_organisation(in, {"other"}));
        need(add_domain(in, {.name = "other.example", .organisation = other.id}));
        commit(in);
    }

    std::uint64_t pick(std::uint64_t below) {
        return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(_random);
    }
    std::string word() {
        static constexpr std::array parts{"an", "na", "ban", "Ö", "mü", "e'"};
        std::string out;
        for (auto more = 1 + pick(3); more != 0; --more) {
            out += parts.at(pick(parts.size()));
        }
        return out;
    }
    std::string address() {
        static constexpr std::array domains{"example.com", "example.net", "other.example"};
        static constexpr std::array parts{"an", "na", "ban", "x", "qa"};
        std::string out;
        for (auto more = 1 + pick(3); more != 0; --more) {
            out += parts.at(pick(parts.size()));
        }
        return out + '@' + domains.at(pick(domains.size()));
    }

    /// Something that a person does; what can't be done is nothing.
    void change_something(writer& in) {
        const std::string which = address();
        const auto found = find_mailbox(in, which);
        if (!found) {
            new_mailbox input;
            input.address = which;
            input.first_name = pick(2) == 0 ? "" : word();
            input.last_name = word();
            input.group = pick(3) == 0 ? "Staff" : pick(5) == 0 ? "Board" : "";
            input.kind = static_cast<recipients::mailbox_kind>(std::array{0, 0, 1, 3, 5}.at(pick(5)));
            for (auto more = pick(3); more != 0; --more) {
                input.aliases.push_back(address());
            }
            if (!add_mailbox(in, input)) {
                in.on().clear_failure();
                input.aliases.clear();
                static_cast<void>(add_mailbox(in, input));
            }
            return;
        }
        switch (pick(6)) {
            case 0:
                need(remove_mailbox(in, found->id));
                return;
            case 1:
                need(assert_address(in, found->id, need(need_source(in, csv, 1))));
                return;
            case 2:
                need(withdraw_address(in, found->id, pick(2) == 0 ? manual_source : need(need_source(in, csv, 1))));
                return;
            case 3:
                if (!found->aliases.empty()) {
                    need(set_alias_hold(in, found->aliases[0].id, static_cast<hold>(pick(3))));
                }
                return;
            default:
                mailbox_change change;
                change.hold = static_cast<hold>(pick(3));
                change.group = pick(2) == 0 ? "Staff" : "";
                change.last_name = word();
                need(change_mailbox(in, found->id, change));
        }
    }

    static std::string fold(std::string text) {
        std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
        return text;
    }
    static bool matches(const std::string& search, const std::string& normal, const std::string& names) {
        const std::size_t at = normal.find('@');
        const std::string local = normal.substr(0, at);
        if (const std::size_t mark = search.rfind('@'); mark != std::string::npos) {
            return local.ends_with(search.substr(0, mark)) &&
                   normal.substr(at + 1).starts_with(search.substr(mark + 1));
        }
        return search.size() < 3 ? local.starts_with(search)
                                 : fold(local + ' ' + names).find(search) != std::string::npos;
    }
    static bool asserted_by(const mailbox& box, const std::string& source) {
        return std::ranges::any_of(box.sources, [&](const assertion& each) { return each.source == source; });
    }
    bool shows(const mailbox_filter& filter, const mailbox& box) {
        const bool found = filter.search.empty() ||
                           matches(filter.search, box.normal, box.first_name + ' ' + box.last_name) ||
                           std::ranges::any_of(
                               box.aliases, [&](const alias& each) { return matches(filter.search, each.normal, ""); });
        return found && (filter.domain == 0 || filter.domain == box.domain) &&
               (filter.organisation == 0 || (filter.organisation == 2) == (box.normal.ends_with("@other.example"))) &&
               (!filter.kind || *filter.kind == box.kind) && (!filter.group || *filter.group == box.group) &&
               (!filter.hold || *filter.hold == box.hold) && (!filter.valid || *filter.valid == box.valid) &&
               (filter.source.empty() || asserted_by(box, filter.source));
    }

    mailbox_filter some_filter() {
        static constexpr std::array searches{"an",   "ban",   "banan", "q",       "zzz",     "anan",  "na@ex",
                                             "@oth", "a@exa", "x@",    "an@nope", "nanaban", "a'% _", "e'"};
        mailbox_filter out;
        out.domain = pick(3) == 0 ? static_cast<std::uint32_t>(1 + pick(4)) : 0;
        out.organisation = pick(4) == 0 ? static_cast<std::uint32_t>(1 + pick(2)) : 0;
        out.search = pick(2) == 0 ? "" : searches.at(pick(searches.size()));
        out.source = pick(4) == 0 ? std::array{"manual", "csv:list", "csv:none"}.at(pick(3)) : "";
        if (pick(4) == 0) {
            out.kind = static_cast<recipients::mailbox_kind>(pick(4));
        }
        if (pick(4) == 0) {
            out.group = std::array{"", "Staff", "Board", "Nobody"}.at(pick(4));
        }
        if (pick(4) == 0) {
            out.hold = static_cast<hold>(pick(3));
        }
        if (pick(4) == 0) {
            out.valid = pick(2) == 0;
        }
        return out;
    }

    std::mt19937_64 _random{7};  // NOLINT: the same each time
};

TEST_F(listing, shows_every_mailbox_once_that_a_filter_lets_through) {
    for (int round = 0; round < 25; ++round) {
        writer in = write();
        for (int n = 0; n < 40; ++n) {
            change_something(in);
        }
        const auto all = need(list_mailboxes(in, {}, {"", 1000}));
        ASSERT_TRUE(all.next.empty());
        for (int n = 0; n < 40; ++n) {
            const mailbox_filter filter = some_filter();
            std::multiset<std::string> wanted;
            for (const mailbox& box : all.items) {
                if (shows(filter, box)) {
                    wanted.insert(box.normal);
                }
            }
            std::multiset<std::string> seen;
            std::string after;
            do {
                const auto some = need(list_mailboxes(in, filter, {after, 3}));
                for (const mailbox& box : some.items) {
                    seen.insert(box.normal);
                }
                after = some.next;
                ASSERT_LE(seen.size(), all.items.size()) << filter.search;
            } while (!after.empty());
            ASSERT_EQ(seen, wanted) << "search '" << filter.search << "', source '" << filter.source << "', domain "
                                    << filter.domain;
            ASSERT_EQ(need(count_mailboxes(in, filter)), wanted.size()) << filter.search;
            alias_filter aliases;
            aliases.domain = filter.domain;
            aliases.search = filter.search;
            std::multiset<std::string> wanted_aliases;
            for (const mailbox& box : all.items) {
                for (const alias& each : box.aliases) {
                    if ((aliases.domain == 0 || aliases.domain == each.domain) &&
                        (aliases.search.empty() || matches(aliases.search, each.normal, ""))) {
                        wanted_aliases.insert(each.normal);
                    }
                }
            }
            std::multiset<std::string> seen_aliases;
            do {
                const auto some = need(list_aliases(in, aliases, {after, 3}));
                for (const alias& each : some.items) {
                    seen_aliases.insert(each.normal);
                }
                after = some.next;
            } while (!after.empty());
            ASSERT_EQ(seen_aliases, wanted_aliases) << aliases.search;
            ASSERT_EQ(need(count_aliases(in, aliases)), wanted_aliases.size()) << aliases.search;
        }
        commit(in);
    }
}

TEST_F(listing, what_is_counted_is_what_is_there) {
    writer in = write();
    for (int n = 0; n < 600; ++n) {
        change_something(in);
        if (n % 20 != 0) {
            continue;
        }
        ASSERT_FALSE(
            in.on()
                .query("SELECT domain, kind, hold, valid, grp, addresses FROM address_tally WHERE addresses <> 0"
                       " EXCEPT SELECT domain, kind, hold, valid, coalesce(grp, 0), count(*) FROM address"
                       " GROUP BY 1, 2, 3, 4, 5")
                .step());
        ASSERT_FALSE(
            in.on()
                .query("SELECT source, domain, alias, addresses FROM source_tally WHERE addresses <> 0 EXCEPT"
                       " SELECT n.source, a.domain, a.mailbox IS NOT NULL, count(*) FROM assertion n JOIN address"
                       " a ON a.id = n.address GROUP BY 1, 2, 3")
                .step());
        statement sums = in.on().query(
            "SELECT (SELECT total(addresses) FROM address_tally) = (SELECT count(*) FROM address) AND"
            " (SELECT total(addresses) FROM source_tally) = (SELECT count(*) FROM assertion)");
        ASSERT_TRUE(sums.step() && sums.integer(0) != 0);
    }
}

TEST_F(listing, a_mark_of_no_list_is_refused) {
    const reader in = read();
    mailbox_filter filter;
    for (const char* const search : {"", "ann", "a", "@example.com"}) {
        filter.search = search;
        EXPECT_EQ(list_mailboxes(in, filter, {"x", 2}).error().field, "after") << search;
    }
}

}  // namespace
}  // namespace postern::directory
