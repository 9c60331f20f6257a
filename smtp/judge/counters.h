// The judge's counters: written by relay threads and the judge's own, read by anybody.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace postern::judge {

class counter {
public:
    void add() noexcept { _value.fetch_add(1, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return _value.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> _value{0};
};

struct counters {
    counter asked;               ///< messages given to the judge
    counter good;                ///< of those
    counter bad;                 ///< the same
    counter undecided;           ///< the same: the judge has no opinion, so no evidence
    counter unanswered;          ///< the same: rspamd did not answer in time or as it should, so no evidence
    counter overflow;            ///< not given: every place was taken, so no evidence
    counter null_sender;         ///< not given, no evidence: from the null sender
    counter several_recipients;  ///< the same: to several, and the server may refuse some after DATA only
    counter refused_recipient;   ///< the same: another recipient was refused
    counter special_form;        ///< the same: BATV, SRS or VERP
    counter listed_refused;      ///< listed recipients that the server does not know
    counter lost;                ///< findings that nobody fetched in time

    /// Calls `see(name, value)` for each; the names are those of `show counters` and of /metrics.
    template <class F>
    void each(F&& see) const {
        see(std::string_view("judge_asked"), asked.get());
        see(std::string_view("judge_good"), good.get());
        see(std::string_view("judge_bad"), bad.get());
        see(std::string_view("judge_undecided"), undecided.get());
        see(std::string_view("judge_unanswered"), unanswered.get());
        see(std::string_view("judge_overflow"), overflow.get());
        see(std::string_view("judge_null_sender"), null_sender.get());
        see(std::string_view("judge_several_recipients"), several_recipients.get());
        see(std::string_view("judge_refused_recipient"), refused_recipient.get());
        see(std::string_view("judge_special_form"), special_form.get());
        see(std::string_view("judge_listed_refused"), listed_refused.get());
        see(std::string_view("judge_lost"), lost.get());
    }
};

}  // namespace postern::judge
