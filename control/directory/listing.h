// Which mailboxes and aliases a list shows, page by page, at any size of the directory. Private to this folder.
//
// Without a search: by id. The addresses of each sort (domain, kind, hold, valid, group: address_tally) stand in an
// index by id, and the sorts that a filter allows are merged; so nothing is read that is not shown, on the last page
// too. A search goes through the trigram index, in the order of the addresses that match; a mailbox that several of its
// addresses match is shown at the first of them. (Where the filter leaves few mailboxes, they are looked at one by one,
// in the order of their ids.) A search of less than three characters goes through the index of local parts, in
// alphabetical order.
#pragma once

#include <string>
#include <vector>

#include "control/directory/mailboxes.h"

namespace postern::directory {

struct listed_row {
    std::string position;  ///< mark of the page that begins behind it
    std::uint64_t id = 0;
};
/// At most `limit` of them, behind the mark. `invalid` for a mark that is none.
result<std::vector<listed_row>> find_listed(const reader& in, const mailbox_filter& filter, const std::string& after,
                                            std::size_t limit);
result<std::vector<listed_row>> find_listed(const reader& in, const alias_filter& filter, const std::string& after,
                                            std::size_t limit);

}  // namespace postern::directory
