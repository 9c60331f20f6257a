#include "perf/report.h"

#include <algorithm>
#include <boost/json.hpp>

#include "perf/text.h"

namespace postern::perf {

namespace {

constexpr double ns_per_us = 1000;

const char* name_of(exchange what) {
    switch (what) {
        case exchange::recipients:
            return "recipients";
        case exchange::sessions:
            return "churn";
        case exchange::messages:
            return "messages";
    }
    return "";
}

void put_latency(std::string& out, const char* name, const histogram& of) {
    if (of.count() == 0) {
        return;
    }
    const auto us = [&](double q) { return static_cast<double>(of.quantile(q)) / ns_per_us; };
    put(out, "%-16s p50 %.1f us   p90 %.1f us   p99 %.1f us   p99.9 %.1f us   max %.1f us\n", name, us(0.5), us(0.9),
        us(0.99), us(0.999), static_cast<double>(of.most()) / ns_per_us);
}

boost::json::object latency(const histogram& of) {
    return {{"count", of.count()},
            {"mean", of.mean()},
            {"min", of.least()},
            {"p50", of.quantile(0.5)},
            {"p90", of.quantile(0.9)},
            {"p99", of.quantile(0.99)},
            {"p999", of.quantile(0.999)},
            {"p9999", of.quantile(0.9999)},
            {"max", of.most()}};
}

}  // namespace

findings::findings(const std::vector<std::unique_ptr<worker>>& workers) {
    std::size_t count = 0;
    for (const auto& one : workers) {
        all.add(one->result());
        measured += one->measured();
        overdue += one->overdue();
        wire += one->wire();
        seconds = std::max(seconds, static_cast<double>(one->measured_ns()) / 1e9);
        count = std::max(count, one->seconds().size());
    }
    for (std::size_t i = 0; i < count; ++i) {
        second_found each;
        histogram latency;
        for (const auto& one : workers) {
            if (i < one->seconds().size()) {
                each.done += one->seconds()[i].done;
                latency.add(one->seconds()[i].latency);
            }
        }
        each.any = latency.count() != 0;
        each.p50 = latency.quantile(0.5);
        each.p90 = latency.quantile(0.9);
        each.p99 = latency.quantile(0.99);
        each.p999 = latency.quantile(0.999);
        each.most = latency.most();
        each_second.push_back(each);
    }
}

std::string headline(const options& made) {
    std::string out;
    put(out, "%s to %s, %zu connections, %zu in a segment, ", name_of(made.plan.exchange), made.target_text.c_str(),
        made.connections, made.plan.depth);
    if (made.open_loop) {
        put(out, "open loop of %.0f/s, ", made.rate);
    } else if (made.rate > 0) {
        put(out, "at most %.0f/s, ", made.rate);
    }
    put(out, "seed %llu", static_cast<unsigned long long>(made.seed));
    return out;
}

std::string text_report(const options& made, const findings& found) {
    const tally& all = found.all;
    std::string out;
    out += headline(made) + "\n";
    put(out, "%-16s %.0f/s over %.2f s (%llu asked, %llu accepted)\n", "RCPT", found.per_second(found.measured.rcpts),
        found.seconds, static_cast<unsigned long long>(all.rcpts), static_cast<unsigned long long>(all.accepted));
    if (made.plan.exchange == exchange::sessions) {
        put(out, "%-16s %.0f/s\n", "sessions", found.per_second(found.measured.sessions));
    }
    if (made.plan.exchange == exchange::messages) {
        put(out, "%-16s %.0f/s (%llu)\n", "messages", found.per_second(found.measured.messages),
            static_cast<unsigned long long>(all.messages));
    }
    put_latency(out, "RCPT latency", all.rcpt_latency);
    put_latency(out, "during swaps", all.swap_latency);
    put_latency(out, "between swaps", all.calm_latency);
    put_latency(out, "message latency", all.message_latency);
    if (made.plan.exchange == exchange::sessions) {
        put_latency(out, "session latency", all.session_latency);
    }
    put_latency(out, "TLS handshake", all.handshake_latency);
    if (found.overdue != 0) {
        put(out,
            "%-16s %llu RCPTs were due and not sent when the load ended: the server or the connections are too few\n",
            "overdue", static_cast<unsigned long long>(found.overdue));
    }
    put(out, "%-16s", "replies");
    for (std::size_t code = 0; code < all.replies.size(); ++code) {
        if (all.replies[code] != 0) {
            put(out, " %zu: %llu ", code, static_cast<unsigned long long>(all.replies[code]));
        }
    }
    if (made.plan.tls_share > 0) {
        put(out, "\n%-16s %llu handshakes in %llu connections", "TLS", static_cast<unsigned long long>(all.handshakes),
            static_cast<unsigned long long>(all.connections));
    }
    put(out, "\n%-16s wrong %llu, connections dropped %llu, timeouts %llu, connect errors %llu", "failures",
        static_cast<unsigned long long>(all.wrong), static_cast<unsigned long long>(all.dropped),
        static_cast<unsigned long long>(all.timeouts), static_cast<unsigned long long>(all.connect_errors));
    if (made.plan.tls_share > 0) {
        put(out, ", TLS handshakes %llu", static_cast<unsigned long long>(all.handshake_errors));
    }
    out += '\n';
    if (made.port) {
        put(out,
            "%-16s SYNs sent again %llu, segments sent again %llu, bad segments %llu, strays %llu, frames lost %llu\n",
            "packets", static_cast<unsigned long long>(found.wire.resent_syns),
            static_cast<unsigned long long>(found.wire.resent_segments),
            static_cast<unsigned long long>(found.wire.bad_segments),
            static_cast<unsigned long long>(found.wire.strays),
            static_cast<unsigned long long>(found.wire.lost_frames));
    }
    for (const auto& example : all.examples) {
        out += "  " + example + "\n";
    }
    return out;
}

std::string json_report(const options& made, const findings& found) {
    const tally& all = found.all;
    boost::json::object replies;
    for (std::size_t code = 0; code < all.replies.size(); ++code) {
        if (all.replies[code] != 0) {
            replies[std::to_string(code)] = all.replies[code];
        }
    }
    boost::json::array each_second;
    for (const auto& one : found.each_second) {
        each_second.push_back(boost::json::object{{"rcpts", one.done.rcpts},
                                                  {"sessions", one.done.sessions},
                                                  {"messages", one.done.messages},
                                                  {"p50_ns", one.p50},
                                                  {"p99_ns", one.p99},
                                                  {"max_ns", one.most}});
    }
    boost::json::object out{
        {"target", made.target_text},
        {"transport", made.port ? "dpdk" : "sockets"},
        {"exchange", name_of(made.plan.exchange)},
        {"connections", made.connections},
        {"threads", made.threads},
        {"pipeline", made.plan.depth},
        {"tls_share", made.plan.tls_share},
        {"loop", made.open_loop ? "open" : "closed"},
        {"rate", made.rate},
        {"overdue", found.overdue},
        {"seed", made.seed},
        {"seconds", found.seconds},
        {"rcpts", all.rcpts},
        {"rcpts_measured", found.measured.rcpts},
        {"rcpts_per_s", found.per_second(found.measured.rcpts)},
        {"accepted", all.accepted},
        {"sessions", all.sessions},
        {"sessions_measured", found.measured.sessions},
        {"sessions_per_s", found.per_second(found.measured.sessions)},
        {"messages", all.messages},
        {"messages_per_s", found.per_second(found.measured.messages)},
        {"connections_made", all.connections},
        {"replies", replies},
        {"wrong", all.wrong},
        {"dropped", all.dropped},
        {"timeouts", all.timeouts},
        {"connect_errors", all.connect_errors},
        {"handshakes", all.handshakes},
        {"handshake_errors", all.handshake_errors},
        {"examples", boost::json::array(all.examples.begin(), all.examples.end())},
        {"latency_ns", latency(all.rcpt_latency)},
        {"message_latency_ns", latency(all.message_latency)},
        {"session_latency_ns", latency(all.session_latency)},
        {"handshake_latency_ns", latency(all.handshake_latency)},
        {"each_second", each_second},
    };
    if (made.windows) {
        out["swaps"] = boost::json::object{{"records", made.windows->size()},
                                           {"judged", all.swap_judged},
                                           {"unjudged", all.swap_unjudged},
                                           {"during_ns", latency(all.swap_latency)},
                                           {"between_ns", latency(all.calm_latency)}};
    }
    if (made.port) {
        out["packets"] = boost::json::object{{"resent_syns", found.wire.resent_syns},
                                             {"resent_segments", found.wire.resent_segments},
                                             {"bad_segments", found.wire.bad_segments},
                                             {"strays", found.wire.strays},
                                             {"lost_frames", found.wire.lost_frames}};
    }
    return boost::json::serialize(out) + "\n";
}

}  // namespace postern::perf
