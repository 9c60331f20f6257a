// A SQLite connection and its prepared statements, for the directory's own code and the sources' bulk work.
//
// A statement that fails puts the connection in a failed state: every later step does nothing, `failure()` keeps the
// first cause, and a writer's commit refuses. So a function runs its statements plainly and ends with `or_failure`.
// The state is cleared when a new transaction begins.
#pragma once

#include <sqlite3.h>

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "control/directory/error.h"
#include "control/directory/store.h"

namespace postern::directory {

class connection;

/// A value for a query whose parameters are put together at run time.
using parameter = std::variant<std::nullptr_t, std::int64_t, std::string>;

/// A prepared statement, borrowed from its connection's cache until destroyed.
class statement {
public:
    statement(statement&& other) noexcept;
    statement& operator=(statement&&) = delete;
    ~statement();

    /// Binds the next parameter; texts are copied.
    template <std::integral T>
    void bind(T value) {
        bind_integer(static_cast<std::int64_t>(value));
    }
    void bind(std::string_view text);
    void bind(std::nullptr_t);
    void bind(std::span<const std::byte> blob);
    template <class T>
    void bind(const std::optional<T>& value) {
        value ? bind(*value) : bind(nullptr);
    }
    void bind(const std::vector<parameter>& values);  ///< one after the other

    /// True: a row is there. False: no more rows, or a failure.
    bool step();
    /// Steps to the end.
    void run() {
        while (step()) {
        }
    }
    /// Back to the start with new parameters, for loops.
    template <class... Arguments>
    statement& again(const Arguments&... arguments) {
        reset();
        (bind(arguments), ...);
        return *this;
    }

    std::int64_t integer(int column) const;
    /// A value of a column that the schema keeps within T.
    template <std::integral T>
    T as(int column) const {
        return static_cast<T>(integer(column));
    }
    std::string_view text(int column) const;  ///< valid until the next step; empty for NULL
    bool is_null(int column) const;

private:
    friend class connection;
    statement(connection& on, sqlite3_stmt* prepared, bool* lent) noexcept
        : _on(&on), _prepared(prepared), _lent(lent) {}
    void bind_integer(std::int64_t value);
    void reset();
    connection* _on;
    sqlite3_stmt* _prepared;  // null if it could not be prepared
    bool* _lent;              // of the cache's entry; null: the statement is ours alone
    int _bound = 0;
};

class connection {
public:
    static result<std::unique_ptr<connection>> open(const std::string& path, unsigned cache_kib);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    /// `sql` is one statement with `?` parameters.
    template <class... Arguments>
    statement query(std::string_view sql, const Arguments&... arguments) {
        statement out = prepare(sql);
        (out.bind(arguments), ...);
        return out;
    }
    template <class... Arguments>
    void run(std::string_view sql, const Arguments&... arguments) {
        query(sql, arguments...).run();
    }
    statement prepare(std::string_view sql);
    /// Any number of statements without parameters.
    bool script(const char* sql);

    std::int64_t last_id() const { return sqlite3_last_insert_rowid(_handle); }
    std::int64_t changed() const { return sqlite3_changes64(_handle); }
    bool in_transaction() const { return sqlite3_get_autocommit(_handle) == 0; }

    bool failed() const noexcept { return _failure.has_value(); }
    /// Precondition: failed().
    const error& failure() const { return *_failure; }
    void clear_failure() noexcept { _failure.reset(); }
    /// Makes a long statement of this connection's own thread stop with a failure when the callback answers true.
    void interrupt_when(int every_ops, int (*callback)(void*), void* context) {
        sqlite3_progress_handler(_handle, every_ops, callback, context);
    }

    /// The transaction's entry in the table `act`, made when first asked for; 0: none yet (history.cc).
    std::int64_t act = 0;

private:
    friend class statement;
    explicit connection(sqlite3* handle, std::string path) : _handle(handle), _path(std::move(path)) {}
    void note_failure(int code);
    sqlite3* _handle;
    std::string _path;
    struct cached_statement {
        sqlite3_stmt* prepared = nullptr;
        bool lent = false;
    };
    struct text_hash : std::hash<std::string_view> {
        using is_transparent = void;
    };
    std::unordered_map<std::string, cached_statement, text_hash, std::equal_to<>> _cache;
    std::optional<error> _failure;
};

/// The value, unless the connection failed meanwhile.
template <class T>
result<T> or_failure(const reader& in, T value) {
    if (in.on().failed()) {
        return tl::unexpected(in.on().failure());
    }
    return value;
}
inline result<void> or_failure(const reader& in) {
    if (in.on().failed()) {
        return tl::unexpected(in.on().failure());
    }
    return {};
}
/// For a query that found nothing: the connection's failure if it has one, else `not_found` with this text.
inline tl::unexpected<error> nothing_found(const reader& in, std::string text) {
    if (in.on().failed()) {
        return tl::unexpected(in.on().failure());
    }
    return fail(error_kind::not_found, std::move(text));
}

}  // namespace postern::directory
