#include "smtp/session/content.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace postern::session {

namespace {

constexpr std::array line_end{'\r', '\n'};

constexpr content_step nothing(content_kind why) noexcept {
    return {.kind = why, .consumed = 0, .pass = {}};
}

/// The first `what` of [from, to), or `to`.
const char* find(const char* from, const char* to, char what) noexcept {
    const void* found = std::memchr(from, what, static_cast<std::size_t>(to - from));
    return found == nullptr ? to : static_cast<const char*>(found);
}

/// A dot at the start of a line: the end of data, a stuffed dot to be dropped, or not yet known.
content_step leading_dot(std::span<const char> in, line_position& at) noexcept {
    if (in.size() < 2) {
        return nothing(content_kind::need_more);
    }
    if (at == line_position::after_bare) {
        // Senders that stuff dots do so after a bare LF as well; those that don't mean the single dot.
        at = line_position::within;
        const std::size_t stuffed = in[1] == '.' ? 1 : 0;
        return {.kind = content_kind::content, .consumed = 1, .pass = in.first(1 - stuffed)};
    }
    if (in[1] == '\r') {
        if (in.size() < 3) {
            return nothing(content_kind::need_more);
        }
        if (in[2] == '\n') {
            return {.kind = content_kind::end_of_data, .consumed = 3, .pass = {}};
        }
    }
    at = line_position::within;
    return {.kind = content_kind::content, .consumed = 1, .pass = {}};
}

/// `in` begins with a CR or LF that is not part of a CR LF.
content_step bare_end(std::span<const char> in, line_position& at, bare_policy bare, std::size_t room) noexcept {
    switch (bare) {
        case bare_policy::refuse:
            break;
        case bare_policy::normalise:
            if (room < line_end.size()) {
                return nothing(content_kind::no_room);
            }
            at = line_position::after_bare;
            return {.kind = content_kind::content, .consumed = 1, .pass = line_end};
        case bare_policy::ignore:
            at = line_position::within;
            return {.kind = content_kind::content, .consumed = 1, .pass = in.first(1)};
    }
    return nothing(content_kind::bare);
}

}  // namespace

content_step next_content(std::span<const char> in, line_position& at, bare_policy bare, std::size_t room) noexcept {
    if (in.empty()) {
        return nothing(content_kind::need_more);
    }
    if (in[0] == '.' && at != line_position::within) {
        if (room == 0) {
            // The end of data needs no room, but a dot that stays does.
            const bool over = at == line_position::start && in.size() >= 3 && in[1] == '\r' && in[2] == '\n';
            return over ? leading_dot(in, at) : nothing(content_kind::no_room);
        }
        return leading_dot(in, at);
    }

    // A run of whole lines and the rest of a line, up to the next leading dot or bare end.
    const char* const begin = in.data();
    const char* const end = begin + std::min(in.size(), room);
    const char* run = begin;
    bool bare_next = false;
    while (run != end) {
        const char* const feed = find(run, end, '\n');
        const char* const carriage = find(run, feed, '\r');
        if (carriage == feed) {
            if (feed == end) {
                at = line_position::within;
                run = end;
                break;
            }
            bare_next = true;
            if (feed != run) {
                at = line_position::within;
            }
            run = feed;
            break;
        }
        if (carriage + 1 == feed && feed != end) {
            at = line_position::start;
            run = feed + 1;
            if (run != end && *run == '.') {
                break;
            }
            continue;
        }
        // A CR that is followed by something else, or by nothing that may be looked at yet.
        if (carriage != run) {
            at = line_position::within;
        }
        run = carriage;
        bare_next = carriage + 1 != begin + in.size() && carriage[1] != '\n';
        break;
    }
    if (run != begin) {
        const std::span<const char> pass(begin, run);
        return {.kind = content_kind::content, .consumed = pass.size(), .pass = pass};
    }
    if (bare_next) {
        return bare_end(in, at, bare, room);
    }
    // Nothing was consumed: a lone CR at the end of the octets, or no room for it and its LF.
    return nothing(in.size() > 1 || room == 0 ? content_kind::no_room : content_kind::need_more);
}

}  // namespace postern::session
