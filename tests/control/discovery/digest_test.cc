// What people are told.
#include "control/discovery/digest.h"

#include "tests/control/discovery/discovered.h"

namespace postern::discovery {
namespace {

class discovery_digest : public discovered {
protected:
    discovery_digest() {
        set([](settings& of) { of.notify.webhook = "https://hook.example/"; });
        run();
    }
    std::vector<letter> digest(bool billed_at_once = false) {
        const auto box = sync::secret_box::open(_folder.file("secrets.key"));
        writer in = write();
        auto out = need(write_digest(in, domain, billed_at_once, *box));
        commit(in);
        return out;
    }
};

TEST_F(discovery_digest, names_what_was_added_and_says_how_it_is_billed) {
    good("bob");
    good("carol");
    const auto told = digest();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].what.event, "discovery_added");
    EXPECT_EQ(told[0].what.source, "discovery:example.com");
    EXPECT_EQ(told[0].what.counts.added, 2U);
    EXPECT_NE(told[0].what.text.find("not billed until"), std::string::npos) << told[0].what.text;
    EXPECT_NE(told[0].what.text.find("bob@example.com (1 good message from 1 sender)"), std::string::npos);
    good("dave");
    EXPECT_NE(digest(true).at(0).what.text.find("billed at once"), std::string::npos);
}

TEST_F(discovery_digest, tells_once_and_not_too_often) {
    good("bob");
    EXPECT_EQ(need(digests_due(read(), _now, 60'000)).size(), 1U);
    EXPECT_EQ(digest().size(), 1U);
    EXPECT_TRUE(digest().empty());
    good("carol");
    EXPECT_TRUE(need(digests_due(read(), _now, 60'000)).empty());
    EXPECT_EQ(need(digests_due(read(), _now + 60'000, 60'000)).size(), 1U);
}

TEST_F(discovery_digest, names_what_is_to_decide) {
    directory_says("leaver", true);
    directory_says("leaver", false);
    good("leaver");
    directory_says("alice", true);
    refused("alice");
    const auto told = digest();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].what.event, "discovery_to_decide");
    EXPECT_NE(told[0].what.text.find("leaver@example.com (taken out by ldap:head"), std::string::npos);
    EXPECT_NE(told[0].what.text.find("1 listed address that the mail server refuses"), std::string::npos)
        << told[0].what.text;
}

TEST_F(discovery_digest, goes_to_nobody_who_does_not_want_it) {
    set([](settings& of) { of.notify.additions = false; });
    good("bob");
    EXPECT_TRUE(digest().empty());
    EXPECT_TRUE(need(digests_due(read(), _now + day, 0)).empty()) << "and does not wait for them";
}

TEST_F(discovery_digest, a_suspension_says_why_and_what_to_look_at) {
    good("bob");
    const auto [event, text] = words_of(*probed(takes_any()));
    EXPECT_EQ(event, "discovery_suspended");
    EXPECT_NE(text.find("1 address was added since"), std::string::npos) << text;
    const auto [next, words] = words_of(*probed(refuses()));
    EXPECT_EQ(next, "discovery_resumed") << words;
}

}  // namespace
}  // namespace postern::discovery
