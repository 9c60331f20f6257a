#include "smtp/session/decision.h"

#include <gtest/gtest.h>

#include <memory>

#include "tests/dataplane/shard/fake_transport.h"
#include "tests/smtp/recipients/table_fixture.h"

namespace postern::session {

namespace {

using protocol::reply;
using recipients::mode;
using recipients::standing;

class decisions : public ::testing::Test {
protected:
    decisions() {
        _domain.id = 1;
        _domain.mode = mode::enforce;
        _route_settings.id = 1;
        _route_settings.confirmed = true;
    }
    decision decide_as(standing as) {
        _route = std::make_shared<const recipients::route>(_route_settings);
        _verdict.standing = as;
        _verdict.domain = &_domain;
        _verdict.route = &_route;
        return decide(_verdict, _peer);
    }

    std::array<std::uint8_t, 16> _peer = shard::ipv4(192, 0, 2, 1);
    recipients::domain_settings _domain;
    recipients::route _route_settings;
    std::shared_ptr<const recipients::route> _route;
    recipients::verdict _verdict;
};

TEST_F(decisions, pass_a_listed_recipient) {
    const decision d = decide_as(standing::listed);
    EXPECT_TRUE(d.pass);
    EXPECT_TRUE(d.listed);
    EXPECT_EQ(d.why, reason::listed);
}

TEST_F(decisions, follow_the_mode_for_an_unknown_one) {
    EXPECT_EQ(decide_as(standing::unlisted).reply, reply::invalid_recipient);
    _domain.mode = mode::defer;
    EXPECT_EQ(decide_as(standing::unlisted).reply, reply::recipient_deferred);
    for (const mode passing : {mode::observe, mode::discover}) {
        _domain.mode = passing;
        EXPECT_TRUE(decide_as(standing::unlisted).pass);
        EXPECT_FALSE(decide_as(standing::unlisted).listed);
    }
}

TEST_F(decisions, keep_internal_addresses_from_strangers_whatever_the_mode) {
    _verdict.internal_only = true;
    _domain.mode = mode::observe;
    EXPECT_EQ(decide_as(standing::listed).reply, reply::from_outside);
    EXPECT_FALSE(decide_as(standing::listed).pass);
    _domain.trusted.push_back({.address = shard::ipv4(192, 0, 2, 0), .length = 96 + 24});
    EXPECT_TRUE(decide_as(standing::listed).pass);
}

TEST_F(decisions, defer_in_grace_only_where_the_domain_does) {
    _verdict.grace = true;
    EXPECT_TRUE(decide_as(standing::listed).pass);
    _domain.grace_defers = true;
    EXPECT_EQ(decide_as(standing::listed).reply, reply::recipient_deferred);
}

TEST_F(decisions, put_the_hold_before_all_else_that_is_served) {
    _domain.on_hold = true;
    for (const standing any : {standing::listed, standing::unlisted, standing::always}) {
        EXPECT_EQ(decide_as(any).reply, reply::on_hold);
    }
}

TEST_F(decisions, never_refuse_postmaster_by_the_list) {
    _domain.grace_defers = true;
    _verdict.grace = true;
    EXPECT_TRUE(decide_as(standing::always).pass);
    EXPECT_TRUE(decide_as(standing::always).listed);
}

TEST_F(decisions, need_a_confirmed_route_to_pass) {
    _route_settings.confirmed = false;
    EXPECT_EQ(decide_as(standing::listed).why, reason::route_not_confirmed);
    EXPECT_EQ(decide_as(standing::unlisted).reply, reply::invalid_recipient);
    _verdict.standing = standing::listed;
    _verdict.route = nullptr;
    EXPECT_EQ(decide(_verdict, _peer).why, reason::no_route);
    EXPECT_EQ(decide(_verdict, _peer).reply, reply::no_route);
}

TEST_F(decisions, refuse_a_domain_that_is_not_served) {
    EXPECT_EQ(decide({}, _peer).reply, reply::not_served);
    EXPECT_EQ(decide_as(standing::not_served).reply, reply::not_served);
}

TEST(explanations, say_what_a_session_would) {
    const auto table = recipients::testing::snapshot_of({{"alice@example.com"}}, recipients::testing::two_domains(), 9);
    settings under;
    const auto peer = shard::ipv4(192, 0, 2, 1);
    const auto ask = [&](const char* text, const recipients::snapshot* in) {
        return explain(in, recipients::testing::address(text), peer, under);
    };
    EXPECT_EQ(ask("alice@example.com", table.get()).decision.why, reason::listed);
    EXPECT_EQ(ask("alice@example.com", table.get()).verdict.generation, 9U);
    EXPECT_EQ(ask("nobody@example.com", table.get()).decision.why, reason::unknown);
    EXPECT_EQ(ask("nobody@example.org", table.get()).decision.why, reason::unknown_deferred);
    EXPECT_EQ(ask("x@elsewhere.example", table.get()).decision.why, reason::not_served);
    EXPECT_EQ(ask("alice@[192.0.2.1]", table.get()).decision.why, reason::literal);
    EXPECT_EQ(ask("alice@example.com", nullptr).decision.why, reason::no_table);
    EXPECT_EQ(ask("postmaster", table.get()).decision.why, reason::no_route);
    under.postmaster_route = 7;
    EXPECT_EQ(ask("postmaster", table.get()).decision.why, reason::always);
    EXPECT_FALSE(to_string(reason::always).empty());
}

}  // namespace

}  // namespace postern::session
