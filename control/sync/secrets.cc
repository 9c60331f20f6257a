#include "control/sync/secrets.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "board/process/files.h"

namespace postern::sync {

namespace {

constexpr std::size_t nonce_size = 12;
constexpr std::size_t tag_size = 16;
constexpr std::string_view digits = "0123456789abcdef";

using cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

int size_of(std::size_t octets) noexcept {
    return static_cast<int>(octets);
}
const unsigned char* octets_of(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}

tl::expected<void, std::string> make_key_file(const std::string& path) {
    std::array<unsigned char, 32> key{};
    if (RAND_bytes(key.data(), size_of(key.size())) != 1) {
        return tl::unexpected<std::string>("the system has no randomness for the key file " + path);
    }
    std::string text;
    for (const unsigned char octet : key) {
        text += digits[octet >> 4U];
        text += digits[octet & 15U];
    }
    text += '\n';
    auto written = process::replace_file(path, text, 0600);
    OPENSSL_cleanse(text.data(), text.size());
    OPENSSL_cleanse(key.data(), key.size());
    return written;
}

}  // namespace

tl::expected<secret_box, std::string> secret_box::open(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno != ENOENT) {
            return tl::unexpected(process::errno_text("look at", path, errno));
        }
        if (auto made = make_key_file(path); !made) {
            return tl::unexpected(made.error());
        }
    } else if ((status.st_mode & 0077U) != 0) {
        return tl::unexpected("the key file " + path + " can be read by others: chmod 600 it, and change the secrets " +
                              "that it kept if others may have read it");
    }
    auto text = process::read_file(path, 1024);
    if (!text) {
        return tl::unexpected(text.error());
    }
    secret_box out;
    bool good = text->size() == key_size * 2 || (text->size() == key_size * 2 + 1 && text->back() == '\n');
    for (std::size_t i = 0; good && i < key_size; ++i) {
        const std::size_t high = digits.find((*text)[i * 2]);
        const std::size_t low = digits.find((*text)[i * 2 + 1]);
        good = high != std::string_view::npos && low != std::string_view::npos;
        out._key.at(i) = static_cast<std::uint8_t>(good ? high << 4U | low : 0U);
    }
    OPENSSL_cleanse(text->data(), text->size());
    if (!good) {
        return tl::unexpected(
            "the key file " + path +
            " does not hold 64 hexadecimal digits; restore it from the backup of the state folder (or "
            "remove it, and enter every source's secret again)");
    }
    return out;
}

secret_box::~secret_box() {
    OPENSSL_cleanse(_key.data(), _key.size());
}

tl::expected<std::vector<std::byte>, std::string> secret_box::seal(std::string_view plain,
                                                                   std::string_view place) const {
    std::vector<std::byte> out(nonce_size + plain.size() + tag_size);
    auto* const nonce = reinterpret_cast<unsigned char*>(out.data());
    unsigned char* const text = nonce + nonce_size;
    const cipher with(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int size = 0;
    const bool good =
        with && RAND_bytes(nonce, size_of(nonce_size)) == 1 &&
        EVP_EncryptInit_ex(with.get(), EVP_aes_256_gcm(), nullptr, _key.data(), nonce) == 1 &&
        EVP_EncryptUpdate(with.get(), nullptr, &size, octets_of(place), size_of(place.size())) == 1 &&
        EVP_EncryptUpdate(with.get(), text, &size, octets_of(plain), size_of(plain.size())) == 1 &&
        EVP_EncryptFinal_ex(with.get(), text + size, &size) == 1 &&
        EVP_CIPHER_CTX_ctrl(with.get(), EVP_CTRL_GCM_GET_TAG, size_of(tag_size), text + plain.size()) == 1;
    if (!good) {
        return tl::unexpected<std::string>("OpenSSL could not encrypt a secret");
    }
    return out;
}

tl::expected<std::string, std::string> secret_box::open_sealed(std::span<const std::byte> sealed,
                                                               std::string_view place) const {
    const auto wrong = [] {
        return tl::unexpected<std::string>(
            "a secret can't be opened: the key file is not the one that it was kept with; restore that file from the "
            "backup, or enter the secret again");
    };
    if (sealed.size() < nonce_size + tag_size) {
        return wrong();
    }
    const auto* const nonce = reinterpret_cast<const unsigned char*>(sealed.data());
    const std::size_t length = sealed.size() - nonce_size - tag_size;
    std::array<unsigned char, tag_size> tag{};
    std::copy_n(nonce + nonce_size + length, tag_size, tag.begin());
    std::string out(length, '\0');
    auto* const text = reinterpret_cast<unsigned char*>(out.data());
    const cipher with(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int size = 0;
    const bool good = with && EVP_DecryptInit_ex(with.get(), EVP_aes_256_gcm(), nullptr, _key.data(), nonce) == 1 &&
                      EVP_DecryptUpdate(with.get(), nullptr, &size, octets_of(place), size_of(place.size())) == 1 &&
                      EVP_DecryptUpdate(with.get(), text, &size, nonce + nonce_size, size_of(length)) == 1 &&
                      EVP_CIPHER_CTX_ctrl(with.get(), EVP_CTRL_GCM_SET_TAG, size_of(tag_size), tag.data()) == 1 &&
                      EVP_DecryptFinal_ex(with.get(), text + size, &size) == 1;
    if (!good) {
        OPENSSL_cleanse(out.data(), out.size());
        return wrong();
    }
    return out;
}

}  // namespace postern::sync
