#include "control/mailroute/schema.h"

#include <boost/json/array.hpp>

#include "control/mailroute/listing.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

// As clients of MailRoute's API know them: every comparison, and every one over relations.
constexpr int all_comparisons = 1;
constexpr int all_with_relations = 2;

// Every object has them.
constexpr field uri_field{.name = "resource_uri", .help = "Where the object is. Ex: \"/api/v1/domain/12/\""};
constexpr field page_field{.name = "absolute_url", .help = "The object's place in a control panel; Postern has none."};

std::string_view type_name(field_type type) {
    switch (type) {
        case field_type::integer:
            return "integer";
        case field_type::boolean:
            return "boolean";
        case field_type::datetime:
            return "datetime";
        case field_type::to_one:
            return "related";
        case field_type::list:
            return "list";
        case field_type::string:
        case field_type::joined:
            break;
    }
    return "string";
}

value default_of(const field& of) {
    struct visitor {
        value operator()(std::monostate) const { return "No default provided."; }
        value operator()(bool flag) const { return flag; }
        value operator()(std::int64_t number) const { return number; }
        value operator()(std::string_view text) const { return value(text); }
    };
    return std::visit(visitor{}, of.usually);
}

object describe(const field& of) {
    object out{{"blank", !of.required},
               {"default", default_of(of)},
               {"help_text", of.help},
               {"nullable", of.nullable},
               {"readonly", of.access == access::kept},
               {"type", type_name(of.type)},
               {"unique", of.unique}};
    if (of.type == field_type::to_one) {
        out["related_type"] = "to_one";
    }
    return out;
}

value describe_filter(filters of) {
    switch (of) {
        case filters::all:
            return all_comparisons;
        case filters::with_relations:
            return all_with_relations;
        case filters::none:
        case filters::some:
            break;
    }
    return array{"exact", "in"};
}

}  // namespace

object index_page() {
    object out;
    for (const resource* const each : resources()) {
        const std::string at = std::string(base_path) + std::string(each->name) + '/';
        out[each->name] = object{{"list_endpoint", at}, {"schema", at + "schema/"}};
    }
    return out;
}

object schema_page(const resource& of) {
    object fields;
    object filtering;
    array ordering;
    for (const field& each : of.fields) {
        fields[each.name] = describe(each);
        if (each.filter != filters::none) {
            filtering[each.name] = describe_filter(each.filter);
        }
        if (each.ordered) {
            ordering.push_back(value(each.name));
        }
    }
    fields[uri_field.name] = describe(uri_field);
    if (!of.absolute_url.empty()) {
        fields[page_field.name] = describe(page_field);
    }
    return {{"allowed_detail_http_methods", {"get", "put", "patch", "delete"}},
            {"allowed_list_http_methods", {"get", "post"}},
            {"default_format", "application/json"},
            {"default_limit", usual_limit},
            {"fields", std::move(fields)},
            {"filtering", std::move(filtering)},
            {"ordering", std::move(ordering)}};
}

}  // namespace postern::mailroute
