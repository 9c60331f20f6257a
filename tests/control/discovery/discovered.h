// A domain example.com in `discover`, edges' events as a test writes them, and what became of it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/directory/assertions.h"
#include "control/directory/connection.h"
#include "control/directory/routes.h"
#include "control/discovery/candidates.h"
#include "control/discovery/probing.h"
#include "control/discovery/take.h"
#include "control/discovery/triage.h"
#include "tests/control/directory/open_store.h"

namespace postern::discovery {

using directory::need;
using directory::reader;
using directory::writer;
using recent::outcome;
using recipients::mailbox_kind;
using recipients::mode;

inline constexpr timestamp day = 86'400'000;

class discovered : public directory::store_test {
protected:
    discovered() {
        writer in = write();
        directory::new_route server;
        server.name = "mail";
        server.hosts = {{"192.0.2.25", 25, 10}};
        const auto route = need(directory::add_route(in, server));
        need(directory::confirm_route(in, route.id, true));
        directory::new_domain input{"example.com", 1, route.id};
        domain = need(directory::add_domain(in, input)).id;
        need(directory::set_mode(in, domain, mode::discover));
        commit(in);
    }

    /// What the mail server says of a random address.
    static probe::recipient_finding refuses() { return {"x@example.com", false, true, false, ""}; }
    static probe::recipient_finding takes_any() { return {"x@example.com", true, false, false, ""}; }
    static probe::recipient_finding nobody() { return {"x@example.com", false, false, false, "connect: no answer"}; }
    std::optional<probe_effect> probed(const probe::recipient_finding& found) {
        writer in = write();
        auto effect = need(keep_probe(in, need(find_state(in, domain)), found));
        commit(in);
        return effect;
    }
    /// Discovery is at work.
    void run() {
        probed(refuses());
        EXPECT_EQ(state().now, standing::running);
    }
    domain_state state() { return need(find_state(read(), domain)); }
    void set(const std::function<void(settings&)>& change) {
        writer in = write();
        settings wanted = need(find_state(in, domain)).set;
        change(wanted);
        const auto box = sync::secret_box::open(_folder.file("secrets.key"));
        need(change_settings(in, need(directory::find_domain(in, domain)), wanted, std::nullopt, *box));
        commit(in);
    }
    std::vector<happening> reviewed() {
        writer in = write();
        std::vector<happening> out;
        EXPECT_TRUE(need(review(in, need(find_state(in, domain)), out, 1000)));
        commit(in);
        return out;
    }

    recent::sighting event(outcome how, const std::string& local, const std::string& sender = "0123456789abcdef",
                           const std::string& why = "") {
        return {domain, local + "@example.com", how, _now, "192.0.2.0/24", ++last_number, sender, "checks", why};
    }
    recent::batch batch(std::vector<recent::sighting> events) {
        recent::batch out;
        out.edge = "edge";
        out.run = "run";
        out.sightings = std::move(events);
        out.last = last_number;
        return out;
    }
    taken take(const recent::batch& told) {
        writer in = write();
        taken out = need(take_findings(in, told));
        commit(in);
        return out;
    }
    taken good(const std::string& local, const std::string& sender = "0123456789abcdef") {
        return take(batch({event(outcome::good_mail, local, sender)}));
    }
    taken refused(const std::string& local) {
        return take(batch({event(outcome::listed_refused, local, "", "550 5.1.1 no such user")}));
    }

    std::vector<std::string> sources_of(const std::string& local) {
        std::vector<std::string> out;
        const reader in = read();
        const auto box = directory::find_mailbox(in, std::string_view(local + "@example.com"));
        if (box) {
            for (const auto& each : box->sources) {
                out.push_back(each.source);
            }
        }
        return out;
    }
    bool valid(const std::string& local) {
        const reader in = read();
        const auto box = directory::find_mailbox(in, std::string_view(local + "@example.com"));
        return box && box->valid;
    }
    std::optional<candidate> found(const std::string& local) { return need(find_candidate(read(), domain, local)); }
    std::optional<candidate_state> state_of(const std::string& local) {
        const auto one = found(local);
        return one ? std::optional(one->state) : std::nullopt;
    }
    /// A directory source says, as a sync does, that it has the address, or has it no more.
    void directory_says(const std::string& local, bool has) {
        writer in = write("a sync");
        const auto source = need(directory::need_source(in, "ldap:head", 1));
        const std::string address = local + "@example.com";
        const auto box = directory::find_mailbox(in, std::string_view(address));
        if (has && !box) {
            directory::new_mailbox input;
            input.address = address;
            input.source = source;
            need(directory::add_mailbox(in, input));
        } else if (has) {
            need(directory::assert_address(in, box->id, source));
            need(withdraw(in, need(directory::find_domain(in, domain)), local));
        } else if (box) {
            need(directory::withdraw_address(in, box->id, source));
        }
        commit(in);
    }
    void decide_by_hand(const decision& what) {
        writer in = write();
        need(triage(in, need(directory::find_domain(in, domain)), what));
        commit(in);
    }

    std::uint32_t domain = 0;
    std::uint64_t last_number = 0;
};

}  // namespace postern::discovery
