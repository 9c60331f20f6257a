// Which other local parts an address is looked up under.
#include "smtp/recipients/forms.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace postern::recipients {
namespace {

std::vector<std::string> forms(std::string_view local, const domain_settings& settings) {
    local_forms out;
    other_forms(local, settings, out);
    return {out.locals.begin(), out.locals.begin() + static_cast<std::ptrdiff_t>(out.count)};
}

using list = std::vector<std::string>;

TEST(forms, leave_out_the_subaddress) {
    const domain_settings plus;
    EXPECT_EQ(forms("alice+news", plus), list{"alice"});
    EXPECT_EQ(forms("alice+", plus), list{"alice"});
    EXPECT_EQ(forms("alice+a+b", plus), list{"alice"});
    EXPECT_EQ(forms("alice", plus), list{});
    EXPECT_EQ(forms("alice-news", plus), list{});
}

TEST(forms, keep_something_before_the_delimiter) {
    const domain_settings plus;
    EXPECT_EQ(forms("+news", plus), list{});
    EXPECT_EQ(forms("++news", plus), list{"+"});
    EXPECT_EQ(forms("a.+news", plus), list{});
}

TEST(forms, use_the_delimiter_of_the_domain) {
    domain_settings settings;
    settings.subaddress_delimiter = '-';
    EXPECT_EQ(forms("alice-news", settings), list{"alice"});
    EXPECT_EQ(forms("alice+news", settings), list{});
    settings.subaddress_delimiter = '\0';
    EXPECT_EQ(forms("alice+news", settings), list{});
}

TEST(forms, a_quoted_local_part_has_none) {
    domain_settings settings;
    settings.strip_prvs = true;
    EXPECT_EQ(forms("\"alice +news\"", settings), list{});
    EXPECT_EQ(forms("\"prvs=1234=a b\"", settings), list{});
}

TEST(forms, leave_out_a_prvs_tag_if_set) {
    domain_settings settings;
    EXPECT_EQ(forms("prvs=1234abcdef=alice", settings), list{});
    settings.strip_prvs = true;
    EXPECT_EQ(forms("prvs=1234abcdef=alice", settings), list{"alice"});
    EXPECT_EQ(forms("prvs=1234abcdef=alice+news", settings), (list{"prvs=1234abcdef=alice", "alice+news", "alice"}));
    EXPECT_EQ(forms("prvs=1234abcdef=alice=x", settings), list{"alice=x"});
}

TEST(forms, take_no_malformed_prvs_tag) {
    domain_settings settings;
    settings.strip_prvs = true;
    for (const char* local : {"prvs", "prvs=", "prvs==alice", "prvs=1234", "prvs=1234=", "prvs=12.4=alice",
                              "prvs=1234=.alice", "xprvs=1234=alice"}) {
        EXPECT_EQ(forms(local, settings), list{}) << local;
    }
}

TEST(forms, postmaster_is_always_there_and_abuse_unless_set_otherwise) {
    domain_settings settings;
    EXPECT_TRUE(is_always("postmaster", settings));
    EXPECT_TRUE(is_always("abuse", settings));
    EXPECT_FALSE(is_always("postmaster2", settings));
    EXPECT_FALSE(is_always("abuser", settings));
    settings.abuse_always = false;
    EXPECT_TRUE(is_always("postmaster", settings));
    EXPECT_FALSE(is_always("abuse", settings));
}

TEST(forms, know_rewritten_senders) {
    for (const char* local :
         {"srs0=hhhh=tt=example.net=alice", "srs0+hhhh=tt=example.net=alice", "srs0-hhhh=tt=example.net=alice",
          "srs0=hhhh=tt=example.net=alice=b", "srs1=hhhh=example.net==gggg=tt=example.org=alice",
          "srs1+hhhh=example.net=-gggg=tt=o=a"}) {
        EXPECT_TRUE(is_srs(local)) << local;
    }
    for (const char* local :
         {"", "srs", "srs0", "srs0=", "srs0=hhhh", "srs0=hhhh=tt", "srs0=hhhh=tt=example.net",
          "srs0=hhhh=tt=example.net=", "srs0==tt=example.net=alice", "srs0=hhhh==example.net=alice",
          "srs0_hhhh=tt=example.net=alice", "srs2=hhhh=tt=example.net=alice", "srs1=hhhh=example.net",
          "srs1=hhhh=example.net=", "srs1=hhhh=example.net==", "xsrs0=hhhh=tt=example.net=alice"}) {
        EXPECT_FALSE(is_srs(local)) << local;
    }
}

}  // namespace
}  // namespace postern::recipients
