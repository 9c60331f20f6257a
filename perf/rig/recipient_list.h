// The table of recipients that the measured shard decides from: built from the numbers of recipients.h, loaded as the
// edge loads it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "smtp/recipients/snapshot.h"

namespace postern::perf::rig {

/// `domains` domains in `enforce` without a mail server, so that a listed recipient is answered with 451 at once;
/// `count` listed addresses, in each domain as many.
tl::expected<std::unique_ptr<const recipients::snapshot>, std::string> make_recipients(std::uint64_t count,
                                                                                       std::uint32_t domains);

}  // namespace postern::perf::rig
