#include "control/sync/guard.h"

namespace postern::sync {

namespace {

std::string text(std::uint64_t number) {
    return std::to_string(number);
}

bool beyond_percent(std::uint64_t part, std::uint64_t of, std::uint32_t percent, std::uint64_t floor) {
    return percent != 0 && part > floor && part * 100 > of * percent;
}

std::string removals_over(const guard_limits& limits, const guard_numbers& numbers) {
    const std::uint64_t removed = numbers.removed + numbers.removed_earlier;
    const std::string what =
        "it would remove " + text(numbers.removed) + " addresses" +
        (numbers.removed_earlier == 0 ? std::string()
                                      : " after " + text(numbers.removed_earlier) + " within the last 24 hours");
    if (limits.removed_count != 0 && removed > limits.removed_count) {
        return what + ", more than the limit of " + text(limits.removed_count);
    }
    if (beyond_percent(removed, numbers.oldest, limits.removed_percent, limits.floor)) {
        return what + " of " + text(numbers.oldest) + ", more than the limit of " + text(limits.removed_percent) + " %";
    }
    if (numbers.removed != 0 && numbers.asserted + numbers.added <= numbers.removed) {
        return what + " and leave nothing";
    }
    return {};
}

std::string additions_over(const guard_limits& limits, const guard_numbers& numbers) {
    const std::string what = "it would add " + text(numbers.added) + " addresses";
    if (numbers.added == 0) {
        return {};
    }
    if (limits.total_count != 0 && numbers.asserted + numbers.added - numbers.removed > limits.total_count) {
        return what + " to " + text(numbers.asserted) + ", more than the total of " + text(limits.total_count);
    }
    if (limits.added_count != 0 && numbers.added > limits.added_count) {
        return what + ", more than the limit of " + text(limits.added_count);
    }
    if (numbers.asserted != 0 && beyond_percent(numbers.added, numbers.asserted, limits.added_percent, limits.floor)) {
        return what + " to " + text(numbers.asserted) + ", more than the limit of " + text(limits.added_percent) + " %";
    }
    return {};
}

}  // namespace

guard_verdict judge(const guard_limits& limits, const guard_numbers& numbers) {
    guard_verdict out;
    out.removals = numbers.complete;
    if (numbers.complete && numbers.whole && numbers.staged == 0 && numbers.asserted != 0) {
        out.end = guard_verdict::end::empty;
        out.additions = false;
        out.removals = false;
        out.text = (numbers.pushed ? "the list that was pushed has no address in the source's domains, where it had "
                                   : "the directory answered, but has no address in this organisation's domains, where "
                                     "it had ") +
                   text(numbers.asserted) + "; nothing was changed. Check " +
                   (numbers.pushed ? "what is sent" : "base, filter and the account's rights");
        return out;
    }
    if (numbers.approved) {
        return out;
    }
    const std::string added = additions_over(limits, numbers);
    const std::string removed = numbers.complete ? removals_over(limits, numbers) : std::string();
    if (!added.empty()) {
        // So much that is new says that something else is being read: nothing of it is taken.
        out.additions = false;
        out.removals = false;
    } else if (!removed.empty()) {
        out.removals = false;
    }
    if (!added.empty() || !removed.empty()) {
        out.end = guard_verdict::end::hold;
        out.text = added + (added.empty() || removed.empty() ? "" : "; ") + removed;
    }
    return out;
}

}  // namespace postern::sync
