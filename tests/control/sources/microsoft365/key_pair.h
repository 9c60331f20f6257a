// A certificate and its key, made with OpenSSL for one test.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <string>

namespace postern::sources::microsoft365 {

struct key_pair {
    std::string certificate;  ///< PEM
    std::string key;
};

inline std::string pem_of(BIO* from) {
    char* text = nullptr;
    const long size = BIO_get_mem_data(from, &text);
    std::string out(text, static_cast<std::size_t>(size));
    BIO_free(from);
    return out;
}

/// Self-signed. Takes the key over.
inline key_pair key_pair_of(EVP_PKEY* key) {
    X509* const one = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(one), 1);
    X509_gmtime_adj(X509_getm_notBefore(one), 0);
    X509_gmtime_adj(X509_getm_notAfter(one), 86'400);
    X509_set_pubkey(one, key);
    X509_sign(one, key, EVP_sha256());
    key_pair out;
    BIO* to = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(to, one);
    out.certificate = pem_of(to);
    to = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr);
    out.key = pem_of(to);
    X509_free(one);
    EVP_PKEY_free(key);
    return out;
}

/// One for all tests of a program.
inline const key_pair& rsa_pair() {
    static const key_pair one = key_pair_of(EVP_RSA_gen(2048));
    return one;
}

}  // namespace postern::sources::microsoft365
