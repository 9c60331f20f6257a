// /metrics in Prometheus' text format 0.0.4: control's own figures, the directory's, and what each edge counts.
#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "board/process/version.h"
#include "control/api/edge_query.h"
#include "control/api/exposition.h"
#include "control/api/handlers.h"
#include "control/directory/domains.h"
#include "control/recent/recent_store.h"

namespace postern::api {
namespace {

constexpr std::chrono::milliseconds edge_patience{1'000};
constexpr std::uint32_t domains_a_page = 1000;

/// A name that Prometheus takes; what an edge calls a counter is not ours to trust.
std::string metric_name(std::string_view name) {
    std::string out;
    for (const char c : name.substr(0, 100)) {
        const bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        out += good ? c : '_';
    }
    return out;
}

void add_edges(const service& with, const publish::publisher_status& status, exposition& out) {
    out.head("postern_edge_generation", "gauge", "Generation in force at the edge.");
    for (const publish::edge_status& each : status.edges) {
        out.value("postern_edge_generation", "edge=\"" + label(each.name) + "\"", each.generation);
    }
    out.head("postern_edge_in_step", "gauge", "1 if the edge has all changes in force.");
    for (const publish::edge_status& each : status.edges) {
        out.value("postern_edge_in_step", "edge=\"" + label(each.name) + "\"",
                  each.state == publish::edge_state::in_step ? 1 : 0);
    }
    std::vector<std::pair<std::string, boost::json::object>> counted;
    out.head("postern_edge_up", "gauge", "1 if the edge answers on its socket.");
    for (const publish::edge_address& each : with.edges) {
        auto said = ask_edge(each.socket, "show counters", edge_patience);
        const auto* const counters = said ? said->if_contains("counters") : nullptr;
        const bool good = counters != nullptr && counters->is_object();
        out.value("postern_edge_up", "edge=\"" + label(each.name) + "\"", good ? 1 : 0);
        if (good) {
            counted.emplace_back(each.name, counters->get_object());
        }
    }
    // One family's samples stand together, as the format wants: the families of the first edge, then what others add.
    std::vector<std::string> done;
    for (const auto& [first, families] : counted) {
        for (const auto& family : families) {
            const std::string key(family.key());
            if (std::find(done.begin(), done.end(), key) != done.end()) {
                continue;
            }
            done.push_back(key);
            const std::string name = "postern_edge_" + metric_name(key);
            out.head(name, "untyped", "Counter \"" + metric_name(key) + "\" of the edges.");
            for (const auto& [edge, counters] : counted) {
                const auto* const number = counters.if_contains(key);
                boost::json::error_code error;
                if (number != nullptr && number->is_number()) {
                    const auto value = number->to_number<std::uint64_t>(error);
                    if (!error) {
                        out.value(name, "edge=\"" + label(edge) + "\"", value);
                    }
                }
            }
        }
    }
}

answer<void> add_directory(const service& with, exposition& out) {
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    std::vector<std::pair<directory::domain, directory::domain_counts>> rows;
    directory::domain_filter filter;
    filter.alias = false;
    const auto page = directory::list_domains(*in, filter, {"", domains_a_page});
    if (!page) {
        return failure(page);
    }
    for (const directory::domain& each : page->items) {
        const auto counts = directory::count_addresses(*in, each.id);
        if (!counts) {
            return failure(counts);
        }
        rows.emplace_back(each, *counts);
    }
    const auto domains = directory::count_domains(*in, filter);
    const auto all = directory::count_addresses(*in, 0);
    if (!domains || !all) {
        return domains ? failure(all) : failure(domains);
    }
    out.one("postern_domains", "gauge", "Served domains.", *domains);
    out.one("postern_addresses", "gauge", "Valid addresses of all domains.", all->valid);
    out.head("postern_domain_addresses", "gauge", "Valid addresses of the domain (of the first 1000 domains).");
    for (const auto& [domain, counts] : rows) {
        out.value("postern_domain_addresses", "domain=\"" + label(domain.name) + "\"", counts.valid);
    }
    directory::billing_filter all_of;
    const auto bills = directory::list_billed(*in, with.billed, all_of, {"", domains_a_page});
    if (!bills) {
        return failure(bills);
    }
    out.head("postern_billable_mailboxes", "gauge", "Billed mailboxes (of the first 1000 organisations).");
    for (const directory::billed& each : bills->items) {
        out.value("postern_billable_mailboxes",
                  "organisation=\"" + std::to_string(each.id) + "\",name=\"" + label(each.name) + "\"", each.billable);
    }
    all_of.by = directory::billed_by::domain;
    const auto by_domain = directory::list_billed(*in, with.billed, all_of, {"", domains_a_page});
    if (!by_domain) {
        return failure(by_domain);
    }
    out.head("postern_domain_mailboxes", "gauge", "Valid mailboxes by kind (of the first 1000 domains).");
    for (const directory::billed& each : by_domain->items) {
        for (std::size_t kind = 0; kind < each.mailboxes.size(); ++kind) {
            if (each.mailboxes.at(kind) != 0) {
                out.value("postern_domain_mailboxes",
                          "domain=\"" + label(each.name) + "\",kind=\"" +
                              std::string(directory::to_string(static_cast<recipients::mailbox_kind>(kind))) + "\"",
                          each.mailboxes.at(kind));
            }
        }
    }
    out.head("postern_domain_mode", "gauge", "1 for the mode that the domain is in.");
    for (const auto& [domain, counts] : rows) {
        out.value(
            "postern_domain_mode",
            "domain=\"" + label(domain.name) + "\",mode=\"" + std::string(directory::to_string(domain.mode)) + "\"", 1);
    }
    return {};
}

}  // namespace

answer<response> get_metrics(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    exposition out;
    out.head("postern_control_info", "gauge", "Version of postern-control.");
    out.value("postern_control_info", "version=\"" + label(process::version) + "\"", 1);
    const server_counters http = with.http_counters ? with.http_counters() : server_counters{};
    out.one("postern_api_connections_total", "counter", "Connections accepted by the API.", http.connections);
    out.one("postern_api_connections_refused_total", "counter", "Connections closed over the limit.",
            http.connections_refused);
    out.one("postern_api_requests_total", "counter", "Requests to the API.", http.requests);
    out.one("postern_api_connections", "gauge", "Open connections of the API.", http.open);
    if (const auto added = add_directory(with, out); !added) {
        return failure(added);
    }
    const publish::publisher_status status = with.publisher.status();
    out.one("postern_generation", "gauge", "Last generation made.", status.generation);
    out.one("postern_change", "gauge", "Last change in the directory.", status.last_seq);
    out.one("postern_change_published", "gauge", "Last change in the last generation.", status.seq);
    out.one("postern_bases_built_total", "counter", "Bases built since the start.", status.bases_built);
    out.one("postern_overlays_built_total", "counter", "Overlays built since the start.", status.overlays_built);
    if (with.recent != nullptr) {
        const auto seen = with.recent->counts();
        if (!seen) {
            return failure(seen);
        }
        out.one("postern_recent_recipients", "gauge", "Distinct recent recipients that are kept.", seen->addresses);
        out.one("postern_recent_events_total", "counter", "Recipients told by the edges.", seen->events);
        out.one("postern_recent_dropped_total", "counter", "Recent recipients dropped over the limit.", seen->dropped);
        out.one("postern_recent_lost_total", "counter", "Recipients that the edges overwrote or missed.", seen->lost);
    }
    if (const auto added = add_sync_metrics(with, out); !added) {
        return failure(added);
    }
    if (const auto added = add_discovery_metrics(with, out); !added) {
        return failure(added);
    }
    add_edges(with, status, out);
    response made;
    made.content_type = "text/plain; version=0.0.4; charset=utf-8";
    made.body = out.take();
    return made;
}

}  // namespace postern::api
