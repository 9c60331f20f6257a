// The kernel's notation for sets of CPUs and nodes: "0-3,8".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace postern::machine {

/// In rising order, each once. Nothing: it is no such list, or a number is 4096 or more.
std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text);

/// "0-3,8" for rising numbers; "" for none.
std::string cpu_list_text(const std::vector<unsigned>& cpus);

}  // namespace postern::machine
