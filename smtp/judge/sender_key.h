// The key under which senders are hashed, and the hash: control counts distinct senders and is told none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "smtp/recipients/siphash.h"

namespace postern::judge {

/// The key in the file `name` of the folder `folder_fd`. One that is not there, or no key, is drawn and written
/// (mode 0600): what was counted before is then counted again, nothing worse.
tl::expected<recipients::hash_key, std::string> keep_sender_key(int folder_fd, const std::string& name);

/// Of a sender's normal form; 0: it is no address.
std::uint64_t hash_sender(const recipients::hash_key& key, std::string_view sender) noexcept;

}  // namespace postern::judge
