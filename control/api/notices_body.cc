#include "control/api/notices_body.h"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "control/api/body.h"

namespace postern::api {

namespace {

constexpr std::size_t most_emails = 20;
constexpr std::size_t longest_url = 2000;

}  // namespace

void read_notify(const boost::json::object& from, sync::notices& to, std::vector<field_error>& errors) {
    members given(from, "/notify", errors);
    if (given.is_null("webhook")) {
        given.known("webhook");
        to.webhook.clear();
    } else if (auto url = given.text("webhook", longest_url)) {
        to.webhook = *std::move(url);
    }
    if (auto emails = given.texts("emails", most_emails, 320)) {
        to.emails = *std::move(emails);
    }
    to.additions = given.flag("additions").value_or(to.additions);
    to.changes = given.flag("changes").value_or(to.changes);
    to.trouble = given.flag("trouble").value_or(to.trouble);
    given.finish();
}

boost::json::object represent(const sync::notices& of) {
    boost::json::array emails;
    for (const std::string& each : of.emails) {
        emails.push_back(boost::json::value(each));
    }
    return {{"webhook", of.webhook.empty() ? boost::json::value(nullptr) : boost::json::value(of.webhook)},
            {"emails", std::move(emails)},
            {"additions", of.additions},
            {"changes", of.changes},
            {"trouble", of.trouble}};
}

}  // namespace postern::api
