#include "perf/port_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "perf/options.h"

namespace postern::perf {
namespace {

using testing::HasSubstr;

port_words usual() {
    port_words said;
    said.device = "net_af_packet0,iface=eth1";
    said.address = "192.0.2.250/24";
    return said;
}

endpoint target(const std::string& text, std::uint32_t sources = 1) {
    endpoint out = resolve_target(text, true).value();
    out.sources = sources;
    return out;
}

TEST(port_plan, takes_sources_one_after_the_other) {
    const auto plan = make_port_plan(usual(), target("192.0.2.9:25", 4), 100);
    ASSERT_TRUE(plan) << plan.error();
    ASSERT_EQ(plan->network.addresses.size(), 4U);
    EXPECT_EQ(plan->network.addresses[0].ip, net::ipv4(192, 0, 2, 250));
    EXPECT_EQ(plan->network.addresses[3].ip, net::ipv4(192, 0, 2, 253));
    EXPECT_EQ(plan->server.address, net::ipv4(192, 0, 2, 9));
    EXPECT_EQ(plan->server.port, 25);
    EXPECT_THAT(plan->network.gateways, testing::ElementsAre(net::ipv4(192, 0, 2, 9)))
        << "on the link: asked for itself";
}

TEST(port_plan, of_ipv6_goes_the_same_way) {
    port_words said = usual();
    said.address = "2001:db8::16/64";
    const auto plan = make_port_plan(said, target("[2001:db8::9]:25", 2), 1);
    ASSERT_TRUE(plan) << plan.error();
    EXPECT_EQ(plan->network.addresses[1].ip[15], 0x17);
    EXPECT_EQ(plan->network.gateways.front(), plan->server.address);
}

TEST(port_plan, goes_by_the_gateway_to_another_network) {
    port_words said = usual();
    EXPECT_THAT(make_port_plan(said, target("198.51.100.1:25"), 1).error(), HasSubstr("--gateway"));
    said.gateway = "192.0.2.1";
    EXPECT_THAT(make_port_plan(said, target("198.51.100.1:25"), 1)->network.gateways,
                testing::ElementsAre(net::ipv4(192, 0, 2, 1)));
    said.gateway = "10.0.0.1";
    EXPECT_THAT(make_port_plan(said, target("198.51.100.1:25"), 1).error(),
                HasSubstr("gateway has to be in a network"));
}

TEST(port_plan, has_ports_for_all_connections) {
    EXPECT_TRUE(make_port_plan(usual(), target("192.0.2.9:25"), 64'512));
    EXPECT_THAT(make_port_plan(usual(), target("192.0.2.9:25"), 64'513).error(), HasSubstr("more --sources"));
    EXPECT_TRUE(make_port_plan(usual(), target("192.0.2.9:25", 2), 64'513));
    port_words many = usual();
    many.address = "192.0.2.16/24";
    EXPECT_TRUE(make_port_plan(many, target("192.0.2.9:25", 32), 2'000'000));
}

TEST(port_plan, names_the_option_that_is_wrong) {
    const auto error = [](auto change, const std::string& to = "192.0.2.9:25", std::uint32_t sources = 1) {
        port_words said = usual();
        change(said);
        const auto plan = make_port_plan(said, target(to, sources), 1);
        return plan ? std::string("none") : plan.error();
    };
    const auto nothing = [](port_words&) {};
    EXPECT_THAT(error([](port_words& said) { said.device = ""; }), HasSubstr("--device"));
    EXPECT_THAT(error([](port_words& said) { said.address = "192.0.2.16"; }), HasSubstr("--address '192.0.2.16'"));
    EXPECT_THAT(error([](port_words& said) { said.address = "192.0.2.16/33"; }), HasSubstr("--address"));
    EXPECT_THAT(error([](port_words& said) { said.mac = "02:00"; }), HasSubstr("--mac '02:00'"));
    EXPECT_THAT(error(nothing, "[2001:db8::9]:25"), HasSubstr("different IP versions"));
    EXPECT_THAT(error(nothing, "192.0.2.9:25", 7), HasSubstr("--sources 7"));
    EXPECT_THAT(error(nothing, "192.0.2.251:25", 2), HasSubstr("--target is one of"));
    EXPECT_THAT(error([](port_words& said) { said.mtu = 500; }), HasSubstr("MTU"));
}

}  // namespace
}  // namespace postern::perf
