// The part of /metrics on discovery.
#include <array>

#include "control/api/exposition.h"
#include "control/directory/domains.h"
#include "control/discovery/candidates.h"
#include "control/discovery/service.h"

namespace postern::api {

namespace {

constexpr std::uint32_t domains_shown = 1000;

}  // namespace

answer<void> add_discovery_metrics(const service& with, exposition& out) {
    if (with.discovery == nullptr) {
        return {};
    }
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    directory::domain_filter filter;
    filter.alias = false;
    filter.mode = recipients::mode::discover;
    const auto page = directory::list_domains(*in, filter, {"", domains_shown});
    if (!page) {
        return failure(page);
    }
    out.head("postern_discovery_state", "gauge", "1 for how discovery stands (of the first 1000 domains in discover).");
    std::vector<std::pair<std::string, std::array<std::uint64_t, discovery::candidate_states>>> rows;
    for (const directory::domain& each : page->items) {
        const auto of = discovery::find_state(*in, each);
        const auto counts = discovery::count_candidates(*in, each.id);
        if (!of || !counts) {
            return of ? failure(counts) : failure(of);
        }
        out.value("postern_discovery_state",
                  "domain=\"" + label(each.name) + "\",state=\"" + std::string(discovery::to_string(of->now)) + "\"",
                  1);
        rows.emplace_back(each.name, *counts);
    }
    out.head("postern_discovery_candidates", "gauge", "Candidates by state (of the first 1000 domains in discover).");
    for (const auto& [name, counts] : rows) {
        for (std::size_t state = 0; state < counts.size(); ++state) {
            out.value("postern_discovery_candidates",
                      "domain=\"" + label(name) + "\",state=\"" +
                          std::string(to_string(static_cast<discovery::candidate_state>(state))) + "\"",
                      counts.at(state));
        }
    }
    const discovery::totals sums = with.discovery->counts();
    out.head("postern_discovery_findings_total", "counter", "Judged messages told by the edges since the start.");
    out.value("postern_discovery_findings_total", "result=\"good\"", sums.good);
    out.value("postern_discovery_findings_total", "result=\"bad\"", sums.bad);
    out.value("postern_discovery_findings_total", "result=\"suspended\"", sums.suspended);
    out.value("postern_discovery_findings_total", "result=\"ignored\"", sums.ignored);
    out.head("postern_discovery_addresses_total", "counter", "What became of discovered addresses since the start.");
    out.value("postern_discovery_addresses_total", "result=\"added\"", sums.added);
    out.value("postern_discovery_addresses_total", "result=\"left\"", sums.left);
    out.value("postern_discovery_addresses_total", "result=\"base_refused\"", sums.base_refused);
    out.value("postern_discovery_addresses_total", "result=\"withdrawn\"", sums.withdrawn);
    out.one("postern_listed_refused_total", "counter", "Listed addresses newly seen refused by their mail server.",
            sums.flagged);
    out.one("postern_discovery_dropped_total", "counter", "Candidates dropped over the limit.", sums.dropped);
    out.one("postern_discovery_probes_total", "counter", "Mail servers asked for a random address since the start.",
            sums.probes);
    return {};
}

}  // namespace postern::api
