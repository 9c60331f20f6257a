// Domain settings: networks, the section of the file and the index of it.
#include "smtp/recipients/domains.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <string>

#include "smtp/recipients/builder.h"
#include "smtp/recipients/domain_codec.h"
#include "smtp/recipients/domain_index.h"
#include "tests/smtp/recipients/table_fixture.h"

namespace postern::recipients::testing {
namespace {

network make_network(std::initializer_list<std::uint8_t> octets, std::uint8_t length) {
    network net;
    std::copy(octets.begin(), octets.end(), net.address.begin());
    net.length = length;
    return net;
}

std::array<std::uint8_t, 16> mapped(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d};
}

TEST(network, contains_the_hosts_that_share_its_prefix) {
    const network eight{mapped(10, 0, 0, 0), 96 + 8};
    EXPECT_TRUE(eight.contains(mapped(10, 1, 2, 3)));
    EXPECT_FALSE(eight.contains(mapped(11, 1, 2, 3)));
    const network twenty{mapped(192, 168, 16, 0), 96 + 20};
    EXPECT_TRUE(twenty.contains(mapped(192, 168, 31, 255)));
    EXPECT_FALSE(twenty.contains(mapped(192, 168, 32, 0)));
    const network host{mapped(192, 0, 2, 1), 128};
    EXPECT_TRUE(host.contains(mapped(192, 0, 2, 1)));
    EXPECT_FALSE(host.contains(mapped(192, 0, 2, 0)));
    const network all{{}, 0};
    EXPECT_TRUE(all.contains(mapped(1, 2, 3, 4)));
    const network odd = make_network({0x20, 0x01, 0x0D, 0x80}, 25);
    EXPECT_TRUE(odd.contains(make_network({0x20, 0x01, 0x0D, 0xB8, 1}, 128).address));
    EXPECT_FALSE(odd.contains(make_network({0x20, 0x01, 0x0D, 0x38, 1}, 128).address));
}

domain_section full_section() {
    domain_section section = two_domains();
    domain_settings& d = section.domains[0];
    d.subaddress_delimiter = '\0';
    d.grace_defers = d.strip_prvs = d.accept_srs = d.on_hold = true;
    d.abuse_always = false;
    d.trusted = {{mapped(10, 0, 0, 0), 96 + 8}, make_network({0x20, 0x01, 0x0D, 0xB8}, 32), {{}, 0}};
    section.domains.push_back(make_domain(4294967295U, "xn--bcher-kva.example", mode::discover));
    section.domains.push_back(make_domain(5, "[192.0.2.1]", mode::observe));
    section.routes.push_back({9, false, false, 65535, {}});
    return section;
}

std::span<const std::byte> octets(const std::string& text) {
    return std::as_bytes(std::span(text));
}

TEST(domain_section, comes_back_as_it_was_written) {
    const domain_section section = full_section();
    ASSERT_TRUE(check_domains(section));
    const auto back = decode_domains(octets(encode_domains(section)));
    ASSERT_TRUE(back) << back.error();
    EXPECT_EQ(back->domains, section.domains);
    EXPECT_EQ(back->routes, section.routes);
}

TEST(domain_section, may_be_empty) {
    const auto back = decode_domains({});
    ASSERT_TRUE(back);
    EXPECT_TRUE(back->domains.empty());
    EXPECT_EQ(encode_domains({}), "");
}

TEST(domain_section, is_refused_where_it_is_cut) {
    const std::string whole = encode_domains(full_section());
    std::size_t refused = 0;
    for (std::size_t size = 1; size < whole.size(); ++size) {
        const auto back = decode_domains(octets(whole.substr(0, size)));
        // Between records a shorter section is a section; its counts are the header's business.
        refused += back ? 0 : 1;
        if (!back) {
            EXPECT_FALSE(back.error().empty());
        }
    }
    EXPECT_GE(refused, whole.size() - 9);
}

TEST(domain_section, random_octets_are_refused_or_a_section_that_holds_its_promises) {
    std::mt19937 random(3);
    const std::string whole = encode_domains(full_section());
    std::size_t taken = 0;
    for (std::size_t round = 0; round < 100000; ++round) {
        std::string changed = whole;
        for (std::size_t i = 0; i < 1 + round % 3; ++i) {
            changed[random() % changed.size()] = static_cast<char>(random());
        }
        const auto back = decode_domains(octets(changed));
        if (back) {
            ++taken;
            EXPECT_TRUE(check_domains(*back));
            EXPECT_EQ(encode_domains(*back), changed) << "one section, one encoding";
        }
    }
    EXPECT_GT(taken, 100U);
}

TEST(domain_section, is_checked_for_its_promises) {
    using change = std::function<void(domain_section&)>;
    const std::vector<std::pair<change, std::string>> cases = {
        {[](auto& s) { s.domains[0].id = 0; }, "has the id 0"},
        {[](auto& s) { s.domains[1].id = 1; }, "another domain has its id"},
        {[](auto& s) { s.domains[1].name = "example.com"; }, "stands there twice"},
        {[](auto& s) { s.domains[1].name = "Example.org"; }, "no domain in normal form"},
        {[](auto& s) { s.domains[1].name = ""; }, "no domain in normal form"},
        {[](auto& s) { s.domains[1].name = "exa mple.org"; }, "no domain in normal form"},
        {[](auto& s) { s.domains[1].target = 99; }, "there is no domain 99"},
        {[](auto& s) { s.domains[1].target = 3; }, "which is an alias itself"},
        {[](auto& s) { s.domains[1].route = 99; }, "there is no route 99"},
        {[](auto& s) { s.domains[1].mode = static_cast<mode>(4); }, "unknown mode 4"},
        {[](auto& s) { s.domains[1].subaddress_delimiter = '@'; }, "delimiter"},
        {[](auto& s) { s.domains[1].subaddress_delimiter = 'a'; }, "delimiter"},
        {[](auto& s) { s.domains[1].subaddress_delimiter = '\x80'; }, "delimiter"},
        {[](auto& s) {
             s.domains[1].trusted = {{mapped(10, 0, 0, 1), 96 + 8}};
         },
         "host bits"},
        {[](auto& s) {
             s.domains[1].trusted = {{{}, 129}};
         },
         "length over 128"},
        {[](auto& s) {
             s.domains[1].trusted.resize(65537, {{}, 0});
         },
         "more than 65536 trusted"},
        {[](auto& s) { s.routes[0].id = 0; }, "route has the id 0"},
        {[](auto& s) { s.routes[1].id = 7; }, "route 7 stands there twice"},
        {[](auto& s) { s.routes[0].hosts[0].host = ""; }, "a host's name is empty"},
        {[](auto& s) { s.routes[0].hosts[0].host = std::string(256, 'a'); }, "longer than 255"},
        {[](auto& s) { s.routes[0].hosts[0].host = "mail\nexample"; }, "not visible ASCII"},
        {[](auto& s) { s.routes[0].hosts[0].port = 0; }, "the port 0"},
        {[](auto& s) {
             s.routes[0].hosts.resize(257, {"a", 25, 10});
         },
         "more than 256 hosts"},
    };
    for (const auto& [break_it, message] : cases) {
        domain_section section = two_domains();
        break_it(section);
        const auto checked = check_domains(section);
        ASSERT_FALSE(checked) << message;
        EXPECT_NE(checked.error().find(message), std::string::npos) << checked.error();
    }
}

TEST(domain_index, finds_names_ids_and_routes) {
    const domain_index index(two_domains(), 42);
    const auto* const com = index.find("example.com");
    ASSERT_NE(com, nullptr);
    EXPECT_EQ(com->settings->id, 1U);
    ASSERT_NE(com->route, nullptr);
    EXPECT_EQ((*com->route)->hosts.front().host, "mail.example.com");
    EXPECT_EQ(index.find("example.net"), nullptr);
    EXPECT_EQ(index.find(""), nullptr);
    EXPECT_EQ(index.find("example.co"), nullptr);
    EXPECT_EQ(index.find_id(2)->name, "example.org");
    EXPECT_EQ(index.find_id(0), nullptr);
    EXPECT_EQ(index.find_id(4), nullptr);
    EXPECT_EQ((*index.find_route(8))->id, 8U);
    EXPECT_EQ(index.find_route(9), nullptr);
}

TEST(domain_index, resolves_an_alias_to_its_target) {
    const domain_index index(two_domains(), 42);
    const auto* const alias = index.find("alias.example");
    ASSERT_NE(alias, nullptr);
    EXPECT_EQ(alias->own->id, 3U);
    EXPECT_EQ(alias->settings->id, 1U);
    EXPECT_EQ((*alias->route)->id, 7U);
}

TEST(domain_index, a_domain_may_have_no_route) {
    domain_section section = two_domains();
    section.domains[0].route = 0;
    const domain_index index(std::move(section), 42);
    EXPECT_EQ(index.find("example.com")->route, nullptr);
}

TEST(domain_index, holds_a_hundred_thousand_domains) {
    domain_section section;
    for (std::uint32_t i = 1; i <= 100000; ++i) {
        section.domains.push_back(make_domain(i * 7, "host" + std::to_string(i) + ".example"));
    }
    const domain_index index(std::move(section), 42);
    for (std::uint32_t i = 1; i <= 100000; ++i) {
        const auto* const found = index.find("host" + std::to_string(i) + ".example");
        ASSERT_NE(found, nullptr) << i;
        ASSERT_EQ(found->settings->id, i * 7);
        ASSERT_EQ(index.find_id(i * 7), found->settings);
    }
    EXPECT_EQ(index.find("host100001.example"), nullptr);
}

TEST(domain_index, of_nothing_finds_nothing) {
    const domain_index index({}, 1);
    EXPECT_EQ(index.find("example.com"), nullptr);
    EXPECT_EQ(index.find_id(1), nullptr);
    EXPECT_EQ(index.find_route(1), nullptr);
}

}  // namespace
}  // namespace postern::recipients::testing
