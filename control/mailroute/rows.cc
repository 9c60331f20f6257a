#include "control/mailroute/rows.h"

#include <boost/json/array.hpp>

#include "control/directory/connection.h"
#include "control/directory/scope_sql.h"
#include "control/mailroute/dates.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// The resource's rows in the scope, from "FROM" on; `?1` is `scope_parameter`.
std::string rows_in(const directory::scope& within, const resource& of) {
    const bool narrow = within.reach == directory::reach::domains || within.reach == directory::reach::group;
    std::string condition;
    if (of.whose == belongs_to::domain) {
        condition = directory::domain_condition(within, "d", "?1");
    } else {
        condition = narrow ? "o.id = CAST(?1 AS INTEGER)" : directory::organisation_condition(within, "o.id", "?1");
    }
    return " " + std::string(of.rows) + " AND " + condition;
}

std::string scope_parameter(const directory::scope& within, const resource& of) {
    const bool narrow = within.reach == directory::reach::domains || within.reach == directory::reach::group;
    return narrow && of.whose == belongs_to::organisation ? std::to_string(within.organisation)
                                                          : directory::scope_ids(within);
}

std::string columns(const resource& of) {
    std::string out = "SELECT " + std::string(of.id);
    for (const field& each : of.fields) {
        if (!each.sql.empty()) {
            out += ", " + std::string(each.sql);
        }
    }
    return out;
}

value represent(const field& of, const directory::statement& row, int column) {
    if (of.type == field_type::list) {
        return array();
    }
    if (row.is_null(column)) {
        return nullptr;
    }
    switch (of.type) {
        case field_type::integer:
            return row.integer(column);
        case field_type::boolean:
            return row.integer(column) != 0;
        case field_type::datetime:
            return value(date_text(row.integer(column)));
        case field_type::to_one:
            return value(object_uri(of.leads_to->name, row.integer(column)));
        case field_type::string:
        case field_type::joined:
        case field_type::list:
            break;
    }
    return value(row.text(column));
}

object represent(const resource& of, const directory::statement& row) {
    object out;
    int column = 1;
    for (const field& each : of.fields) {
        if (!each.sql.empty()) {
            out[each.name] = represent(each, row, column++);
        }
    }
    const std::int64_t id = row.integer(0);
    out["resource_uri"] = object_uri(of.name, id);
    if (!of.absolute_url.empty()) {
        out["absolute_url"] = std::string(of.absolute_url) + std::to_string(id) + "/";
    }
    return out;
}

/// A link to the page of the list that begins at `offset`.
std::string page_uri(const resource& of, const list_request& asked, std::int64_t offset) {
    return std::string(base_path) + std::string(of.name) + "/?" + asked.kept + "limit=" + std::to_string(asked.limit) +
           "&offset=" + std::to_string(offset);
}

object meta_of(const resource& of, const list_request& asked, std::int64_t total) {
    object out{{"limit", asked.limit}, {"offset", asked.offset}, {"total_count", total}};
    const std::int64_t behind = std::int64_t{asked.offset} + asked.limit;
    const std::int64_t before = std::int64_t{asked.offset} - asked.limit;
    out["next"] = behind < total ? value(page_uri(of, asked, behind)) : value(nullptr);
    out["previous"] = before >= 0 ? value(page_uri(of, asked, before)) : value(nullptr);
    return out;
}

}  // namespace

result<object> find_object(const directory::reader& in, const directory::scope& within, const resource& of,
                           std::int64_t id) {
    directory::statement row = in.on().query(columns(of) + rows_in(within, of) + " AND " + std::string(of.id) + " = ?",
                                             scope_parameter(within, of), id);
    if (!row.step()) {
        if (in.on().failed()) {
            return refuse(in.on().failure());
        }
        return refuse(404, "There is no " + std::string(of.name) + " " + std::to_string(id) + ".");
    }
    return represent(of, row);
}

bool has_object(const directory::reader& in, const directory::scope& within, const resource& of, std::int64_t id) {
    return in.on()
        .query("SELECT 1" + rows_in(within, of) + " AND " + std::string(of.id) + " = ?", scope_parameter(within, of),
               id)
        .step();
}

result<object> list_objects(const directory::reader& in, const directory::scope& within, const resource& of,
                            const list_request& asked) {
    const std::string rows = rows_in(within, of) + asked.conditions;
    const std::string parameter = scope_parameter(within, of);
    std::int64_t total = 0;
    {
        directory::statement counted = in.on().query("SELECT count(*)" + rows, parameter, asked.values);
        total = counted.step() ? counted.integer(0) : 0;
    }
    array objects;
    if (asked.offset < total) {
        directory::statement found =
            in.on().query(columns(of) + rows + " ORDER BY " + asked.order + " LIMIT ? OFFSET ?", parameter,
                          asked.values, asked.limit, asked.offset);
        while (found.step()) {
            objects.push_back(represent(of, found));
        }
    }
    if (in.on().failed()) {
        return refuse(in.on().failure());
    }
    return object{{"meta", meta_of(of, asked, total)}, {"objects", std::move(objects)}};
}

}  // namespace postern::mailroute
