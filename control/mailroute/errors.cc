#include "control/mailroute/errors.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "control/mailroute/description.h"

namespace postern::mailroute {

using boost::json::array;
using boost::json::object;

api::response refusal(unsigned status, std::string_view text) {
    api::response made;
    made.status = status;
    made.body = boost::json::serialize(object{{"error", text}});
    return made;
}

tl::unexpected<api::response> refuse(unsigned status, std::string_view text) {
    return tl::unexpected(refusal(status, text));
}

tl::unexpected<api::response> refuse(const resource& of, const std::vector<field_error>& errors) {
    object fields;
    for (const field_error& each : errors) {
        boost::json::value& texts = fields[each.field];
        if (!texts.is_array()) {
            texts = array();
        }
        texts.get_array().push_back(boost::json::value(each.text));
    }
    api::response made;
    made.status = 400;
    made.body = boost::json::serialize(object{{of.name, std::move(fields)}});
    return tl::unexpected(std::move(made));
}

tl::unexpected<api::response> refuse(const resource& of, std::string_view field, std::string text) {
    return refuse(of, {{std::string(field), std::move(text)}});
}

api::response refusal(const api::problem& error) {
    api::response made = refusal(error.status == 422 ? 400 : error.status, error.detail);
    made.fields = error.fields;
    return made;
}

tl::unexpected<api::response> refuse(const resource& of, const directory::error& error, field_names names) {
    switch (error.kind) {
        case directory::error_kind::invalid:
        case directory::error_kind::conflict:
        case directory::error_kind::refused:
            break;
        case directory::error_kind::not_found:
        case directory::error_kind::busy:
        case directory::error_kind::failed:
            return refuse(error);
    }
    const auto* const found =
        std::find_if(names.begin(), names.end(), [&](const auto& each) { return each.first == error.field; });
    return refuse(of, found == names.end() ? whole_object : found->second, error.text);
}

tl::unexpected<api::response> refuse(const directory::error& error) {
    switch (error.kind) {
        case directory::error_kind::invalid:
            return refuse(400, error.text);
        case directory::error_kind::not_found:
            return refuse(404, error.text);
        case directory::error_kind::conflict:
        case directory::error_kind::refused:
            return refuse(409, error.text);
        case directory::error_kind::busy: {
            api::response made = refusal(503, error.text);
            made.fields.emplace_back("Retry-After", "5");
            return tl::unexpected(std::move(made));
        }
        case directory::error_kind::failed:
            break;
    }
    return tl::unexpected(refusal(api::internal(error.text)));
}

}  // namespace postern::mailroute
