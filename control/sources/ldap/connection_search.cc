// Searches over a connection, message by message.
#include <algorithm>

#include "control/sources/ldap/connection_handle.h"
#include "control/sources/ldap/words.h"
#include "control/sources/text.h"

namespace postern::sources::ldap {

const received_control* find_control(std::span<const received_control> in, std::string_view oid) {
    const auto at = std::find_if(in.begin(), in.end(), [&](const received_control& each) { return each.oid == oid; });
    return at == in.end() ? nullptr : &*at;
}

bool search_handler::take_info(std::string_view /*oid*/, std::string_view /*value*/) {
    return true;
}
bool search_handler::idle() {
    return true;
}

namespace {

std::vector<received_control> take_controls(LDAPControl** controls) {
    std::vector<received_control> out;
    for (LDAPControl** each = controls; each != nullptr && *each != nullptr; ++each) {
        out.push_back({(*each)->ldctl_oid, text_of((*each)->ldctl_value)});
    }
    ::ldap_controls_free(controls);
    return out;
}

std::vector<std::string> take_texts(char** texts) {
    std::vector<std::string> out;
    for (char** each = texts; each != nullptr && *each != nullptr; ++each) {
        out.emplace_back(*each);
    }
    ::ldap_memvfree(reinterpret_cast<void**>(texts));
    return out;
}

/// The attributes of an entry; false if libldap can't read it.
bool read_entry(LDAP* ld, LDAPMessage* entry, object& out) {
    BerElement* ber = nullptr;
    berval name{0, nullptr};
    if (::ldap_get_dn_ber(ld, entry, &ber, &name) != LDAP_SUCCESS) {
        return false;
    }
    out.dn = text_of(name);
    bool good = true;
    while (good) {
        berval attribute{0, nullptr};
        BerVarray values = nullptr;
        good = ::ldap_get_attribute_ber(ld, entry, ber, &attribute, &values) == LDAP_SUCCESS;
        if (!good || attribute.bv_val == nullptr) {
            break;
        }
        const auto description = parse_description(text_of(attribute));
        std::vector<std::string> texts;
        for (BerVarray each = values; each != nullptr && each->bv_val != nullptr; ++each) {
            texts.push_back(text_of(*each));
        }
        ::ber_memfree(values);
        good = description && out.add(*description, std::move(texts));
    }
    if (ber != nullptr) {
        ::ber_free(ber, 0);
    }
    return good;
}

}  // namespace

result<std::optional<search_end>> connection::search(const search_request& request, search_handler& into) {
    handle& to = *_handle;
    std::vector<char*> attributes;
    for (const std::string& each : request.attributes) {
        attributes.push_back(const_cast<char*>(each.c_str()));  // NOLINT: libldap's interface; it does not write
    }
    attributes.push_back(nullptr);
    std::vector<LDAPControl> controls;
    controls.reserve(request.controls.size());
    for (const control& each : request.controls) {
        LDAPControl one{};
        one.ldctl_oid = const_cast<char*>(each.oid);  // NOLINT: as above
        if (!each.value.empty()) {
            one.ldctl_value = {each.value.size(), const_cast<char*>(each.value.data())};  // NOLINT: as above
        }
        one.ldctl_iscritical = static_cast<char>(each.critical ? 1 : 0);
        controls.push_back(one);
    }
    std::vector<LDAPControl*> pointers;
    for (LDAPControl& each : controls) {
        pointers.push_back(&each);
    }
    pointers.push_back(nullptr);
    int id = 0;
    const int sent = ::ldap_search_ext(to.ld, request.base.c_str(),
                                       request.subtree ? LDAP_SCOPE_SUBTREE : LDAP_SCOPE_BASE, request.filter.c_str(),
                                       attributes.data(), 0, pointers.data(), nullptr, nullptr, LDAP_NO_LIMIT, &id);
    if (sent == LDAP_FILTER_ERROR) {
        return fail("filter", "the filter \"" + request.filter + "\" is not one; correct it", false);
    }
    if (sent != LDAP_SUCCESS) {
        return fail("search", "cannot search: " + std::string(::ldap_err2string(sent)));
    }
    const auto give_up = [&] { ::ldap_abandon_ext(to.ld, id, nullptr, nullptr); };
    while (true) {
        const auto until = request.endless ? clock::time_point::max() : _limits.at_most(_settings.answer_timeout_s);
        auto got = to.next(id, until, _limits, "search");
        if (!got) {
            give_up();
            return tl::unexpected(std::move(got.error()));
        }
        if (!*got) {
            if (!into.idle()) {
                give_up();
                return std::nullopt;
            }
            continue;
        }
        LDAPMessage* const one = got->get();
        bool go_on = true;
        switch (::ldap_msgtype(one)) {
            case LDAP_RES_SEARCH_ENTRY: {
                object entry;
                LDAPControl** received = nullptr;
                // Controls first: reading the attributes ends their texts within the message.
                if (::ldap_get_entry_controls(to.ld, one, &received) != LDAP_SUCCESS ||
                    !read_entry(to.ld, one, entry)) {
                    ::ldap_controls_free(received);
                    give_up();
                    return fail("search", "the server sent an entry that can't be read" +
                                              (entry.dn.empty() ? std::string() : ": " + one_line(entry.dn)));
                }
                const auto with = take_controls(received);
                go_on = into.take_object(std::move(entry), with);
                break;
            }
            case LDAP_RES_SEARCH_REFERENCE: {
                char** urls = nullptr;
                ::ldap_parse_reference(to.ld, one, &urls, nullptr, 0);
                go_on = into.take_reference(take_texts(urls));
                break;
            }
            case LDAP_RES_INTERMEDIATE: {
                char* oid = nullptr;
                berval* value = nullptr;
                if (::ldap_parse_intermediate(to.ld, one, &oid, &value, nullptr, 0) == LDAP_SUCCESS) {
                    go_on = into.take_info(oid == nullptr ? "" : oid, value == nullptr ? "" : text_of(*value));
                }
                ::ldap_memfree(oid);
                ::ber_bvfree(value);
                break;
            }
            case LDAP_RES_SEARCH_RESULT: {
                search_end out;
                char* text = nullptr;
                char** referrals = nullptr;
                LDAPControl** received = nullptr;
                if (::ldap_parse_result(to.ld, one, &out.code, nullptr, &text, &referrals, &received, 0) !=
                    LDAP_SUCCESS) {
                    return fail("search", "the server sent a result that can't be read");
                }
                out.text = take_text(text);
                out.referrals = take_texts(referrals);
                out.controls = take_controls(received);
                return out;
            }
            default:
                break;
        }
        if (!go_on) {
            give_up();
            return std::nullopt;
        }
    }
}

namespace {

class first_object final : public search_handler {
public:
    bool take_object(object&& one, std::span<const received_control> /*controls*/) override {
        if (!found) {
            found = std::move(one);
        }
        return true;
    }
    bool take_reference(const std::vector<std::string>& /*urls*/) override { return true; }
    std::optional<object> found;
};

}  // namespace

result<std::optional<object>> connection::read(const std::string& dn, const std::vector<std::string>& attributes,
                                               std::vector<control> controls) {
    first_object into;
    const auto end = search({dn, false, "(objectClass=*)", attributes, std::move(controls), false}, into);
    if (!end) {
        return tl::unexpected(end.error());
    }
    const search_end& came = **end;
    if (came.code == code::no_such_object) {
        return std::nullopt;
    }
    if (came.code != code::success) {
        return fail("search",
                    refusal_words("read " + (dn.empty() ? "what the server announces" : dn), came.code, came.text));
    }
    return std::move(into.found);
}

}  // namespace postern::sources::ldap
