// Any octets as the value of a control or a cookie of ours: read without a crash, and what was read and can be written
// comes back the same.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "control/sources/ldap/controls.h"
#include "control/sources/ldap/cookie.h"

namespace {

void require(bool what) {
    if (!what) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace postern::sources::ldap;
    if (size == 0) {
        return 0;
    }
    const std::string_view octets(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 6) {
        case 0:
            if (const auto value = decode_paged(octets)) {
                require(decode_paged(encode_paged(value->estimate, value->cookie))->cookie == value->cookie);
            }
            break;
        case 1:
            if (const auto value = decode_dirsync(octets)) {
                require(decode_dirsync(encode_dirsync(value->more ? 1 : 0, 0, value->cookie))->more == value->more);
            }
            break;
        case 2:
            decode_sync_state(octets);
            break;
        case 3:
            decode_sync_done(octets);
            break;
        case 4:
            if (const auto value = decode_sync_info(octets)) {
                require(value->ids.size() <= size / 18);
            }
            break;
        default:
            if (const auto value = decode_cookie(octets)) {
                require(decode_cookie(encode(*value)) == value);
            }
            break;
    }
    return 0;
}
