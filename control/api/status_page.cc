// `/`: the state of things on one page, HTML and CSS alone, for a person with a browser on the machine.
#include <algorithm>

#include "board/process/version.h"
#include "control/api/encode.h"
#include "control/api/handlers.h"
#include "control/directory/domains.h"
#include "control/directory/routes.h"

namespace postern::api {
namespace {

constexpr std::uint32_t shown_domains = 200;

constexpr std::string_view style = R"css(
:root{color-scheme:light dark;--ink:#1c2330;--soft:#5b6577;--line:#dfe3ea;--back:#f5f6f8;--card:#fff;--accent:#2456c7;
--good:#1a7f4b;--good-back:#e3f4ea;--warn:#8a5a00;--warn-back:#fdf0d5;--bad:#b3261e;--bad-back:#fbe4e2}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--soft:#9aa4b5;--line:#2c3442;--back:#12161d;--card:#1a2029;
--accent:#8ab0ff;--good:#6fd6a0;--good-back:#15321f;--warn:#f0c265;--warn-back:#3a2c0c;--bad:#ff9d95;--bad-back:#3f1a17}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem 1rem;margin-bottom:2rem}
h1{font-size:1.5rem;margin:0;letter-spacing:-.01em}
h2{font-size:1rem;margin:2.25rem 0 .75rem}
header p,.soft{color:var(--soft);margin:0}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:.75rem}
.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.9rem 1.1rem}
.card b{display:block;font-size:1.6rem;font-weight:600;font-variant-numeric:tabular-nums;line-height:1.3}
.table{background:var(--card);border:1px solid var(--line);border-radius:.6rem;overflow-x:auto}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:.55rem 1.1rem;border-bottom:1px solid var(--line);white-space:nowrap}
tr:last-child td{border-bottom:0}
th{font-size:.8rem;font-weight:600;color:var(--soft)}
.n{text-align:right;font-variant-numeric:tabular-nums}
td.wide{white-space:normal}
.tag{display:inline-block;border-radius:1rem;padding:.05rem .65rem;font-size:.82rem;background:var(--warn-back);color:var(--warn)}
.tag.good{background:var(--good-back);color:var(--good)}
.tag.bad{background:var(--bad-back);color:var(--bad)}
a{color:var(--accent);text-underline-offset:.15em}
footer{margin-top:2.5rem;display:flex;flex-wrap:wrap;gap:.5rem 1.5rem}
.empty{padding:1.1rem;color:var(--soft);margin:0}
)css";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : printable_utf8(text)) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

/// 1234567 as "1 234 567", with narrow spaces that don't break.
std::string grouped(std::uint64_t number) {
    const std::string digits = std::to_string(number);
    std::string out;
    for (std::size_t at = 0; at < digits.size(); ++at) {
        if (at != 0 && (digits.size() - at) % 3 == 0) {
            out += "&#8239;";
        }
        out += digits[at];
    }
    return out;
}

std::string card(std::string_view name, const std::string& value) {
    return "<div class=card><span class=soft>" + std::string(name) + "</span><b>" + value + "</b></div>";
}

std::string tag(std::string_view text, std::string_view kind) {
    return "<span class=\"tag " + std::string(kind) + "\">" + escaped(text) + "</span>";
}

std::string edges_table(const publish::publisher_status& status) {
    if (status.edges.empty()) {
        return "<p class=empty>No edge is configured; the list is published to the tables folder only.</p>";
    }
    std::string out = "<table><tr><th>Edge<th>State<th class=n>Generation<th>Note";
    for (const publish::edge_status& each : status.edges) {
        const std::string_view kind = each.state == publish::edge_state::in_step   ? "good"
                                      : each.state == publish::edge_state::refused ? "bad"
                                                                                   : "";
        const std::string_view words =
            each.state == publish::edge_state::in_step ? "in step" : publish::to_string(each.state);
        out += "<tr><td>" + escaped(each.name) + "<td>" + tag(words, kind) + "<td class=n>" +
               (each.generation == 0 ? "none" : grouped(each.generation)) + "<td class=wide>" + escaped(each.error);
    }
    return out + "</table>";
}

directory::result<std::string> domains_table(const directory::reader& in, std::uint64_t total) {
    directory::domain_filter filter;
    filter.alias = false;
    const auto page = directory::list_domains(in, filter, {"", shown_domains});
    if (!page) {
        return tl::unexpected(page.error());
    }
    if (page->items.empty()) {
        return std::string(
            "<p class=empty>No domain yet. Add the first one: <code>posternctl domain add example.com</code></p>");
    }
    std::string out =
        "<table><tr><th>Domain<th>Unknown recipients<th class=n>Mailboxes<th class=n>Aliases<th>Inbound server";
    for (const directory::domain& each : page->items) {
        const auto counts = directory::count_addresses(in, each.id);
        if (!counts) {
            return tl::unexpected(counts.error());
        }
        std::string server = tag("none", "bad");
        if (each.route != 0) {
            const auto route = directory::find_route(in, each.route);
            server = !route                  ? tag("missing", "bad")
                     : route->confirmed == 0 ? escaped(route->name) + " " + tag("not confirmed", "")
                                             : escaped(route->name);
        }
        out += "<tr><td>" + escaped(each.name) + "<td>" +
               tag(directory::to_string(each.mode), each.mode == recipients::mode::enforce ? "good" : "") +
               (each.settings.on_hold ? " " + tag("on hold", "") : std::string()) + "<td class=n>" +
               grouped(counts->mailboxes) + "<td class=n>" + grouped(counts->aliases) + "<td>" + server;
    }
    out += "</table>";
    if (total > page->items.size()) {
        out += "<p class=empty>The first " + grouped(page->items.size()) + " of " + grouped(total) + " domains.</p>";
    }
    return out;
}

}  // namespace

answer<response> get_status_page(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    const publish::publisher_status status = with.publisher.status();
    const auto counts = directory::count_addresses(*in, 0);
    directory::domain_filter filter;
    filter.alias = false;
    const auto total = directory::count_domains(*in, filter);
    if (!counts || !total) {
        return counts ? failure(total) : failure(counts);
    }
    const auto domains = domains_table(*in, *total);
    if (!domains) {
        return failure(domains);
    }
    std::uint64_t in_force = 0;
    bool first = true;
    for (const publish::edge_status& each : status.edges) {
        in_force = first ? each.generation : std::min(in_force, each.generation);
        first = false;
    }
    std::string page =
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        "content=\"width=device-width,initial-scale=1\"><title>Postern</title><style>";
    page += style;
    page += "</style><main><header><h1>Postern</h1><p>postern-control " + escaped(process::version) + "</p></header>";
    page += "<section class=cards>";
    page += card("Generation in force", in_force == 0 ? "none" : grouped(in_force));
    page += card("Valid addresses", grouped(counts->valid));
    page += card("Domains", grouped(*total));
    page += card("Changes not published yet", grouped(status.last_seq > status.seq ? status.last_seq - status.seq : 0));
    page += "</section>";
    if (!status.error.empty()) {
        page += "<p>" + tag("The last publication failed: " + status.error, "bad") + "</p>";
    }
    page += "<h2>Edges</h2><div class=table>" + edges_table(status) + "</div>";
    page += "<h2>Domains</h2><div class=table>" + *domains + "</div>";
    page +=
        "<footer><a href=\"/v1/openapi.yaml\">API description (OpenAPI)</a><a href=\"/metrics\">Metrics</a>"
        "<a href=\"/healthz\">Health</a><span class=soft>On the command line: <code>posternctl status</code>"
        "</span></footer></main></html>\n";
    response made;
    made.content_type = "text/html; charset=utf-8";
    made.fields.emplace_back("Content-Security-Policy",
                             "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'");
    made.fields.emplace_back("Referrer-Policy", "no-referrer");
    made.body = std::move(page);
    return made;
}

}  // namespace postern::api
