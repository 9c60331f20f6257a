#include "smtp/session/decision.h"

#include <algorithm>

#include "smtp/recipients/domain_index.h"

namespace postern::session {

namespace {

using protocol::reply;
using recipients::mode;
using recipients::standing;

decision refuse(reason why, reply with) noexcept {
    return {.why = why, .reply = with};
}

/// A recipient that the list lets through: to the domain's mail server, if there is one.
decision pass(reason why, bool listed, const recipients::verdict& of) noexcept {
    if (of.route == nullptr || *of.route == nullptr) {
        return refuse(reason::no_route, reply::no_route);
    }
    if (!(*of.route)->confirmed) {
        return refuse(reason::route_not_confirmed, reply::no_route);
    }
    return {.why = why, .pass = true, .listed = listed, .reply = reply::ok};
}

decision decide_listed(const recipients::verdict& of, const std::array<std::uint8_t, 16>& peer) noexcept {
    const auto& trusted = of.domain->trusted;
    if (of.internal_only &&
        std::none_of(trusted.begin(), trusted.end(), [&](const recipients::network& n) { return n.contains(peer); })) {
        return refuse(reason::from_outside, reply::from_outside);
    }
    if (of.grace && of.domain->grace_defers) {
        return refuse(reason::grace_deferred, reply::recipient_deferred);
    }
    return pass(reason::listed, true, of);
}

decision decide_unlisted(const recipients::verdict& of) noexcept {
    switch (of.domain->mode) {
        case mode::observe:
        case mode::discover:
            return pass(reason::unknown_passed, false, of);
        case mode::defer:
            return refuse(reason::unknown_deferred, reply::recipient_deferred);
        case mode::enforce:
            break;
    }
    return refuse(reason::unknown, reply::invalid_recipient);
}

}  // namespace

std::string_view to_string(reason why) noexcept {
    switch (why) {
        case reason::listed:
            return "listed: the mail server answers";
        case reason::always:
            return "postmaster or abuse, never refused by the list: the mail server answers";
        case reason::unknown_passed:
            return "not listed, but the domain's mode passes unknown recipients: the mail server answers";
        case reason::unknown:
            return "not listed, and the domain's mode is enforce";
        case reason::unknown_deferred:
            return "not listed, and the domain's mode is defer";
        case reason::grace_deferred:
            return "removed a short while ago, and the domain defers addresses in grace";
        case reason::from_outside:
            return "internal only, and the client is not in the domain's trusted networks";
        case reason::not_served:
            return "the domain is not in the table";
        case reason::literal:
            return "address literals are not served";
        case reason::on_hold:
            return "the domain is on hold";
        case reason::no_route:
            return "no mail server is set";
        case reason::route_not_confirmed:
            return "the mail server has not been confirmed";
        case reason::no_table:
            return "no table has been loaded";
    }
    return "";
}

decision decide(const recipients::verdict& of, const std::array<std::uint8_t, 16>& peer) noexcept {
    if (of.domain != nullptr && of.domain->on_hold) {
        return refuse(reason::on_hold, reply::on_hold);
    }
    if (of.standing == standing::always) {
        return pass(reason::always, true, of);
    }
    if (of.domain == nullptr) {
        return refuse(reason::not_served, reply::not_served);
    }
    switch (of.standing) {
        case standing::listed:
            return decide_listed(of, peer);
        case standing::unlisted:
            return decide_unlisted(of);
        case standing::not_served:
        case standing::always:
            break;
    }
    return refuse(reason::not_served, reply::not_served);
}

std::optional<decision> decide_unseen(const recipients::snapshot* in, const recipients::normal_address& address,
                                      const settings& under) noexcept {
    if (in == nullptr) {
        return refuse(reason::no_table, reply::no_table);
    }
    if (address.is_literal() && !under.serve_address_literals) {
        return refuse(reason::literal, reply::not_served);
    }
    return std::nullopt;
}

recipients::verdict postmaster_verdict(const recipients::snapshot& in, const settings& under) noexcept {
    return {.standing = standing::always,
            .domain = nullptr,
            .route = in.domains->find_route(under.postmaster_route),
            .generation = in.generation};
}

explanation explain(const recipients::snapshot* in, const recipients::normal_address& address,
                    const std::array<std::uint8_t, 16>& peer, const settings& under) {
    if (const auto unseen = decide_unseen(in, address, under)) {
        return {.decision = *unseen, .verdict = {}};
    }
    const recipients::verdict verdict =
        address.is_bare_postmaster() ? postmaster_verdict(*in, under) : recipients::look_up(*in, address);
    return {.decision = decide(verdict, peer), .verdict = verdict};
}

}  // namespace postern::session
