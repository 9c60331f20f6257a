// Lists, tables and reports as the commands of postern-table share them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table.h"
#include "smtp/recipients/tool/address_list.h"
#include "smtp/recipients/tool/tool.h"

namespace postern::recipients::tool {

/// Writes "postern-table: TEXT" and gives the exit status.
int complain(const streams& with, std::string_view text);

/// Reads a list from a file, or standard input for "-".
tl::expected<address_list, std::string> read_list(const std::string& name, const domain_finder& find,
                                                  const streams& with);

/// Writes the first bad lines with their place. False if there are any and they may not be skipped.
bool accept_bad_lines(const address_list& list, const std::string& name, bool skip, const streams& with);

struct loaded_tables {
    std::shared_ptr<const table> base;     ///< the first file named
    std::shared_ptr<const table> overlay;  ///< null if none was named
    std::unique_ptr<const snapshot> both;  ///< null if the first is an overlay by itself
};
tl::expected<loaded_tables, std::string> load_tables(const std::string& file, const std::string& overlay);

/// Finds among the domains in force.
domain_finder finder_of(const domain_index& domains);

}  // namespace postern::recipients::tool
