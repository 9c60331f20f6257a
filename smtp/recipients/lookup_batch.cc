#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "smtp/recipients/burst_steps.h"
#include "smtp/recipients/domain_index.h"
#include "smtp/recipients/forms.h"
#include "smtp/recipients/siphash.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table_image.h"
#include "smtp/recipients/text_lanes.h"
#include "smtp/recipients/waiting_addresses.h"

namespace postern::recipients {
namespace {

constexpr std::size_t max_queries = lookup_batch::capacity * max_forms;
static_assert(max_queries % hash_lanes_count == 0);

/// What a batch asks of one table: the places of its queries, buckets and then lines, and what was found there.
class asked_table {
public:
    void begin(const table* in) noexcept {
        _asked = in != nullptr;
        if (_asked) {
            _in = burst_table(*in);
        }
    }
    bool is_asked() const noexcept { return _asked; }

    /// Stage one: asks for the pilots of the group at `begin`.
    void ask_for_pilots(const std::uint64_t* hashes, std::size_t begin, std::size_t used) noexcept {
        _step->find_buckets(_in, used, hashes + begin, &_places[begin]);
        for (std::size_t i = begin; i < begin + used; ++i) {
            prefetch(_in.pilots + _places[i]);
        }
    }
    /// Stage two: asks for its lines. Into the L1 cache: beside a connection's other lines the wait is shorter than
    /// from the L2 cache.
    void ask_for_lines(const std::uint64_t* hashes, std::size_t begin, std::size_t used) noexcept {
        _step->find_lines(_in, used, hashes + begin, &_places[begin]);
        for (std::size_t i = begin; i < begin + used; ++i) {
            prefetch(_in.lines + _places[i]);
        }
    }
    /// Stage three: reads them.
    void compare(const std::uint64_t* hashes, std::size_t begin, std::size_t used) noexcept {
        _step->compare(_in, used, hashes + begin, &_places[begin], &_payloads[begin]);
    }

    std::uint32_t payload(std::size_t query) const noexcept { return _payloads[query]; }
    /// Where a query that was found has its key, as an overlay counts the base's.
    std::uint64_t slot(std::size_t query, std::uint64_t hash) const noexcept {
        const found at = find(_in.lines[_places[query]], fingerprint_of(hash, _in.where.salt));
        return _places[query] * line::capacity + at.position;
    }

private:
    const burst_steps* _step = &quickest_steps();
    burst_table _in;
    bool _asked = false;
    alignas(64) std::array<std::uint64_t, max_queries> _places{};
    std::array<std::uint32_t, max_queries> _payloads{};
};

}  // namespace

struct lookup_batch::state {
    // A local part, an @ and another domain's name: domains are checked to be at most 255 octets.
    static_assert(normal_address::capacity + 256 <= max_hashed_text);

    const snapshot* in = nullptr;
    const removal_set* removed = nullptr;  ///< of the overlay
    hash_key key;                          ///< of both tables

    std::size_t queries = 0;  ///< all: forms of addresses
    std::size_t hashed = 0;   ///< of them: hash known, pilots asked for
    std::size_t lined = 0;    ///< of them: lines asked for
    std::size_t rewritten_count = 0;
    const domain_index::entry* last_entry = nullptr;  ///< of the domain that was found last
    waiting_addresses waiting;

    text_lanes pending;
    alignas(64) std::array<std::uint64_t, max_queries> hashes{};
    asked_table base;
    asked_table overlay;
    std::array<std::uint16_t, max_queries> lookup_of;  // NOLINT: index of a query's answer
    std::array<std::uint16_t, max_queries> check_of;   // NOLINT: its domain's bits in a payload
    std::array<answer, capacity> answers;              // NOLINT: filled up to the batch's size
    std::array<std::uint16_t, capacity> rewritten;     // NOLINT: SRS forms that are accepted unless found listed
    std::array<char, max_hashed_text> joined;          // NOLINT: scratch

    void begin(const snapshot& with) noexcept {
        in = &with;
        base.begin(with.base.get());
        overlay.begin(with.overlay.get());
        key = table_image::of(*with.base).header().key;
        removed = with.overlay ? &table_image::of(*with.overlay).removed() : nullptr;
        queries = hashed = lined = rewritten_count = 0;
        last_entry = nullptr;
    }

    void ask(std::string_view text, std::size_t lookup, std::uint32_t domain) noexcept {
        pending.add(text);
        lookup_of[queries] = static_cast<std::uint16_t>(lookup);
        check_of[queries] = static_cast<std::uint16_t>(domain & domain_check_mask);
        ++queries;
        if (pending.full()) {
            take_group();
        }
    }

    /// Out of line, for it comes once in eight times.
    [[gnu::noinline]] void take_group() noexcept {
        const std::size_t before = hashed;
        hash_pending();
        ask_for_lines(before);
    }

    /// Asks for `local@NAME` with the settings' name.
    void ask_joined(std::string_view local, const domain_settings& settings, std::size_t lookup) noexcept {
        const std::string_view name = settings.name;
        std::memcpy(joined.data(), local.data(), local.size());
        joined[local.size()] = '@';
        std::memcpy(joined.data() + local.size() + 1, name.data(), name.size());
        ask({joined.data(), local.size() + 1 + name.size()}, lookup, settings.id);
    }

    /// Most recipients of a turn are of one domain: its entry is at hand. Others wait for company, but for the first.
    [[gnu::always_inline]] void find_domain(const asked_address& address) noexcept {
        if (last_entry != nullptr && last_entry->own->name == address.domain()) {
            ask_forms(address, *last_entry);
        } else {
            find_other_domain(address);
        }
    }

    [[gnu::noinline]] void find_other_domain(const asked_address& address) noexcept {
        if (last_entry == nullptr) {
            settle(address, in->domains->find(address.domain()));
        } else {
            waiting.add(address, *in->domains);
            if (waiting.full()) {
                find_waiting();
            }
        }
    }

    void find_waiting() noexcept {
        waiting.find_all(*in->domains, [this](const asked_address& address, const domain_index::entry* entry) {
            settle(address, entry);
        });
    }

    void settle(const asked_address& address, const domain_index::entry* entry) noexcept {
        if (entry != nullptr) {
            last_entry = entry;
            ask_forms(address, *entry);
        }
    }

    /// Asks for every form under which an address of a served domain may be listed.
    [[gnu::always_inline]] void ask_forms(const asked_address& address, const domain_index::entry& served) noexcept {
        const domain_settings& settings = *served.settings;
        verdict& v = answers[address.lookup].verdict;
        v.domain = &settings;
        v.route = served.route;
        if (is_always(address.local(), settings)) {
            v.standing = standing::always;
            return;
        }
        v.standing = standing::unlisted;
        if (settings.accept_srs && is_srs(address.local())) {
            rewritten[rewritten_count++] = static_cast<std::uint16_t>(address.lookup);
        }
        if (served.own == served.settings) {
            ask(address.text, address.lookup, settings.id);
        } else {
            ask_joined(address.local(), settings, address.lookup);
        }
        if (address.may_be_tagged || settings.subaddress_delimiter != '+') {
            ask_other_forms(address, settings);
        }
    }

    /// Out of line, for nearly all have none.
    [[gnu::noinline]] void ask_other_forms(const asked_address& address, const domain_settings& settings) noexcept {
        local_forms forms;
        other_forms(address.local(), settings, forms);
        for (std::size_t i = 0; i < forms.count; ++i) {
            ask_joined(forms.locals[i], settings, address.lookup);
        }
    }

    /// Stage one of what is pending.
    void hash_pending() noexcept {
        const std::size_t used = pending.used();
        if (used == 0) {
            return;
        }
        pending.hash(key, &hashes[hashed]);
        base.ask_for_pilots(hashes.data(), hashed, used);
        if (overlay.is_asked()) {
            overlay.ask_for_pilots(hashes.data(), hashed, used);
        }
        hashed += used;
    }

    /// Stage two of the queries up to `end`, where a group ends.
    void ask_for_lines(std::size_t end) noexcept {
        while (lined < end) {
            const std::size_t used = std::min(hash_lanes_count, end - lined);
            base.ask_for_lines(hashes.data(), lined, used);
            if (overlay.is_asked()) {
                overlay.ask_for_lines(hashes.data(), lined, used);
            }
            lined += used;
        }
    }

    /// Stage three of all.
    void compare() noexcept {
        for (std::size_t begin = 0; begin < queries; begin += hash_lanes_count) {
            const std::size_t used = std::min(hash_lanes_count, queries - begin);
            base.compare(hashes.data(), begin, used);
            if (overlay.is_asked()) {
                overlay.compare(hashes.data(), begin, used);
            }
        }
    }

    /// What `in` has for a query; none of another domain.
    std::uint32_t payload_in(const asked_table& from, std::size_t query) const noexcept {
        const std::uint32_t payload = from.payload(query);
        return payload | (payload_domain(payload & 0xFFFFU) == check_of[query] ? 0U : no_payload);
    }

    /// The payload in force, or no_payload or more.
    std::uint32_t payload_of(std::size_t query) const noexcept {
        const std::uint32_t listed = payload_in(base, query);
        if (!overlay.is_asked()) {
            return listed;
        }
        const std::uint32_t added = payload_in(overlay, query);
        if (added < no_payload) {
            return added;
        }
        if (listed < no_payload && removed->contains(base.slot(query, hashes[query]))) {
            return no_payload;
        }
        return listed;
    }
};

lookup_batch::lookup_batch() : _state(new state) {}
lookup_batch::~lookup_batch() = default;
lookup_batch::lookup_batch(lookup_batch&&) noexcept = default;
lookup_batch& lookup_batch::operator=(lookup_batch&&) noexcept = default;

void lookup_batch::add(const snapshot& in, const normal_address& address, std::uint64_t cookie) noexcept {
    state& s = *_state;
    if (_size == 0) {
        s.begin(in);
    }
    const std::size_t index = _size++;
    answer& a = s.answers[index];
    a.cookie = cookie;
    a.verdict = {};
    a.verdict.generation = in.generation;
    if (address.is_bare_postmaster()) {
        a.verdict.standing = standing::always;
        return;
    }
    s.find_domain({address.text(), address.local().size(), address.may_be_tagged(), index});
}

std::span<const lookup_batch::answer> lookup_batch::resolve() noexcept {
    state& s = *_state;
    if (_size == 0) {
        return {};
    }
    s.find_waiting();
    s.hash_pending();
    s.ask_for_lines(s.queries);
    s.compare();
    for (std::size_t i = 0; i < s.queries; ++i) {
        const std::uint32_t payload = s.payload_of(i);
        verdict& v = s.answers[s.lookup_of[i]].verdict;
        // No branch on what was found. An earlier form's answer stands.
        const bool taken = payload < no_payload && v.standing != standing::listed;
        v.kind = taken ? payload_kind(payload) : v.kind;
        v.grace = taken ? payload_grace(payload) : v.grace;
        v.internal_only = taken ? payload_internal_only(payload) : v.internal_only;
        v.standing = taken ? standing::listed : v.standing;
    }
    for (std::size_t i = 0; i < s.rewritten_count; ++i) {
        verdict& v = s.answers[s.rewritten[i]].verdict;
        if (v.standing == standing::unlisted) {
            v.standing = standing::listed;
            v.kind = mailbox_kind::unclassified;
        }
    }
    return {s.answers.data(), std::exchange(_size, 0)};
}

verdict look_up(const snapshot& in, const normal_address& address) {
    lookup_batch batch;
    batch.add(in, address, 0);
    return batch.resolve().front().verdict;
}

}  // namespace postern::recipients
