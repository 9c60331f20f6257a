#include "control/sources/ldap/connection.h"

#include <ldap.h>
#include <openldap.h>
#include <sys/mman.h>
#include <unistd.h>

#include <system_error>

#include "control/sources/ldap/connect.h"
#include "control/sources/ldap/connection_handle.h"
#include "control/sources/ldap/words.h"
#include "control/sources/text.h"

namespace postern::sources::ldap {
namespace {

constexpr ber_len_t most_message = 16U << 20U;  ///< octets of one LDAP message
constexpr const char* system_certificates = "/etc/ssl/certs/ca-certificates.crt";

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

}  // namespace

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
    } catch (const std::system_error& why) {
        return fail("TCP", std::string("cannot start a thread: ") + why.what());
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

}  // namespace postern::sources::ldap
