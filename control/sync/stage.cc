#include "control/sync/stage.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

#include "board/process/files.h"
#include "control/sources/csv_text.h"
#include "control/sync/digest.h"
#include "smtp/recipients/address.h"

namespace postern::sync {

namespace {

using directory::statement;
using sources::plain_text;

constexpr unsigned cache_kib = 16U << 10U;
constexpr std::size_t longest_identity = 1024;
constexpr std::size_t longest_shown = 320;
constexpr std::size_t longest_object_name = 1000;
constexpr std::size_t longest_person_name = 255;
constexpr std::uint64_t most_problems = 1000;
constexpr std::uint64_t most_foreign_problems = 200;

constexpr const char* tables =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA foreign_keys=OFF;"
    "CREATE TABLE object(id INTEGER PRIMARY KEY, identity TEXT NOT NULL, name TEXT NOT NULL, first_name TEXT NOT NULL,"
    " last_name TEXT NOT NULL, kind INTEGER NOT NULL, internal INTEGER NOT NULL, gone INTEGER NOT NULL,"
    " digest INTEGER NOT NULL) STRICT;"
    "CREATE TABLE claim(object INTEGER NOT NULL, position INTEGER NOT NULL, domain INTEGER NOT NULL,"
    " normal TEXT NOT NULL, local TEXT NOT NULL, PRIMARY KEY (object, position)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE problem(id INTEGER PRIMARY KEY, address TEXT NOT NULL, object TEXT NOT NULL, reason TEXT NOT NULL)"
    " STRICT;"
    "BEGIN;";

constexpr std::string_view insert_object =
    "INSERT INTO object(id, identity, name, first_name, last_name, kind, internal, gone, digest)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";

struct placed {
    std::uint32_t domain = 0;
    std::string normal;
    std::string local;
};

void append(std::string& content, std::string_view part) {
    content += part;
    content += '\0';
}

}  // namespace

directory::result<served_domains> find_served_domains(const directory::reader& in, std::uint32_t organisation) {
    served_domains out;
    statement rows = in.on().query(
        "SELECT d.name, t.id FROM domain d JOIN domain t ON t.id = coalesce(d.target, d.id) WHERE t.organisation = ?",
        organisation);
    while (rows.step()) {
        out.own.emplace(std::string(rows.text(0)), rows.as<std::uint32_t>(1));
    }
    return directory::or_failure(in, std::move(out));
}

directory::result<std::unique_ptr<stage>> stage::create(const std::string& path, served_domains served,
                                                        std::uint64_t max_addresses, const std::atomic<bool>& stop) {
    std::error_code ignored;
    for (const char* const end : {"", "-wal", "-shm", "-journal"}) {
        std::filesystem::remove(path + end, ignored);
    }
    // Made by us first, so that it is its owner's alone.
    if (const process::descriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)); !made) {
        return directory::fail(directory::error_kind::failed, process::errno_text("make", path, errno));
    }
    auto on = directory::connection::open(path, cache_kib);
    if (!on) {
        return tl::unexpected(on.error());
    }
    if (!(*on)->script(tables)) {
        return tl::unexpected((*on)->failure());
    }
    return std::unique_ptr<stage>(new stage(path, std::move(*on), std::move(served), max_addresses, stop));
}

bool stage::go_on() {
    return !_stop.load(std::memory_order_relaxed) && !_too_many && !_on->failed();
}

void stage::problem(std::string_view address, std::string_view object, std::string_view reason) {
    if (_problems++ < most_problems) {
        _on->run("INSERT INTO problem(address, object, reason) VALUES (?, ?, ?)", plain_text(address, longest_shown),
                 plain_text(object, longest_object_name), reason);
    }
}

bool stage::entry(sources::directory_entry&& one) {
    if (!go_on()) {
        return false;
    }
    if (one.identity.empty() || one.identity.size() > longest_identity) {
        // Without it nobody can tell whether it is the object of the last sync.
        ++_counts.unusable;
        problem(one.address, one.name, "the object has no immutable id of 1 to 1024 octets; it is left out");
        return true;
    }
    std::vector<placed> claims;
    const auto take = [&](const std::string& address) {
        recipients::normal_address parsed;
        recipients::address_options options;
        options.allow_bare_postmaster = false;
        if (const auto done = recipients::parse_address(address, options, parsed); !done) {
            ++_counts.unusable;
            problem(address, one.name, "it is not an address: " + std::string(recipients::to_string(done.error())));
            return;
        }
        const std::string domain(parsed.domain());
        const auto found = _served.own.find(domain);
        if (found == _served.own.end()) {
            ++_counts.foreign;
            if (_foreign_problems++ < most_foreign_problems) {
                // Whether it is served for another organisation is not told.
                problem(address, one.name, "the domain " + domain + " is not served for this organisation");
            }
            return;
        }
        for (const placed& has : claims) {
            if (has.domain == found->second && has.normal == parsed.local()) {
                return;  // the primary stands among the aliases too
            }
        }
        claims.push_back(
            {found->second, std::string(parsed.local()),
             address.starts_with('@') ? std::string(parsed.local()) : address.substr(0, address.rfind('@'))});
    };
    take(one.address);
    for (const std::string& alias : one.aliases) {
        take(alias);
    }
    _counts.addresses += claims.size();
    if (_counts.addresses > _max_addresses) {
        _too_many = true;
        return false;
    }
    const std::string first_name = plain_text(one.first_name, longest_person_name);
    const std::string last_name = plain_text(one.last_name, longest_person_name);
    // An alias is no kind of its own here.
    const auto kind = one.kind == recipients::mailbox_kind::alias ? recipients::mailbox_kind::unclassified : one.kind;
    _content.clear();
    append(_content, first_name);
    append(_content, last_name);
    append(_content, std::to_string(static_cast<int>(kind)) + (one.internal_only ? "i" : ""));
    for (const placed& each : claims) {
        append(_content, std::to_string(each.domain));
        append(_content, each.normal);
    }
    _on->run(insert_object, ++_last_object, one.identity, plain_text(one.name, longest_object_name), first_name,
             last_name, static_cast<int>(kind), one.internal_only, claims.empty(), digest(_content));
    for (std::size_t i = 0; i < claims.size(); ++i) {
        _on->run("INSERT INTO claim(object, position, domain, normal, local) VALUES (?, ?, ?, ?, ?)", _last_object, i,
                 claims[i].domain, claims[i].normal, claims[i].local);
    }
    ++_counts.objects;
    return go_on();
}

bool stage::gone(std::string_view identity) {
    if (!go_on()) {
        return false;
    }
    if (!identity.empty() && identity.size() <= longest_identity) {
        _on->run(insert_object, ++_last_object, identity, "", "", "", 0, 0, 1, 0);
    }
    return go_on();
}

bool stage::restart_whole() {
    _restarted = true;
    _counts = {};
    _problems = 0;
    _foreign_problems = 0;
    _last_object = 0;
    _on->script("DELETE FROM object; DELETE FROM claim; DELETE FROM problem;");
    return go_on();
}

directory::result<stage_counts> stage::finish() {
    // Covers all that a comparison by identity asks of an object.
    _on->script(
        "CREATE INDEX object_by_identity ON object(identity, id, gone, digest, name);"
        "CREATE TEMP TABLE doubled AS SELECT o.id AS id FROM object o WHERE EXISTS"
        " (SELECT 1 FROM object l WHERE l.identity = o.identity AND l.id > o.id);"
        "DELETE FROM claim WHERE object IN (SELECT id FROM temp.doubled);"
        "DELETE FROM object WHERE id IN (SELECT id FROM temp.doubled);"
        "DROP TABLE temp.doubled;");
    {
        statement counted =
            _on->query("SELECT (SELECT count(*) FROM object WHERE NOT gone), (SELECT count(*) FROM claim)");
        if (counted.step()) {
            _counts.objects = counted.as<std::uint64_t>(0);
            _counts.addresses = counted.as<std::uint64_t>(1);
        }
    }
    _on->script("COMMIT");
    if (_on->failed()) {
        return tl::unexpected(_on->failure());
    }
    const process::descriptor file(::open(_path.c_str(), O_RDWR | O_CLOEXEC));
    if (!file || ::fsync(file.get()) != 0) {
        return directory::fail(directory::error_kind::failed, process::errno_text("write", _path, errno));
    }
    return _counts;
}

}  // namespace postern::sync
