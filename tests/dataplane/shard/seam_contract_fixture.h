// What every test of the seam's contract has: a rig, its probe, a connection, and ways to wait.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tests/dataplane/shard/rigs.h"

namespace postern::shard {

using namespace std::chrono_literals;

template <class Rig>
class seam_contract : public testing::Test {
protected:
    using probe_type = std::remove_reference_t<decltype(std::declval<Rig&>().layer())>;
    using kind = typename probe_type::kind;

    Rig rig;
    probe_type& layer = rig.layer();

    /// A connection that is open, and its id.
    std::size_t peer = 0;
    connection id;
    void open() {
        peer = rig.connect();
        const std::size_t before = layer.count(kind::opened);
        ASSERT_TRUE(rig.until([&] { return layer.count(kind::opened) > before; }));
        id = layer.last;
    }
    bool until_received(std::string_view all) {
        return rig.until([&] { return rig.received(peer).size() >= all.size(); }) && rig.received(peer) == all;
    }
    bool until_count(kind what, std::size_t n) {
        return rig.until([&] { return layer.count(what) >= n; });
    }
    std::string last_offered() const {
        for (auto e = layer.events.rbegin(); e != layer.events.rend(); ++e) {
            if (e->what == kind::readable) {
                return e->octets;
            }
        }
        return {};
    }
    static std::string noise(std::size_t n, unsigned seed) {
        std::mt19937 random(seed);
        std::string s(n, '\0');
        for (char& c : s) {
            c = static_cast<char>(random());
        }
        return s;
    }

    void TearDown() override {
        for (const std::string& complaint : layer.complaints) {
            ADD_FAILURE() << complaint;
        }
    }
};

}  // namespace postern::shard
