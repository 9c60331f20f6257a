// Every description against a real store: all that its schema offers can be asked.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>

#include "control/directory/organisations.h"
#include "control/directory/routes.h"
#include "control/mailroute/rows.h"
#include "control/mailroute/uris.h"
#include "tests/control/directory/open_store.h"

namespace postern::mailroute {
namespace {

class rows : public directory::store_test {
protected:
    rows() {
        directory::writer in = write();
        const auto reseller = need(directory::add_organisation(in, {"Hosting", 0, true}));
        const auto customer = need(directory::add_organisation(in, {"Acme", reseller.id, false}));
        directory::new_route servers;
        servers.name = "behind";
        servers.organisation = customer.id;
        servers.hosts = {{"192.0.2.1", 25, 10}, {"192.0.2.2", 2525, 20}};
        const auto route = need(directory::add_route(in, servers));
        _domain = need(directory::add_domain(in, {"acme.example", customer.id, route.id})).id;
        need(directory::add_domain_alias(in, "alias.example", _domain));
        need(directory::add_domain(in, {"other.example", 1, 0}));
        directory::new_mailbox box;
        box.address = "Alice@acme.example";
        box.aliases = {"zz@acme.example", "a@acme.example", "elsewhere@acme.example"};
        _account = static_cast<std::int64_t>(need(directory::add_mailbox(in, box)).id);
        box = {};
        box.address = "bob@other.example";
        need(directory::add_mailbox(in, box));
        need(directory::block_address(in, "blocked@acme.example"));
        commit(in);
        _scope.reach = directory::reach::domains;
        _scope.organisation = customer.id;
        _scope.domains = {_domain};
    }

    std::int64_t total(const resource& of, const std::string& query, const directory::scope& within = {}) {
        const auto asked = read_list_request(of, query);
        EXPECT_TRUE(asked) << query << (asked ? "" : asked.error().body);
        const auto in = read();
        const auto found = list_objects(in, within, of, asked.value_or(list_request()));
        EXPECT_TRUE(found) << of.name << " " << query << ": " << (found ? "" : found.error().body);
        return found ? found->at("meta").at("total_count").as_int64() : -1;
    }

    std::uint32_t _domain = 0;
    std::int64_t _account = 0;
    directory::scope _scope;
};

TEST_F(rows, every_filter_and_order_of_every_schema_can_be_asked) {
    for (const resource* const each : resources()) {
        EXPECT_GT(total(*each, ""), 0) << each->name;
        EXPECT_GE(total(*each, "q=a"), 0);
        EXPECT_GE(total(*each, "", _scope), each == &reseller ? 0 : 1) << each->name;
        for (const field& one : each->fields) {
            const std::string name(one.name);
            if (one.ordered) {
                EXPECT_GT(total(*each, "order_by=-" + name), 0);
            }
            if (one.filter == filters::none) {
                continue;
            }
            const bool flag = one.type == field_type::boolean;
            EXPECT_GE(total(*each, name + (flag ? "=true" : "=1")), 0);
            EXPECT_GE(total(*each, name + (flag ? "__in=true,false" : "__in=1,2")), 0);
            if (one.filter == filters::with_relations) {
                EXPECT_GE(total(*each, name + "__id=1"), 0);
            }
            if (one.type == field_type::string && one.filter != filters::some) {
                EXPECT_GE(total(*each, name + "__contains=a"), 0);
            }
            if (one.nullable) {
                EXPECT_GE(total(*each, name + "__isnull=false"), 0);
            }
        }
    }
}

TEST_F(rows, show_what_there_is) {
    EXPECT_EQ(total(reseller, ""), 1);
    EXPECT_EQ(total(customer, ""), 2) << "a reseller without domains of its own is no customer";
    EXPECT_EQ(total(domain, ""), 2);
    EXPECT_EQ(total(domain_alias, ""), 1);
    EXPECT_EQ(total(email_account, ""), 2) << "what is blocked is no account";
    EXPECT_EQ(total(localpart_alias, ""), 3);
    EXPECT_EQ(total(mail_server, ""), 2);
    EXPECT_EQ(total(email_account, "domain__customer__reseller__name=hosting"), 1);
}

TEST_F(rows, hide_what_is_outside_of_the_scope) {
    EXPECT_EQ(total(customer, "", _scope), 1);
    EXPECT_EQ(total(domain, "", _scope), 1);
    EXPECT_EQ(total(email_account, "", _scope), 1);
    const auto in = read();
    EXPECT_TRUE(has_object(in, _scope, domain, _domain));
    EXPECT_FALSE(has_object(in, _scope, domain, _domain + 2));
    EXPECT_EQ(find_object(in, _scope, domain, _domain + 2).error().status, 404U);
    EXPECT_EQ(find_object(in, {}, domain, _domain + 1).error().status, 404U) << "an alias is no domain";
}

TEST_F(rows, become_objects) {
    const auto in = read();
    const auto found = find_object(in, {}, email_account, _account);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at("localpart").as_string(), "Alice");
    EXPECT_EQ(found->at("aliases").as_string(), "a,elsewhere,zz");
    EXPECT_EQ(found->at("domain").as_string(), object_uri("domain", _domain));
    EXPECT_EQ(found->at("created_at").as_string(), "Tue, 14 Nov 2023 22:13:20 +0000");
    EXPECT_EQ(boost::json::serialize(found->at("notification_tasks")), "[]");
    EXPECT_TRUE(found->at("policy").is_null());
    EXPECT_TRUE(found->at("use_domain_notifications").as_bool());
}

TEST_F(rows, come_in_pages_with_links) {
    const auto in = read();
    const auto found = list_objects(in, {}, localpart_alias, *read_list_request(localpart_alias, "limit=1&offset=1"));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at("meta").at("next").as_string(), "/api/v1/localpart_alias/?limit=1&offset=2");
    EXPECT_EQ(found->at("meta").at("previous").as_string(), "/api/v1/localpart_alias/?limit=1&offset=0");
    EXPECT_EQ(found->at("objects").as_array().size(), 1U);
}

}  // namespace
}  // namespace postern::mailroute
