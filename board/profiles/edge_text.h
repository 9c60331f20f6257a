// A profile's part written into an edge.toml: the keys that it rules are set, all else stays as it is, comments too.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "board/process/files.h"
#include "board/profiles/edge_part.h"

namespace postern::profiles {

/// A key's value as TOML spells it: {"memory_mib", "128"}, {"device", "\"net_tap0\""}.
using spelled_key = std::pair<std::string, std::string>;

struct edge_keys {
    std::vector<spelled_key> edge;
    std::vector<spelled_key> port;
};

/// `mac` is left out if empty, `addresses` and `gateways` if there are none: then the file's own stay.
edge_keys keys_of(const edge_part& part, const std::string& mac, const std::vector<std::string>& addresses,
                  const std::vector<std::string>& gateways);

/// The two sections alone.
std::string section_text(const edge_keys& keys);

/// `text` with the keys set, in their sections, which are added where they are missing. An error: the text is laid out
/// so that it can't be changed line by line (it says where); then nothing is lost, for nothing is written.
process::result<std::string> with_keys(std::string_view text, const edge_keys& keys, const std::string& name);

}  // namespace postern::profiles
