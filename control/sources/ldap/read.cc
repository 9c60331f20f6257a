#include "control/sources/ldap/read.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/words.h"
#include "control/sources/text.h"

namespace postern::sources::ldap {
namespace {

constexpr std::size_t most_values = 200'000;  ///< of one attribute

failure partial(std::string step, std::string reason) {
    return {fetch_outcome::end::partial, std::move(step), std::move(reason), false};
}

}  // namespace

entry_reader::entry_reader(connection& on, const entry_mapper& mapper, entry_sink& into, fetch_outcome& out,
                           bool changes)
    : _on(on), _mapper(mapper), _into(into), _out(out), _changes(changes) {}

bool entry_reader::take_object(object&& one, std::span<const received_control> /*controls*/) {
    return take(std::move(one), "");
}

bool entry_reader::take(object&& one, const std::string& identity) {
    ++_out.read;
    if (auto completed = complete_ranges(one); !completed) {
        _broken = std::move(completed.error());
        return false;
    }
    if (const auto guid = one.first("objectguid")) {
        _guids.emplace(*guid);
    }
    mapped found = _mapper.map(one);
    if (found.verdict == mapped::verdict::no_identity && !identity.empty()) {
        // The protocol tells it although the account may not read the attribute.
        one.attributes.push_back({"entryuuid", {identity}, 0, std::nullopt});
        found = _mapper.map(one);
    }
    return yield(std::move(found));
}

bool entry_reader::yield(mapped&& one) {
    _out.unreadable += one.unreadable;
    if (one.verdict == mapped::verdict::entry) {
        if (!_into.entry(std::move(one.entry))) {
            _broken = stopped().value();
            return false;
        }
        return true;
    }
    ++_out.left_out;
    if (one.verdict == mapped::verdict::no_identity) {
        if (!_incomplete) {
            _incomplete =
                partial("attributes", "the object " + one_line(one.entry.name) +
                                          " shows no identity (objectGUID, entryUUID or nsUniqueId), so it "
                                          "can't be told from another; give the account the right to read it");
        }
        return true;
    }
    return !_changes || gone(one.entry.identity);
}

bool entry_reader::gone(const std::string& identity) {
    if (!_into.gone(identity)) {
        _broken = stopped().value();
        return false;
    }
    return true;
}

bool entry_reader::take_reference(const std::vector<std::string>& urls) {
    const bool matters = !urls.empty() && std::all_of(urls.begin(), urls.end(), may_hold_recipients);
    if (matters && !_on.settings().ignore_referrals && !_incomplete) {
        _incomplete = partial("search", "another server holds a part of the tree, " + one_line(urls.front()) +
                                            ", and it was not followed; make a source of its own for it and set "
                                            "ignore_referrals here, or take a base without it");
    }
    return true;
}

result<void> entry_reader::complete_ranges(object& one) {
    for (attribute& each : one.attributes) {
        while (each.more_from) {
            const std::string name = each.name + ";range=" + std::to_string(*each.more_from) + "-*";
            auto more = _on.read(one.dn, {name});
            if (!more) {
                return tl::unexpected(std::move(more.error()));
            }
            const attribute* const next = *more ? (*more)->find(each.name) : nullptr;
            if (next == nullptr || next->values.empty() || next->first != *each.more_from ||
                each.values.size() + next->values.size() > most_values) {
                return tl::unexpected(partial("search", "the server did not give all values of " + each.name + " of " +
                                                            one_line(one.dn) + "; it is read again at the next sync"));
            }
            each.values.insert(each.values.end(), next->values.begin(), next->values.end());
            each.more_from = next->more_from;
        }
    }
    return {};
}

result<void> entry_reader::standing() const {
    if (_broken) {
        return tl::unexpected(*_broken);
    }
    if (_incomplete) {
        return tl::unexpected(*_incomplete);
    }
    return {};
}

bool may_hold_recipients(std::string_view referral_url) {
    const std::size_t host = referral_url.find("://");
    const std::size_t path = host == std::string_view::npos ? host : referral_url.find('/', host + 3);
    if (path == std::string_view::npos) {
        return true;
    }
    const std::string_view dn = referral_url.substr(path + 1, referral_url.find('?', path) - path - 1);
    const std::string comparable = comparable_dn(dn);
    constexpr std::array<std::string_view, 4> none = {"cn=configuration,", "cn=schema,cn=configuration,",
                                                      "dc=domaindnszones,", "dc=forestdnszones,"};
    return std::none_of(none.begin(), none.end(), [&](std::string_view each) { return comparable.starts_with(each); });
}

failure search_failure(const std::string& base, const search_end& end) {
    failure out;
    out.step = "search";
    out.reason = refusal_words("search " + base, end.code, end.text);
    out.elsewhere = false;
    switch (end.code) {
        case code::size_limit:
        case code::time_limit:
        case code::admin_limit:
            out.end = fetch_outcome::end::partial;
            break;
        case code::no_such_object:
        case code::invalid_dn_syntax:
            out.step = "base";
            break;
        case code::referral:
            out.step = "base";
            if (!end.referrals.empty()) {
                out.reason += " (" + one_line(end.referrals.front()) + ")";
            }
            break;
        case 18:
            out.step = "filter";
            break;
        default:
            break;
    }
    return out;
}

result<void> read_pages(connection& on, const std::string& base, const std::string& filter,
                        const std::vector<std::string>& attributes, std::vector<control> controls,
                        search_handler& into) {
    search_request request{base, true, filter, attributes, std::move(controls), false};
    const std::size_t at = request.controls.size();
    std::string cookie;
    while (true) {
        // Not critical: a server without pages sends everything at once.
        request.controls.resize(at, {oid::paged_results, "", false});
        request.controls.push_back({oid::paged_results, encode_paged(on.settings().page_size, cookie), false});
        const auto end = on.search(request, into);
        if (!end) {
            return tl::unexpected(end.error());
        }
        if (!*end) {
            return {};  // the handler knows why
        }
        if ((*end)->code != code::success) {
            return tl::unexpected(search_failure(base, **end));
        }
        const received_control* const paged = find_control((*end)->controls, oid::paged_results);
        if (paged == nullptr) {
            return {};
        }
        auto value = decode_paged(paged->value);
        if (!value) {
            return tl::unexpected(partial("search", "the server sent a page's end that can't be read"));
        }
        if (value->cookie.empty()) {
            return {};
        }
        cookie = std::move(value->cookie);
    }
}

result<void> read_whole(connection& on, entry_reader& into) {
    auto read = read_pages(on, on.settings().base, on.settings().filter, into.mapper().wanted(), {}, into);
    return read.and_then([&] { return into.standing(); });
}

std::string root_dse::context_of(const std::string& base) const {
    const std::string* best = nullptr;
    for (const std::string& each : naming_contexts) {
        if (is_within(base, each) && (best == nullptr || each.size() > best->size())) {
            best = &each;
        }
    }
    return best == nullptr ? base : *best;
}

result<root_dse> read_root(connection& on) {
    auto read = on.read(
        "", {"namingContexts", "supportedControl", "supportedCapabilities", "dsServiceName", "highestCommittedUSN"});
    if (!read) {
        return tl::unexpected(std::move(read.error()));
    }
    root_dse out;
    if (!*read) {
        return out;  // hidden: nothing is known of what it can do
    }
    const object& root = **read;
    if (const attribute* const contexts = root.find("namingcontexts")) {
        out.naming_contexts = contexts->values;
    }
    if (const attribute* const controls = root.find("supportedcontrol")) {
        out.controls.insert(controls->values.begin(), controls->values.end());
    }
    out.active_directory = root.has_value("supportedcapabilities", oid::active_directory);
    out.service_name = root.first("dsservicename").value_or("");
    const std::string_view usn = root.first("highestcommittedusn").value_or("");
    std::from_chars(usn.data(), usn.data() + usn.size(), out.highest_usn);
    return out;
}

}  // namespace postern::sources::ldap
