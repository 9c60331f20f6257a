// Names to addresses with a name service of the test's own.
#include "smtp/relay/resolver.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "tests/smtp/relay/sender.h"

namespace postern::relay::test {
namespace {

using namespace std::chrono_literals;

/// Answers from a table; a name without one fails. A look-up of "slow" waits until it is let go.
struct name_service {
    resolved look_up(const std::string& host) {
        ++asked;
        if (host == "slow") {
            let_go.wait();
        }
        const std::lock_guard lock(mutex);
        const auto known = table.find(host);
        if (known == table.end()) {
            return {.addresses = {}, .error = "cannot resolve " + host};
        }
        return {.addresses = known->second, .error = {}};
    }
    void set(const std::string& host, std::vector<shard::endpoint> addresses) {
        const std::lock_guard lock(mutex);
        if (addresses.empty()) {
            table.erase(host);
        } else {
            table[host] = std::move(addresses);
        }
    }

    std::mutex mutex;
    std::map<std::string, std::vector<shard::endpoint>> table;
    std::atomic<int> asked{0};
    std::promise<void> gate;
    std::shared_future<void> let_go = gate.get_future().share();
};

struct resolver_rig {
    resolved ask(const std::string& host) {
        std::promise<resolved> answer;
        names.resolve(host, [&answer](const resolved& got) { answer.set_value(got); });
        return answer.get_future().get();
    }
    std::shared_ptr<name_service> service = std::make_shared<name_service>();
    std::shared_ptr<std::atomic<std::int64_t>> seconds = std::make_shared<std::atomic<std::int64_t>>(1000);
    resolver names{60s, 3600s, [clock = seconds] { return shard::instant(std::chrono::seconds(clock->load())); },
                   [from = service](const std::string& host) { return from->look_up(host); }};
};

TEST(relay_resolver, literals_need_no_name_service) {
    resolver_rig rig;
    EXPECT_EQ(rig.ask("192.0.2.7").addresses, std::vector{address_v4(192, 0, 2, 7)});
    EXPECT_EQ(rig.ask("[192.0.2.7]").addresses, std::vector{address_v4(192, 0, 2, 7)});
    shard::endpoint six;
    six.address = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    EXPECT_EQ(rig.ask("2001:db8::1").addresses, std::vector{six});
    EXPECT_EQ(rig.service->asked, 0);
}

TEST(relay_resolver, a_name_is_asked_once_and_kept) {
    resolver_rig rig;
    rig.service->set("mx", {address_v4(192, 0, 2, 1), address_v4(192, 0, 2, 2)});
    EXPECT_EQ(rig.ask("mx").addresses.size(), 2U);
    EXPECT_EQ(rig.ask("mx").addresses.size(), 2U);
    *rig.seconds += 59;
    EXPECT_EQ(rig.ask("mx").addresses.size(), 2U);
    EXPECT_EQ(rig.service->asked, 1);
}

TEST(relay_resolver, a_failure_is_told_and_not_kept) {
    resolver_rig rig;
    EXPECT_EQ(rig.ask("mx").error, "cannot resolve mx");
    rig.service->set("mx", {address_v4(192, 0, 2, 1)});
    EXPECT_EQ(rig.ask("mx").addresses.size(), 1U);
}

TEST(relay_resolver, old_addresses_serve_while_the_name_is_asked_again) {
    resolver_rig rig;
    rig.service->set("mx", {address_v4(192, 0, 2, 1)});
    rig.ask("mx");
    rig.service->set("mx", {address_v4(192, 0, 2, 9)});
    *rig.seconds += 61;
    EXPECT_EQ(rig.ask("mx").addresses, std::vector{address_v4(192, 0, 2, 1)});
    while (rig.ask("mx").addresses != std::vector{address_v4(192, 0, 2, 9)}) {
        std::this_thread::yield();
    }
    EXPECT_EQ(rig.service->asked, 2);
}

TEST(relay_resolver, old_addresses_outlive_a_failing_name_service_but_not_for_ever) {
    resolver_rig rig;
    rig.service->set("mx", {address_v4(192, 0, 2, 1)});
    rig.ask("mx");
    rig.service->set("mx", {});
    *rig.seconds += 3000;
    EXPECT_EQ(rig.ask("mx").addresses.size(), 1U);
    *rig.seconds += 601;
    EXPECT_EQ(rig.ask("mx").error, "cannot resolve mx");
}

TEST(relay_resolver, a_slow_name_keeps_only_its_own_askers_waiting) {
    resolver_rig rig;
    rig.service->set("slow", {address_v4(192, 0, 2, 1)});
    rig.service->set("mx", {address_v4(192, 0, 2, 2)});
    std::promise<resolved> slow;
    std::promise<resolved> too;
    rig.names.resolve("slow", [&slow](const resolved& got) { slow.set_value(got); });
    rig.names.resolve("slow", [&too](const resolved& got) { too.set_value(got); });
    EXPECT_EQ(rig.ask("mx").addresses.size(), 1U);
    rig.service->gate.set_value();
    EXPECT_EQ(slow.get_future().get().addresses.size(), 1U);
    EXPECT_EQ(too.get_future().get().addresses.size(), 1U);
    EXPECT_EQ(rig.service->asked, 2) << "both askers had one look-up";
}

TEST(relay_resolver, nobody_is_called_after_its_end) {
    auto service = std::make_shared<name_service>();
    std::atomic<bool> called{false};
    {
        resolver names(
            60s, 3600s, [] { return shard::instant{}; },
            [service](const std::string& host) { return service->look_up(host); });
        names.resolve("slow", [&called](const resolved&) { called = true; });
        while (service->asked == 0) {
            std::this_thread::yield();
        }
    }
    service->gate.set_value();
    EXPECT_FALSE(called);
}

TEST(relay_resolver, the_systems_own_look_up) {
    EXPECT_FALSE(look_up_name("localhost").addresses.empty());
}

}  // namespace
}  // namespace postern::relay::test
