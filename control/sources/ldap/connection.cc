#include "control/sources/ldap/connection.h"

#include <fcntl.h>
#include <ldap.h>
#include <openldap.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "control/sources/ldap/connect.h"
#include "control/sources/ldap/words.h"

namespace postern::sources::ldap {
namespace {

constexpr ber_len_t most_message = 16U << 20U;  ///< octets of one LDAP message
constexpr long slice_us = 100'000;              ///< how long a `stop` may stay unseen
constexpr const char* system_certificates = "/etc/ssl/certs/ca-certificates.crt";

/// Ends whatever libldap does on a socket (a handshake, half a message) at a time or at `stop`, by shutting it down.
class watchdog {
public:
    watchdog(int socket, const std::atomic<bool>& stop)
        : _socket(::fcntl(socket, F_DUPFD_CLOEXEC, 0)), _stop(stop), _thread([this] { watch(); }) {}
    ~watchdog() {
        {
            const std::lock_guard lock(_mutex);
            _ended = true;
        }
        _wake.notify_all();
        _thread.join();
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

    void allow_until(clock::time_point until) { _until.store(until.time_since_epoch().count()); }
    bool barked() const noexcept { return _barked.load(); }

private:
    void watch() {
        std::unique_lock lock(_mutex);
        while (!_wake.wait_for(lock, std::chrono::microseconds(slice_us), [this] { return _ended; })) {
            const bool late = clock::now().time_since_epoch().count() > _until.load();
            if (late || _stop.load(std::memory_order_relaxed)) {
                _barked.store(true);
                ::shutdown(_socket.get(), SHUT_RDWR);
                return;
            }
        }
    }

    process::descriptor _socket;
    const std::atomic<bool>& _stop;
    std::atomic<clock::rep> _until{std::numeric_limits<clock::rep>::max()};
    std::atomic<bool> _barked{false};
    std::mutex _mutex;
    std::condition_variable _wake;
    bool _ended = false;
    std::thread _thread;
};

/// PEM text where libldap wants a file: in memory, under a name that lives as long as the descriptor.
class memory_file {
public:
    explicit memory_file(std::string_view content) : _fd(::memfd_create("postern-ldap", MFD_CLOEXEC)) {
        while (_fd && !content.empty()) {
            const ssize_t n = ::write(_fd.get(), content.data(), content.size());
            if (n <= 0) {
                _fd = process::descriptor();
                break;
            }
            content.remove_prefix(static_cast<std::size_t>(n));
        }
        _path = "/proc/self/fd/" + std::to_string(_fd.get());
    }
    bool good() const noexcept { return static_cast<bool>(_fd); }
    const char* path() const noexcept { return _path.c_str(); }

private:
    process::descriptor _fd;
    std::string _path;
};

struct message_free {
    void operator()(LDAPMessage* one) const noexcept { ::ldap_msgfree(one); }
};
using message = std::unique_ptr<LDAPMessage, message_free>;

std::string text_of(const berval& from) {
    return {from.bv_val == nullptr ? "" : from.bv_val, from.bv_len};
}

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

std::string take_text(char* text) {
    std::string out = text == nullptr ? "" : text;
    ::ldap_memfree(text);
    return out;
}

}  // namespace

tl::unexpected<failure> stopped() {
    return tl::unexpected<failure>(failure{fetch_outcome::end::stopped, "", "stopped", false});
}

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

struct connection::handle {
    LDAP* ld = nullptr;
    std::unique_ptr<watchdog> guard;

    handle() = default;
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;
    ~handle() {
        if (ld != nullptr) {
            if (guard) {
                // What is left to say (abandon, unbind) must not wait for a server that does not read.
                guard->allow_until(clock::now() + std::chrono::seconds(1));
            }
            ::ldap_unbind_ext(ld, nullptr, nullptr);
        }
        guard.reset();
    }

    int error() const {
        int code = 0;
        ::ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
        return code;
    }
    std::string diagnostic() const {
        char* text = nullptr;
        ::ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
        return take_text(text);
    }

    /// The next message of a request. `until`: nothing by then is a failure.
    result<message> next(int id, clock::time_point until, const patience& limits, const char* step) const {
        guard->allow_until(until);
        while (true) {
            timeval slice{0, slice_us};
            LDAPMessage* got = nullptr;
            const int type = ::ldap_result(ld, id, LDAP_MSG_ONE, &slice, &got);
            message owned(got);
            if (limits.is_stopped()) {
                return stopped();
            }
            if (type > 0) {
                return owned;
            }
            if (clock::now() >= until || guard->barked()) {
                return fail(step,
                            "the server did not answer in time; see whether it is overloaded, or raise the "
                            "timeout");
            }
            if (type < 0) {
                return fail(step, "the connection was cut: " + std::string(::ldap_err2string(error())) +
                                      "; see the server's log");
            }
            if (until == clock::time_point::max()) {
                return message();  // nothing yet, and there is no hurry
            }
        }
    }
};

connection::connection(const ldap_settings& settings, std::string url, patience limits)
    : _settings(settings), _url(std::move(url)), _limits(limits), _handle(std::make_unique<handle>()) {}

connection::~connection() = default;

result<std::unique_ptr<connection>> connection::open(const ldap_settings& settings, const server_address& server,
                                                     const egress_policy& policy, patience limits,
                                                     const step_observer& observer) {
    auto tcp = connect_to(settings, server, policy, limits, observer);
    if (!tcp) {
        return tl::unexpected(std::move(tcp.error()));
    }
    std::unique_ptr<connection> out(new connection(settings, settings.url_of(server), limits));
    handle& to = *out->_handle;
    try {
        to.guard = std::make_unique<watchdog>(tcp->socket.get(), limits.stop);
    } catch (const std::system_error& error) {
        return fail("TCP", std::string("cannot start a thread: ") + error.what());
    }
    // The scheme is always ldap: TLS is begun by hand, so that it is a step of its own.
    server_address named = server;
    named.port = settings.port_of(server);
    ldap_settings plain;
    plain.security = security::start_tls;
    const int made = ::ldap_init_fd(tcp->socket.get(), LDAP_PROTO_TCP, plain.url_of(named).c_str(), &to.ld);
    if (made != LDAP_SUCCESS) {
        return fail("TCP", std::string("libldap can't take the connection: ") + ::ldap_err2string(made));
    }
    tcp->socket.release();
    const int version = LDAP_VERSION3;
    const int never = LDAP_DEREF_NEVER;
    const int none = LDAP_NO_LIMIT;
    const timeval timeout{static_cast<time_t>(settings.connect_timeout_s), 0};
    ::ldap_set_option(to.ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ::ldap_set_option(to.ld, LDAP_OPT_DEREF, &never);
    ::ldap_set_option(to.ld, LDAP_OPT_SIZELIMIT, &none);
    ::ldap_set_option(to.ld, LDAP_OPT_TIMELIMIT, &none);
    ::ldap_set_option(to.ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ::ldap_set_option(to.ld, LDAP_OPT_RESTART, LDAP_OPT_ON);
    ::ldap_set_option(to.ld, LDAP_OPT_NETWORK_TIMEOUT, &timeout);
    Sockbuf* buffer = nullptr;
    ber_len_t most = most_message;
    if (::ldap_get_option(to.ld, LDAP_OPT_SOCKBUF, &buffer) == LDAP_OPT_SUCCESS && buffer != nullptr) {
        ::ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &most);
    }
    if (settings.security != security::none) {
        if (auto secured = out->secure(server, tcp->peer.text, observer); !secured) {
            if (secured.error().end == fetch_outcome::end::failed) {
                std::string words = certificate_words(settings, server, tcp->peer, limits);
                if (!words.empty()) {
                    secured.error().reason = std::move(words);
                }
            }
            return tl::unexpected(std::move(secured.error()));
        }
    }
    if (auto bound = out->bind(observer); !bound) {
        return tl::unexpected(std::move(bound.error()));
    }
    return out;
}

result<void> connection::secure(const server_address& server, std::string_view peer, const step_observer& observer) {
    handle& to = *_handle;
    const memory_file authorities(_settings.ca_certificates);
    const memory_file certificate(_settings.client_certificate);
    const memory_file key(_settings.secrets.client_key);
    const bool with_certificate = !_settings.client_certificate.empty();
    if (with_certificate && _settings.secrets.client_key.empty()) {
        return fail("TLS", "the client certificate has no key; set the source's secret client_key", false);
    }
    if (!authorities.good() || !certificate.good() || !key.good()) {
        return fail("TLS", "cannot hold the certificates in memory");
    }
    const int demand = LDAP_OPT_X_TLS_DEMAND;
    const int as_client = 0;
    bool good = ::ldap_set_option(to.ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) == LDAP_OPT_SUCCESS;
    good = good && ::ldap_set_option(to.ld, LDAP_OPT_X_TLS_CACERTFILE,
                                     _settings.ca_certificates.empty() ? system_certificates : authorities.path()) ==
                       LDAP_OPT_SUCCESS;
    if (with_certificate) {
        good = good && ::ldap_set_option(to.ld, LDAP_OPT_X_TLS_CERTFILE, certificate.path()) == LDAP_OPT_SUCCESS;
        good = good && ::ldap_set_option(to.ld, LDAP_OPT_X_TLS_KEYFILE, key.path()) == LDAP_OPT_SUCCESS;
    }
    if (!good || ::ldap_set_option(to.ld, LDAP_OPT_X_TLS_NEWCTX, &as_client) != LDAP_OPT_SUCCESS) {
        return fail("TLS",
                    "cannot use the certificates: " + to.diagnostic() +
                        "; see whether the CA and client certificates are PEM text, and the key belongs to its "
                        "certificate",
                    false);
    }
    const auto until = _limits.at_most(_settings.connect_timeout_s);
    if (_settings.security == security::start_tls) {
        int id = 0;
        if (const int sent = ::ldap_start_tls(to.ld, nullptr, nullptr, &id); sent != LDAP_SUCCESS) {
            return fail("TLS", std::string("cannot ask for StartTLS: ") + ::ldap_err2string(sent));
        }
        auto answer = to.next(id, until, _limits, "TLS");
        if (!answer) {
            return tl::unexpected(std::move(answer.error()));
        }
        int code = LDAP_SUCCESS;
        char* text = nullptr;
        ::ldap_parse_result(to.ld, answer->get(), &code, nullptr, &text, nullptr, nullptr, 0);
        const std::string words = take_text(text);
        if (code != LDAP_SUCCESS) {
            return fail("TLS", refusal_words("begin TLS", code, words) +
                                   "; see whether the server has a certificate, or use ldaps");
        }
    }
    to.guard->allow_until(until);
    if (const int secured = ::ldap_install_tls(to.ld); secured != LDAP_SUCCESS) {
        if (_limits.is_stopped()) {
            return stopped();
        }
        const std::string words = to.diagnostic();
        return fail("TLS", "cannot make a TLS connection with " + server.host + " (" + std::string(peer) +
                               "): " + one_line(words.empty() ? ::ldap_err2string(secured) : words) +
                               "; see whether the server speaks TLS on this port and shows a certificate for its name");
    }
    // libldap on GnuTLS can't be told the least version without leaking its priorities.
    char* spoken = nullptr;
    ::ldap_get_option(to.ld, LDAP_OPT_X_TLS_VERSION, &spoken);
    const std::string version = take_text(spoken);
    if (version != "TLS1.2" && version != "TLS1.3") {
        return fail("TLS", server.host + " speaks " + (version.empty() ? "an unknown version of TLS" : version) +
                               "; TLS 1.2 is the least: enable it on the server");
    }
    if (observer) {
        observer("TLS", "the certificate is good for " + server.host + " (" + version + ")");
    }
    return {};
}

result<void> connection::bind(const step_observer& observer) {
    handle& to = *_handle;
    const char* mechanism = LDAP_SASL_SIMPLE;
    std::string who = "anonymously";
    const char* name = nullptr;
    berval credentials{0, nullptr};
    std::string password;
    switch (_settings.sign_in) {
        case sign_in::password:
            // A name without a password is an anonymous sign-in that looks like a good one (RFC 4513 5.1.2).
            if (_settings.secrets.password.empty()) {
                return fail("bind", "there is no password; set the source's secret password", false);
            }
            password = _settings.secrets.password;
            name = _settings.bind_name.c_str();
            who = "as " + _settings.bind_name;
            credentials = {password.size(), password.data()};
            break;
        case sign_in::certificate:
            mechanism = "EXTERNAL";
            who = "with the client certificate";
            credentials = {0, password.data()};  // there and empty: the server is not to ask back (RFC 4422 A)
            break;
        case sign_in::anonymous:
            credentials = {0, password.data()};
            break;
    }
    int id = 0;
    if (const int sent = ::ldap_sasl_bind(to.ld, name, mechanism, &credentials, nullptr, nullptr, &id);
        sent != LDAP_SUCCESS) {
        return fail("bind", "cannot sign in " + who + ": " + ::ldap_err2string(sent));
    }
    auto answer = to.next(id, _limits.at_most(_settings.connect_timeout_s), _limits, "bind");
    if (!answer) {
        return tl::unexpected(std::move(answer.error()));
    }
    int code = LDAP_SUCCESS;
    char* text = nullptr;
    ::ldap_parse_result(to.ld, answer->get(), &code, nullptr, &text, nullptr, nullptr, 0);
    const std::string words = take_text(text);
    if (code != LDAP_SUCCESS) {
        const bool about_account = code == code::invalid_credentials || code == code::inappropriate_authentication;
        return fail("bind", refusal_words("sign in " + who, code, words), !about_account);
    }
    if (observer) {
        observer("bind", "signed in " + who +
                             (_settings.security == security::none && !password.empty()
                                  ? "; the password went over the network in clear text: better set starttls or ldaps"
                                  : ""));
    }
    return {};
}

namespace {

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
