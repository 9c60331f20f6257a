#include "perf/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

namespace postern::perf {
namespace {

using testing::HasSubstr;

TEST(target, is_taken_on_loopback_only_unless_told_otherwise) {
    EXPECT_TRUE(resolve_target("127.0.0.1:2025", false));
    EXPECT_TRUE(resolve_target("127.200.0.9:2025", false));
    EXPECT_TRUE(resolve_target("[::1]:2025", false));
    EXPECT_THAT(resolve_target("192.0.2.1:25", false).error(), HasSubstr("--remote"));
    EXPECT_THAT(resolve_target("[2001:db8::1]:25", false).error(), HasSubstr("--remote"));
    EXPECT_TRUE(resolve_target("192.0.2.1:25", true));
}

TEST(target, needs_host_and_port) {
    EXPECT_FALSE(resolve_target("127.0.0.1", false));
    EXPECT_FALSE(resolve_target(":25", false));
    EXPECT_FALSE(resolve_target("127.0.0.1:", false));
    EXPECT_EQ(resolve_target("127.0.0.1:2025", false)->size, sizeof(sockaddr_in));
}

TEST(body, has_the_size_asked_for_and_lines_that_any_server_takes) {
    for (const std::size_t size : {128U, 1000U, 2048U, 65536U}) {
        const std::string body = make_body(size);
        EXPECT_LE(body.size(), size);
        EXPECT_GE(body.size() + 3, size);
        EXPECT_TRUE(body.ends_with("\r\n"));
        std::size_t at = 0;
        while (at < body.size()) {
            const std::size_t end = body.find("\r\n", at);
            ASSERT_NE(end, std::string::npos);
            EXPECT_LE(end - at, 78U);
            EXPECT_NE(body[at], '.');
            EXPECT_EQ(body.substr(at, end - at).find_first_of("\r\n"), std::string::npos);
            at = end + 2;
        }
    }
}

std::optional<options> parse(std::vector<std::string> words, int& status) {
    words.insert(words.begin(), "postern-load");
    std::vector<char*> argv;
    argv.reserve(words.size());
    for (auto& word : words) {
        argv.push_back(word.data());
    }
    testing::internal::CaptureStderr();
    auto made = read_options(static_cast<int>(argv.size()), argv.data(), status);
    testing::internal::GetCapturedStderr();
    return made;
}

TEST(options, refuse_what_does_not_fit_together) {
    const std::vector<std::string> good = {"--target", "127.0.0.1:1", "--strangers", "example.com"};
    int status = 0;
    EXPECT_TRUE(parse(good, status));
    const std::vector<std::vector<std::string>> wrong = {
        {"--churn", "--messages"},
        {"--threads", "9", "--connections", "8"},
        {"--swap-share", "0.5"},
        {"--valid-share", "0.5"},
        {"--expect", "nothing"},
        {"--pipeline", "0"},
        {"--messages", "--size", "60000000", "--connections", "64"},
        {"--recipients", "/nonexistent/file"},
        {"--open-loop"},
        {"--json", "-", "--plot", "-"},
        {"--ramp", "-1"},
        {"--transport", "pigeons"},
        {"--device", "net_tap0"},
        {"--transport", "dpdk"},
        {"--transport", "dpdk", "--device", "net_tap0", "--address", "127.0.0.1/8"},
        {"--tls-share", "1.1"},
        {"--unknown"},
    };
    for (const auto& more : wrong) {
        auto words = good;
        words.insert(words.end(), more.begin(), more.end());
        status = 0;
        EXPECT_FALSE(parse(words, status)) << more[0];
        EXPECT_EQ(status, 2) << more[0];
    }
    EXPECT_FALSE(parse({"--target", "[::1]:1", "--sources", "4", "--strangers", "example.com"}, status));
    EXPECT_FALSE(parse({"--target", "192.0.2.1:1", "--strangers", "example.com"}, status));
}

TEST(options, of_a_port_make_its_plan) {
    const std::vector<std::string> words = {"--target",      "192.0.2.9:25", "--remote", "--strangers",   "a.example",
                                            "--transport",   "dpdk",         "--device", "net_tap0",      "--address",
                                            "192.0.2.16/24", "--sources",    "2",        "--connections", "100000"};
    int status = 0;
    const auto made = parse(words, status);
    ASSERT_TRUE(made);
    ASSERT_TRUE(made->port);
    EXPECT_EQ(made->port->device, "net_tap0");
    EXPECT_EQ(made->port->network.addresses.size(), 2U);
    EXPECT_TRUE(made->port->offload_checksums);
    auto more = words;
    more.insert(more.end(), {"--threads", "2"});
    EXPECT_FALSE(parse(more, status));
    more = words;
    more.push_back("--no-offload-checksums");
    EXPECT_FALSE(parse(more, status)->port->offload_checksums);
}

TEST(options, count_the_ramp_to_the_warm_up) {
    int status = 0;
    const auto made =
        parse({"--target", "127.0.0.1:1", "--strangers", "a.example", "--ramp", "2", "--warmup", "1"}, status);
    ASSERT_TRUE(made);
    EXPECT_EQ(made->bounds.ramp_ns, 2'000'000'000U);
    EXPECT_EQ(made->bounds.warmup_ns, 3'000'000'000U);
}

TEST(options, give_a_message_one_recipient_unless_told_otherwise) {
    int status = 0;
    EXPECT_EQ(
        parse({"--target", "127.0.0.1:1", "--strangers", "a.example", "--messages"}, status)->plan.per_transaction, 1U);
    EXPECT_EQ(parse({"--target", "127.0.0.1:1", "--strangers", "a.example"}, status)->plan.per_transaction, 100U);
}

}  // namespace
}  // namespace postern::perf
