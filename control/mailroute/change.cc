#include "control/mailroute/change.h"

#include "control/mailroute/rows.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {

const directory::scope& scope_of(const api::caller& of) {
    static const directory::scope everything;
    return of.scope == nullptr ? everything : *of.scope;
}

result<std::optional<std::int64_t>> see(const change& in, const resource& of, std::string_view field,
                                        std::optional<std::int64_t> given) {
    if (!given) {
        return std::optional<std::int64_t>();
    }
    const resource& to = *find_field(of, field)->leads_to;
    if (!has_object(in.in, in.within(), to, *given)) {
        return refuse(of, field, "There is no " + object_uri(to.name, *given) + ".");
    }
    return given;
}

tl::unexpected<api::response> beyond_key(std::string_view text) {
    return refuse(403, text);
}

}  // namespace postern::mailroute
