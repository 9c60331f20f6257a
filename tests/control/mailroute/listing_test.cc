// Queries of lists: filters, order, limits.
#include <gtest/gtest.h>

#include "control/mailroute/listing.h"

namespace postern::mailroute {
namespace {

list_request read(const resource& of, std::string_view query) {
    auto got = read_list_request(of, query);
    EXPECT_TRUE(got) << query << ": " << (got ? "" : got.error().body);
    return got.value_or(list_request());
}

std::string refused(const resource& of, std::string_view query) {
    const auto got = read_list_request(of, query);
    EXPECT_FALSE(got) << query;
    EXPECT_EQ(got ? 0U : got.error().status, 400U) << query;
    return got ? std::string() : got.error().body;
}

TEST(list_queries, without_anything_are_the_first_twenty) {
    const list_request asked = read(domain, "");
    EXPECT_EQ(asked.limit, 20U);
    EXPECT_EQ(asked.offset, 0U);
    EXPECT_FALSE(asked.filtered());
    EXPECT_EQ(asked.order, "d.id");
    EXPECT_EQ(asked.kept, "");
}

TEST(list_queries, bound_what_is_given_at_once) {
    EXPECT_EQ(read(domain, "limit=7&offset=30").limit, 7U);
    EXPECT_EQ(read(domain, "limit=7&offset=30").offset, 30U);
    EXPECT_EQ(read(domain, "limit=0").limit, max_limit);
    EXPECT_EQ(read(domain, "limit=2147483647").limit, max_limit);
    for (const char* const query :
         {"limit=-1", "limit=", "limit=1.5", "limit=2147483648", "offset=x", "offset=99999999999999999999"}) {
        refused(domain, query);
    }
}

TEST(list_queries, compare_fields_as_the_description_has_them) {
    const list_request asked = read(email_account, "domain=12&localpart__startswith=a_b&priority__gte=3&id__in=4,5");
    EXPECT_EQ(asked.conditions,
              " AND a.domain = ? AND a.local LIKE ? ESCAPE '\\' AND coalesce(x.priority, 7) >= ? AND a.id IN (?,?)");
    const std::vector<sql_value> values{std::int64_t{12}, std::string("a\\_b%"), std::int64_t{3}, std::int64_t{4},
                                        std::int64_t{5}};
    EXPECT_EQ(asked.values, values);
}

TEST(list_queries, find_names_by_any_spelling) {
    EXPECT_EQ(read(domain, "name=EXAMPLE.com.").values.front(), sql_value("example.com"));
    EXPECT_EQ(read(email_account, "localpart__iexact=ALICE").values.front(), sql_value("alice"));
    EXPECT_EQ(read(email_account, "localpart=%22a.b%22").values.front(), sql_value("a.b"));
    EXPECT_EQ(read(email_account, "localpart=not%20one").values.front(), sql_value("not one"));
}

TEST(list_queries, follow_relations) {
    EXPECT_EQ(read(mail_server, "domain=/api/v1/domain/12/").values.front(), sql_value(std::int64_t{12}));
    const list_request asked = read(localpart_alias, "email_account__domain__name__contains=x");
    EXPECT_NE(asked.conditions.find("a.mailbox IN (SELECT a.id FROM address a"), std::string::npos) << asked.conditions;
    EXPECT_NE(asked.conditions.find("a.domain IN (SELECT d.id FROM domain d"), std::string::npos) << asked.conditions;
    refused(localpart_alias, "email_account__domain__customer__reseller__name=x");
}

TEST(list_queries, refuse_what_they_can_not_ask) {
    for (const char* const query :
         {"nothing=1", "policy=1", "localpart__nothing=1", "localpart__gt=a", "id__startswith=1", "domain=x",
          "domain=/api/v1/customer/1/", "priority=high", "order_by=policy", "order_by=nothing", "order_by=--id",
          "domain__x=1", "domain__=1", "__in=1", "localpart__isnull=true", "format=xml", "localpart=%ff",
          "localpart=%0", "password=x"}) {
        refused(email_account, query);
    }
    refused(domain, "active=perhaps");
    EXPECT_EQ(
        refused(email_account, "nothing=1"),
        R"({"error":"email_account can't be filtered by \"nothing\"; its schema names the fields (/api/v1/email_account/schema/)."})");
}

TEST(list_queries, are_bounded) {
    std::string many = "id__in=1";
    for (int number = 0; number < 1000; ++number) {
        many += ",1";
    }
    refused(domain, many);
    std::string parameters;
    for (int number = 0; number < 65; ++number) {
        parameters += "id=1&";
    }
    refused(domain, parameters);
    refused(domain, "name=" + std::string(max_query_octets, 'x'));
    refused(domain, "order_by=name,name,name,name,name,name,name,name,name");
}

TEST(list_queries, are_ordered_by_what_was_said_and_then_by_id) {
    EXPECT_EQ(read(domain, "order_by=-created_at").order, "d.created DESC, d.id");
    EXPECT_EQ(read(domain, "order_by=active,-name").order.substr(0, 4), "NOT ");
    EXPECT_EQ(read(email_account, "order_by=-localpart").order, "a.normal DESC, a.id");
}

TEST(list_queries, are_kept_for_the_links_to_other_pages) {
    EXPECT_EQ(read(domain, "limit=5&name__startswith=a%20b&offset=5&order_by=-name").kept,
              "name__startswith=a%20b&order_by=-name&");
}

TEST(ids_to_delete, are_the_whole_query) {
    const auto ids = read_ids("id__in=3,,1");
    ASSERT_TRUE(ids);
    EXPECT_EQ(*ids, (std::vector<std::int64_t>{3, 1}));
    for (const char* const query :
         {"", "id__in=", "id=1", "id__in=1&domain=2", "id__in=1,x", "id__in=-1", "id__in=0"}) {
        EXPECT_FALSE(read_ids(query)) << query;
    }
}

}  // namespace
}  // namespace postern::mailroute
