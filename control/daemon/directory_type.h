// A protocol's settings, fetcher and test as a type of directory source: what control/sync asks of every one.
#pragma once

#include <algorithm>
#include <atomic>
#include <boost/json/object.hpp>
#include <memory>
#include <string>
#include <utility>

#include "control/sources/settings_reader.h"
#include "control/sync/sources.h"

namespace postern::daemon {

/// A test of a connection has to end within the minute that the API gives it.
inline constexpr std::uint32_t longest_test_s = 50;

/// The order's settings as a JSON object.
tl::expected<boost::json::object, sources::settings_error> settings_of(const sync::source_order& order);

/// `secrets` is a member of its own in the API, every other one stands in `settings`.
directory::result<void> refused(const sources::settings_error& why);

/// `Protocol` has:
///     using settings = …;   with fetch_timeout_s
///     tl::expected<settings, sources::settings_error> read(const sync::source_order&) const;
///     std::unique_ptr<sources::fetcher> fetcher(settings) const;
///     sources::test_report test(const settings&, const std::atomic<bool>& stop) const;
template <class Protocol>
sync::source_type directory_type(std::shared_ptr<const Protocol> shared) {
    sync::source_type out;
    out.check = [shared](const sync::source_order& order) -> directory::result<void> {
        const auto settings = shared->read(order);
        return settings ? directory::result<void>() : refused(settings.error());
    };
    out.make =
        [shared](const sync::source_order& order) -> tl::expected<std::unique_ptr<sources::fetcher>, std::string> {
        auto settings = shared->read(order);
        if (!settings) {
            return tl::unexpected(settings.error().member + ": " + settings.error().text);
        }
        return shared->fetcher(*std::move(settings));
    };
    out.test = [shared](const sync::source_order& order, const std::atomic<bool>& stop) {
        auto settings = shared->read(order);
        if (!settings) {
            sources::test_report report;
            report.steps.push_back({"", "settings", sources::test_step::outcome::bad, settings.error().text});
            return report;
        }
        settings->fetch_timeout_s = std::min(settings->fetch_timeout_s, longest_test_s);
        return shared->test(*settings, stop);
    };
    return out;
}

}  // namespace postern::daemon
