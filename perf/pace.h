// When the next unit (RCPT, session or message) of a thread's load may be sent. Sans-IO: times in ns are arguments.
//
// Units have a timetable: the k-th is due k / rate seconds after the start; with a ramp the rate grows evenly from 0,
// so that the k-th is due at sqrt(2 k ramp / rate) until the ramp is over. In a closed loop nobody makes up for a
// stall: the rest of the timetable is put off. In an open loop the timetable stands whatever the server does, and
// latency counts from it: a server that stalls is charged for those who would have come meanwhile (coordinated
// omission, Gil Tene).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace postern::perf {

class pace {
public:
    /// As fast as replies come.
    pace() = default;
    /// `per_second` > 0 from `start` on; it grows from 0 for `ramp_ns`. `open`: the timetable is never put off.
    pace(double per_second, std::uint64_t start, std::uint64_t ramp_ns, bool open) noexcept
        : _per_ns(per_second / 1e9), _ramp_ns(static_cast<double>(ramp_ns)), _start(start), _open(open) {}

    /// When the next unit is due; 0 without a rate.
    std::uint64_t due() const noexcept { return _per_ns == 0 ? 0 : _start + offset(_taken); }
    bool may(std::uint64_t now) const noexcept { return now >= due(); }

    /// From when the latency of a unit that is sent now counts.
    std::uint64_t counts_from(std::uint64_t now) const noexcept { return _open ? due() : now; }

    /// Takes `units` from the timetable.
    void take(std::uint64_t units, std::uint64_t now) noexcept {
        if (_per_ns == 0) {
            return;
        }
        if (const std::uint64_t from = due(); !_open && now > from + slack_ns) {
            _start += now - from - slack_ns;
        }
        _taken += static_cast<double>(units);
    }

    /// Units that are due and were not taken: what an open loop could not send for want of an idle connection.
    std::uint64_t overdue(std::uint64_t now) const noexcept {
        if (_per_ns == 0 || !_open || now <= _start) {
            return 0;
        }
        const double passed = static_cast<double>(now - _start);
        const double all =
            passed < _ramp_ns ? _per_ns * passed * passed / (2 * _ramp_ns) : _per_ns * (passed - _ramp_ns / 2);
        return all > _taken ? static_cast<std::uint64_t>(all - _taken) : 0;
    }

private:
    static constexpr std::uint64_t slack_ns = 10'000'000;  ///< a closed loop makes up for a stall of so long by a burst

    std::uint64_t offset(double units) const noexcept {
        const double in_ramp = _per_ns * _ramp_ns / 2;
        const double ns = units < in_ramp ? std::sqrt(2 * units * _ramp_ns / _per_ns) : _ramp_ns / 2 + units / _per_ns;
        constexpr auto most = static_cast<double>(std::numeric_limits<std::int64_t>::max()) / 2;
        return static_cast<std::uint64_t>(std::min(ns, most));
    }

    double _per_ns = 0;  ///< units; 0: no limit
    double _ramp_ns = 0;
    double _taken = 0;  ///< units so far; exact up to 2^53
    std::uint64_t _start = 0;
    bool _open = false;
};

}  // namespace postern::perf
