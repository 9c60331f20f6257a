#include "control/discovery/triage.h"

#include <array>

#include "control/directory/assertions.h"
#include "control/directory/connection.h"
#include "control/directory/mailboxes.h"
#include "control/directory/reassign.h"
#include "control/discovery/decide.h"
#include "smtp/recipients/address.h"

namespace postern::discovery {

namespace {

using directory::error_kind;
using directory::fail;
using directory::statement;

/// The local part in normal form.
result<std::string> local_of(const directory::reader& in, const directory::domain& domain, const std::string& address) {
    recipients::normal_address parsed;
    recipients::address_options options;
    options.allow_bare_postmaster = false;
    if (const auto done = recipients::parse_address(address, options, parsed); !done) {
        return fail(error_kind::invalid,
                    "'" + address.substr(0, 320) + "' is not an address: " + std::string(to_string(done.error())),
                    "address");
    }
    statement named =
        in.on().query("SELECT 1 FROM domain WHERE name = ? AND coalesce(target, id) = ?", parsed.domain(), domain.id);
    if (!named.step()) {
        return fail(error_kind::invalid, address + " is not of " + domain.name, "address");
    }
    return std::string(parsed.local());
}

std::uint64_t row_of(const directory::reader& in, std::uint32_t domain, std::string_view local) {
    statement row = in.on().query("SELECT id FROM address WHERE domain = ? AND normal = ?", domain, local);
    return row.step() ? row.as<std::uint64_t>(0) : 0;
}

/// A person stands behind it from now on, not mail flow.
result<void> hand_over(directory::writer& in, const directory::domain& domain, std::uint64_t row,
                       std::string_view local) {
    if (auto done = directory::assert_address(in, row, directory::manual_source); !done) {
        return done;
    }
    return withdraw(in, domain, local);
}

result<void> accept(directory::writer& in, const directory::domain& domain, const decision& what,
                    const std::string& local, std::uint64_t row) {
    if (row == 0) {
        directory::new_mailbox input;
        input.address = local + "@" + domain.name;
        input.kind = what.kind;
        const auto made = directory::add_mailbox(in, input);
        return made ? result<void>() : tl::unexpected(made.error());
    }
    directory::mailbox_change change;
    change.kind = what.kind;
    if (const auto changed = directory::change_mailbox(in, row, change); !changed) {
        return tl::unexpected(changed.error());
    }
    return hand_over(in, domain, row, local);
}

result<void> lead(directory::writer& in, const directory::domain& domain, const decision& what,
                  const std::string& local, std::uint64_t row) {
    if (row == 0) {
        const auto made = directory::add_alias(in, what.mailbox, local + "@" + domain.name);
        return made ? result<void>() : tl::unexpected(made.error());
    }
    const std::array<std::uint64_t, 1> one{row};
    if (const auto done = directory::reassign_mailboxes(in, what.mailbox, one); !done) {
        return tl::unexpected(done.error());
    }
    return hand_over(in, domain, row, local);
}

result<void> block(directory::writer& in, const directory::domain& domain, const std::string& local) {
    // Blocked first, so that the row stays when nothing asserts it any more.
    if (const auto done = directory::block_address(in, local + "@" + domain.name); !done) {
        return tl::unexpected(done.error());
    }
    return withdraw(in, domain, local);
}

result<void> keep(directory::writer& in, const directory::domain& domain, const std::string& local) {
    in.on().run("DELETE FROM discovery_refusal WHERE domain = ? AND normal = ?", domain.id, local);
    if (in.on().changed() == 0) {
        return directory::nothing_found(in, local + "@" + domain.name + " is not one that the mail server refuses");
    }
    return directory::or_failure(in);
}

}  // namespace

result<void> triage(directory::writer& in, const directory::domain& domain, const decision& what) {
    const auto local = local_of(in, domain, what.address);
    if (!local) {
        return tl::unexpected(local.error());
    }
    if (what.what == verdict::keep) {
        return keep(in, domain, *local);
    }
    const auto found = find_candidate(in, domain.id, *local);
    const auto asserted = is_asserted(in, domain, *local);
    if (!found || !asserted) {
        return tl::unexpected(found ? asserted.error() : found.error());
    }
    const bool open = *found && (*found)->state != candidate_state::added;
    if (!*asserted && !open) {
        return fail(error_kind::not_found, what.address + " is not one that was discovered and waits for a decision",
                    "address");
    }
    const std::uint64_t row = *asserted ? row_of(in, domain.id, *local) : 0;
    result<void> done;
    switch (what.what) {
        case verdict::accept:
            if (what.kind == recipients::mailbox_kind::alias || what.kind == recipients::mailbox_kind::unclassified) {
                return fail(error_kind::invalid, "say what it is: user, shared, resource or list", "kind");
            }
            done = accept(in, domain, what, *local, row);
            break;
        case verdict::alias:
            done = lead(in, domain, what, *local, row);
            break;
        case verdict::block:
            done = block(in, domain, *local);
            break;
        case verdict::keep:
            break;
    }
    if (done && *found) {
        drop_candidate(in, (*found)->id);
    }
    return done ? directory::or_failure(in) : done;
}

}  // namespace postern::discovery
