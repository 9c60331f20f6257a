#include "control/directory/connection.h"

namespace postern::directory {

namespace {

error_kind kind_of(int code) {
    switch (code & 0xff) {
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return error_kind::busy;
        case SQLITE_CONSTRAINT:
            return error_kind::conflict;
        default:
            return error_kind::failed;
    }
}

const char* remedy(int code) {
    switch (code & 0xff) {
        case SQLITE_FULL:
            return "; make room on that disk and try again";
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return "; another program holds the file: close it or try again";
        case SQLITE_READONLY:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
            return "; the user that runs postern-control must be able to write the file and its folder";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return "; restore it from a backup (the edge keeps its last list meanwhile)";
        default:
            return "";
    }
}

}  // namespace

statement::statement(statement&& other) noexcept
    : _on(other._on), _prepared(other._prepared), _lent(other._lent), _bound(other._bound) {
    other._prepared = nullptr;
}

statement::~statement() {
    if (_prepared == nullptr) {
        return;
    }
    if (_lent == nullptr) {
        sqlite3_finalize(_prepared);
        return;
    }
    reset();
    *_lent = false;
}

void statement::reset() {
    if (_prepared != nullptr) {
        sqlite3_reset(_prepared);
        sqlite3_clear_bindings(_prepared);
    }
    _bound = 0;
}

void statement::bind_integer(std::int64_t value) {
    if (_prepared != nullptr) {
        sqlite3_bind_int64(_prepared, ++_bound, value);
    }
}

void statement::bind(std::string_view text) {
    if (_prepared != nullptr) {
        sqlite3_bind_text64(_prepared, ++_bound, text.data() == nullptr ? "" : text.data(), text.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8);
    }
}

void statement::bind(std::nullptr_t) {
    if (_prepared != nullptr) {
        sqlite3_bind_null(_prepared, ++_bound);
    }
}

void statement::bind(std::span<const std::byte> blob) {
    if (_prepared != nullptr) {
        sqlite3_bind_blob64(_prepared, ++_bound, blob.data(), blob.size(), SQLITE_TRANSIENT);
    }
}

void statement::bind(const std::vector<parameter>& values) {
    for (const parameter& each : values) {
        std::visit([this](const auto& value) { bind(value); }, each);
    }
}

bool statement::step() {
    if (_prepared == nullptr || _on->failed()) {
        return false;
    }
    const int code = sqlite3_step(_prepared);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        _on->note_failure(code);
    }
    return false;
}

std::int64_t statement::integer(int column) const {
    return _prepared == nullptr ? 0 : sqlite3_column_int64(_prepared, column);
}

std::string_view statement::text(int column) const {
    if (_prepared == nullptr) {
        return {};
    }
    const void* octets = sqlite3_column_text(_prepared, column);
    const int size = sqlite3_column_bytes(_prepared, column);
    return octets == nullptr ? std::string_view()
                             : std::string_view(static_cast<const char*>(octets), static_cast<std::size_t>(size));
}

bool statement::is_null(int column) const {
    return _prepared == nullptr || sqlite3_column_type(_prepared, column) == SQLITE_NULL;
}

result<std::unique_ptr<connection>> connection::open(const std::string& path, unsigned cache_kib) {
    sqlite3* handle = nullptr;
    // NOMUTEX: the lease keeps a connection to one thread at a time.
    const int code = sqlite3_open_v2(path.c_str(), &handle,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<connection> out(new connection(handle, path));
    if (code != SQLITE_OK) {
        out->note_failure(code);
        return tl::unexpected(out->failure());
    }
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, 5000);
    // temp_store=FILE: staged rows of an import go to disk. A negative cache_size is in KiB.
    const std::string pragmas =
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA temp_store=FILE;"
        "PRAGMA secure_delete=OFF; PRAGMA recursive_triggers=OFF;"
        "PRAGMA journal_size_limit=16777216; PRAGMA cache_size=-" +
        std::to_string(cache_kib) + ";";
    if (!out->script(pragmas.c_str())) {
        return tl::unexpected(out->failure());
    }
    return out;
}

connection::~connection() {
    for (const auto& [sql, entry] : _cache) {
        sqlite3_finalize(entry.prepared);
    }
    sqlite3_close_v2(_handle);
}

statement connection::prepare(std::string_view sql) {
    const auto found = _cache.find(sql);
    if (found != _cache.end() && !found->second.lent) {
        found->second.lent = true;
        return {*this, found->second.prepared, &found->second.lent};
    }
    if (failed()) {
        return {*this, nullptr, nullptr};
    }
    sqlite3_stmt* prepared = nullptr;
    const int code = sqlite3_prepare_v3(_handle, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &prepared, nullptr);
    if (code != SQLITE_OK) {
        note_failure(code);
        return {*this, nullptr, nullptr};
    }
    if (found != _cache.end()) {
        return {*this, prepared, nullptr};  // a nested use of the same text gets a statement of its own
    }
    // References into an unordered_map stay when it grows.
    const auto added = _cache.emplace(std::string(sql), cached_statement{prepared, true}).first;
    return {*this, prepared, &added->second.lent};
}

bool connection::script(const char* sql) {
    if (failed()) {
        return false;
    }
    const int code = sqlite3_exec(_handle, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        note_failure(code);
        return false;
    }
    return true;
}

void connection::note_failure(int code) {
    if (!_failure) {
        const char* cause = _handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(_handle);
        _failure = error{kind_of(code), "the directory " + _path + ": " + cause + remedy(code), {}};
    }
}

}  // namespace postern::directory
