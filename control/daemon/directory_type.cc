#include "control/daemon/directory_type.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

namespace postern::daemon {

tl::expected<boost::json::object, sources::settings_error> settings_of(const sync::source_order& order) {
    boost::json::error_code failed;
    boost::json::value parsed = boost::json::parse(order.settings, failed);
    if (failed || !parsed.is_object()) {
        return sources::wrong_setting("", "the settings are no JSON object");
    }
    return std::move(parsed.get_object());
}

directory::result<void> refused(const sources::settings_error& why) {
    return directory::fail(
        directory::error_kind::invalid, why.text,
        why.member == "secrets" ? why.member : "settings" + (why.member.empty() ? "" : "/" + why.member));
}

}  // namespace postern::daemon
