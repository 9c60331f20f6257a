// The publisher is stopped as a crash would stop it, at every step and at random ones, while a random list changes; the
// edge must never have a wrong table and in the end have the list.
#include <gmock/gmock.h>

#include <map>
#include <random>

#include "control/directory/changes.h"
#include "tests/control/publish/publish_test_base.h"

namespace postern::publish {

namespace {

using directory::writer;

class publish_crash : public publish_test {
protected:
    static constexpr int people = 60;

    std::string address(int person) const {
        return "p" + std::to_string(person) + (person % 3 == 0 ? "@two.example" : "@one.example");
    }

    /// One random change of the directory and of the model.
    void change(std::mt19937& random) {
        const int person = static_cast<int>(random() % people);
        const std::string who = address(person);
        writer in = write();
        const auto found = find_mailbox(in, who);
        switch (random() % 8) {
            case 0:
            case 1:
            case 2:
                if (!found) {
                    directory::new_mailbox input;
                    input.address = who;
                    need(add_mailbox(in, input));
                    _model[who] = true;
                }
                break;
            case 3:
            case 4:
                if (found) {
                    need(remove_mailbox(in, found->id));
                    _model[who] = false;
                }
                break;
            case 5:
                need(block_address(in, who));
                _model[who] = false;
                break;
            case 6:
                if (found && found->hold == directory::hold::blocked) {
                    directory::mailbox_change lift;
                    lift.hold = directory::hold::none;
                    _model[who] = need(change_mailbox(in, found->id, lift)).valid;
                }
                break;
            default:
                if (random() % 4 == 0) {
                    need(note_bulk(in));
                } else {
                    directory::domain_change hold;
                    hold.on_hold = random() % 2 == 0;
                    need(change_domain(in, need(directory::find_domain(in, "one.example")).id, hold));
                }
        }
        commit(in);
    }

    void expect_model() {
        for (int person = 0; person < people; ++person) {
            const std::string who = address(person);
            EXPECT_EQ(_edge.standing(who), _model[who] ? "listed" : "unlisted") << who;
        }
        const bool on_hold = need(directory::find_domain(need(_store->read()), "one.example")).settings.on_hold;
        ASSERT_NE(_edge.domain("x@one.example"), nullptr);
        EXPECT_EQ(_edge.domain("x@one.example")->on_hold, on_hold);
        EXPECT_THAT(_edge.complaints(), testing::IsEmpty());
        const std::vector<std::uint64_t> numbers = _edge.numbers();
        EXPECT_TRUE(std::ranges::adjacent_find(numbers, std::greater_equal<>()) == numbers.end())
            << "numbers only grow: " << testing::PrintToString(numbers);
    }

    std::map<std::string, bool> _model;
};

TEST_F(publish_crash, after_a_crash_at_any_step_the_edge_gets_the_list) {
    _edge.start();
    add("one.example");
    add("two.example");
    std::mt19937 random(1);
    for (const std::string_view step : {"absorbed", "base_written", "base_recorded", "overlay_written", "prepared",
                                        "committed", "recorded", "forgotten", "cleaned"}) {
        SCOPED_TRACE(step);
        std::atomic<bool> crashed{false};
        start(3, [&](std::string_view at) {
            const bool here = at == step;
            crashed = crashed || here;
            return here;
        });
        for (int n = 0; n < 400 && !crashed; ++n) {
            change(random);
            std::this_thread::yield();
        }
        ASSERT_TRUE(eventually([&] { return crashed.load(); }));
        change(random);
        start(3);
        settle();
        expect_model();
    }
}

TEST_F(publish_crash, random_changes_crashes_and_edge_restarts_end_in_the_list) {
    _edge.start();
    add("one.example");
    add("two.example");
    std::mt19937 random(20260131);
    for (int round = 0; round < 25; ++round) {
        SCOPED_TRACE(round);
        const auto left = std::make_shared<std::atomic<int>>(static_cast<int>(random() % 40));
        start(1 + random() % 20, [left](std::string_view) { return left->fetch_sub(1) == 0; });
        for (int n = 0; n < 20; ++n) {
            change(random);
            if (random() % 10 == 0) {
                _edge.stop();
                _edge.start();
            }
        }
        if (random() % 2 == 0) {
            start();
            settle();
            expect_model();
        }
    }
    start();
    settle();
    expect_model();
}

}  // namespace
}  // namespace postern::publish
