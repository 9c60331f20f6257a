// Discovery's rules of evidence, one by one.
#include "smtp/judge/evidence.h"

#include <gtest/gtest.h>

#include "smtp/judge/sender_key.h"

namespace postern::judge {
namespace {

circumstances usual() {
    return {.sender = "ann@sender.example", .recipient = "bob@example.com"};
}

TEST(evidence, is_one_message_to_one_recipient) {
    EXPECT_EQ(why_no_evidence(usual()), std::nullopt);
}

TEST(evidence, is_none_from_the_null_sender) {
    circumstances of = usual();
    of.sender = "";
    EXPECT_EQ(why_no_evidence(of), absence::null_sender);
}

TEST(evidence, is_none_to_several_unless_the_server_refuses_unknown_ones_at_rcpt) {
    circumstances of = usual();
    of.accepted = 2;
    EXPECT_EQ(why_no_evidence(of), absence::several_recipients);
    of.refuses_unknown = true;
    EXPECT_EQ(why_no_evidence(of), std::nullopt);
}

TEST(evidence, is_none_beside_a_refused_recipient) {
    circumstances of = usual();
    of.refused = 1;
    of.refuses_unknown = true;
    EXPECT_EQ(why_no_evidence(of), absence::refused_recipient);
}

TEST(evidence, is_none_for_or_from_an_address_that_was_made_for_one_message) {
    for (const char* form :
         {"prvs=0123456789=bob@example.com", "PRVS=0123456789=Bob@example.com", "msprvs1=18xyz=bounces-1@example.com",
          "btv1==0123abcd==bob@example.com", "SRS0=HHH=TT=example.org=bob@example.com",
          "srs0+HHH=TT=a.example=b@example.com", "SRS1=HHH=fwd.example==HHH=TT=example.org=bob@example.com",
          "list-bounces+bob=example.org@example.com", "list-return-17-bob=example.org@example.com"}) {
        circumstances of = usual();
        of.recipient = form;
        EXPECT_EQ(why_no_evidence(of), absence::special_form) << form;
        of = usual();
        of.sender = form;
        EXPECT_EQ(why_no_evidence(of), absence::special_form) << form;
    }
}

TEST(evidence, is_there_for_addresses_that_only_look_a_little_like_it) {
    for (const char* plain : {"bob+lists@example.com", "bob-smith@example.com", "a=b@example.com", "x+y=z@example.com",
                              "+a=example.org@example.com", "srs@example.com", "srs0@example.com", "prvs@example.com",
                              "bob+tag=.org@example.com", "\"bob smith\"@example.com"}) {
        circumstances of = usual();
        of.recipient = plain;
        EXPECT_EQ(why_no_evidence(of), std::nullopt) << plain;
    }
}

TEST(evidence, of_a_sender_is_counted_by_its_normal_form_under_a_key) {
    const recipients::hash_key key{1, 2};
    EXPECT_EQ(hash_sender(key, "Ann@Sender.EXAMPLE"), hash_sender(key, "ann@sender.example"));
    EXPECT_NE(hash_sender(key, "ann@sender.example"), hash_sender(key, "bob@sender.example"));
    EXPECT_NE(hash_sender(key, "ann@sender.example"), hash_sender({1, 3}, "ann@sender.example"));
    EXPECT_EQ(hash_sender(key, "no address"), 0U);
}

}  // namespace
}  // namespace postern::judge
