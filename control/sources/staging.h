// The rows of a file in temporary tables on disk, beside the directory on one connection, so that comparing and
// applying are set operations in flat memory. Private to this folder.
//
// staged: one row an address. `owner` is null for a mailbox, for an alias the `id` of its mailbox's row. `existing` is
// the list's row of the same address; `change` (mailboxes) is 0 unchanged, 1 new, 2 updated. An address stands in it
// once: the first in the file counts.
#pragma once

#include <string>
#include <unordered_map>

#include "control/directory/connection.h"
#include "control/sources/csv_layout.h"
#include "control/sources/import.h"

namespace postern::sources {

/// Keeps the first errors with their text and counts all.
class error_list {
public:
    error_list(import_report& report, std::size_t most) : _report(report), _most(most) {}
    void add(row_error error);

private:
    import_report& _report;
    std::size_t _most;
};

class staging {
public:
    staging(directory::connection& on, const import_options& options, import_report& report)
        : _on(on), _options(options), _report(report), _errors(report, options.max_row_errors) {}
    staging(const staging&) = delete;
    staging& operator=(const staging&) = delete;

    /// Makes the tables and learns the organisation's domains.
    directory::result<void> begin();
    /// Stages the row's addresses, or reports what is wrong with it.
    void add(const csv_entry& entry, const csv_layout& layout);
    void add_unreadable(const csv_row& row);

    /// Within a transaction: finds the list's rows of what is staged, takes out rows that can't be taken, and counts
    /// into the report. `source` 0: there is none of the name yet.
    void compare(std::uint32_t source, const csv_layout& layout);
    /// Takes the tables away, outside a transaction. After a failure the connection's next import does it.
    void clear();
    /// After `compare`: the first rows of each kind.
    void sample(std::uint32_t source);

private:
    struct placed {
        std::uint32_t domain = 0;
        std::string local;   ///< as given
        std::string normal;  ///< local part
    };
    bool place(const csv_address& address, std::uint64_t line, const csv_layout& layout, placed& out);
    std::int64_t find(const placed& at, std::uint64_t& line, bool& is_alias);
    void report_duplicate(const csv_address& address, std::uint64_t line, std::uint64_t first_line,
                          const csv_layout& layout);
    void add_alias(const csv_address& alias, std::int64_t owner, const placed& mailbox, std::uint64_t line,
                   const csv_layout& layout);
    void take_out_conflicts();

    directory::connection& _on;
    const import_options& _options;
    import_report& _report;
    error_list _errors;
    struct served_domain {
        std::uint32_t id = 0;  ///< of the target, for a domain alias
        std::uint32_t organisation = 0;
    };
    std::unordered_map<std::string, served_domain> _domains;
    std::string _default_domain;  ///< for bare local parts
};

}  // namespace postern::sources
