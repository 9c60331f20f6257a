#include "control/api/represent_import.h"

#include <boost/json/array.hpp>

#include "control/api/encode.h"

namespace postern::api {

using boost::json::array;
using boost::json::object;

object represent(const sources::row_error& of) {
    return {{"line", of.line},
            {"column", of.column == 0 ? boost::json::value(nullptr) : boost::json::value(of.column)},
            {"column_name", printable_utf8(of.column_name)},
            {"value", printable_utf8(of.value)},
            {"reason", printable_utf8(of.reason)}};
}

namespace {

array represent(const std::vector<sources::import_sample>& rows) {
    array out;
    for (const sources::import_sample& each : rows) {
        out.push_back(object{{"line", each.line == 0 ? boost::json::value(nullptr) : boost::json::value(each.line)},
                             {"address", each.address},
                             {"first_name", each.first_name},
                             {"last_name", each.last_name},
                             {"group", each.group},
                             {"kind", each.kind},
                             {"aliases", each.aliases}});
    }
    return out;
}

}  // namespace

object represent(const sources::import_report& of, bool with_samples) {
    object out;
    array columns;
    for (const std::string& each : of.guess.columns) {
        columns.push_back(boost::json::value(each));
    }
    out["guess"] = object{{"encoding", of.guess.encoding},
                          {"bom", of.guess.bom},
                          {"delimiter", std::string(1, of.guess.delimiter)},
                          {"line_ends", of.guess.line_ends},
                          {"header", of.guess.header},
                          {"layout", of.guess.layout},
                          {"columns", std::move(columns)}};
    out["source"] = of.source;
    out["rows"] = of.rows;
    out["new"] = of.created;
    out["updated"] = of.updated;
    out["unchanged"] = of.unchanged;
    out["missing"] = of.missing;
    out["withdrawn"] = of.withdrawn;
    out["held"] = of.held;
    out["guard"] = of.guard.empty() ? boost::json::value(nullptr) : boost::json::value(of.guard);
    out["invalid"] = of.invalid;
    out["duplicates"] = of.duplicates;
    out["aliases"] = of.aliases;
    out["errors_total"] = of.errors_total;
    if (with_samples) {
        out["samples"] = object{{"new", represent(of.new_rows)},
                                {"updated", represent(of.updated_rows)},
                                {"unchanged", represent(of.unchanged_rows)},
                                {"missing", represent(of.missing_rows)}};
    }
    return out;
}

}  // namespace postern::api
