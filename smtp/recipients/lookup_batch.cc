#include <algorithm>
#include <array>
#include <cstring>

#include "smtp/recipients/domain_index.h"
#include "smtp/recipients/forms.h"
#include "smtp/recipients/siphash.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table_image.h"
#include "smtp/recipients/text_lanes.h"

namespace postern::recipients {
namespace {

/// One form of one address on its way through pilot and line.
struct query {
    std::uint64_t hash;
    std::uint64_t base_at;     ///< bucket, then line
    std::uint64_t overlay_at;  ///< the same in the overlay
    std::uint16_t lookup;      ///< index of the answer
    std::uint16_t check;       ///< the domain's bits in the payload
};

/// As `find`, but none of another domain.
inline found find_in(const line& in, fingerprint print, std::uint32_t check) noexcept {
    found one = find(in, print);
    one.payload |= payload_domain(one.payload & 0xFFFFU) == check ? 0U : no_payload;
    return one;
}

}  // namespace

struct lookup_batch::state {
    static constexpr std::size_t max_queries = capacity * max_forms;
    // A local part, an @ and another domain's name: domains are checked to be at most 255 octets.
    static_assert(normal_address::capacity + 256 <= max_hashed_text);

    const snapshot* in = nullptr;
    const table_image* base = nullptr;
    const table_image* overlay = nullptr;

    std::size_t lookups = 0;
    std::size_t queries = 0;  ///< all
    std::size_t hashed = 0;   ///< of them: hash known, pilots asked for
    std::size_t lined = 0;    ///< of them: lines asked for
    std::size_t rewritten_count = 0;
    const domain_index::entry* last_entry = nullptr;

    text_lanes pending;
    std::array<query, max_queries> query_list;      // NOLINT: filled up to `queries`
    std::array<answer, capacity> answers;           // NOLINT: filled up to `lookups`
    std::array<std::uint16_t, capacity> rewritten;  // NOLINT: SRS forms that are accepted unless found listed
    std::array<char, max_hashed_text> joined;       // NOLINT: scratch

    const domain_index::entry* find_domain(std::string_view name) noexcept {
        // Most recipients of a turn are of one domain.
        if (last_entry == nullptr || last_entry->own->name != name) {
            last_entry = in->domains->find(name);
        }
        return last_entry;
    }

    void ask(std::string_view text, std::size_t lookup, std::uint32_t domain) noexcept {
        pending.add(text);
        query& q = query_list[queries++];
        q.lookup = static_cast<std::uint16_t>(lookup);
        q.check = static_cast<std::uint16_t>(domain & domain_check_mask);
        if (pending.full()) {
            const std::size_t before = hashed;
            hash_pending();
            ask_for_lines(before);
        }
    }

    /// Asks for `local@NAME` with the settings' name.
    void ask_joined(std::string_view local, const domain_settings& settings, std::size_t lookup) noexcept {
        const std::string_view name = settings.name;
        std::memcpy(joined.data(), local.data(), local.size());
        joined[local.size()] = '@';
        std::memcpy(joined.data() + local.size() + 1, name.data(), name.size());
        ask({joined.data(), local.size() + 1 + name.size()}, lookup, settings.id);
    }

    /// Stage one: hashes what is pending and asks for the pilots.
    void hash_pending() noexcept {
        const std::size_t count = pending.used();
        if (count == 0) {
            return;
        }
        std::array<std::uint64_t, hash_lanes_count> hashes;  // NOLINT: filled by hash
        pending.hash(base->header().key, hashes.data());
        for (std::size_t i = 0; i < count; ++i) {
            query& q = query_list[hashed + i];
            q.hash = hashes[i];
            q.base_at = base->where().bucket_of(q.hash);
            prefetch(base->pilots() + q.base_at);
            if (overlay != nullptr) {
                q.overlay_at = overlay->where().bucket_of(q.hash);
                prefetch(overlay->pilots() + q.overlay_at);
            }
        }
        hashed = queries;
    }

    /// Stage two: reads the pilots of the queries up to `end` and asks for the lines.
    void ask_for_lines(std::size_t end) noexcept {
        for (; lined < end; ++lined) {
            query& q = query_list[lined];
            q.base_at = base->where().line_of(q.hash, q.base_at, base->pilots()[q.base_at]);
            prefetch(base->lines() + q.base_at);
            if (overlay != nullptr) {
                q.overlay_at = overlay->where().line_of(q.hash, q.overlay_at, overlay->pilots()[q.overlay_at]);
                prefetch(overlay->lines() + q.overlay_at);
            }
        }
    }

    /// Stage three: the payload, or no_payload.
    std::uint32_t compare(const query& q) const noexcept {
        const found listed = find_in(base->lines()[q.base_at], fingerprint_of(q.hash, base->where().salt), q.check);
        if (overlay == nullptr) {
            return listed.payload;
        }
        const found added =
            find_in(overlay->lines()[q.overlay_at], fingerprint_of(q.hash, overlay->where().salt), q.check);
        if (added.payload < no_payload) {
            return added.payload;
        }
        if (listed.payload < no_payload && overlay->removed().contains(q.base_at * line::capacity + listed.position)) {
            return no_payload;
        }
        return listed.payload;
    }
};

lookup_batch::lookup_batch() : _state(new state) {}
lookup_batch::~lookup_batch() = default;
lookup_batch::lookup_batch(lookup_batch&&) noexcept = default;
lookup_batch& lookup_batch::operator=(lookup_batch&&) noexcept = default;

std::size_t lookup_batch::size() const noexcept {
    return _state->lookups;
}

void lookup_batch::add(const snapshot& in, const normal_address& address, std::uint64_t cookie) noexcept {
    state& s = *_state;
    if (s.lookups == 0) {
        s.in = &in;
        s.base = &table_image::of(*in.base);
        s.overlay = in.overlay ? &table_image::of(*in.overlay) : nullptr;
        s.queries = s.hashed = s.lined = s.rewritten_count = 0;
        s.last_entry = nullptr;
    }
    const std::size_t index = s.lookups++;
    answer& a = s.answers[index];
    a.cookie = cookie;
    a.verdict = {};
    a.verdict.generation = in.generation;
    if (address.is_bare_postmaster()) {
        a.verdict.standing = standing::always;
        return;
    }
    const domain_index::entry* const served = s.find_domain(address.domain());
    if (served == nullptr) {
        return;
    }
    const domain_settings& settings = *served->settings;
    a.verdict.domain = &settings;
    a.verdict.route = served->route;
    if (is_always(address.local(), settings)) {
        a.verdict.standing = standing::always;
        return;
    }
    a.verdict.standing = standing::unlisted;
    if (settings.accept_srs && is_srs(address.local())) {
        s.rewritten[s.rewritten_count++] = static_cast<std::uint16_t>(index);
    }
    if (served->own == served->settings) {
        s.ask(address.text(), index, settings.id);
    } else {
        s.ask_joined(address.local(), settings, index);
    }
    if (!address.may_be_tagged() && settings.subaddress_delimiter == '+') {
        return;  // nearly all
    }
    local_forms forms;
    other_forms(address.local(), settings, forms);
    for (std::size_t i = 0; i < forms.count; ++i) {
        s.ask_joined(forms.locals[i], settings, index);
    }
}

std::span<const lookup_batch::answer> lookup_batch::resolve() noexcept {
    state& s = *_state;
    s.hash_pending();
    s.ask_for_lines(s.queries);
    for (std::size_t i = 0; i < s.queries; ++i) {
        const query& q = s.query_list[i];
        const std::uint32_t payload = s.compare(q);
        verdict& v = s.answers[q.lookup].verdict;
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
    const std::size_t answered = s.lookups;
    s.lookups = 0;
    return {s.answers.data(), answered};
}

verdict look_up(const snapshot& in, const normal_address& address) {
    lookup_batch batch;
    batch.add(in, address, 0);
    return batch.resolve().front().verdict;
}

}  // namespace postern::recipients
