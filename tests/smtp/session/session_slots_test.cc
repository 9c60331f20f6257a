#include "smtp/session/session_slots.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace {

using postern::session::client_session;
using postern::session::session_slots;
using postern::session::session_state;
using postern::shard::slot_rooms;

constexpr std::size_t apart = 384;

/// Rooms beside 100 slots of 256 octets of somebody else's.
struct rooms {
    static constexpr std::size_t slots = 100;
    struct alignas(64) memory_of_all {
        std::array<std::byte, apart * slots> octets;
    };
    std::unique_ptr<memory_of_all> memory = std::make_unique<memory_of_all>();

    slot_rooms of(std::size_t octets) { return {memory->octets.data() + 256, apart, octets}; }
    std::byte* at(std::size_t slot) { return memory->octets.data() + 256 + slot * apart; }
};

void open(session_slots& slots, std::uint32_t slot, std::uint32_t serial) {
    client_session* const s = slots.make(slot);
    ASSERT_NE(s, nullptr);
    s->state = session_state::ready;
    s->serial = serial;
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> opened(session_slots& slots) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
    slots.for_each_open([&](std::uint32_t slot, const client_session& s) { out.emplace_back(slot, s.serial); });
    return out;
}

TEST(session_slots, has_nothing_before_a_slot_was_opened) {
    session_slots slots({});
    EXPECT_EQ(slots.find(0), nullptr);
    EXPECT_EQ(slots.find(UINT32_MAX), nullptr);
    EXPECT_TRUE(opened(slots).empty());
}

TEST(session_slots, keeps_sessions_in_chunks_of_its_own) {
    session_slots slots({});
    open(slots, 3, 30);
    open(slots, 40'000, 40);
    EXPECT_EQ(slots.find(3)->serial, 30U);
    EXPECT_EQ(slots.find(40'000)->serial, 40U);
    EXPECT_EQ(slots.find(4)->state, session_state::closed);
    EXPECT_EQ(slots.find(20'000), nullptr) << "a chunk that nobody opened";
    EXPECT_EQ(opened(slots), (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{3, 30}, {40'000, 40}}));
}

TEST(session_slots, keeps_them_beside_the_connections_where_there_is_room) {
    rooms beside;
    session_slots slots(beside.of(128));
    open(slots, 7, 70);
    open(slots, 99, 990);
    EXPECT_EQ(static_cast<void*>(slots.find(7)), beside.at(7));
    EXPECT_EQ(static_cast<void*>(slots.find(99)), beside.at(99));
    EXPECT_EQ(slots.find(8)->state, session_state::closed) << "octets that are zero";
    EXPECT_EQ(opened(slots), (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{7, 70}, {99, 990}}));
    for (std::size_t i = 0; i < 256; ++i) {
        EXPECT_EQ(beside.memory->octets[7 * apart + i], std::byte{0}) << "not its own";
    }
}

TEST(session_slots, leaves_rooms_alone_that_are_too_small) {
    rooms beside;
    session_slots slots(beside.of(64));
    open(slots, 7, 70);
    EXPECT_NE(static_cast<void*>(slots.find(7)), beside.at(7));
    EXPECT_EQ(*beside.at(7), std::byte{0});
}

TEST(session_slots, begins_anew_with_each_session) {
    session_slots slots({});
    open(slots, 1, 10);
    slots.find(1)->errors = 5;
    slots.find(1)->state = session_state::closed;
    EXPECT_TRUE(opened(slots).empty());
    open(slots, 1, 11);
    EXPECT_EQ(slots.find(1)->errors, 0U);
    EXPECT_EQ(opened(slots), (std::vector<std::pair<std::uint32_t, std::uint32_t>>{{1, 11}}));
}

}  // namespace
