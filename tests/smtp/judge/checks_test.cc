#include "smtp/judge/checks.h"

#include <gtest/gtest.h>

namespace postern::judge {
namespace {

TEST(checks, find_nothing_wrong_with_plain_mail) {
    EXPECT_EQ(check_header("From: a@b.example\r\nSubject: x\r\n\r\nhello\r\n").opinion, opinion::good);
    EXPECT_EQ(check_header("Received: x\r\n\tby y;\r\n  z\r\nfrom : a@b.example").opinion, opinion::good);
    EXPECT_EQ(check_header("From: a@b.example\r\nX-Spam-Flag: NO\r\nX-Spam-Status: No, score=-1\r\n\r\n").opinion,
              opinion::good);
}

TEST(checks, know_mail_that_was_marked_as_spam_on_its_way) {
    for (const char* mark :
         {"X-Spam-Flag: YES", "x-spam-flag:yes", "X-Spam-Status: Yes, score=7.1 required=5", "X-Spam: Yes"}) {
        const verdict said = check_header("From: a@b.example\r\n" + std::string(mark) + "\r\n\r\n");
        EXPECT_EQ(said.opinion, opinion::bad) << mark;
        EXPECT_EQ(said.why, "marked as spam on its way");
    }
}

TEST(checks, want_a_from_field_in_the_header) {
    EXPECT_EQ(check_header("Subject: x\r\n\r\nFrom: a@b.example\r\n").opinion, opinion::bad);
    EXPECT_EQ(check_header("Subject: x\r\n From: a@b.example\r\n\r\n").why, "no From field");
    EXPECT_EQ(check_header("").opinion, opinion::bad);
}

TEST(checks, take_marks_of_the_header_only) {
    EXPECT_EQ(check_header("From: a@b.example\r\n\r\nX-Spam-Flag: YES\r\n").opinion, opinion::good);
}

}  // namespace
}  // namespace postern::judge
