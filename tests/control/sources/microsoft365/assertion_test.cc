#include "control/sources/microsoft365/assertion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <ctime>
#include <vector>

#include "tests/control/sources/microsoft365/key_pair.h"

namespace postern::sources::microsoft365 {
namespace {

using testing::HasSubstr;

std::string decoded(std::string text) {
    std::replace(text.begin(), text.end(), '-', '+');
    std::replace(text.begin(), text.end(), '_', '/');
    const std::size_t padding = (4 - text.size() % 4) % 4;
    text.append(padding, '=');
    std::vector<unsigned char> out(text.size());
    const int size =
        EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    return {reinterpret_cast<const char*>(out.data()), static_cast<std::size_t>(size) - padding};
}

bool verifies(const std::string& certificate, const std::string& what, const std::string& signature) {
    BIO* const from = BIO_new_mem_buf(certificate.data(), static_cast<int>(certificate.size()));
    X509* const one = PEM_read_bio_X509(from, nullptr, nullptr, nullptr);
    EVP_MD_CTX* const with = EVP_MD_CTX_new();
    EVP_PKEY_CTX* of = nullptr;
    EVP_DigestVerifyInit(with, &of, EVP_sha256(), nullptr, X509_get0_pubkey(one));
    EVP_PKEY_CTX_set_rsa_padding(of, RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_rsa_pss_saltlen(of, 32);
    const bool out = EVP_DigestVerify(with, reinterpret_cast<const unsigned char*>(signature.data()), signature.size(),
                                      reinterpret_cast<const unsigned char*>(what.data()), what.size()) == 1;
    EVP_MD_CTX_free(with);
    X509_free(one);
    BIO_free(from);
    return out;
}

TEST(assertion, is_a_token_that_the_certificate_verifies) {
    const key_pair& pair = rsa_pair();
    const assertion_claims claims{"https://login.example.com/t/oauth2/v2.0/token", "app-1", 1'800'000'000};
    const auto made = make_assertion(claims, pair.certificate, pair.key);
    ASSERT_TRUE(made) << made.error();
    const std::size_t dot = made->find('.');
    const std::size_t last = made->rfind('.');
    ASSERT_LT(dot, last);
    const auto header = boost::json::parse(decoded(made->substr(0, dot))).as_object();
    EXPECT_EQ(header.at("alg").as_string(), "PS256");
    EXPECT_EQ(header.at("typ").as_string(), "JWT");
    EXPECT_EQ(decoded(std::string(header.at("x5t#S256").as_string())).size(), 32U);
    const auto payload = boost::json::parse(decoded(made->substr(dot + 1, last - dot - 1))).as_object();
    EXPECT_EQ(payload.at("aud").as_string(), claims.audience);
    EXPECT_EQ(payload.at("iss").as_string(), "app-1");
    EXPECT_EQ(payload.at("sub").as_string(), "app-1");
    EXPECT_EQ(payload.at("nbf").as_int64(), claims.now);
    EXPECT_EQ(payload.at("exp").as_int64(), claims.now + 600);
    EXPECT_TRUE(verifies(pair.certificate, made->substr(0, last), decoded(made->substr(last + 1))));
    EXPECT_FALSE(verifies(pair.certificate, made->substr(0, last) + "x", decoded(made->substr(last + 1))));
    EXPECT_NE(*make_assertion(claims, pair.certificate, pair.key), *made) << "each has an id of its own";
}

TEST(assertion, is_refused_with_a_key_that_is_none_or_anothers) {
    const key_pair& pair = rsa_pair();
    const key_pair curve = key_pair_of(EVP_EC_gen("P-256"));
    const key_pair other = key_pair_of(EVP_RSA_gen(2048));
    EXPECT_TRUE(check_key_pair(pair.certificate, pair.key));
    EXPECT_TRUE(check_key_pair(pair.certificate, ""));
    EXPECT_THAT(check_key_pair(pair.certificate, other.key).error().text, HasSubstr("not the key of"));
    EXPECT_THAT(check_key_pair(curve.certificate, curve.key).error().text, HasSubstr("no RSA key"));
    EXPECT_THAT(check_key_pair(pair.certificate, "rubbish").error().text, HasSubstr("no RSA key"));
    EXPECT_EQ(check_key_pair("rubbish", pair.key).error().member, "client_certificate");
    EXPECT_THAT(make_assertion({}, pair.certificate, "").error(), HasSubstr("no secret client_key"));
}

TEST(assertion, knows_when_the_certificate_ends) {
    EXPECT_NEAR(static_cast<double>(end_of_certificate(rsa_pair().certificate)),
                static_cast<double>(std::time(nullptr) + 86'400), 120);
    EXPECT_EQ(end_of_certificate("rubbish"), 0);
}

}  // namespace
}  // namespace postern::sources::microsoft365
