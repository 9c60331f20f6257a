#include "smtp/judge/sender_key.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "board/process/files.h"
#include "smtp/recipients/address.h"

namespace postern::judge {

tl::expected<recipients::hash_key, std::string> keep_sender_key(int folder_fd, const std::string& name) {
    recipients::hash_key key;
    std::array<char, sizeof key + 1> octets{};
    const process::descriptor file(::openat(folder_fd, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file && ::read(file.get(), octets.data(), octets.size()) == static_cast<ssize_t>(sizeof key)) {
        std::memcpy(&key, octets.data(), sizeof key);
        return key;
    }
    if (!file && errno != ENOENT) {
        return tl::unexpected(process::errno_text("open", name, errno));
    }
    if (!recipients::draw_key(key)) {
        return tl::unexpected(std::string("the system gives no random numbers"));
    }
    std::memcpy(octets.data(), &key, sizeof key);
    if (auto written = process::replace_file_at(folder_fd, name, {octets.data(), sizeof key}, 0600); !written) {
        return tl::unexpected(std::move(written.error()));
    }
    return key;
}

std::uint64_t hash_sender(const recipients::hash_key& key, std::string_view sender) noexcept {
    recipients::normal_address normal;
    if (!recipients::parse_address(sender, {}, normal)) {
        return 0;
    }
    return std::max<std::uint64_t>(recipients::siphash13(key, normal.text()), 1);
}

}  // namespace postern::judge
