#include "perf/tls_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <utility>

namespace postern::perf {
namespace {

using state = tls_client::state;

/// OpenSSL's server with a certificate of its own, over memory like the client.
class server {
public:
    explicit server(int most_version = TLS1_3_VERSION) {
        key = ::EVP_EC_gen("P-256");
        certificate = ::X509_new();
        ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), 1);
        ::X509_gmtime_adj(::X509_getm_notBefore(certificate), 0);
        ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 3600);
        ::X509_set_pubkey(certificate, key);
        ::X509_sign(certificate, key, ::EVP_sha256());
        context = ::SSL_CTX_new(::TLS_server_method());
        ::SSL_CTX_set_max_proto_version(context, most_version);
        ::SSL_CTX_use_certificate(context, certificate);
        ::SSL_CTX_use_PrivateKey(context, key);
        ssl = ::SSL_new(context);
        ::SSL_set_bio(ssl, ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
        ::SSL_set_accept_state(ssl);
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    ~server() {
        ::SSL_free(ssl);
        ::SSL_CTX_free(context);
        ::X509_free(certificate);
        ::EVP_PKEY_free(key);
    }

    /// Takes the client's records; `heard` grows by what they say. Returns its own records.
    std::string take(std::string_view octets) {
        ::BIO_write(::SSL_get_rbio(ssl), octets.data(), static_cast<int>(octets.size()));
        std::array<char, 20000> part{};
        for (int size = 0; (size = ::SSL_read(ssl, part.data(), static_cast<int>(part.size()))) > 0;) {
            heard.append(part.data(), static_cast<std::size_t>(size));
        }
        return records();
    }
    std::string say(std::string_view text) {
        ::SSL_write(ssl, text.data(), static_cast<int>(text.size()));
        return records();
    }
    std::string end() {
        ::SSL_shutdown(ssl);
        return records();
    }

    EVP_PKEY* key = nullptr;
    X509* certificate = nullptr;
    SSL_CTX* context = nullptr;
    SSL* ssl = nullptr;
    std::string heard;

private:
    std::string records() {
        std::array<char, 65536> part{};
        const int size = ::BIO_read(::SSL_get_wbio(ssl), part.data(), static_cast<int>(part.size()));
        return size > 0 ? std::string(part.data(), static_cast<std::size_t>(size)) : std::string();
    }
};

struct pair {
    explicit pair(int most_version = TLS1_3_VERSION) : other(most_version) {}

    /// Until both ends are done, the server's records in pieces of so many octets.
    void shake(std::size_t piece = 100000) {
        client.begin(out);
        for (int round = 0; round < 5 && !out.empty(); ++round) {
            const std::string answer = other.take(std::exchange(out, {}));
            for (std::size_t at = 0; at < answer.size(); at += piece) {
                client.received(std::string_view(answer).substr(at, piece), plain, out);
            }
        }
    }

    server other;
    tls_settings settings;
    tls_client client{settings};
    std::string plain;
    std::string out;
};

TEST(tls_client, shakes_hands_and_talks_in_either_version) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        pair with(version);
        with.shake();
        ASSERT_EQ(with.client.now_in(), state::open) << with.client.error();
        EXPECT_EQ(::SSL_version(with.other.ssl), version);
        with.client.seal("EHLO load.invalid\r\n", with.out);
        EXPECT_EQ(with.out.find("EHLO"), std::string::npos);
        const std::string late = with.other.take(with.out);  // tickets
        EXPECT_EQ(with.other.heard, "EHLO load.invalid\r\n");
        with.client.received(late + with.other.say("250 mx\r\n"), with.plain, with.out);
        EXPECT_EQ(with.plain, "250 mx\r\n");
    }
}

TEST(tls_client, takes_records_in_any_pieces) {
    pair with;
    with.shake(1);
    ASSERT_EQ(with.client.now_in(), state::open);
    const std::string answer = with.other.say("220-one\r\n220 two\r\n");
    for (const char octet : answer) {
        with.client.received({&octet, 1}, with.plain, with.out);
    }
    EXPECT_EQ(with.plain, "220-one\r\n220 two\r\n");
}

TEST(tls_client, sends_more_than_a_record_holds) {
    pair with;
    with.shake();
    const std::string message(50000, 'm');
    with.client.seal(message, with.out);
    with.other.take(with.out);
    EXPECT_EQ(with.other.heard, message);
}

TEST(tls_client, fails_with_words_where_a_server_speaks_something_else) {
    pair with;
    with.client.begin(with.out);
    with.client.received("454 4.7.0 TLS not available\r\n", with.plain, with.out);
    EXPECT_EQ(with.client.now_in(), state::failed);
    EXPECT_FALSE(with.client.error().empty());
    EXPECT_TRUE(with.plain.empty());
}

TEST(tls_client, fails_at_a_record_that_was_changed_on_its_way) {
    pair with;
    with.shake();
    std::string answer = with.other.say("250 mx\r\n");
    answer.back() = static_cast<char>(answer.back() ^ 1);
    with.client.received(answer, with.plain, with.out);
    EXPECT_EQ(with.client.now_in(), state::failed);
    EXPECT_TRUE(with.plain.empty());
    EXPECT_FALSE(with.client.error().empty());
}

TEST(tls_client, tells_the_servers_end_from_a_failure) {
    pair with;
    with.shake();
    with.client.received(with.other.say("221 bye\r\n") + with.other.end(), with.plain, with.out);
    EXPECT_EQ(with.plain, "221 bye\r\n");
    EXPECT_EQ(with.client.now_in(), state::closed);
}

}  // namespace
}  // namespace postern::perf
