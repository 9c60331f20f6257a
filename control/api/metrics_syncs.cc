// The part of /metrics on directory sources, their syncs and notices.
#include <functional>

#include "control/api/exposition.h"
#include "control/sync/service.h"

namespace postern::api {

answer<void> add_sync_metrics(const service& with, exposition& out) {
    if (with.syncs == nullptr) {
        return {};
    }
    const auto now = with.syncs->snapshot();
    if (!now) {
        return failure(now);
    }
    const auto family = [&](std::string_view name, std::string_view help,
                            const std::function<std::uint64_t(const sync::source_metrics&)>& value) {
        out.head(name, "gauge", help);
        for (const sync::source_metrics& each : now->sources) {
            out.value(name,
                      "source=\"" + label(each.name) + "\",organisation=\"" + std::to_string(each.organisation) + "\"",
                      value(each));
        }
    };
    family("postern_source_enabled", "1 if the directory source syncs by schedule.",
           [](const sync::source_metrics& each) { return each.enabled ? 1U : 0U; });
    family("postern_source_running", "1 while a sync of the source is at work.",
           [](const sync::source_metrics& each) { return each.running ? 1U : 0U; });
    family("postern_source_held", "1 while a sync of the source waits for approve or discard.",
           [](const sync::source_metrics& each) { return each.held ? 1U : 0U; });
    family("postern_source_failures", "Syncs in a row that failed or were partial.",
           [](const sync::source_metrics& each) { return each.failures; });
    family("postern_source_out_of_date", "1 beyond the source's freshness limit.",
           [](const sync::source_metrics& each) { return each.out_of_date ? 1U : 0U; });
    family("postern_source_last_good_timestamp_seconds", "End of the last complete fetch, 0 for never.",
           [](const sync::source_metrics& each) { return static_cast<std::uint64_t>(each.last_good) / 1000U; });
    family("postern_source_addresses", "Addresses that the source asserts.",
           [](const sync::source_metrics& each) { return each.asserted; });
    out.head("postern_syncs_total", "counter", "Syncs that ended, or were held, since the start.");
    out.value("postern_syncs_total", "result=\"succeeded\"", now->succeeded);
    out.value("postern_syncs_total", "result=\"partial\"", now->partial);
    out.value("postern_syncs_total", "result=\"failed\"", now->failed);
    out.value("postern_syncs_total", "result=\"held\"", now->held);
    out.head("postern_sync_addresses_total", "counter", "Addresses that syncs changed since the start.");
    out.value("postern_sync_addresses_total", "change=\"added\"", now->added);
    out.value("postern_sync_addresses_total", "change=\"removed\"", now->removed);
    out.head("postern_notices_total", "counter", "Notices by webhook and e-mail since the start.");
    out.value("postern_notices_total", "result=\"sent\"", now->notices_sent);
    out.value("postern_notices_total", "result=\"failed\"", now->notices_failed);
    out.value("postern_notices_total", "result=\"dropped\"", now->notices_dropped);
    out.one("postern_addresses_in_grace", "gauge", "Addresses that a sync took and that stay good for a while.",
            now->in_grace);
    return {};
}

}  // namespace postern::api
