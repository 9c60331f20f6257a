#include "control/mailroute/filter.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

constexpr int max_relations = 3;  // "email_account__domain__customer__name"

struct condition {
    std::string sql;
    std::vector<sql_value> values;
};

enum class comparison : std::uint8_t { exact, in, contains, starts, ends, above, from, below, until, is_null };

struct comparison_name {
    std::string_view name;
    comparison is;
};
constexpr auto comparisons = std::to_array<comparison_name>({
    {"exact", comparison::exact},
    {"iexact", comparison::exact},
    {"in", comparison::in},
    {"contains", comparison::contains},
    {"icontains", comparison::contains},
    {"startswith", comparison::starts},
    {"istartswith", comparison::starts},
    {"endswith", comparison::ends},
    {"iendswith", comparison::ends},
    {"gt", comparison::above},
    {"gte", comparison::from},
    {"lt", comparison::below},
    {"lte", comparison::until},
    {"isnull", comparison::is_null},
});

std::string in_quotes(std::string_view text) {
    return "\"" + std::string(text.substr(0, 100)) + "\"";
}

tl::unexpected<api::response> bad_value(const field& on, std::string_view value, std::string_view wanted) {
    return refuse(400, in_quotes(value) + " can't be compared with " + std::string(on.name) + ": give " +
                           std::string(wanted) + ".");
}

bool has_comparison(const field& on, comparison is) {
    const bool text = on.type == field_type::string;
    switch (is) {
        case comparison::exact:
        case comparison::in:
            return true;
        case comparison::contains:
        case comparison::starts:
        case comparison::ends:
            return on.filter != filters::some && text;
        case comparison::above:
        case comparison::from:
        case comparison::below:
        case comparison::until:
            return on.filter != filters::some && on.type == field_type::integer;
        case comparison::is_null:
            return on.nullable;
    }
    return false;
}

std::optional<bool> read_flag(std::string_view value) {
    if (value == "true" || value == "True" || value == "1") {
        return true;
    }
    if (value == "false" || value == "False" || value == "0") {
        return false;
    }
    return std::nullopt;
}

/// The value that equality compares with.
result<sql_value> read_value(const field& on, std::string_view value) {
    switch (on.type) {
        case field_type::boolean: {
            const auto flag = read_flag(value);
            return flag ? result<sql_value>(std::int64_t{*flag}) : bad_value(on, value, "true or false");
        }
        case field_type::integer: {
            std::int64_t number = 0;
            const char* const end = value.data() + value.size();
            const auto [stop, code] = std::from_chars(value.data(), end, number);
            return code == std::errc() && stop == end ? result<sql_value>(number)
                                                      : bad_value(on, value, "a whole number");
        }
        case field_type::to_one: {
            const auto id = parse_reference(value, on.leads_to->name);
            return id ? result<sql_value>(*id)
                      : bad_value(on, value, "an id or a URI such as " + object_uri(on.leads_to->name, 12));
        }
        case field_type::string:
        case field_type::datetime:
        case field_type::joined:
        case field_type::list:
            break;
    }
    return sql_value(on.same_form != nullptr ? on.same_form(value) : std::string(value));
}

/// What equality looks at.
std::string compared(const field& on) {
    if (on.same_form != nullptr) {
        return std::string(on.same_sql);
    }
    return std::string(on.sql) + (on.type == field_type::string ? " COLLATE NOCASE" : "");
}

std::string like_value(std::string_view part, bool open_before, bool open_behind) {
    std::string out = open_before ? "%" : "";
    for (const char c : part) {
        if (c == '%' || c == '_' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + (open_behind ? "%" : "");
}

condition like(std::string_view sql, std::string value) {
    return {std::string(sql) + " LIKE ? ESCAPE '\\'", {std::move(value)}};
}

result<condition> equal(const field& on, std::string_view sign, std::string_view value) {
    auto read = read_value(on, value);
    if (!read) {
        return tl::unexpected(std::move(read.error()));
    }
    return condition{compared(on) + " " + std::string(sign) + " ?", {std::move(*read)}};
}

result<condition> one_of(const field& on, std::string_view value) {
    condition out{compared(on) + " IN (", {}};
    for (const std::string_view each : split(value)) {
        if (out.values.size() == max_values) {
            return refuse(400, std::string(on.name) + "__in takes at most " + std::to_string(max_values) + " values.");
        }
        auto read = read_value(on, each);
        if (!read) {
            return tl::unexpected(std::move(read.error()));
        }
        out.sql += out.values.empty() ? "?" : ",?";
        out.values.push_back(std::move(*read));
    }
    out.sql += ")";
    return out;
}

result<condition> compare(const field& on, comparison is, std::string_view value) {
    switch (is) {
        case comparison::exact:
            return equal(on, "=", value);
        case comparison::in:
            return one_of(on, value);
        case comparison::contains:
            return like(on.sql, like_value(value, true, true));
        case comparison::starts:
            return like(on.sql, like_value(value, false, true));
        case comparison::ends:
            return like(on.sql, like_value(value, true, false));
        case comparison::above:
            return equal(on, ">", value);
        case comparison::from:
            return equal(on, ">=", value);
        case comparison::below:
            return equal(on, "<", value);
        case comparison::until:
            return equal(on, "<=", value);
        case comparison::is_null: {
            const auto flag = read_flag(value);
            return flag ? result<condition>(condition{std::string(on.sql) + (*flag ? " IS NULL" : " IS NOT NULL"), {}})
                        : bad_value(on, value, "true or false");
        }
    }
    return refuse(400, "There is no such comparison.");
}

/// `name` is what is left of the parameter's name: FIELD, FIELD__COMPARISON, or FIELD__FIELD… over a relation.
result<condition> make_condition(const resource& of, std::string_view name, std::string_view value, int relations) {
    const std::size_t mark = name.find("__");
    const field* const on = find_field(of, name.substr(0, mark));
    if (on == nullptr || on->filter == filters::none || on->sql.empty()) {
        return refuse(400, std::string(of.name) + " can't be filtered by " + in_quotes(name.substr(0, mark)) +
                               "; its schema names the fields (/api/v1/" + std::string(of.name) + "/schema/).");
    }
    const std::string_view rest = mark == std::string_view::npos ? "exact" : name.substr(mark + 2);
    const auto* const known =
        std::find_if(comparisons.begin(), comparisons.end(), [&](const auto& each) { return each.name == rest; });
    if (known != comparisons.end()) {
        if (!has_comparison(*on, known->is)) {
            return refuse(400, in_quotes(rest) + " is not a filter of " + std::string(on->name) + ".");
        }
        return compare(*on, known->is, value);
    }
    if (on->filter != filters::with_relations || relations == 0) {
        return refuse(400, in_quotes(rest) + " is not a filter of " + std::string(on->name) + ".");
    }
    const resource& to = *on->leads_to;
    auto inner = make_condition(to, rest, value, relations - 1);
    if (!inner) {
        return inner;
    }
    inner->sql = std::string(on->sql) + " IN (SELECT " + std::string(to.id) + " " + std::string(to.rows) + " AND " +
                 inner->sql + ")";
    return inner;
}

void add(condition made, list_request& to) {
    to.conditions += " AND " + made.sql;
    std::move(made.values.begin(), made.values.end(), std::back_inserter(to.values));
}

}  // namespace

result<void> add_filter(const resource& of, std::string_view name, std::string_view value, list_request& to) {
    auto made = make_condition(of, name, value, max_relations);
    if (!made) {
        return tl::unexpected(std::move(made.error()));
    }
    if (to.values.size() + made->values.size() > 4 * max_values) {
        return refuse(400, "The filters have too many values.");
    }
    add(std::move(*made), to);
    return {};
}

void add_search(const resource& of, std::string_view part, list_request& to) {
    add(like(of.searched, like_value(part, true, true)), to);
}

std::vector<std::string_view> split(std::string_view list) {
    std::vector<std::string_view> out;
    while (!list.empty()) {
        const std::string_view each = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), each.size() + 1));
        if (!each.empty()) {
            out.push_back(each);
        }
    }
    return out;
}

}  // namespace postern::mailroute
