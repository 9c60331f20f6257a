// Dates, URIs, paths and the pages that describe the API.
#include <gtest/gtest.h>

#include <boost/json/serialize.hpp>
#include <set>

#include "control/mailroute/dates.h"
#include "control/mailroute/schema.h"
#include "control/mailroute/target.h"
#include "control/mailroute/uris.h"

namespace postern::mailroute {
namespace {

TEST(dates, are_as_mailroute_writes_them) {
    EXPECT_EQ(date_text(0), "Thu, 1 Jan 1970 00:00:00 +0000");
    EXPECT_EQ(date_text(1'363'534'481'000), "Sun, 17 Mar 2013 15:34:41 +0000");
    EXPECT_EQ(date_text(1'367'741'472'999), "Sun, 5 May 2013 08:11:12 +0000");
    EXPECT_EQ(date_text(1'709'164'800'000), "Thu, 29 Feb 2024 00:00:00 +0000");
    EXPECT_EQ(date_text(4'102'444'799'000), "Thu, 31 Dec 2099 23:59:59 +0000");
}

TEST(references, name_an_object_by_uri_or_id) {
    for (const char* const text :
         {"/api/v1/domain/12/", "/api/v1/domain/12", "12", "https://host:8025/api/v1/domain/12/"}) {
        EXPECT_EQ(parse_reference(text, "domain"), 12) << text;
    }
    for (const char* const text : {"", "/", "0", "-12", "12/", "012x", "/api/v1/domain/", "/api/v1/domain//",
                                   "/api/v1/domain/12/x/", "/api/v1/domain_alias/12/", "/api/v1/customer/12/",
                                   "https://", "https://host", "99999999999999999999", "example.com", " 12"}) {
        EXPECT_FALSE(parse_reference(text, "domain")) << text;
    }
}

TEST(paths, lead_to_what_they_name) {
    const auto kind = [](std::string_view path) { return read_target(path).kind; };
    EXPECT_EQ(kind("/api/v1/"), target_kind::index);
    EXPECT_EQ(kind("/api/v1"), target_kind::slash_missing);
    EXPECT_EQ(kind("/api/v1/domain"), target_kind::slash_missing);
    EXPECT_EQ(kind("/api/v1/domain/12"), target_kind::slash_missing);
    EXPECT_EQ(kind("/api/v1/wblist"), target_kind::slash_missing);
    EXPECT_EQ(kind("/api/v1/domain/"), target_kind::list);
    EXPECT_EQ(kind("/api/v1/domain/schema/"), target_kind::schema);
    EXPECT_EQ(kind("/api/v1/domain/mass_add/"), target_kind::mass_add);
    EXPECT_EQ(kind("/api/v1/mail_server/mass_delete/"), target_kind::mass_delete);
    EXPECT_EQ(kind("/api/v1/domain/12/email_accounts/mass_add/"), target_kind::add_accounts);
    EXPECT_EQ(kind("/api/v1/email_account/12/mass_add_aliases/"), target_kind::add_aliases);
    EXPECT_EQ(kind("/api/v1/email_account/12/users_to_alias/"), target_kind::users_to_alias);
    EXPECT_EQ(kind("/api/v1/ldapsync/remote_data/"), target_kind::remote_data);
    EXPECT_EQ(kind("/api/v1/outbound_server/"), target_kind::not_here);
    EXPECT_EQ(kind("/api/v1/policy_user/12/"), target_kind::not_here);
    EXPECT_EQ(kind("/api/v1/customer/12/contacts/"), target_kind::not_here);
    for (const char* const path :
         {"", "/", "/api", "/api/", "/api/v1/x/", "/api/v1//", "/api/v1/domain/0/", "/api/v1/domain/x/",
          "/api/v1/domain/12/x/", "/api/v1/domain/12/users_to_alias/",
          "/api/v1/email_account/12/email_accounts/mass_add/", "/api/v1/domain/12/email_accounts/", "/api/v1/ldapsync/",
          "/api/v1/a/b/c/d/e/f/g/h/i/j/"}) {
        EXPECT_EQ(kind(path), target_kind::nothing) << path;
    }
    const target found = read_target("/api/v1/email_account/12/");
    EXPECT_EQ(found.of, &email_account);
    EXPECT_EQ(found.id, 12);
    EXPECT_EQ(read_target("/api/v1/" + std::string(1000, 'x') + '/').kind, target_kind::nothing);
}

TEST(methods, are_those_of_the_kind) {
    EXPECT_TRUE(is_allowed(target_kind::object, api::method::patch));
    EXPECT_FALSE(is_allowed(target_kind::object, api::method::post));
    EXPECT_FALSE(is_allowed(target_kind::list, api::method::del));
    EXPECT_TRUE(is_allowed(target_kind::mass_delete, api::method::del));
}

TEST(descriptions, say_what_their_fields_need) {
    for (const resource* const each : resources()) {
        SCOPED_TRACE(each->name);
        EXPECT_NE(each->add, nullptr);
        EXPECT_NE(each->edit, nullptr);
        EXPECT_NE(each->remove, nullptr);
        std::set<std::string_view> names;
        for (const field& one : each->fields) {
            SCOPED_TRACE(one.name);
            EXPECT_TRUE(names.insert(one.name).second) << "twice";
            EXPECT_FALSE(one.help.empty());
            EXPECT_EQ(one.type == field_type::to_one, one.leads_to != nullptr);
            EXPECT_EQ(one.same_form != nullptr, !one.same_sql.empty());
            EXPECT_FALSE(one.required && one.access != access::written) << "nobody could give it";
            EXPECT_FALSE(one.sql.empty() &&
                         (one.filter != filters::none || one.ordered || one.access != access::disregarded));
        }
        EXPECT_TRUE(names.contains("id"));
    }
}

TEST(schema, has_a_page_for_each_resource_of_the_index) {
    const auto index = index_page();
    EXPECT_EQ(index.size(), resources().size());
    for (const resource* const each : resources()) {
        EXPECT_TRUE(index.contains(each->name));
        const auto page = schema_page(*each);
        const auto& fields = page.at("fields").as_object();
        EXPECT_TRUE(fields.contains("resource_uri"));
        for (const field& one : each->fields) {
            const auto& told = fields.at(one.name).as_object();
            EXPECT_EQ(told.at("readonly").as_bool(), one.access == access::kept) << one.name;
            EXPECT_EQ(told.at("nullable").as_bool(), one.nullable) << one.name;
        }
    }
    EXPECT_EQ(boost::json::serialize(schema_page(domain).at("filtering").at("customer")), "2");
    EXPECT_EQ(boost::json::serialize(schema_page(domain).at("fields").at("active").at("default")), "true");
}

}  // namespace
}  // namespace postern::mailroute
