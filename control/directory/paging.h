// A page by number, for lists that are ordered by a row's id.
#pragma once

#include "control/directory/store.h"

namespace postern::directory {

/// The number after which to go on, and how many to ask for. `failed` says so in `invalid`.
struct number_cursor {
    std::int64_t after = 0;
    std::uint32_t limit = 0;
};
result<number_cursor> read_cursor(const page_request& at, std::int64_t start = 0);
/// What a page is refused with whose mark no list has given.
error no_mark(std::string_view mark);

}  // namespace postern::directory
