#include "control/sources/microsoft365/assertion.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>
#include <memory>
#include <vector>

#include "control/encoding/base64.h"

namespace postern::sources::microsoft365 {
namespace {

constexpr std::int64_t good_for_s = 600;
constexpr int least_bits = 2048;

template <class T, void (*Free)(T*)>
struct freed {
    void operator()(T* one) const noexcept { Free(one); }
};
using bio = std::unique_ptr<BIO, freed<BIO, BIO_free_all>>;
using x509 = std::unique_ptr<X509, freed<X509, X509_free>>;
using private_key = std::unique_ptr<EVP_PKEY, freed<EVP_PKEY, EVP_PKEY_free>>;
using digest_context = std::unique_ptr<EVP_MD_CTX, freed<EVP_MD_CTX, EVP_MD_CTX_free>>;

x509 read_certificate(const std::string& pem) {
    const bio from(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    x509 out(PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr));
    ERR_clear_error();
    return out;
}

/// A key that needs a password is none: nobody could be asked for it.
private_key read_key(const std::string& pem) {
    const bio from(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    private_key out(PEM_read_bio_PrivateKey(
        from.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
    ERR_clear_error();
    return out;
}

std::string_view text_of(const std::vector<unsigned char>& octets) {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

/// x5t#S256
std::string thumbprint(const X509* certificate) {
    std::vector<unsigned char> digest(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) {
        return "";
    }
    digest.resize(size);
    return encoding::to_base64url(text_of(digest));
}

std::string random_id() {
    std::vector<unsigned char> octets(16);
    return RAND_bytes(octets.data(), static_cast<int>(octets.size())) == 1 ? encoding::to_base64url(text_of(octets))
                                                                           : "";
}

/// RSASSA-PSS with SHA-256, its salt as long as the digest (RFC 7518 3.5).
std::string sign(EVP_PKEY* key, std::string_view what) {
    const digest_context with(EVP_MD_CTX_new());
    EVP_PKEY_CTX* of = nullptr;  // the digest's own
    std::size_t size = 0;
    const auto* const octets = reinterpret_cast<const unsigned char*>(what.data());
    if (!with || EVP_DigestSignInit(with.get(), &of, EVP_sha256(), nullptr, key) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(of, RSA_PKCS1_PSS_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_pss_saltlen(of, RSA_PSS_SALTLEN_DIGEST) != 1 ||
        EVP_DigestSign(with.get(), nullptr, &size, octets, what.size()) != 1) {
        return "";
    }
    std::vector<unsigned char> out(size);
    if (EVP_DigestSign(with.get(), out.data(), &size, octets, what.size()) != 1) {
        return "";
    }
    out.resize(size);
    return encoding::to_base64url(text_of(out));
}

}  // namespace

std::int64_t end_of_certificate(const std::string& certificate) {
    const x509 one = read_certificate(certificate);
    std::tm end{};
    return one && ASN1_TIME_to_tm(X509_get0_notAfter(one.get()), &end) == 1 ? ::timegm(&end) : 0;
}

settings_check check_key_pair(const std::string& certificate, const std::string& key) {
    const x509 one = read_certificate(certificate);
    if (!one) {
        return wrong_setting("client_certificate", "the certificate can't be read; give the PEM file's text");
    }
    if (key.empty()) {
        return {};
    }
    const private_key of = read_key(key);
    if (!of || EVP_PKEY_get_base_id(of.get()) != EVP_PKEY_RSA || EVP_PKEY_get_bits(of.get()) < least_bits) {
        return wrong_setting("secrets",
                             "client_key is no RSA key of 2048 bits or more in PEM form, without a password");
    }
    const bool pair = X509_check_private_key(one.get(), of.get()) == 1;
    ERR_clear_error();
    if (!pair) {
        return wrong_setting("secrets", "client_key is not the key of client_certificate");
    }
    return {};
}

tl::expected<std::string, std::string> make_assertion(const assertion_claims& claims, const std::string& certificate,
                                                      const std::string& key) {
    if (key.empty()) {
        return tl::unexpected<std::string>("the source has no secret client_key; set the key of its certificate");
    }
    if (auto good = check_key_pair(certificate, key); !good) {
        return tl::unexpected(good.error().text);
    }
    const x509 one = read_certificate(certificate);
    const private_key with = read_key(key);
    const std::string id = random_id();
    const boost::json::object header{{"alg", "PS256"}, {"typ", "JWT"}, {"x5t#S256", thumbprint(one.get())}};
    const boost::json::object payload{
        {"aud", claims.audience}, {"iss", claims.client_id}, {"sub", claims.client_id},       {"jti", id},
        {"iat", claims.now},      {"nbf", claims.now},       {"exp", claims.now + good_for_s}};
    std::string out = encoding::to_base64url(boost::json::serialize(header)) + "." +
                      encoding::to_base64url(boost::json::serialize(payload));
    const std::string signature = sign(with.get(), out);
    ERR_clear_error();
    if (signature.empty() || id.empty()) {
        return tl::unexpected<std::string>("the assertion can't be signed with client_key");
    }
    return out + "." + signature;
}

}  // namespace postern::sources::microsoft365
