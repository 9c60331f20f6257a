// The Internet checksum, however its parts are added: against the sum of RFC 1071 4.1, sixteen bits at a time.
#include "dataplane/net/checksum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace postern::net {
namespace {

std::uint16_t plain(octets some) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < some.size(); i += 2) {
        sum += static_cast<std::uint32_t>(some[i]) << 8U;
        sum += i + 1 < some.size() ? some[i + 1] : 0U;
        sum = (sum & 0xffffU) + (sum >> 16U);
    }
    return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> drawn(std::mt19937& random, std::size_t size) {
    std::vector<std::uint8_t> out(size);
    const bool ones = random() % 4 == 0;  // carries everywhere
    for (std::uint8_t& one : out) {
        one = ones ? 0xff : static_cast<std::uint8_t>(random());
    }
    return out;
}

TEST(checksum, is_that_of_the_rfc_for_every_length) {
    std::mt19937 random(1);
    for (std::size_t size = 1; size <= 200; ++size) {
        const auto text = drawn(random, size);
        EXPECT_EQ(checksum(text), plain(text)) << size;
    }
}

TEST(checksum, copying_adds_the_same_and_copies_no_more) {
    std::mt19937 random(2);
    for (std::size_t size = 0; size <= 200; ++size) {
        const auto text = drawn(random, size);
        std::vector<std::uint8_t> copy(size + 8, 0x55);
        checksum_sum sum;
        sum.add_copy(copy.data(), reinterpret_cast<const char*>(text.data()), size);
        EXPECT_EQ(sum.complement(), plain(text)) << size;
        EXPECT_TRUE(std::equal(text.begin(), text.end(), copy.begin())) << size;
        EXPECT_EQ(std::count(copy.begin() + static_cast<std::ptrdiff_t>(size), copy.end(), 0x55), 8) << size;
    }
}

TEST(checksum, numbers_count_as_the_octets_they_stand_for) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 1000; ++i) {
        const std::uint64_t number = i == 0 ? ~std::uint64_t{0} : random();
        std::vector<std::uint8_t> text(8);
        write32(text.data(), static_cast<std::uint32_t>(number >> 32U));
        write32(text.data() + 4, static_cast<std::uint32_t>(number));
        EXPECT_EQ(checksum_sum().add64(number).complement(), plain(text)) << number;
    }
}

}  // namespace
}  // namespace postern::net
