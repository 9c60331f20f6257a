// Values of the controls that a fetch sends and gets: pages (RFC 2696), DirSync ([MS-ADTS] 3.1.1.3.4.1.3), content
// synchronisation (RFC 4533 2 and 3). Octets in, values out; nothing for octets that make none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::sources::ldap {

namespace oid {
inline constexpr const char* paged_results = "1.2.840.113556.1.4.319";
inline constexpr const char* show_deleted = "1.2.840.113556.1.4.417";
inline constexpr const char* dirsync = "1.2.840.113556.1.4.841";
inline constexpr const char* active_directory = "1.2.840.113556.1.4.800";  ///< supportedCapabilities
inline constexpr const char* sync_request = "1.3.6.1.4.1.4203.1.9.1.1";
inline constexpr const char* sync_state = "1.3.6.1.4.1.4203.1.9.1.2";
inline constexpr const char* sync_done = "1.3.6.1.4.1.4203.1.9.1.3";
inline constexpr const char* sync_info = "1.3.6.1.4.1.4203.1.9.1.4";
}  // namespace oid

struct paged_value {
    std::int64_t estimate = 0;  ///< of all entries; servers say 0 if they don't know
    std::string cookie;         ///< empty: that was the last page
};
std::string encode_paged(std::int64_t page_size, std::string_view cookie);
std::optional<paged_value> decode_paged(std::string_view octets);

inline constexpr std::int64_t dirsync_object_security = 0x1;  ///< only what the account may read: no rights needed
struct dirsync_value {
    bool more = false;
    std::string cookie;
};
std::string encode_dirsync(std::int64_t flags, std::int64_t most_octets, std::string_view cookie);
std::optional<dirsync_value> decode_dirsync(std::string_view octets);

using uuid = std::array<char, 16>;  ///< as it travels

enum class sync_mode : std::uint8_t { refresh_only = 1, refresh_and_persist = 3 };
std::string encode_sync_request(sync_mode mode, std::string_view cookie);

struct sync_state_value {
    enum class state : std::uint8_t { present = 0, add = 1, modify = 2, gone = 3 };
    sync_state_value::state state = sync_state_value::state::present;
    ldap::uuid uuid{};
    std::optional<std::string> cookie;
};
std::optional<sync_state_value> decode_sync_state(std::string_view octets);

struct sync_done_value {
    std::optional<std::string> cookie;
    bool refresh_deletes = false;
};
std::optional<sync_done_value> decode_sync_done(std::string_view octets);

struct sync_info_value {
    enum class kind : std::uint8_t { new_cookie, refresh_delete, refresh_present, id_set };
    sync_info_value::kind kind = sync_info_value::kind::new_cookie;
    std::optional<std::string> cookie;
    bool refresh_done = true;      ///< of refresh_delete and refresh_present
    bool refresh_deletes = false;  ///< of id_set: the objects are gone; else they are there
    std::vector<ldap::uuid> ids;
};
std::optional<sync_info_value> decode_sync_info(std::string_view octets);

}  // namespace postern::sources::ldap
