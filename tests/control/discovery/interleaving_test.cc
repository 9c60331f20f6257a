// Whatever happens in whatever order, with batches told again and transactions that never commit: discovery asserts
// only what it was given evidence for and nobody has decided about.
#include <algorithm>
#include <random>
#include <set>

#include "tests/control/discovery/discovered.h"

namespace postern::discovery {
namespace {

class discovery_interleaved : public discovered {
protected:
    std::string dump() {
        std::string out;
        const reader in = read();
        for (const char* const sql :
             {"SELECT normal || ' ' || state || ' ' || good || ' ' || bad || ' ' || times FROM discovery_candidate"
              " ORDER BY id",
              "SELECT a.normal || ' ' || a.hold || ' ' || a.valid || ' ' || n.source FROM address a LEFT JOIN assertion"
              " n ON n.address = a.id ORDER BY a.id, n.source",
              "SELECT normal || ' ' || times FROM discovery_refusal ORDER BY id", "SELECT count(*) FROM history"}) {
            auto rows = in.on().query(sql);
            while (rows.step()) {
                out += std::string(rows.text(0)) + "\n";
            }
        }
        return out;
    }
};

TEST_F(discovery_interleaved, it_asserts_only_what_it_has_evidence_for_and_nobody_decided_about) {
    for (unsigned seed = 1; seed <= 8; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937 random(seed);
        const auto upto = [&](unsigned most) { return static_cast<unsigned>(random() % most); };
        run();
        std::set<std::string> good_since;  // good mail since the last refusal by the server or word of an authority
        std::set<std::string> decided;     // taken out of the list by others, and not brought back
        std::vector<recent::batch> told;
        const std::vector<std::string> locals{std::string("a") + std::to_string(seed), "b" + std::to_string(seed),
                                              "c" + std::to_string(seed)};
        for (unsigned step = 0; step < 60; ++step) {
            const std::string& local = locals[upto(3)];
            _now += 1000;
            switch (upto(9)) {
                case 0:
                case 1: {
                    const auto next = batch({event(outcome::good_mail, local), event(outcome::bad_mail, local)});
                    if (upto(3) == 0) {
                        writer in = write();
                        need(take_findings(in, next));  // and the program ends
                    }
                    take(next);
                    told.push_back(next);
                    good_since.insert(local);
                    break;
                }
                case 2:
                    if (!told.empty()) {
                        const std::string before = dump();
                        take(told[upto(static_cast<unsigned>(told.size()))]);
                        EXPECT_EQ(before, dump()) << "told again";
                    }
                    break;
                case 3: {
                    const bool by_discovery = need(is_asserted(read(), state().domain, local));
                    refused(local);
                    if (by_discovery) {
                        good_since.erase(local);
                    }
                    break;
                }
                case 4:
                    directory_says(local, true);
                    decided.erase(local);
                    good_since.erase(local);
                    break;
                case 5: {
                    const auto had = sources_of(local);
                    directory_says(local, false);
                    if (std::ranges::find(had, "ldap:head") != had.end()) {
                        decided.insert(local);
                    }
                    break;
                }
                case 6: {
                    writer in = write();
                    if (const auto box = directory::find_mailbox(in, std::string_view(local + "@example.com"));
                        box && box->hold == directory::hold::none) {
                        need(directory::remove_mailbox(in, box->id));
                        decided.insert(local);
                        good_since.erase(local);
                    }
                    commit(in);
                    break;
                }
                case 7: {
                    writer in = write();
                    static_cast<void>(triage(in, state().domain,
                                             {local + "@example.com", upto(4) == 0 ? verdict::block : verdict::accept,
                                              mailbox_kind::user, 0}));
                    commit(in);
                    break;
                }
                default:
                    run();
                    reviewed();
                    break;
            }
            for (const std::string& each : locals) {
                const auto box = directory::find_mailbox(read(), std::string_view(each + "@example.com"));
                if (!need(is_asserted(read(), state().domain, each))) {
                    continue;
                }
                EXPECT_TRUE(good_since.contains(each)) << each << " was added without evidence";
                EXPECT_FALSE(decided.contains(each)) << each << " came back though it was taken out";
                ASSERT_TRUE(box);
                EXPECT_NE(box->hold, directory::hold::blocked) << each;
                EXPECT_EQ(box->sources.size(), 1U) << each << ": an authority's first word ends discovery's";
            }
        }
    }
}

}  // namespace
}  // namespace postern::discovery
