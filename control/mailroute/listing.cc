#include "control/mailroute/listing.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "control/api/encode.h"
#include "control/api/query.h"
#include "control/mailroute/filter.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

constexpr std::size_t max_orders = 8;

std::string in_quotes(std::string_view text) {
    return "\"" + std::string(text.substr(0, 100)) + "\"";
}

result<std::uint32_t> read_number(const api::decoded_parameter& from) {
    std::uint32_t number = 0;
    const char* const end = from.value.data() + from.value.size();
    const auto [stop, code] = std::from_chars(from.value.data(), end, number);
    if (code != std::errc() || stop != end || number > std::numeric_limits<std::int32_t>::max()) {
        return refuse(400, "Invalid " + from.name + " " + in_quotes(from.value) + ": give a whole number from 0 on.");
    }
    return number;
}

/// "name", "-created_at", or several with commas between them.
result<void> read_order(const resource& of, std::string_view value, std::vector<std::string>& orders) {
    while (!value.empty()) {
        const std::string_view each = value.substr(0, value.find(','));
        value.remove_prefix(std::min(value.size(), each.size() + 1));
        const bool descending = each.starts_with('-');
        const std::string_view name = each.substr(descending ? 1 : 0);
        const field* const known = find_field(of, name);
        if (known == nullptr || !known->ordered) {
            return refuse(400, std::string(of.name) + " can't be ordered by " + in_quotes(name) +
                                   "; its schema names the fields.");
        }
        if (orders.size() == max_orders) {
            return refuse(400, "A list is ordered by at most " + std::to_string(max_orders) + " fields.");
        }
        orders.push_back(std::string(known->same_form != nullptr ? known->same_sql : known->sql) +
                         (descending ? " DESC" : ""));
    }
    return {};
}

std::string joined(const std::vector<std::string>& orders, std::string_view last) {
    std::string out;
    for (const std::string& each : orders) {
        out += each + ", ";
    }
    return out + std::string(last);
}

result<std::vector<api::decoded_parameter>> decode(std::string_view query) {
    auto parameters = api::decode_query(query, max_query_octets, max_parameters);
    if (!parameters) {
        return tl::unexpected(refusal(parameters.error()));
    }
    return std::move(*parameters);
}

}  // namespace

result<list_request> read_list_request(const resource& of, std::string_view query) {
    const auto parameters = decode(query);
    if (!parameters) {
        return tl::unexpected(parameters.error());
    }
    list_request out;
    std::vector<std::string> orders;
    for (const api::decoded_parameter& each : *parameters) {
        if (each.name == "limit" || each.name == "offset") {
            const auto number = read_number(each);
            if (!number) {
                return tl::unexpected(number.error());
            }
            (each.name == "limit" ? out.limit : out.offset) = *number;
            continue;
        }
        out.kept += api::percent_encode(each.name) + '=' + api::percent_encode(each.value) + '&';
        if (each.name == "format") {
            if (each.value != "json") {
                return refuse(400, "The format " + in_quotes(each.value) + " is not given here: json is.");
            }
        } else if (each.name == "order_by") {
            if (const auto read = read_order(of, each.value, orders); !read) {
                return tl::unexpected(read.error());
            }
        } else if (each.name == "q") {
            add_search(of, each.value, out);
        } else if (const auto added = add_filter(of, each.name, each.value, out); !added) {
            return tl::unexpected(added.error());
        }
    }
    if (out.kept.size() > max_query_octets) {
        return refuse(400, "The query is too long.");  // encoded, in the links to other pages
    }
    // 0 is "all that may be had at once".
    out.limit = out.limit == 0 ? max_limit : std::min(out.limit, max_limit);
    out.order = joined(orders, orders.empty() ? of.usual_order : of.id);
    return out;
}

result<std::vector<std::int64_t>> read_ids(std::string_view query) {
    const auto parameters = decode(query);
    if (!parameters) {
        return tl::unexpected(parameters.error());
    }
    constexpr std::string_view how = "Name what is to be deleted, and nothing else: ?id__in=1,2.";
    if (parameters->size() != 1 || parameters->front().name != "id__in" || parameters->front().value.empty()) {
        return refuse(400, how);
    }
    std::vector<std::int64_t> out;
    for (const std::string_view each : split(parameters->front().value)) {
        const auto id = parse_id(each);
        if (!id) {
            return refuse(400, in_quotes(each) + " is not an id. " + std::string(how));
        }
        if (out.size() == max_values) {
            return refuse(400, "At most " + std::to_string(max_values) + " can be deleted at once.");
        }
        out.push_back(*id);
    }
    return out;
}

}  // namespace postern::mailroute
