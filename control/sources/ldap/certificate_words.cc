// libldap on GnuTLS says no more of a bad certificate than "(unknown error code)"; OpenSSL's verification says what is
// wrong with it. Only after a failure, on a second connection; nothing is sent but the handshake.
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>

#include "control/sources/ldap/ber.h"
#include "control/sources/ldap/connect.h"

namespace postern::sources::ldap {
namespace {

template <class T, void (*Free)(T*)>
struct freed {
    void operator()(T* one) const noexcept { Free(one); }
};
using context = std::unique_ptr<SSL_CTX, freed<SSL_CTX, SSL_CTX_free>>;
using session = std::unique_ptr<SSL, freed<SSL, SSL_free>>;
using bio = std::unique_ptr<BIO, freed<BIO, BIO_free_all>>;
using x509 = std::unique_ptr<X509, freed<X509, X509_free>>;

/// StartTLS as octets on the wire (RFC 4511 4.14), and whether the answer is a yes.
bool start_tls(int fd, clock::time_point until, const std::atomic<bool>& stop) {
    std::string request;
    std::string operation;
    append_element(operation, 0x80, "1.3.6.1.4.1.1466.20037");
    std::string content;
    append_integer(content, 1);
    append_element(content, 0x77, operation);
    append_element(request, tag::sequence, content);
    if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
        return false;
    }
    std::string answer;
    while (answer.size() < 4096 && wait_for(fd, POLLIN, until, stop)) {
        std::array<char, 512> block{};
        const ssize_t n = ::recv(fd, block.data(), block.size(), 0);
        if (n <= 0) {
            return false;
        }
        answer.append(block.data(), static_cast<std::size_t>(n));
        ber_reader outer(answer);
        if (const auto message = outer.take(tag::sequence)) {
            ber_reader inner(*message);
            const auto id = inner.take_integer();
            const auto response = inner.take(0x78);
            ber_reader fields(response.value_or(""));
            return id == 1 && fields.take_integer(tag::enumerated) == 0;
        }
    }
    return false;
}

void trust(SSL_CTX* in, const std::string& authorities) {
    if (authorities.empty()) {
        SSL_CTX_set_default_verify_paths(in);
        return;
    }
    const bio from(BIO_new_mem_buf(authorities.data(), static_cast<int>(authorities.size())));
    while (const x509 one{PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr)}) {
        X509_STORE_add_cert(SSL_CTX_get_cert_store(in), one.get());
    }
    ERR_clear_error();
}

std::string date_of(const ASN1_TIME* when) {
    std::tm time{};
    if (when == nullptr || ASN1_TIME_to_tm(when, &time) != 1) {
        return "an unknown date";
    }
    std::array<char, 16> out{};
    return {out.data(), std::strftime(out.data(), out.size(), "%Y-%m-%d", &time)};
}

std::string name_text(const X509_NAME* name) {
    const bio out(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return {text, static_cast<std::size_t>(size > 0 ? size : 0)};
}

std::string names_in(X509* certificate) {
    std::string out;
    auto* const names =
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int at = 0; names != nullptr && at < sk_GENERAL_NAME_num(names) && at < 8; ++at) {
        const GENERAL_NAME* const one = sk_GENERAL_NAME_value(names, at);
        if (one->type == GEN_DNS) {
            const ASN1_STRING* const text = one->d.dNSName;
            out += (out.empty() ? "" : ", ") + std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                                           static_cast<std::size_t>(ASN1_STRING_length(text)));
        }
    }
    GENERAL_NAMES_free(names);
    return out.empty() ? name_text(X509_get_subject_name(certificate)) : out;
}

std::string words(const server_address& server, X509* certificate, long verified) {
    const std::string whose = "the certificate that " + server.host + " shows ";
    switch (verified) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return whose + "(or one that it hangs on) expired; its own end is " +
                   date_of(X509_get0_notAfter(certificate)) + ": renew it on the server";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return whose + "is not valid before " + date_of(X509_get0_notBefore(certificate)) +
                   ": see whether the clocks of both machines are right";
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return whose + "is for " + names_in(certificate) + " and not for " + server.host +
                   ": set the server by a name that the certificate has";
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
            return whose + "was issued by " + name_text(X509_get_issuer_name(certificate)) +
                   ", which is not trusted: set that authority's certificate as ca_certificates";
        default:
            return whose + "can't be trusted: " + X509_verify_cert_error_string(verified) +
                   ": put a good one on the server";
    }
}

}  // namespace

std::string certificate_words(const ldap_settings& settings, const server_address& server, const resolved& peer,
                              const patience& limits) {
    const auto until = limits.at_most(settings.connect_timeout_s);
    const auto socket = connect_to(peer, until, limits.stop);
    if (!socket || (settings.security == security::start_tls && !start_tls(socket->get(), until, limits.stop))) {
        return "";
    }
    const context with(SSL_CTX_new(TLS_client_method()));
    if (!with) {
        return "";
    }
    trust(with.get(), settings.ca_certificates);
    const session one(SSL_new(with.get()));
    if (!one || SSL_set_fd(one.get(), socket->get()) != 1) {
        return "";
    }
    ::fcntl(socket->get(), F_SETFL, ::fcntl(socket->get(), F_GETFL) | O_NONBLOCK);
    X509_VERIFY_PARAM* const wanted = SSL_get0_param(one.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, server.host.c_str()) != 1) {
        X509_VERIFY_PARAM_set1_host(wanted, server.host.data(), server.host.size());
        SSL_set_tlsext_host_name(one.get(), server.host.c_str());
    }
    // Verification is judged afterwards, so that the handshake goes on to where the certificate is known.
    SSL_set_verify(one.get(), SSL_VERIFY_NONE, nullptr);
    while (true) {
        const int done = SSL_connect(one.get());
        const int why = done == 1 ? SSL_ERROR_NONE : SSL_get_error(one.get(), done);
        if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
            if (wait_for(socket->get(), why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until, limits.stop)) {
                continue;
            }
        }
        break;
    }
    ERR_clear_error();
    const x509 certificate(SSL_get1_peer_certificate(one.get()));
    const long verified = SSL_get_verify_result(one.get());
    return certificate && verified != X509_V_OK ? words(server, certificate.get(), verified) : "";
}

}  // namespace postern::sources::ldap
