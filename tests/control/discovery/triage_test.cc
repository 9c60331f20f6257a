#include "control/discovery/triage.h"

#include "tests/control/discovery/discovered.h"

namespace postern::discovery {
namespace {

using names = std::vector<std::string>;

TEST_F(discovered, what_is_accepted_is_a_persons_from_then_on) {
    run();
    good("info");
    decide_by_hand({"Info@Example.com", verdict::accept, mailbox_kind::shared, 0});
    const auto box = need(directory::find_mailbox(read(), std::string_view("info@example.com")));
    EXPECT_EQ(box.kind, mailbox_kind::shared);
    EXPECT_EQ(sources_of("info"), names{"manual"});
    EXPECT_FALSE(found("info"));
    refused("info");
    EXPECT_TRUE(valid("info")) << "the server's refusal ends discovery's word only";
}

TEST_F(discovered, what_waits_or_has_left_may_be_accepted_too) {
    set([](settings& of) { of.clean = 5; });
    run();
    good("bob");
    decide_by_hand({"bob@example.com", verdict::accept, mailbox_kind::user, 0});
    EXPECT_EQ(sources_of("bob"), names{"manual"});
    directory_says("leaver", true);
    directory_says("leaver", false);
    set([](settings& of) { of.clean = 1; });
    good("leaver");
    decide_by_hand({"leaver@example.com", verdict::accept, mailbox_kind::user, 0});
    EXPECT_TRUE(valid("leaver"));
}

TEST_F(discovered, what_is_an_alias_leads_to_its_mailbox) {
    run();
    const auto alice = add_address("alice@example.com");
    good("a.miller");
    decide_by_hand({"a.miller@example.com", verdict::alias, {}, alice.id});
    const auto box = need(directory::find_mailbox(read(), std::string_view("a.miller@example.com")));
    EXPECT_EQ(box.address, "alice@example.com");
    ASSERT_EQ(box.aliases.size(), 1U);
    ASSERT_EQ(box.aliases[0].sources.size(), 1U);
    EXPECT_EQ(box.aliases[0].sources[0].source, "manual");
    set([](settings& of) { of.clean = 5; });
    good("half");
    decide_by_hand({"half@example.com", verdict::alias, {}, alice.id});
    EXPECT_EQ(need(directory::find_mailbox(read(), alice.id)).aliases.size(), 2U);
}

TEST_F(discovered, what_is_blocked_stays_out_even_when_the_block_is_lifted) {
    run();
    good("junk");
    decide_by_hand({"junk@example.com", verdict::block, {}, 0});
    EXPECT_FALSE(valid("junk"));
    good("junk");
    EXPECT_FALSE(valid("junk"));
    const auto box = need(directory::find_mailbox(read(), std::string_view("junk@example.com")));
    EXPECT_TRUE(box.sources.empty()) << "discovery's word is gone";
}

TEST_F(discovered, what_was_not_discovered_is_not_triaged) {
    run();
    add_address("alice@example.com");
    writer in = write();
    const auto of = need(directory::find_domain(in, domain));
    for (const char* const address : {"alice@example.com", "nobody@example.com"}) {
        const auto done = triage(in, of, {address, verdict::accept, mailbox_kind::user, 0});
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().kind, directory::error_kind::not_found);
    }
    const auto elsewhere = triage(in, of, {"x@other.example", verdict::block, {}, 0});
    ASSERT_FALSE(elsewhere);
    EXPECT_EQ(elsewhere.error().field, "address");
    EXPECT_FALSE(triage(in, of, {"alice@example.com", verdict::keep, {}, 0}));
}

TEST_F(discovered, an_accepted_address_is_of_a_real_kind) {
    run();
    good("bob");
    writer in = write();
    const auto done = triage(in, need(directory::find_domain(in, domain)),
                             {"bob@example.com", verdict::accept, mailbox_kind::unclassified, 0});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().field, "kind");
}

}  // namespace
}  // namespace postern::discovery
