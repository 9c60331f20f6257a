// What becomes of packets on a bad path, decided here for the simulator, for a relay between two network ports and for
// two ports of one process: by seeded chance, and by rules ("drop the first N that match"). Time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include "dataplane/shard/seam.h"

namespace postern::wire {

/// Chance; shares are of 1000.
struct path {
    unsigned lost = 0;
    unsigned duplicated = 0;
    unsigned reordered = 0;  ///< held back by up to 4 delays
    unsigned corrupted = 0;  ///< one bit flipped
    shard::instant delay = std::chrono::milliseconds(10);
    std::uint64_t rate = 0;  ///< octets a second each way; 0: without limit
    unsigned seed = 1;
};

enum class deed : std::uint8_t { drop, duplicate, hold, corrupt };

/// Does it to the first `times` packets that match. Matching is on what was sent, before chance.
template <class Packet>
struct tamper_rule {
    std::function<bool(const Packet&)> matches;
    unsigned times = 1;
    deed does = deed::drop;
    shard::instant held = shard::instant::zero();  ///< for deed::hold
};

/// `Packet` is what rules look at; what crosses are octets.
template <class Packet>
class tampering {
public:
    using octets = std::vector<std::uint8_t>;

    explicit tampering(const path& p) : _path(p), _random(p.seed) {}

    std::vector<tamper_rule<Packet>> rules;
    std::size_t crossed = 0;    ///< packets that were sent
    std::size_t dropped = 0;    ///< by chance or rule
    std::size_t corrupted = 0;  ///< the same
    std::size_t first = 0;      ///< corruption spares the octets before
    std::size_t overhead = 0;   ///< octets of each packet that count for the rate and are not among its octets

    /// From now on; the seed of before goes on.
    void change(const path& p) { _path = p; }
    const path& now_is() const noexcept { return _path; }

    /// A packet enters the path: `deliver(when, octets)` is called for each that comes out, at once. `way` is 0 or 1.
    template <class Deliver>
    void cross(const Packet& p, unsigned way, shard::instant now, octets whole, Deliver&& deliver) {
        ++crossed;
        bool twice = false;
        bool broken = false;
        shard::instant held = shard::instant::zero();
        for (tamper_rule<Packet>& rule : rules) {
            if (rule.times == 0 || !rule.matches(p)) {
                continue;
            }
            --rule.times;
            switch (rule.does) {
                case deed::drop:
                    ++dropped;
                    return;
                case deed::duplicate:
                    twice = true;
                    break;
                case deed::hold:
                    held += rule.held;
                    break;
                case deed::corrupt:
                    broken = true;
                    break;
            }
        }
        shard::instant at = now + _path.delay;
        if (_path.rate != 0) {
            const auto taken = std::chrono::nanoseconds((whole.size() + overhead) * 1'000'000'000 / _path.rate);
            _free[way] = std::max(_free[way], now) + taken;
            at = _free[way] + _path.delay;
        }
        if (chance(_path.lost)) {
            ++dropped;
            return;
        }
        if (chance(_path.reordered)) {
            at += _path.delay * (1 + _random() % 4);
        }
        if ((chance(_path.corrupted) || broken) && whole.size() > first) {
            const std::size_t bit = _random() % ((whole.size() - first) * 8);
            whole[first + bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
            ++corrupted;
        }
        if (chance(_path.duplicated) || twice) {
            deliver(at + held + _path.delay / 2, whole);
        }
        deliver(at + held, std::move(whole));
    }

private:
    bool chance(unsigned of_1000) { return _random() % 1000 < of_1000; }

    path _path;
    std::mt19937 _random;
    shard::instant _free[2]{};
};

}  // namespace postern::wire
