#include "control/recent/what_if.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "control/directory/connection.h"
#include "control/sources/csv_layout.h"
#include "control/sources/csv_reader.h"
#include "smtp/recipients/address.h"
#include "smtp/recipients/forms.h"

namespace postern::recent {

namespace {

using directory::error_kind;
using directory::fail;

constexpr std::size_t shape_rows = 20;

bool takes(std::string_view local, const recipients::domain_settings& domain, const local_list& listed) {
    if (recipients::is_always(local, domain) || listed(local)) {
        return true;
    }
    recipients::local_forms forms;
    recipients::other_forms(local, domain, forms);
    return std::any_of(forms.locals.begin(), forms.locals.begin() + static_cast<std::ptrdiff_t>(forms.count), listed);
}

std::uint64_t accepted(const seen_address& of) {
    return of.counts.at(static_cast<std::size_t>(outcome::would_reject)) +
           of.counts.at(static_cast<std::size_t>(outcome::listed));
}

/// What would be missed most comes first.
bool weighs_more(const seen_address& a, const seen_address& b) {
    if (accepted(a) != accepted(b)) {
        return accepted(a) > accepted(b);
    }
    return a.times() != b.times() ? a.times() > b.times() : a.address < b.address;
}

}  // namespace

result<what_if_result> what_if(const recent_store& in, const recipients::domain_settings& domain, timestamp since,
                               const local_list& listed, std::size_t most) {
    what_if_result out;
    std::vector<seen_address>& found = out.addresses;
    const auto keep_first = [&] {
        const std::size_t kept = std::min(most, found.size());
        std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(), weighs_more);
        found.resize(kept);
    };
    const auto done = in.each(domain.id, since, [&](const seen_address& one) {
        ++out.recipients;
        if (takes(std::string_view(one.address).substr(0, one.address.rfind('@')), domain, listed)) {
            ++out.taken;
            return true;
        }
        ++out.refused;
        out.refused_times += one.times();
        out.missed += accepted(one) != 0 ? 1 : 0;
        found.push_back(one);
        if (found.size() >= 4 * most + 1024) {
            keep_first();
        }
        return true;
    });
    if (!done) {
        return tl::unexpected(done.error());
    }
    keep_first();
    return out;
}

local_list present_list(const directory::reader& in, std::uint32_t domain) {
    return [&in, domain](std::string_view local) {
        directory::statement asked =
            in.on().query("SELECT valid FROM address WHERE domain = ? AND normal = ?", domain, local);
        return asked.step() && asked.integer(0) != 0;
    };
}

bool candidate_list::add(std::string_view address) {
    std::string whole(address);
    if (whole.find('@') == std::string::npos) {
        whole += "@" + _names.front();
    }
    recipients::normal_address parsed;
    const bool good =
        recipients::parse_address(whole, {.allow_utf8 = true, .allow_bare_postmaster = false}, parsed).has_value() &&
        std::find(_names.begin(), _names.end(), parsed.domain()) != _names.end();
    if (good) {
        _locals.emplace(parsed.local());
    }
    return good;
}

result<candidate_list::reading> candidate_list::read(const sources::byte_source& file) {
    auto reader = sources::csv_reader::open(file);
    if (!reader) {
        return fail(error_kind::failed, reader.error());
    }
    reading out;
    std::vector<sources::csv_row> first;
    tl::expected<sources::csv_layout, std::string> layout = tl::unexpected(std::string("the list has no rows"));
    const auto take = [&](const sources::csv_row& row) {
        if (row.is_blank()) {
            return;
        }
        ++out.rows;
        if (!row.problem.empty()) {
            ++out.unreadable;
            return;
        }
        const sources::csv_entry entry = sources::read_entry(row, *layout);
        const auto count = [&](const sources::csv_address& each) {
            if (!each.text.empty()) {
                ++(add(each.text) ? out.addresses : out.elsewhere);
            }
        };
        count(entry.address);
        std::for_each(entry.aliases.begin(), entry.aliases.end(), count);
    };
    const auto begin = [&]() -> result<void> {
        if (!first.empty()) {
            layout = sources::guess_layout(first, std::nullopt);
        }
        if (!layout) {
            return fail(error_kind::invalid, layout.error(), "file");
        }
        std::for_each(first.begin() + (layout->header ? 1 : 0), first.end(), take);
        return {};
    };
    bool begun = false;
    sources::csv_row row;
    while (true) {
        const auto got = reader->next(row);
        if (!got) {
            return fail(error_kind::invalid, got.error(), "file");
        }
        if (*got && !begun && first.size() < shape_rows) {
            if (!row.is_blank()) {
                first.push_back(row);
            }
            continue;
        }
        if (!begun) {
            begun = true;
            if (auto good = begin(); !good) {
                return tl::unexpected(good.error());
            }
        }
        if (!*got) {
            return out;
        }
        take(row);
        if (_locals.size() > most) {
            return fail(error_kind::invalid,
                        "the list has more than " + std::to_string(most) + " addresses; ask about a part of it",
                        "file");
        }
    }
}

}  // namespace postern::recent
