#include "control/sources/microsoft365/token.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "control/sources/microsoft365/assertion.h"
#include "control/sources/microsoft365/page.h"
#include "control/sources/text.h"

namespace postern::sources::microsoft365 {
namespace {

constexpr std::size_t longest_token = 64 * 1024;
constexpr std::int64_t longest_lifetime_s = 86'400;

/// What the number behind "AADSTS" means, and what to do. Entra's own text is shown beside.
struct meaning {
    std::string_view code;
    std::string_view words;
};
constexpr std::array<meaning, 13> meanings = {{
    {"AADSTS7000215",
     "the client secret is wrong; set the secret's value (not its id), as it was shown when it was made"},
    {"AADSTS7000222", "the client secret has expired; make a new one at the application's registration and set it"},
    {"AADSTS7000216", "a client secret or an assertion is wanted; set the source's secret"},
    {"AADSTS7000218", "a client secret or an assertion is wanted; set the source's secret"},
    {"AADSTS7000112", "the application is disabled in the tenant; enable it under enterprise applications"},
    {"AADSTS700016",
     "the tenant has no such application; correct client_id or tenant, or grant admin consent in that tenant"},
    {"AADSTS700027",
     "the assertion was not accepted; upload client_certificate to the application, and see whether it has expired"},
    {"AADSTS700024", "the assertion's time is out of range; see whether this machine's clock is right"},
    {"AADSTS900023", "there is no such tenant; correct tenant"},
    {"AADSTS90002", "there is no such tenant in this cloud; correct tenant or cloud"},
    {"AADSTS500011", "the tenant does not know Graph by this URL; correct graph_url or cloud"},
    {"AADSTS53003", "conditional access blocks the application; allow it from this machine's address"},
    {"AADSTS1002016", "the token endpoint wants TLS 1.2 or higher; something between speaks an older one"},
}};

void append(std::string& form, std::string_view name, std::string_view value) {
    form += form.empty() ? "" : "&";
    form += name;
    form += '=';
    form += percent_encoded(value);
}

/// b64token of RFC 6750 2.1: it goes into a header field.
bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= longest_token && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_' || c == '~' || c == '+' || c == '/' || c == '=';
    });
}

}  // namespace

tl::expected<std::string, std::string> token_form(const tenant_settings& settings, std::int64_t now) {
    std::string out;
    append(out, "client_id", settings.client_id);
    append(out, "scope", settings.graph().url() + "/.default");
    append(out, "grant_type", "client_credentials");
    if (settings.sign_in == sign_in::secret) {
        if (settings.secrets.client_secret.empty()) {
            return tl::unexpected<std::string>(
                "the source has no secret client_secret; set the value of the application's client secret");
        }
        append(out, "client_secret", settings.secrets.client_secret);
        return out;
    }
    const assertion_claims claims{settings.login().url() + settings.token_target(), settings.client_id, now};
    const auto assertion = make_assertion(claims, settings.client_certificate, settings.secrets.client_key);
    if (!assertion) {
        return tl::unexpected(assertion.error());
    }
    append(out, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    append(out, "client_assertion", *assertion);
    return out;
}

tl::expected<access_token, std::string> parse_token(std::string_view body) {
    const auto parsed = parse_object(body);
    if (!parsed) {
        return tl::unexpected(parsed.error());
    }
    const boost::json::object& from = parsed->get_object();
    const boost::json::value* const token = from.if_contains("access_token");
    const boost::json::value* const lifetime = from.if_contains("expires_in");
    access_token out;
    if (token == nullptr || !token->is_string() || !is_token(token->get_string())) {
        return tl::unexpected<std::string>("it has no access_token");
    }
    out.text = token->get_string();
    boost::json::error_code failed;
    const std::int64_t seconds = lifetime == nullptr ? 0 : lifetime->to_number<std::int64_t>(failed);
    if (lifetime == nullptr || failed || seconds <= 0) {
        return tl::unexpected<std::string>("its expires_in is no number of seconds");
    }
    out.lifetime = std::chrono::seconds(std::min(seconds, longest_lifetime_s));
    return out;
}

std::string token_refusal(const tenant_settings& settings, unsigned status, std::string_view body) {
    const std::string text = token_error_text(body);
    std::string_view words =
        "the token endpoint refused; see whether login_url leads to it, and whether tenant and client_id are right";
    for (const meaning& each : meanings) {
        // "AADSTS90002" is no beginning of "AADSTS900023" here.
        const std::size_t at = text.find(each.code);
        const std::size_t end = at + each.code.size();
        if (at != std::string::npos && (end >= text.size() || text[end] < '0' || text[end] > '9')) {
            words = each.words;
            break;
        }
    }
    const std::size_t remedy = words.find("; ");
    return "cannot sign in to the tenant " + settings.tenant + ": " + std::string(words.substr(0, remedy)) + " (" +
           std::to_string(status) + (text.empty() ? "" : ": " + one_line(text)) + ")" +
           std::string(words.substr(remedy));
}

}  // namespace postern::sources::microsoft365
