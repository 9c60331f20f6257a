// All that a session needs, in memory: settings, a table, a transport with virtual time, a relay that follows a script.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "smtp/session/layer.h"
#include "tests/dataplane/shard/fake_transport.h"
#include "tests/smtp/recipients/table_fixture.h"
#include "tests/smtp/session/fake_relay.h"

namespace postern::session::testing {

using namespace std::chrono_literals;

using sessions = layer<shard::fake_transport>;
static_assert(shard::session_layer<sessions>);

inline settings usual_settings() {
    settings of;
    of.name = "mx.example.org";
    of.listeners.resize(2);
    of.listeners[1].extensions = protocol::usual_extensions.with(protocol::extension::one_recipient_domain);
    return of;
}

/// example.com (route 1: alice, bob), example.net (route 2: carol); both enforce.
inline recipients::domain_section usual_domains() {
    using recipients::testing::make_domain;
    recipients::domain_section section;
    section.domains = {make_domain(1, "example.com"), make_domain(2, "example.net")};
    section.domains[0].route = 1;
    section.domains[1].route = 2;
    section.routes = {{1, true, false, 10, {{"mail.example.com", 25, 10}}},
                      {2, true, false, 10, {{"mail.example.net", 25, 10}}}};
    return section;
}

inline std::vector<recipients::testing::entry> usual_list() {
    return {{"alice@example.com"}, {"bob@example.com"}, {"carol@example.net", 2}};
}

struct world {
    explicit world(settings of = usual_settings())
        : world(std::move(of), recipients::testing::snapshot_of(usual_list(), usual_domains(), 7)) {}
    world(settings of, std::shared_ptr<const recipients::snapshot> in)
        : under(std::move(of)),
          table(std::move(in)),
          in_force(table.get()),
          layer(transport, {under, in_force, relay, count, 0x1234abcd, &seen}),
          loop(transport, layer) {}
    world(const world&) = delete;
    world& operator=(const world&) = delete;

    /// A client that has read the greeting.
    shard::connection connect() {
        const shard::connection c = loop.connect();
        loop.settle();
        loop.receive(c);
        return c;
    }
    /// A client that has said EHLO and read the answer.
    shard::connection hello() {
        const shard::connection c = connect();
        ask(c, "EHLO client.example\r\n");
        return c;
    }
    /// Sends and returns all that comes back by itself.
    std::string ask(shard::connection c, std::string_view octets) {
        loop.send(c, octets);
        loop.settle();
        return loop.receive(c);
    }

    settings under;
    std::shared_ptr<const recipients::snapshot> table;
    std::atomic<const recipients::snapshot*> in_force;
    fake_relay relay;
    counters count;
    seen_recipients seen{64};
    shard::fake_transport transport;
    sessions layer;
    shard::fake_loop<sessions> loop;
};

}  // namespace postern::session::testing
