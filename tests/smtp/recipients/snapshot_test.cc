// What a snapshot answers: standing, forms, domain aliases, payload; base and overlay together.
#include "smtp/recipients/snapshot.h"

#include <algorithm>
#include <array>
#include <random>
#include <unordered_map>

#include "smtp/recipients/domain_index.h"
#include "tests/smtp/recipients/table_fixture.h"

namespace postern::recipients::testing {
namespace {

std::vector<entry> small_list() {
    return {{"alice@example.com", 1, mailbox_kind::user, false, false},
            {"sales@example.com", 1, mailbox_kind::shared, true, false},
            {"room@example.org", 2, mailbox_kind::resource, false, true},
            {"\"odd one\"@example.com", 1, mailbox_kind::alias, true, true},
            {"bob@example.com", 1, mailbox_kind::list, false, false},
            {"bob+fixed@example.com", 1, mailbox_kind::unclassified, false, false}};
}

TEST(snapshot, tells_listed_unlisted_and_not_served) {
    const auto in = snapshot_of(small_list(), two_domains(), 17);
    const verdict alice = ask(*in, "Alice@Example.COM");
    EXPECT_EQ(alice.standing, standing::listed);
    EXPECT_EQ(alice.kind, mailbox_kind::user);
    EXPECT_FALSE(alice.grace);
    EXPECT_FALSE(alice.internal_only);
    EXPECT_EQ(alice.generation, 17U);
    ASSERT_NE(alice.domain, nullptr);
    EXPECT_EQ(alice.domain->mode, mode::enforce);
    ASSERT_NE(alice.route, nullptr);
    EXPECT_EQ((*alice.route)->id, 7U);

    const verdict room = ask(*in, "room@example.org");
    EXPECT_EQ(room.standing, standing::listed);
    EXPECT_EQ(room.kind, mailbox_kind::resource);
    EXPECT_TRUE(room.internal_only);
    EXPECT_EQ(room.domain->mode, mode::defer);

    const verdict nobody = ask(*in, "nobody@example.com");
    EXPECT_EQ(nobody.standing, standing::unlisted);
    EXPECT_EQ(nobody.domain->id, 1U);
    EXPECT_EQ((*nobody.route)->id, 7U);

    const verdict elsewhere = ask(*in, "alice@example.net");
    EXPECT_EQ(elsewhere.standing, standing::not_served);
    EXPECT_EQ(elsewhere.domain, nullptr);
    EXPECT_EQ(elsewhere.route, nullptr);
    EXPECT_EQ(elsewhere.generation, 17U);
}

TEST(snapshot, an_address_is_listed_in_its_own_domain_only) {
    const auto in = snapshot_of(small_list(), two_domains());
    EXPECT_EQ(ask(*in, "alice@example.org").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "room@example.com").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "alice@sub.example.com").standing, standing::not_served);
}

TEST(snapshot, finds_every_spelling_of_an_address) {
    const auto in = snapshot_of(small_list(), two_domains());
    for (const char* text : {"\"alice\"@example.com", "@relay.example:ALICE@EXAMPLE.COM.", "\"odd\\ one\"@example.com",
                             "\"ODD one\"@example.com"}) {
        EXPECT_EQ(ask(*in, text).standing, standing::listed) << text;
    }
}

TEST(snapshot, a_domain_alias_has_the_addresses_and_settings_of_its_target) {
    const auto in = snapshot_of(small_list(), two_domains());
    const verdict alice = ask(*in, "alice@alias.example");
    EXPECT_EQ(alice.standing, standing::listed);
    EXPECT_EQ(alice.domain->id, 1U);
    EXPECT_EQ(alice.domain->name, "example.com");
    EXPECT_EQ((*alice.route)->id, 7U);
    EXPECT_EQ(ask(*in, "alice+news@alias.example").standing, standing::listed);
    EXPECT_EQ(ask(*in, "room@alias.example").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "postmaster@alias.example").standing, standing::always);
}

TEST(snapshot, tries_the_exact_address_before_the_one_without_subaddress) {
    const auto in = snapshot_of(small_list(), two_domains());
    EXPECT_EQ(ask(*in, "bob+fixed@example.com").kind, mailbox_kind::unclassified);
    EXPECT_EQ(ask(*in, "bob+other@example.com").kind, mailbox_kind::list);
    EXPECT_EQ(ask(*in, "bob+other@example.com").standing, standing::listed);
    EXPECT_EQ(ask(*in, "nobody+bob@example.com").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "+bob@example.com").standing, standing::unlisted);
}

TEST(snapshot, strips_prvs_and_accepts_srs_where_set) {
    domain_section domains = two_domains();
    const auto list = small_list();
    const char* prvs = "prvs=1234abcdef=alice@example.com";
    const char* srs = "SRS0=hhhh=tt=example.net=someone@example.com";
    const auto without = snapshot_of(list, domains);
    EXPECT_EQ(ask(*without, prvs).standing, standing::unlisted);
    EXPECT_EQ(ask(*without, srs).standing, standing::unlisted);
    domains.domains[0].strip_prvs = domains.domains[0].accept_srs = true;
    const auto with = snapshot_of(list, domains);
    EXPECT_EQ(ask(*with, prvs).standing, standing::listed);
    EXPECT_EQ(ask(*with, "prvs=1234abcdef=alice+x@example.com").standing, standing::listed);
    EXPECT_EQ(ask(*with, "prvs=1234abcdef=nobody@example.com").standing, standing::unlisted);
    EXPECT_EQ(ask(*with, srs).standing, standing::listed);
    EXPECT_EQ(ask(*with, srs).kind, mailbox_kind::unclassified);
    // An address that is listed as it stands is what the list says.
    const auto listed =
        snapshot_of({{"srs0=hhhh=tt=example.net=someone@example.com", 1, mailbox_kind::alias, true, true}}, domains);
    EXPECT_EQ(ask(*listed, srs).kind, mailbox_kind::alias);
    EXPECT_TRUE(ask(*listed, srs).internal_only);
    lookup_batch batch;
    batch.add(*with, address(srs), 1);
    batch.resolve();
    batch.add(*with, address("nobody@example.com"), 1);
    EXPECT_EQ(batch.resolve().front().verdict.standing, standing::unlisted);
    EXPECT_EQ(ask(*with, "srs0=hhhh@example.com").standing, standing::unlisted);
}

TEST(snapshot, never_refuses_postmaster_nor_abuse_unless_set) {
    domain_section domains = two_domains();
    domains.domains[1].abuse_always = false;
    const auto in = snapshot_of({}, domains);
    for (const char* text : {"postmaster@example.com", "POSTMASTER@example.org", "\"PostMaster\"@alias.example",
                             "abuse@example.com", "Abuse@alias.example"}) {
        const verdict v = ask(*in, text);
        EXPECT_EQ(v.standing, standing::always) << text;
        EXPECT_NE(v.domain, nullptr);
        EXPECT_NE(v.route, nullptr);
    }
    EXPECT_EQ(ask(*in, "abuse@example.org").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "postmaster@example.net").standing, standing::not_served);
    const verdict bare = ask(*in, "Postmaster");
    EXPECT_EQ(bare.standing, standing::always);
    EXPECT_EQ(bare.domain, nullptr);
    EXPECT_EQ(bare.route, nullptr);
}

TEST(snapshot, a_domain_without_route_says_so) {
    domain_section domains = two_domains();
    domains.domains[0].route = 0;
    const auto in = snapshot_of(small_list(), domains);
    EXPECT_EQ(ask(*in, "alice@example.com").route, nullptr);
}

TEST(snapshot, answers_a_batch_in_the_order_of_its_questions) {
    const auto in = snapshot_of(small_list(), two_domains(), 3);
    lookup_batch batch;
    EXPECT_EQ(batch.size(), 0U);
    EXPECT_TRUE(batch.resolve().empty());
    const std::vector<std::pair<std::string, standing>> asked = {
        {"alice@example.com", standing::listed},     {"nobody@example.com", standing::unlisted},
        {"x@nowhere.example", standing::not_served}, {"postmaster", standing::always},
        {"room+x@example.org", standing::listed},    {"alice@alias.example", standing::listed}};
    for (int round = 0; round < 3; ++round) {
        for (std::size_t i = 0; i < lookup_batch::capacity; ++i) {
            EXPECT_FALSE(batch.full());
            batch.add(*in, address(asked[i % asked.size()].first), 1000 + i);
        }
        EXPECT_TRUE(batch.full());
        const auto answers = batch.resolve();
        ASSERT_EQ(answers.size(), lookup_batch::capacity);
        for (std::size_t i = 0; i < answers.size(); ++i) {
            EXPECT_EQ(answers[i].cookie, 1000 + i);
            EXPECT_EQ(answers[i].verdict.standing, asked[i % asked.size()].second) << i;
        }
        EXPECT_EQ(batch.size(), 0U);
        EXPECT_TRUE(batch.resolve().empty());
    }
}

TEST(snapshot, a_batch_may_go_on_with_another_snapshot) {
    const auto first = snapshot_of({{"alice@example.com"}}, two_domains(), 1);
    const auto second = snapshot_of({{"bob@example.com"}}, two_domains(), 2);
    lookup_batch batch;
    batch.add(*first, address("alice@example.com"), 1);
    EXPECT_EQ(batch.resolve().front().verdict.standing, standing::listed);
    batch.add(*second, address("alice@example.com"), 1);
    batch.add(*second, address("bob@example.com"), 1);
    const auto answers = batch.resolve();
    EXPECT_EQ(answers[0].verdict.standing, standing::unlisted);
    EXPECT_EQ(answers[1].verdict.standing, standing::listed);
    EXPECT_EQ(answers[1].verdict.generation, 2U);
    lookup_batch moved = std::move(batch);
    moved.add(*second, address("bob@example.com"), 1);
    EXPECT_EQ(moved.resolve().size(), 1U);
}

TEST(snapshot, answers_a_batch_of_many_domains_as_one_by_one) {
    constexpr std::uint32_t served = 500;
    domain_section section = two_domains();
    const domain_settings like = section.domains.front();
    section.domains.clear();
    std::vector<entry> list;
    const auto name = [](std::uint32_t id) {
        return (id % 2 == 0 ? "d" : "a-name-too-long-to-stand-in-its-string-") + std::to_string(id) + ".example";
    };
    for (std::uint32_t id = 1; id <= served; ++id) {
        domain_settings one = like;
        one.id = id;
        one.target = id % 10 == 0 ? id - 1 : id;  // some are another's alias
        one.name = name(id);
        one.accept_srs = id % 3 == 0;
        one.route = id % 7 == 0 ? 0 : one.route;
        section.domains.push_back(one);
        list.push_back({"listed@" + name(one.target), one.target, static_cast<mailbox_kind>(id % 5)});
    }
    std::erase_if(list, [](const entry& e) { return e.domain % 4 == 1; });
    std::sort(list.begin(), list.end(), [](const entry& a, const entry& b) { return a.text < b.text; });
    list.erase(std::unique(list.begin(), list.end(), [](const entry& a, const entry& b) { return a.text == b.text; }),
               list.end());
    const auto in = snapshot_of(list, section);

    std::mt19937 random(11);
    lookup_batch batch;
    std::array<std::size_t, 4> standings{};
    for (int round = 0; round < 60; ++round) {
        std::vector<std::string> texts(1 + random() % lookup_batch::capacity);
        for (std::string& text : texts) {
            constexpr std::array locals{"listed", "listed+x", "stranger", "postmaster", "srs0=a=b=c.example=d"};
            // In runs of one domain, or each of another; one in some is of none that is served.
            const std::uint32_t id =
                round % 3 == 0 ? static_cast<std::uint32_t>(round) + 1 : random() % (served * 9 / 8);
            text = random() % 100 == 0 ? "Postmaster" : std::string(locals[random() % locals.size()]) + "@" + name(id);
            batch.add(*in, address(text), 0);
        }
        const auto answers = batch.resolve();
        ASSERT_EQ(answers.size(), texts.size());
        for (std::size_t i = 0; i < texts.size(); ++i) {
            const verdict alone = ask(*in, texts[i]);
            const verdict& beside = answers[i].verdict;
            ASSERT_EQ(beside.standing, alone.standing) << texts[i];
            ASSERT_EQ(beside.kind, alone.kind) << texts[i];
            ASSERT_EQ(beside.domain, alone.domain) << texts[i];
            ASSERT_EQ(beside.route, alone.route) << texts[i];
            ++standings[static_cast<std::size_t>(alone.standing)];
        }
    }
    for (const std::size_t seen : standings) {
        EXPECT_GT(seen, 100U);
    }
}

TEST(snapshot, takes_the_longest_addresses_in_full_batches) {
    domain_section domains = two_domains();
    domains.domains[0].strip_prvs = true;
    const std::string local(normal_address::capacity - 12, 'x');
    const auto in = snapshot_of({{local + "@example.com"}}, domains);
    const std::string prvs = "prvs=1=" + std::string(500, 'y') + "+" + std::string(500, 'z') + "@example.com";
    lookup_batch batch;
    for (std::size_t i = 0; i < lookup_batch::capacity; ++i) {
        batch.add(*in, address(i % 2 == 0 ? local + "@example.com" : prvs), i);
    }
    for (const auto& answer : batch.resolve()) {
        EXPECT_EQ(answer.verdict.standing, answer.cookie % 2 == 0 ? standing::listed : standing::unlisted);
    }
}

TEST(snapshot, a_long_local_part_of_a_domain_alias_fits) {
    domain_section domains = two_domains();
    std::string name;
    for (int i = 0; i < 120; ++i) {
        name += "x.";
    }
    domains.domains[0].name = name + "example";
    const std::string local(normal_address::capacity - 14, 'x');
    const std::string text = local + "@" + domains.domains[0].name;
    const auto in = snapshot_of({{text, 1}}, domains);
    EXPECT_EQ(ask(*in, local + "@alias.example").standing, standing::listed);
    EXPECT_EQ(ask(*in, local.substr(1) + "@alias.example").standing, standing::unlisted);
}

/// A base and overlays over it, in files.
class overlays : public ::testing::Test {
protected:
    void make_base(const std::vector<entry>& list, std::uint64_t generation = 1) {
        const auto built = build_base(base_path, generation, two_domains(), source_of(list));
        ASSERT_TRUE(built) << built.error();
        const auto loaded = load(base_path);
        ASSERT_TRUE(loaded) << loaded.error();
        base = *loaded;
    }
    std::shared_ptr<const table> make_overlay(const std::vector<entry>& added, const std::vector<std::string>& removed,
                                              const domain_section* domains = nullptr) {
        const auto built = build_overlay(overlay_path, 2, base_path, domains, views_of(added), removed);
        EXPECT_TRUE(built) << (built ? "" : built.error());
        const auto loaded = load(overlay_path);
        EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error());
        return loaded ? *loaded : nullptr;
    }
    std::unique_ptr<const snapshot> with(const std::vector<entry>& added, const std::vector<std::string>& removed,
                                         const domain_section* domains = nullptr) {
        auto made = make_snapshot(5, base, make_overlay(added, removed, domains));
        EXPECT_TRUE(made) << (made ? "" : made.error());
        return made ? *std::move(made) : nullptr;
    }

    temporary_folder folder;
    const std::string base_path = folder / "base";
    const std::string overlay_path = folder / "overlay";
    std::shared_ptr<const table> base;
};

TEST_F(overlays, add_remove_and_replace) {
    make_base(small_list());
    const auto in = with({{"carol@example.com", 1, mailbox_kind::list, true, true},
                          {"alice@example.com", 1, mailbox_kind::shared, true, false}},
                         {"sales@example.com", "\"odd one\"@example.com"});
    EXPECT_EQ(ask(*in, "carol@example.com").standing, standing::listed);
    EXPECT_EQ(ask(*in, "carol@example.com").kind, mailbox_kind::list);
    EXPECT_TRUE(ask(*in, "carol@example.com").internal_only);
    EXPECT_EQ(ask(*in, "alice@example.com").kind, mailbox_kind::shared);
    EXPECT_TRUE(ask(*in, "alice@example.com").grace);
    EXPECT_EQ(ask(*in, "sales@example.com").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "\"odd one\"@example.com").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "room@example.org").standing, standing::listed);
    EXPECT_EQ(ask(*in, "bob@example.com").standing, standing::listed);
    EXPECT_EQ(ask(*in, "nobody@example.com").standing, standing::unlisted);
    EXPECT_EQ(ask(*in, "alice@example.com").generation, 5U);
}

TEST_F(overlays, state_their_facts) {
    make_base(small_list(), 41);
    const auto over = make_overlay({{"carol@example.com"}}, {"sales@example.com"});
    const table_facts& facts = over->facts();
    EXPECT_TRUE(facts.is_overlay);
    EXPECT_FALSE(facts.has_domains);
    EXPECT_EQ(facts.generation, 2U);
    EXPECT_EQ(facts.base_generation, 41U);
    EXPECT_EQ(facts.addresses, 1U);
    EXPECT_EQ(facts.removals, 1U);
    EXPECT_EQ(facts.key_id, base->facts().key_id);
    EXPECT_FALSE(base->facts().is_overlay);
    EXPECT_TRUE(base->facts().has_domains);
    EXPECT_EQ(base->facts().domains, 3U);
    EXPECT_EQ(base->facts().addresses, small_list().size());
    EXPECT_EQ(base->facts().file_octets, octets_of(base_path).size());
}

TEST_F(overlays, may_be_empty) {
    make_base(small_list());
    const auto in = with({}, {});
    EXPECT_EQ(ask(*in, "alice@example.com").standing, standing::listed);
    EXPECT_EQ(ask(*in, "carol@example.com").standing, standing::unlisted);
}

TEST_F(overlays, carry_domains_or_leave_those_of_the_base) {
    make_base(small_list());
    domain_section changed = two_domains();
    changed.domains[0].mode = mode::observe;
    changed.domains.push_back(make_domain(9, "new.example"));
    const auto in = with({{"first@new.example", 9}}, {}, &changed);
    EXPECT_EQ(ask(*in, "alice@example.com").domain->mode, mode::observe);
    EXPECT_EQ(ask(*in, "first@new.example").standing, standing::listed);
    EXPECT_EQ(in->domains->domains().size(), 4U);
    const auto plain = with({}, {});
    EXPECT_EQ(ask(*plain, "alice@example.com").domain->mode, mode::enforce);
    EXPECT_EQ(ask(*plain, "first@new.example").standing, standing::not_served);
    const domain_section none;
    const auto empty = with({}, {}, &none);
    EXPECT_EQ(ask(*empty, "alice@example.com").standing, standing::not_served);
}

TEST_F(overlays, removing_one_address_leaves_every_other) {
    const auto list = many(20000);
    make_base(list);
    std::vector<std::string> removed;
    for (std::size_t i = 0; i < list.size(); i += 2) {
        removed.push_back(list[i].text);
    }
    const auto in = with({}, removed);
    for (std::size_t i = 0; i < list.size(); ++i) {
        ASSERT_EQ(ask(*in, list[i].text).standing, i % 2 == 0 ? standing::unlisted : standing::listed) << list[i].text;
    }
}

TEST_F(overlays, of_another_base_are_refused) {
    make_base(small_list(), 1);
    const auto over = make_overlay({{"carol@example.com"}}, {});
    make_base(small_list(), 1);  // the same list and number, another key
    const auto other_key = make_snapshot(3, base, over);
    ASSERT_FALSE(other_key);
    EXPECT_NE(other_key.error().find("key id"), std::string::npos) << other_key.error();
    const auto second = make_overlay({}, {});
    EXPECT_TRUE(make_snapshot(3, base, second));
    EXPECT_FALSE(make_snapshot(3, second, nullptr));
    EXPECT_FALSE(make_snapshot(3, base, base));
    EXPECT_FALSE(make_snapshot(3, nullptr, second));
}

TEST_F(overlays, random_changes_leave_what_a_plain_map_says) {
    std::mt19937 random(11);
    const std::size_t addresses = 3000;
    const auto text_of = [](std::size_t i) { return "user" + std::to_string(i) + "@example.com"; };
    std::unordered_map<std::string, entry> in_base;
    std::vector<entry> list;
    for (std::size_t i = 0; i < addresses; i += 1 + random() % 3) {
        list.push_back({text_of(i), 1, static_cast<mailbox_kind>(random() % 6), random() % 2 == 0, random() % 2 == 0});
        in_base[list.back().text] = list.back();
    }
    make_base(list);
    for (int round = 0; round < 20; ++round) {
        auto expected = in_base;
        std::unordered_map<std::string, entry> added;
        std::vector<std::string> removed;
        for (std::size_t change = 0; change < random() % 1000; ++change) {
            const std::string text = text_of(random() % addresses);
            if (random() % 2 == 0) {
                added[text] = {text, 1, static_cast<mailbox_kind>(random() % 6), random() % 2 == 0, random() % 2 == 0};
                expected[text] = added[text];
            } else if (in_base.contains(text) && !added.contains(text)) {
                removed.push_back(text);
            }
        }
        std::vector<entry> adds;
        for (const auto& [text, value] : added) {
            adds.push_back(value);
        }
        std::erase_if(removed, [&](const std::string& text) { return added.contains(text); });
        for (const std::string& text : removed) {
            expected.erase(text);
        }
        const auto in = with(adds, removed);
        for (std::size_t i = 0; i < addresses; ++i) {
            const std::string text = text_of(i);
            const verdict v = ask(*in, text);
            const auto wanted = expected.find(text);
            if (wanted == expected.end()) {
                ASSERT_EQ(v.standing, standing::unlisted) << text;
            } else {
                ASSERT_EQ(v.standing, standing::listed) << text;
                ASSERT_EQ(v.kind, wanted->second.kind);
                ASSERT_EQ(v.grace, wanted->second.grace);
                ASSERT_EQ(v.internal_only, wanted->second.internal_only);
            }
        }
    }
}

}  // namespace
}  // namespace postern::recipients::testing
