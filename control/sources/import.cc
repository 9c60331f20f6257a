#include "control/sources/import.h"

#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "control/directory/assertions.h"
#include "control/directory/changes.h"
#include "control/directory/connection.h"
#include "control/directory/history.h"
#include "control/sources/apply.h"
#include "control/sources/csv_layout.h"
#include "control/sources/csv_reader.h"
#include "control/sources/staging.h"

namespace postern::sources {
namespace {

using directory::error_kind;
using directory::fail;

constexpr std::size_t shape_rows = 20;
constexpr std::uint64_t rows_between_calls = 4096;

/// Calls the caller's progress, also out of SQLite's long statements, and ends the work when it says no.
class progress_watch {
public:
    progress_watch(directory::connection& on, const progress_callback& call, const import_progress& so_far = {})
        : _on(on), _call(call), _state(so_far) {
        if (_call) {
            _on.interrupt_when(
                200'000, [](void* self) { return static_cast<progress_watch*>(self)->ask() ? 0 : 1; }, this);
        }
    }
    ~progress_watch() { _on.interrupt_when(0, nullptr, nullptr); }
    progress_watch(const progress_watch&) = delete;
    progress_watch& operator=(const progress_watch&) = delete;

    bool at(enum import_progress::stage reached) {
        _state.stage = reached;
        return ask();
    }
    bool rows(std::uint64_t rows, std::uint64_t octets) {
        _state.rows = rows;
        _state.octets = octets;
        return rows % rows_between_calls != 0 || ask();
    }
    bool ask() {
        _cancelled = _cancelled || (_call && !_call(_state));
        return !_cancelled;
    }
    bool cancelled() const noexcept { return _cancelled; }
    const import_progress& state() const noexcept { return _state; }

private:
    directory::connection& _on;
    const progress_callback& _call;
    import_progress _state;
    bool _cancelled = false;
};

directory::error cancelled() {
    return {error_kind::refused, "the import was cancelled; nothing was changed", ""};
}

directory::error cause_of(const directory::connection& on, const progress_watch& watch) {
    return watch.cancelled() ? cancelled() : on.failure();
}

void describe(const csv_dialect& dialect, const csv_layout& layout, import_guess& out) {
    out.encoding = to_string(dialect.text.encoding);
    out.bom = dialect.text.bom;
    out.delimiter = dialect.delimiter;
    out.line_ends = dialect.line_ends;
    out.header = layout.header;
    out.layout = layout.name;
    for (const column_role role : layout.columns) {
        out.columns.emplace_back(to_string(role));
    }
}

/// Reads the file once from start to end into the staging tables.
directory::result<csv_layout> stage(const byte_source& file, const import_options& options, staging& into,
                                    progress_watch& watch, import_report& report) {
    auto reader = csv_reader::open(file);
    if (!reader) {
        return fail(error_kind::failed, reader.error());
    }
    std::vector<csv_row> first;
    while (first.size() < shape_rows) {
        csv_row row;
        const auto got = reader->next(row);
        if (!got) {
            return fail(error_kind::invalid, got.error(), "file");
        }
        if (!*got) {
            break;
        }
        if (!row.is_blank()) {
            first.push_back(std::move(row));
        }
    }
    if (first.empty()) {
        return fail(error_kind::invalid, "the file has no rows", "file");
    }
    auto layout = guess_layout(first, options.header);
    if (!layout) {
        return fail(error_kind::invalid, layout.error(), "file");
    }
    describe(reader->dialect(), *layout, report.guess);
    const auto take = [&](const csv_row& row) {
        if (row.is_blank()) {
            return;
        }
        if (row.problem.empty()) {
            into.add(read_entry(row, *layout), *layout);
        } else {
            into.add_unreadable(row);
        }
    };
    for (std::size_t i = layout->header ? 1 : 0; i < first.size(); ++i) {
        take(first[i]);
    }
    csv_row row;
    while (true) {
        const auto got = reader->next(row);
        if (!got) {
            return fail(error_kind::invalid, got.error(), "file");
        }
        if (!*got) {
            break;
        }
        take(row);
        if (!watch.rows(report.rows, reader->octets_read())) {
            return tl::unexpected(cancelled());
        }
    }
    return *std::move(layout);
}

/// The source's name: as given, or after organisation and domain.
std::string source_name(directory::connection& on, const import_options& options) {
    if (!options.source.empty()) {
        return options.source;
    }
    std::string name = "csv:";
    {
        directory::statement row = on.query("SELECT name FROM organisation WHERE id = ?", options.organisation);
        name += row.step() ? std::string(row.text(0)) : std::to_string(options.organisation);
    }
    directory::statement row = on.query(
        "SELECT t.name FROM domain d JOIN domain t ON t.id = coalesce(d.target, d.id) WHERE d.id = ?", options.domain);
    return name + "/" + (row.step() ? std::string(row.text(0)) : "*");
}

std::uint32_t source_id(directory::connection& on, const std::string& name, std::uint32_t organisation) {
    directory::statement row =
        on.query("SELECT id FROM source WHERE name = ? AND coalesce(organisation, 0) = ?", name, organisation);
    return row.step() ? row.as<std::uint32_t>(0) : 0;
}

/// Opens the file and stages it in a transaction that touches the temporary tables alone.
directory::result<csv_layout> read_file_into(directory::connection& on, const byte_source& file,
                                             const import_options& options, staging& rows, progress_watch& watch,
                                             import_report& report) {
    if (auto begun = rows.begin(); !begun) {
        return tl::unexpected(begun.error());
    }
    report.source = source_name(on, options);
    watch.at(import_progress::stage::reading);
    on.script("BEGIN");
    auto layout = stage(file, options, rows, watch, report);
    on.script("COMMIT");
    if (on.failed()) {
        return tl::unexpected(cause_of(on, watch));
    }
    return layout;
}

/// Asks the guard; what it holds or refuses stands in the report. Within the transaction, after comparing.
directory::result<void> ask_guard(const directory::reader& in, std::uint32_t source, directory::timestamp now,
                                  const import_options& options, import_report& report) {
    const auto weighed = weigh(in, source, now);
    if (!weighed) {
        return tl::unexpected(weighed.error());
    }
    report.asserted_before = weighed->asserted;
    if (!options.replace || !options.guard) {
        return {};
    }
    replacement_verdict said = options.guard(*weighed);
    report.guard = std::move(said.text);
    report.approved = said.approved;
    report.refused_by_guard = said.end == replacement_verdict::end::refuse;
    if (said.end != replacement_verdict::end::pass) {
        report.held = report.withdrawn;
        report.withdrawn = 0;
    }
    return {};
}

}  // namespace

directory::result<import_report> preview_csv(const directory::store& in, const byte_source& file,
                                             const import_options& options, const progress_callback& progress) {
    auto held = in.borrow();
    if (!held) {
        return tl::unexpected(held.error());
    }
    directory::connection& on = held->on();
    import_report report;
    staging rows(on, options, report);
    progress_watch watch(on, progress);
    const auto layout = read_file_into(on, file, options, rows, watch, report);
    if (!layout) {
        return tl::unexpected(layout.error());
    }
    watch.at(import_progress::stage::comparing);
    on.script("BEGIN");
    const std::uint32_t source = source_id(on, report.source, options.organisation);
    rows.compare(source, *layout);
    rows.sample(source);
    const auto judged = ask_guard(directory::borrowed_reader(on), source, in.now(), options, report);
    on.script("COMMIT");
    if (!judged && !on.failed()) {
        return tl::unexpected(judged.error());
    }
    if (on.failed()) {
        return tl::unexpected(cause_of(on, watch));
    }
    rows.clear();
    watch.at(import_progress::stage::done);
    return report;
}

directory::result<import_report> apply_csv(const directory::store& in, const byte_source& file,
                                           const import_options& options, const directory::actor& by,
                                           const progress_callback& progress) {
    auto held = in.borrow();
    if (!held) {
        return tl::unexpected(held.error());
    }
    import_report report;
    import_progress so_far;
    staging rows(held->on(), options, report);
    const auto layout = [&]() -> directory::result<csv_layout> {
        progress_watch watch(held->on(), progress);
        auto found = read_file_into(held->on(), file, options, rows, watch, report);
        so_far = watch.state();
        return found;
    }();
    if (!layout) {
        return tl::unexpected(layout.error());
    }
    if (options.strict && report.errors_total != 0) {
        return report;
    }
    auto out = in.write(*held, by, std::chrono::minutes(5));
    if (!out) {
        return tl::unexpected(out.error());
    }
    progress_watch watch(out->on(), progress, so_far);
    watch.at(import_progress::stage::comparing);
    auto source = directory::need_source(*out, report.source, options.organisation);
    if (!source) {
        return tl::unexpected(source.error());
    }
    rows.compare(*source, *layout);
    if (options.strict && report.errors_total != 0) {
        return report;
    }
    if (auto judged = ask_guard(*out, *source, out->now(), options, report); !judged) {
        return tl::unexpected(judged.error());
    }
    if (report.held != 0 || report.refused_by_guard) {
        rows.sample(*source);  // a person decides by them
    }
    if (report.refused_by_guard) {
        return report;
    }
    import_options allowed = options;
    allowed.replace = options.replace && report.held == 0;
    watch.at(import_progress::stage::writing);
    if (auto applied = apply_staged(*out, *source, *layout, allowed, report); !applied) {
        return tl::unexpected(watch.cancelled() ? cancelled() : applied.error());
    }
    if (!watch.ask()) {
        return tl::unexpected(cancelled());
    }
    const auto seq = out->commit();
    if (!seq) {
        return tl::unexpected(watch.cancelled() ? cancelled() : seq.error());
    }
    rows.clear();
    report.seq = *seq;
    report.applied = true;
    watch.at(import_progress::stage::done);
    return report;
}

}  // namespace postern::sources
