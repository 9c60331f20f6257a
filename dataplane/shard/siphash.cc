#include "dataplane/shard/siphash.h"

#include <sys/random.h>

#include <cerrno>
#include <system_error>

namespace postern::shard {

siphash_key random_siphash_key() {
    siphash_key key;
    // Requests of up to 256 octets are never cut short.
    if (::getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key)) {
        throw std::system_error(errno, std::generic_category(), "cannot draw a random key");
    }
    return key;
}

}  // namespace postern::shard
