#include "control/dns/where_mail_goes.h"

#include <algorithm>
#include <array>

namespace postern::dns {

namespace {

constexpr std::array<std::string_view, 5> verdict_words = {"here", "partly", "elsewhere", "none", "unknown"};
constexpr std::size_t most_hosts = 10;  ///< whose addresses are asked for

bool holds(const std::vector<std::string>& all, const std::string& one) {
    return std::ranges::find(all, one) != all.end();
}

mx_host look_at(const resolver& with, const own_edges& own, mx_record record) {
    mx_host out{std::move(record), {}, false, {}};
    auto addresses = with.addresses(out.record.host);
    if (addresses) {
        out.addresses = std::move(*addresses);
    } else {
        out.problem = addresses.error().text;
    }
    out.here = holds(own.names, out.record.host) ||
               (!out.addresses.empty() && std::ranges::all_of(out.addresses, [&](const std::string& each) {
                   return holds(own.addresses, each);
               }));
    return out;
}

std::string ours(const own_edges& own) {
    std::string out;
    for (const std::vector<std::string>* part : {&own.names, &own.addresses}) {
        for (const std::string& each : *part) {
            out += (out.empty() ? "" : ", ") + each;
        }
    }
    return out;
}

}  // namespace

std::string_view to_string(mx_verdict of) noexcept {
    return verdict_words.at(static_cast<std::size_t>(of));
}

mx_finding where_mail_goes(const resolver& with, const own_edges& own, const std::string& domain) {
    mx_finding out;
    auto records = with.mx(domain);
    if (!records) {
        out.verdict = records.error().absent ? mx_verdict::none : mx_verdict::unknown;
        out.text = records.error().text + (records.error().absent ? "; mail for it does not come here" : "");
        return out;
    }
    std::erase_if(*records, [](const mx_record& each) { return each.host.empty(); });
    if (records->empty()) {
        out.verdict = mx_verdict::none;
        out.text = "the MX record of " + domain + " says that the domain takes no mail";
        return out;
    }
    for (std::size_t at = 0; at < records->size() && at < most_hosts; ++at) {
        out.hosts.push_back(look_at(with, own, std::move((*records)[at])));
    }
    const auto here =
        static_cast<std::size_t>(std::ranges::count_if(out.hosts, [](const mx_host& each) { return each.here; }));
    if (here == out.hosts.size()) {
        out.verdict = mx_verdict::here;
        out.text = "mail for " + domain + " comes here";
    } else if (here != 0) {
        out.verdict = mx_verdict::partly;
        out.text = "mail for " + domain + " can go past us: " + std::to_string(out.hosts.size() - here) + " of " +
                   std::to_string(out.hosts.size()) + " hosts of its MX records are none of ours";
    } else {
        out.verdict = mx_verdict::elsewhere;
        out.text =
            "mail for " + domain + " goes elsewhere: no host of its MX records is one of ours (" + ours(own) + ")";
    }
    return out;
}

}  // namespace postern::dns
