#include "perf/report.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cstdarg>
#include <cstdio>

namespace postern::perf {

namespace {

constexpr double ns_per_us = 1000;

[[gnu::format(printf, 2, 3)]] void put(std::string& out, const char* format, ...) {
    std::array<char, 512> line{};
    va_list list;
    va_start(list, format);
    const int size = std::vsnprintf(line.data(), line.size(), format, list);
    va_end(list);
    out.append(line.data(), std::min<std::size_t>(static_cast<std::size_t>(std::max(size, 0)), line.size() - 1));
}

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

void findings::add(const worker& one) {
    all.add(one.result());
    measured.rcpts += one.measured().rcpts;
    measured.sessions += one.measured().sessions;
    measured.messages += one.measured().messages;
    seconds = std::max(seconds, static_cast<double>(one.measured_ns()) / 1e9);
    if (each_second.size() < one.seconds().size()) {
        each_second.resize(one.seconds().size());
    }
    for (std::size_t i = 0; i < one.seconds().size(); ++i) {
        each_second[i].rcpts += one.seconds()[i].rcpts;
        each_second[i].sessions += one.seconds()[i].sessions;
        each_second[i].messages += one.seconds()[i].messages;
    }
}

std::string text_report(const options& made, const findings& found) {
    const tally& all = found.all;
    std::string out;
    put(out, "%s to %s, %zu connections, %zu in a segment, seed %llu\n", name_of(made.plan.exchange),
        made.target_text.c_str(), made.connections, made.plan.depth, static_cast<unsigned long long>(made.seed));
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
    put(out, "%-16s", "replies");
    for (std::size_t code = 0; code < all.replies.size(); ++code) {
        if (all.replies[code] != 0) {
            put(out, " %zu: %llu ", code, static_cast<unsigned long long>(all.replies[code]));
        }
    }
    put(out, "\n%-16s wrong %llu, connections dropped %llu, timeouts %llu, connect errors %llu\n", "failures",
        static_cast<unsigned long long>(all.wrong), static_cast<unsigned long long>(all.dropped),
        static_cast<unsigned long long>(all.timeouts), static_cast<unsigned long long>(all.connect_errors));
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
        each_second.push_back(
            boost::json::object{{"rcpts", one.rcpts}, {"sessions", one.sessions}, {"messages", one.messages}});
    }
    boost::json::object out{
        {"target", made.target_text},
        {"exchange", name_of(made.plan.exchange)},
        {"connections", made.connections},
        {"threads", made.threads},
        {"pipeline", made.plan.depth},
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
        {"examples", boost::json::array(all.examples.begin(), all.examples.end())},
        {"latency_ns", latency(all.rcpt_latency)},
        {"message_latency_ns", latency(all.message_latency)},
        {"session_latency_ns", latency(all.session_latency)},
        {"each_second", each_second},
    };
    if (made.windows) {
        out["swaps"] = boost::json::object{{"records", made.windows->size()},
                                           {"judged", all.swap_judged},
                                           {"unjudged", all.swap_unjudged},
                                           {"during_ns", latency(all.swap_latency)},
                                           {"between_ns", latency(all.calm_latency)}};
    }
    return boost::json::serialize(out) + "\n";
}

}  // namespace postern::perf
