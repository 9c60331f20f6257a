// CSV import: a file's rows become a source's assertions, by preview first and apply then.
//
// Both read the file once from start to end, stage its rows in a temporary table on disk and compare by sets, so a
// million rows take the memory of a thousand. Apply is one transaction: cut off anywhere, the list is as it was.
// Layouts and dialects: csv_layout.h, csv_dialect.h.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/directory/store.h"
#include "control/sources/replacement.h"

namespace postern::sources {

/// Fills the span with the file's next octets and answers how many; 0 at the end. The error ends the import.
using byte_source = std::function<tl::expected<std::size_t, std::string>(std::span<char>)>;
/// A source over memory (which must outlive it) or over an open file.
byte_source from_memory(std::string_view content);
byte_source from_descriptor(int fd, std::string name);

struct import_progress {
    enum class stage : std::uint8_t { reading, comparing, writing, done };
    import_progress::stage stage = stage::reading;
    std::uint64_t octets = 0;  ///< read so far: for a bar over the file's size
    std::uint64_t rows = 0;
};
/// Called every few thousand rows and at each stage; false cancels (the list stays as it was).
using progress_callback = std::function<bool(const import_progress&)>;

struct import_options {
    std::uint32_t organisation = 1;  ///< whose domains the file may name
    std::uint32_t domain = 0;        ///< for bare local parts, and if set the file may name no other. 0: by address
    std::string source;          ///< "csv:…"; empty: `csv:ORGANISATION/DOMAIN`, or `csv:ORGANISATION/*` without one
    bool replace = false;        ///< what this source asserted before and the file lacks is withdrawn
    replacement_guard guard;     ///< asked before `replace` takes anything away; empty: it may
    bool strict = false;         ///< one bad row and nothing is applied
    std::optional<bool> header;  ///< whether the first row is one; nothing: found out
    std::size_t max_row_errors = 100;  ///< kept with their text; all are counted
    std::size_t samples = 10;          ///< rows of each kind in the preview
};

struct row_error {
    std::uint64_t line = 0;    ///< of the file, from 1: where the row begins
    std::uint32_t column = 0;  ///< from 1; 0: the row as a whole
    std::string column_name;   ///< of the header, if any
    std::string value;         ///< shortened to 200 octets
    std::string reason;        ///< what is wrong and what to do
};

struct import_sample {
    std::uint64_t line = 0;  ///< 0 for what is missing from the file
    std::string address;
    std::string first_name;
    std::string last_name;
    std::string group;
    std::string kind;
    std::string aliases;  ///< separated by spaces
};

/// What was found out about the file before its first row was used.
struct import_guess {
    std::string encoding;  ///< "UTF-8", "UTF-16LE", "UTF-16BE", "Windows-1252"
    bool bom = false;
    char delimiter = ',';
    std::string line_ends;  ///< "LF", "CRLF", "CR"
    bool header = false;
    std::string layout;                ///< "Postern", "addresses", "first and last name", …
    std::vector<std::string> columns;  ///< what each column is taken for; "-": not used
};

struct import_report {
    import_guess guess;
    std::string source;
    std::uint64_t rows = 0;     ///< data rows, empty lines left out
    std::uint64_t created = 0;  ///< mailboxes that the list has not
    std::uint64_t updated = 0;  ///< mailboxes in the list that the file changes (or asserts for the first time)
    std::uint64_t unchanged = 0;
    std::uint64_t missing = 0;          ///< mailboxes that this source asserts and the file lacks
    std::uint64_t withdrawn = 0;        ///< addresses whose assertion `replace` took (0 in a preview without it)
    std::uint64_t held = 0;             ///< addresses that `replace` would take, but the guard holds
    std::string guard;                  ///< what the guard said; empty: nothing
    bool refused_by_guard = false;      ///< nothing is applied
    bool approved = false;              ///< a person let it: the guard's window begins anew
    std::uint64_t asserted_before = 0;  ///< by the source
    std::uint64_t invalid = 0;          ///< rows with an error
    std::uint64_t duplicates = 0;       ///< rows whose address an earlier row has: reported, the first counts
    std::uint64_t aliases = 0;          ///< alias addresses in the file
    std::vector<row_error> errors;      ///< the first of all, by line; duplicates among them
    std::uint64_t errors_total = 0;     ///< of which `errors` are the first
    std::vector<import_sample> new_rows, updated_rows, unchanged_rows, missing_rows;
    std::uint64_t seq = 0;  ///< apply: the change feed's number, for `wait_in_force`
    bool applied = false;
};

/// Nothing is changed.
directory::result<import_report> preview_csv(const directory::store& in, const byte_source& file,
                                             const import_options& options, const progress_callback& progress = {});
/// With `strict` and a bad row nothing is applied: the report says which (`applied` is false).
directory::result<import_report> apply_csv(const directory::store& in, const byte_source& file,
                                           const import_options& options, const directory::actor& by,
                                           const progress_callback& progress = {});

}  // namespace postern::sources
