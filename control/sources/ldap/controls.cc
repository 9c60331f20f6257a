#include "control/sources/ldap/controls.h"

#include <algorithm>

#include "control/sources/ldap/ber.h"

namespace postern::sources::ldap {
namespace {

constexpr std::uint8_t context_new_cookie = 0x80;
constexpr std::uint8_t context_refresh_delete = 0xA1;
constexpr std::uint8_t context_refresh_present = 0xA2;
constexpr std::uint8_t context_id_set = 0xA3;

std::string sequence_of(std::string_view content) {
    std::string out;
    append_element(out, tag::sequence, content);
    return out;
}

/// The content of the one element that `octets` are.
std::optional<std::string_view> whole(std::string_view octets, std::uint8_t tag) {
    ber_reader reader(octets);
    const auto content = reader.take(tag);
    return reader.at_end() ? content : std::nullopt;
}

std::optional<uuid> to_uuid(std::optional<std::string_view> octets) {
    uuid out{};
    if (!octets || octets->size() != out.size()) {
        return std::nullopt;
    }
    std::copy(octets->begin(), octets->end(), out.begin());
    return out;
}

/// OPTIONAL: absent is fine, present and malformed is not (then something is left, and the caller fails).
std::optional<std::string> optional_cookie(ber_reader& reader) {
    const auto content = reader.take(tag::octet_string);
    return content ? std::optional(std::string(*content)) : std::nullopt;
}

std::optional<sync_info_value> id_set(std::string_view content) {
    sync_info_value out;
    out.kind = sync_info_value::kind::id_set;
    ber_reader reader(content);
    out.cookie = optional_cookie(reader);
    out.refresh_deletes = reader.take_boolean().value_or(false);
    const auto ids = reader.take(tag::set);
    if (!ids || !reader.at_end()) {
        return std::nullopt;
    }
    ber_reader each(*ids);
    while (!each.at_end()) {
        const auto id = to_uuid(each.take(tag::octet_string));
        if (!id) {
            return std::nullopt;
        }
        out.ids.push_back(*id);
    }
    return out;
}

}  // namespace

std::string encode_paged(std::int64_t page_size, std::string_view cookie) {
    std::string content;
    append_integer(content, page_size);
    append_element(content, tag::octet_string, cookie);
    return sequence_of(content);
}

std::optional<paged_value> decode_paged(std::string_view octets) {
    const auto content = whole(octets, tag::sequence);
    if (!content) {
        return std::nullopt;
    }
    ber_reader reader(*content);
    const auto estimate = reader.take_integer();
    const auto cookie = reader.take(tag::octet_string);
    if (!estimate || !cookie || !reader.at_end()) {
        return std::nullopt;
    }
    return paged_value{*estimate, std::string(*cookie)};
}

std::string encode_dirsync(std::int64_t flags, std::int64_t most_octets, std::string_view cookie) {
    std::string content;
    append_integer(content, flags);
    append_integer(content, most_octets);
    append_element(content, tag::octet_string, cookie);
    return sequence_of(content);
}

std::optional<dirsync_value> decode_dirsync(std::string_view octets) {
    const auto content = whole(octets, tag::sequence);
    if (!content) {
        return std::nullopt;
    }
    ber_reader reader(*content);
    const auto more = reader.take_integer();
    const auto unused = reader.take_integer();
    const auto cookie = reader.take(tag::octet_string);
    if (!more || !unused || !cookie || !reader.at_end()) {
        return std::nullopt;
    }
    return dirsync_value{*more != 0, std::string(*cookie)};
}

std::string encode_sync_request(sync_mode mode, std::string_view cookie) {
    std::string content;
    append_integer(content, static_cast<std::int64_t>(mode), tag::enumerated);
    if (!cookie.empty()) {
        append_element(content, tag::octet_string, cookie);
    }
    // reloadHint: the server may send the whole rather than an error; what comes is told apart by its phases.
    append_boolean(content, true);
    return sequence_of(content);
}

std::optional<sync_state_value> decode_sync_state(std::string_view octets) {
    const auto content = whole(octets, tag::sequence);
    if (!content) {
        return std::nullopt;
    }
    ber_reader reader(*content);
    const auto state = reader.take_integer(tag::enumerated);
    const auto id = to_uuid(reader.take(tag::octet_string));
    if (!state || *state < 0 || *state > 3 || !id) {
        return std::nullopt;
    }
    sync_state_value out{static_cast<enum sync_state_value::state>(*state), *id, optional_cookie(reader)};
    return reader.at_end() ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<sync_done_value> decode_sync_done(std::string_view octets) {
    const auto content = whole(octets, tag::sequence);
    if (!content) {
        return std::nullopt;
    }
    ber_reader reader(*content);
    sync_done_value out;
    out.cookie = optional_cookie(reader);
    out.refresh_deletes = reader.take_boolean().value_or(false);
    return reader.at_end() ? std::optional(std::move(out)) : std::nullopt;
}

std::optional<sync_info_value> decode_sync_info(std::string_view octets) {
    ber_reader reader(octets);
    const auto which = reader.next_tag();
    const auto content = which ? reader.take(*which) : std::nullopt;
    if (!content || !reader.at_end()) {
        return std::nullopt;
    }
    sync_info_value out;
    switch (*which) {
        case context_new_cookie:
            out.cookie = std::string(*content);
            return out;
        case context_refresh_delete:
        case context_refresh_present: {
            out.kind = *which == context_refresh_delete ? sync_info_value::kind::refresh_delete
                                                        : sync_info_value::kind::refresh_present;
            ber_reader inner(*content);
            out.cookie = optional_cookie(inner);
            out.refresh_done = inner.take_boolean().value_or(true);
            return inner.at_end() ? std::optional(std::move(out)) : std::nullopt;
        }
        case context_id_set:
            return id_set(*content);
        default:
            return std::nullopt;
    }
}

}  // namespace postern::sources::ldap
