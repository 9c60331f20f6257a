// The two ways out of a notice, over libcurl: HTTP POST and SMTP submission.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>

#include "board/process/egress.h"
#include "control/sync/notify.h"

namespace postern::sync {

namespace {

constexpr long connect_seconds = 5;
constexpr long whole_seconds = 20;
constexpr std::size_t most_answer = 64U << 10U;

using handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using list = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

handle open_handle() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    handle out(curl_easy_init(), &curl_easy_cleanup);
    if (out) {
        curl_easy_setopt(out.get(), CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(out.get(), CURLOPT_CONNECTTIMEOUT, connect_seconds);
        curl_easy_setopt(out.get(), CURLOPT_TIMEOUT, whole_seconds);
        curl_easy_setopt(out.get(), CURLOPT_PROXY, "");
    }
    return out;
}

/// Takes what is answered and forgets it; too much ends the transfer.
std::size_t swallow(char* /*octets*/, std::size_t size, std::size_t count, void* so_far) {
    auto& total = *static_cast<std::size_t*>(so_far);
    total += size * count;
    return total > most_answer ? 0 : size * count;
}

std::string address_text(const sockaddr* address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address->sa_family == AF_INET) {
        sockaddr_in at{};
        std::memcpy(&at, address, sizeof at);
        ::inet_ntop(AF_INET, &at.sin_addr, text.data(), text.size());
    } else if (address->sa_family == AF_INET6) {
        sockaddr_in6 at{};
        std::memcpy(&at, address, sizeof at);
        ::inet_ntop(AF_INET6, &at.sin6_addr, text.data(), text.size());
    }
    return text.data();
}

/// Asked by libcurl for each address before it connects, so a name that leads elsewhere at the second look gains
/// nothing.
struct egress_check {
    const std::function<bool(const std::string&)>& may_reach;
    std::string refused;  ///< the last address that was not allowed
};
curl_socket_t open_allowed(void* context, curlsocktype /*purpose*/, curl_sockaddr* to) {
    auto& check = *static_cast<egress_check*>(context);
    if (const std::string address = address_text(&to->addr); check.may_reach && !check.may_reach(address)) {
        check.refused = address;
        return CURL_SOCKET_BAD;
    }
    return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

struct upload {
    std::string_view rest;
};
std::size_t give(char* into, std::size_t size, std::size_t count, void* context) {
    auto& from = *static_cast<upload*>(context);
    const std::size_t n = std::min(size * count, from.rest.size());
    std::memcpy(into, from.rest.data(), n);
    from.rest.remove_prefix(n);
    return n;
}

}  // namespace

tl::expected<void, std::string> post_webhook(const std::string& url, const std::string& body,
                                             const std::string& signature,
                                             const std::function<bool(const std::string&)>& may_reach) {
    const handle with = open_handle();
    if (!with) {
        return tl::unexpected<std::string>("libcurl has no memory for a request");
    }
    CURL* const curl = with.get();
    list headers(curl_slist_append(nullptr, "Content-Type: application/json"), &curl_slist_free_all);
    if (!signature.empty()) {
        headers.reset(curl_slist_append(headers.release(), ("Postern-Signature: " + signature).c_str()));
    }
    std::size_t answered = 0;
    egress_check check{may_reach, {}};
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "Postern");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &swallow);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answered);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &open_allowed);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &check);
    if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
        return tl::unexpected("the webhook could not be reached: " + (check.refused.empty()
                                                                          ? std::string(curl_easy_strerror(code))
                                                                          : process::egress_refusal(check.refused)));
    }
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200 || status > 299) {
        return tl::unexpected("the webhook answered " + std::to_string(status) + "; it is to answer 200 to 299");
    }
    return {};
}

tl::expected<void, std::string> send_mail(const mail_settings& mail, const std::vector<std::string>& to,
                                          const std::string& message) {
    const handle with = open_handle();
    if (!with) {
        return tl::unexpected<std::string>("libcurl has no memory for a message");
    }
    CURL* const curl = with.get();
    list recipients(nullptr, &curl_slist_free_all);
    for (const std::string& each : to) {
        recipients.reset(curl_slist_append(recipients.release(), ("<" + each + ">").c_str()));
    }
    const bool literal = mail.host.find(':') != std::string::npos && !mail.host.starts_with('[');
    const std::string url =
        "smtp://" + (literal ? "[" + mail.host + "]" : mail.host) + ":" + std::to_string(mail.port) + "/" + mail.helo;
    upload from{message};
    std::size_t answered = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp");
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, ("<" + mail.from + ">").c_str());
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, &give);
    curl_easy_setopt(curl, CURLOPT_READDATA, &from);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &swallow);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answered);
    if (const CURLcode code = curl_easy_perform(curl); code != CURLE_OK) {
        return tl::unexpected("the mail server " + mail.host +
                              " did not take the notice: " + std::string(curl_easy_strerror(code)));
    }
    return {};
}

}  // namespace postern::sync
