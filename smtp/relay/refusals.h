// What a relay thread remembers of a mail server's refusals: of unlisted recipients, so that they are not asked again,
// and of listed ones, so that a server gone wrong does not bounce a whole list; and how often unlisted ones may ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/shard/seam.h"
#include "smtp/relay/port.h"

namespace postern::relay {

/// Refused unlisted recipients, for a while; when full, the least recently asked one goes. An ordered map, for the keys
/// are the senders' choice. Paths are compared without the case of ASCII letters.
class refusal_memory {
public:
    refusal_memory(std::size_t capacity, shard::instant kept) : _capacity(capacity), _kept(kept) {}

    void remember(std::uint32_t route, std::string_view path, const reply& answer, shard::instant now);
    std::optional<reply> recall(std::uint32_t route, std::string_view path, shard::instant now);
    std::size_t size() const noexcept { return _by_use.size(); }

private:
    using key = std::pair<std::uint32_t, std::string>;
    struct entry {
        refusal_memory::key key;
        std::string text;  ///< of the reply
        std::uint16_t code = 0;
        shard::instant until{};
    };

    std::size_t _capacity;
    shard::instant _kept;
    std::list<entry> _by_use;  ///< the last used is first
    std::map<key, std::list<entry>::iterator> _by_key;
};

/// Counts distinct listed recipients that a route's server refused in a row.
class refusal_row {
public:
    enum class change : std::uint8_t { none, tripped };

    explicit refusal_row(std::uint32_t most) : _most(most) {}

    void accepted() { _paths.clear(); }
    /// A 5xx to a listed recipient. `tripped` once, when the row is full; from then on `distrusted`.
    change refused(std::string_view path);
    bool distrusted() const noexcept { return _distrusted; }
    /// A probe succeeded or a person decided. True if it was distrusted.
    bool lift();

private:
    std::uint32_t _most;
    std::set<std::string> _paths;  ///< at most `_most`
    bool _distrusted = false;
};

/// So many per second, with a burst; 0 a second: none at all.
class rate_limit {
public:
    rate_limit(std::uint32_t per_second, std::uint32_t burst)
        : _each(shard::instant(std::chrono::seconds(1)) / (per_second == 0 ? 1 : per_second)),
          _span(per_second == 0 ? shard::instant{} : _each * burst) {}

    /// One more now? (GCRA: `_next` is when the bucket would be full again.)
    bool take(shard::instant now) noexcept {
        const shard::instant from = _next > now ? _next : now;
        if (from + _each > now + _span) {
            return false;
        }
        _next = from + _each;
        return true;
    }

private:
    shard::instant _each;
    shard::instant _span;
    shard::instant _next{};
};

}  // namespace postern::relay
