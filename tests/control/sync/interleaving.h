// A list, and a model of it that knows only what each source last asserted: random steps of everything that changes a
// list are done to both, and in between the two are compared, in the store and at the edge.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "control/publish/publisher.h"
#include "tests/control/publish/fake_edge.h"
#include "tests/control/sync/scripted_directory.h"

namespace postern::sync {

class interleaving : public sync_test {
protected:
    interleaving();
    ~interleaving() override;

    void begin(std::uint64_t seed);
    /// Does something; what, in words.
    std::string step();
    /// Addresses that the model says are in the list.
    std::set<std::string> wanted() const;
    /// What each source asserts, in the store and in the model: the same union can have another cause.
    std::map<std::string, std::set<std::string>> asserted();
    std::map<std::string, std::set<std::string>> asserted_in_the_model() const;
    /// Those that the edge accepts, when all that was committed is in force there.
    std::set<std::string> at_the_edge();
    void expect_rows_in_order();

private:
    std::uint64_t pick(std::uint64_t below) {
        return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(_random);
    }
    bool chance(unsigned percent) { return pick(100) < percent; }
    std::string address() { return "u" + std::to_string(pick(addresses)) + "@example.com"; }

    void start_all(const std::string& crash_at = "");
    void restart();
    void edit(scripted_directory& people);
    void prepare(const std::string& name);
    std::string a_sync(const std::string& name);
    std::string two_syncs();
    std::string a_decision();
    std::string a_change_of_the_source();
    std::string a_restore();
    std::string by_hand();
    std::string an_import();
    std::string a_mailbox();
    std::string a_removal();
    std::string an_alias_move();
    std::string other_aliases();
    std::string a_hold();
    std::string a_discovery();
    std::string an_end_of_graces();
    /// What the source asserts after a run that ended so.
    void take_in(const std::string& name, const sync_run& done);
    void assert_instead(const std::string& source, std::set<std::string> next);
    void forget(const std::string& address);

    static constexpr std::uint64_t addresses = 12;
    publish::fake_edge _edge;
    std::unique_ptr<publish::publisher> _publisher;
    std::mt19937_64 _random;
    std::map<std::string, std::uint32_t> _sources;
    std::map<std::string, std::set<std::string>> _asserted;  ///< by source
    std::set<std::string> _pinned;
    std::set<std::string> _blocked;
    std::map<std::string, std::set<std::string>> _held;  ///< by source: what its directory had then
    struct moment {
        directory::timestamp at;
        std::map<std::string, std::set<std::string>> asserted;
    };
    std::vector<moment> _past;
};

}  // namespace postern::sync
