#include "control/sources/microsoft365/links.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::sources::microsoft365 {
namespace {

const origin graph{"graph.microsoft.com", 443};

TEST(origins, are_https_hosts_without_anything_behind) {
    EXPECT_EQ(read_origin("https://graph.microsoft.com"), graph);
    EXPECT_EQ(read_origin("HTTPS://Graph.Microsoft.COM:443/"), graph);
    EXPECT_EQ(read_origin("https://127.0.0.1:8443"), (origin{"127.0.0.1", 8443}));
    EXPECT_EQ(read_origin("https://[2001:db8::1]:8443"), (origin{"[2001:db8::1]", 8443}));
    for (const char* const bad :
         {"", "http://graph.microsoft.com", "graph.microsoft.com", "https://", "https:///", "https://a/b",
          "https://user@a", "https://a:0", "https://a:65536", "https://a:", "https://a b", "https://[::1",
          "https://a?b", "https://[]", "https://a#b", "https://a\\b"}) {
        EXPECT_FALSE(read_origin(bad)) << bad;
    }
    EXPECT_EQ(graph.url(), "https://graph.microsoft.com");
    EXPECT_EQ((origin{"[::1]", 8443}).url(), "https://[::1]:8443");
}

TEST(links, on_the_host_are_taken_for_their_path_and_query_alone) {
    EXPECT_EQ(target_on(graph, "https://graph.microsoft.com/v1.0/users/delta?$skiptoken=a%20b'c"),
              "/v1.0/users/delta?$skiptoken=a%20b'c");
    EXPECT_EQ(target_on(graph, "https://GRAPH.microsoft.com:443/v1.0"), "/v1.0");
}

TEST(links, to_elsewhere_are_none) {
    for (const char* const bad :
         {"https://graph.microsoft.com.evil.example/v1.0", "https://evil.example/graph.microsoft.com/",
          "http://graph.microsoft.com/v1.0", "https://graph.microsoft.com:8443/v1.0",
          "https://graph.microsoft.com@evil.example/v1.0", "https://evil.example\\@graph.microsoft.com/v1.0",
          "//graph.microsoft.com/v1.0", "/v1.0/users/delta", "https://graph.microsoft.com",
          "https://169.254.169.254/latest", "https://graph.microsoft.com/v1.0\r\nX: y",
          "https://graph.microsoft.com/a b", "https://graph.microsoft.com/a#b", "file:///etc/passwd", ""}) {
        EXPECT_FALSE(target_on(graph, bad)) << bad;
    }
    EXPECT_FALSE(target_on(graph, "https://graph.microsoft.com/" + std::string(20'000, 'a')));
}

TEST(percent, encodes_what_is_not_unreserved) {
    EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encoded("a b&c=d+\xC3\xA4"), "a%20b%26c%3Dd%2B%C3%A4");
}

}  // namespace
}  // namespace postern::sources::microsoft365
