#include "control/api/import_record.h"

#include <boost/json.hpp>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

#include "control/api/encode.h"
#include "control/api/represent_import.h"

namespace postern::api {

using boost::json::array;
using boost::json::object;
using boost::json::value;

namespace {

constexpr import_state every_state[] = {import_state::waiting, import_state::reading,  import_state::previewed,
                                        import_state::queued,  import_state::applying, import_state::held};

template <class T>
value or_null(const std::optional<T>& of) {
    return of ? value(*of) : value(nullptr);
}

// Reading: boost's exceptions (a member is missing, of another type, out of range) are caught where the text comes in.

template <class T>
T member(const object& of, std::string_view name) {
    return boost::json::value_to<T>(of.at(name));
}

template <class T>
T member_or_zero(const object& of, std::string_view name) {
    const value& found = of.at(name);
    return found.is_null() ? T{} : boost::json::value_to<T>(found);
}

template <class T>
std::optional<T> optional_member(const object& of, std::string_view name) {
    const value& found = of.at(name);
    return found.is_null() ? std::nullopt : std::optional<T>(boost::json::value_to<T>(found));
}

import_state state_of(std::string_view word) {
    for (const import_state each : every_state) {
        if (to_string(each) == word) {
            return each;
        }
    }
    throw std::invalid_argument("no such state");
}

sources::row_error error_of(const object& from) {
    return {member<std::uint64_t>(from, "line"), member_or_zero<std::uint32_t>(from, "column"),
            member<std::string>(from, "column_name"), member<std::string>(from, "value"),
            member<std::string>(from, "reason")};
}

std::vector<sources::import_sample> samples_of(const value& from) {
    std::vector<sources::import_sample> out;
    for (const value& each : from.as_array()) {
        const object& row = each.as_object();
        out.push_back({member_or_zero<std::uint64_t>(row, "line"), member<std::string>(row, "address"),
                       member<std::string>(row, "first_name"), member<std::string>(row, "last_name"),
                       member<std::string>(row, "group"), member<std::string>(row, "kind"),
                       member<std::string>(row, "aliases")});
    }
    return out;
}

sources::import_guess guess_of(const object& from) {
    sources::import_guess out;
    out.encoding = member<std::string>(from, "encoding");
    out.bom = member<bool>(from, "bom");
    const auto delimiter = member<std::string>(from, "delimiter");
    out.delimiter = delimiter.empty() ? ',' : delimiter.front();
    out.line_ends = member<std::string>(from, "line_ends");
    out.header = member<bool>(from, "header");
    out.layout = member<std::string>(from, "layout");
    out.columns = member<std::vector<std::string>>(from, "columns");
    return out;
}

object report_value(const sources::import_report& of) {
    object out = represent(of, true);
    array errors;
    for (const sources::row_error& each : of.errors) {
        errors.push_back(represent(each));
    }
    out["errors"] = std::move(errors);
    out["change"] = of.seq;
    out["applied"] = of.applied;
    return out;
}

sources::import_report report_of(const object& from) {
    sources::import_report out;
    out.guess = guess_of(from.at("guess").as_object());
    out.source = member<std::string>(from, "source");
    out.rows = member<std::uint64_t>(from, "rows");
    out.created = member<std::uint64_t>(from, "new");
    out.updated = member<std::uint64_t>(from, "updated");
    out.unchanged = member<std::uint64_t>(from, "unchanged");
    out.missing = member<std::uint64_t>(from, "missing");
    out.withdrawn = member<std::uint64_t>(from, "withdrawn");
    out.held = member<std::uint64_t>(from, "held");
    out.guard = member_or_zero<std::string>(from, "guard");
    out.invalid = member<std::uint64_t>(from, "invalid");
    out.duplicates = member<std::uint64_t>(from, "duplicates");
    out.aliases = member<std::uint64_t>(from, "aliases");
    out.errors_total = member<std::uint64_t>(from, "errors_total");
    for (const value& each : from.at("errors").as_array()) {
        out.errors.push_back(error_of(each.as_object()));
    }
    const object& samples = from.at("samples").as_object();
    out.new_rows = samples_of(samples.at("new"));
    out.updated_rows = samples_of(samples.at("updated"));
    out.unchanged_rows = samples_of(samples.at("unchanged"));
    out.missing_rows = samples_of(samples.at("missing"));
    out.seq = member<std::uint64_t>(from, "change");
    out.applied = member<bool>(from, "applied");
    return out;
}

import_record record_of(const object& from) {
    import_record out;
    import_job& job = out.job;
    job.id = member<std::string>(from, "id");
    job.file_name = member<std::string>(from, "file_name");
    job.size = member<std::uint64_t>(from, "size");
    job.state = state_of(from.at("state").as_string());
    job.apply_at_once = member<bool>(from, "apply_at_once");
    job.options.organisation = member<std::uint32_t>(from, "organisation");
    job.options.domain = member<std::uint32_t>(from, "domain");
    job.options.source = member<std::string>(from, "source");
    job.options.replace = member<bool>(from, "replace");
    job.options.strict = member<bool>(from, "strict");
    job.options.header = optional_member<bool>(from, "header");
    job.options.max_row_errors = member<std::size_t>(from, "max_row_errors");
    if (const value& report = from.at("report"); !report.is_null()) {
        job.report = report_of(report.as_object());
    }
    job.confirmed = optional_member<std::uint64_t>(from, "confirmed");
    job.approved = optional_member<std::uint64_t>(from, "approved");
    job.by = member<std::string>(from, "by");
    job.created = member<std::int64_t>(from, "created");
    job.finished = member<std::int64_t>(from, "finished");
    out.by = {member<std::string>(from, "who"), member<std::string>(from, "why")};
    out.idempotency = member<std::string>(from, "idempotency");
    out.digest = member<std::string>(from, "digest");
    out.begun = member<unsigned>(from, "begun");
    return out;
}

}  // namespace

std::string to_text(const import_record& of) {
    const import_job& job = of.job;
    const object out{{"id", job.id},
                     {"file_name", job.file_name},
                     {"size", job.size},
                     {"state", to_string(job.state)},
                     {"apply_at_once", job.apply_at_once},
                     {"organisation", job.options.organisation},
                     {"domain", job.options.domain},
                     {"source", job.options.source},
                     {"replace", job.options.replace},
                     {"strict", job.options.strict},
                     {"header", or_null(job.options.header)},
                     {"max_row_errors", job.options.max_row_errors},
                     {"report", job.report ? value(report_value(*job.report)) : value(nullptr)},
                     {"confirmed", or_null(job.confirmed)},
                     {"approved", or_null(job.approved)},
                     {"by", job.by},
                     {"created", job.created},
                     {"finished", job.finished},
                     {"who", of.by.who},
                     {"why", printable_utf8(of.by.why)},
                     {"idempotency", of.idempotency},
                     {"digest", of.digest},
                     {"begun", of.begun}};
    return boost::json::serialize(out) + "\n";
}

tl::expected<import_record, std::string> parse_import_record(std::string_view text) {
    boost::json::error_code failed;
    const value parsed = boost::json::parse(text, failed);
    if (failed || !parsed.is_object()) {
        return tl::unexpected(std::string("it is no JSON object"));
    }
    try {
        return record_of(parsed.as_object());
    } catch (const std::exception& wrong) {
        return tl::unexpected("it is not as Postern writes it (" + std::string(wrong.what()) + ")");
    }
}

}  // namespace postern::api
