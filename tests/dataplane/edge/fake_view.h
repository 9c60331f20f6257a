// A running edge as the edge socket sees it, for the tests of this folder.
#pragma once

#include <string>
#include <vector>

#include "dataplane/edge/answers.h"

namespace postern::edge {

struct fake_view final : process_view {
    void counters(const std::function<void(std::string_view, std::uint64_t)>& sink) const override {
        sink("one", 1);
        sink("big", ~std::uint64_t{0});
    }
    std::vector<shard_report> shards() const override { return {{2}, {3}}; }
    relay_report relay() const override { return {4}; }
    std::vector<listener_report> listeners() const override { return {{"::1", 25, true, 5}}; }
    std::chrono::seconds uptime() const override { return std::chrono::seconds(77); }
    std::optional<port_report> port() const override { return its_port; }
    capture_report capture() const override { return its_capture; }
    tl::expected<std::string, std::string> start_capture(const command& said) override {
        its_capture = {"/captures/" + said.file, "running", 0, 0, 0};
        return its_capture.file;
    }
    tl::expected<capture_report, std::string> stop_capture() override {
        if (its_capture.file.empty()) {
            return tl::unexpected(std::string("there is no capture"));
        }
        its_capture.state = "stopped";
        return its_capture;
    }
    void drain() override { ++drains; }
    explanation explain(const recipients::snapshot*, const std::string& address) const override {
        explanation out;
        out.normal = address;
        out.reply = "451 4.3.0";
        out.why = "because";
        return out;
    }

    event_log& events() override {
        log.collect(1'700'000'000'000);
        return log;
    }

    int drains = 0;
    std::optional<port_report> its_port;
    capture_report its_capture;
    event_log log{3, "run-1"};
};

}  // namespace postern::edge
