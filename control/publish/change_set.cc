#include "control/publish/change_set.h"

#include <algorithm>

namespace postern::publish {

namespace {

constexpr std::size_t at_once = 1000;

}  // namespace

void change_set::start_from(std::uint64_t base_seq) {
    _entries.clear();
    _base_seq = base_seq;
    _seq = base_seq;
    _bulk = false;
    _domains = false;
}

directory::result<void> change_set::absorb(const directory::reader& in) {
    for (;;) {
        const auto changes = directory::changes_after(in, _seq, at_once);
        if (!changes) {
            return tl::unexpected(changes.error());
        }
        for (const directory::change& next : *changes) {
            switch (next.kind) {
                case directory::change_kind::bulk:
                    _bulk = true;
                    _entries.clear();
                    break;
                case directory::change_kind::domains:
                    _domains = true;
                    break;
                case directory::change_kind::address: {
                    if (_bulk) {
                        break;
                    }
                    // The base holds an address if it was valid before the first change after the base.
                    const auto [at, first] = _entries.try_emplace(next.address);
                    if (first) {
                        at->second.in_base = next.was;
                    }
                    auto now = directory::published_address(in, next.domain, next.address);
                    if (!now) {
                        return tl::unexpected(now.error());
                    }
                    at->second.now = *now;
                    break;
                }
            }
            _seq = next.seq;
        }
        if (changes->size() < at_once) {
            break;
        }
    }
    // Numbers at the feed's end may be gone already: what the reader sees is all there is up to its last number.
    const auto last = directory::last_change(in);
    if (!last) {
        return tl::unexpected(last.error());
    }
    _seq = std::max(_seq, *last);
    return {};
}

change_set::lists change_set::make_lists() const {
    lists out;
    for (const auto& [text, each] : _entries) {
        if (each.now) {
            out.added.push_back(*each.now);
            out.added.back().text = text;
        } else if (each.in_base) {
            out.removed.push_back(text);
        }
    }
    return out;
}

std::int64_t change_set::growth() const {
    std::int64_t out = 0;
    for (const auto& [text, each] : _entries) {
        out += (each.now ? 1 : 0) - (each.in_base ? 1 : 0);
    }
    return out;
}

}  // namespace postern::publish
