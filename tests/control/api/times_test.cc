#include <gtest/gtest.h>

#include <boost/json/value.hpp>

#include "control/api/networks.h"
#include "control/api/times.h"

namespace postern::api {
namespace {

TEST(times, are_written_and_read_as_rfc3339) {
    EXPECT_TRUE(time_value(0).is_null());
    EXPECT_EQ(time_value(1'769'860'800'123).as_string(), "2026-01-31T12:00:00.123Z");
    EXPECT_EQ(parse_time("2026-01-31T12:00:00.123Z"), 1'769'860'800'123);
    EXPECT_EQ(parse_time("2026-01-31T12:00:00Z"), 1'769'860'800'000);
    EXPECT_EQ(parse_time("2026-01-31T13:30:00+01:30"), 1'769'860'800'000);
    EXPECT_EQ(parse_time("2026-01-31T12:00:00.1234567Z"), 1'769'860'800'123);
}

TEST(times, that_are_none_are_refused) {
    for (const char* text :
         {"", "2026-01-31", "2026-01-31 12:00:00Z", "2026-02-30T12:00:00Z", "2026-01-31T24:00:00Z",
          "2026-01-31T12:00:00", "2026-01-31T12:00:00+1:00", "2026-13-01T00:00:00Z", "2026-01-31T12:00:00.Zx"}) {
        EXPECT_FALSE(parse_time(text)) << text;
    }
}

TEST(networks, come_back_as_they_were) {
    for (const char* text : {"192.0.2.0/24", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::/32", "::/0", "::1/128"}) {
        const auto network = parse_network(text);
        ASSERT_TRUE(network) << text;
        EXPECT_EQ(to_text(*network), text);
    }
    EXPECT_EQ(to_text(*parse_network("192.0.2.7")), "192.0.2.7/32");
}

TEST(networks, that_are_none_are_refused) {
    for (const char* text :
         {"", "192.0.2.0/33", "192.0.2.1/24", "2001:db8::1/32", "x/8", "192.0.2.0/", "192.0.2.0/8x"}) {
        EXPECT_FALSE(parse_network(text)) << text;
    }
}

}  // namespace
}  // namespace postern::api
