#include "control/sources/https/client.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "board/process/egress.h"
#include "board/process/files.h"
#include "control/sources/text.h"

namespace postern::sources::https {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds longest_request{600'000};

struct list_end {
    void operator()(curl_slist* one) const noexcept { curl_slist_free_all(one); }
};
using header_list = std::unique_ptr<curl_slist, list_end>;

void append(header_list& to, const std::string& line) {
    to.reset(curl_slist_append(to.release(), line.c_str()));
}

std::string address_text(const curl_sockaddr& of) {
    std::array<char, NI_MAXHOST> out{};
    return ::getnameinfo(&of.addr, of.addrlen, out.data(), out.size(), nullptr, 0, NI_NUMERICHOST) == 0 ? out.data()
                                                                                                        : "";
}

std::string port_text(const curl_sockaddr& of) {
    std::array<char, NI_MAXSERV> out{};
    return ::getnameinfo(&of.addr, of.addrlen, nullptr, 0, out.data(), out.size(), NI_NUMERICSERV) == 0 ? out.data()
                                                                                                        : "";
}

struct opened_socket {
    int socket = -1;
    std::string peer;
};
bool is_connected(const opened_socket& one) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    return ::getpeername(one.socket, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

/// Refers to the text, which must outlive the transfer.
curl_blob blob_of(const std::string& text) {
    return {const_cast<char*>(text.data()), text.size(), CURL_BLOB_NOCOPY};
}

}  // namespace

struct client::handle {
    handle() {
        static std::once_flag once;
        std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
        curl = curl_easy_init();
    }
    ~handle() { curl_easy_cleanup(curl); }
    handle(const handle&) = delete;
    handle& operator=(const handle&) = delete;

    bool passed(CURLINFO time) const {
        curl_off_t us = 0;
        return curl_easy_getinfo(curl, time, &us) == CURLE_OK && us > 0;
    }
    std::string text(CURLINFO which) const {
        const char* out = nullptr;
        return curl_easy_getinfo(curl, which, &out) == CURLE_OK && out != nullptr ? out : "";
    }
    long number(CURLINFO which) const {
        long out = 0;
        curl_easy_getinfo(curl, which, &out);
        return out;
    }

    CURL* curl = nullptr;
};

/// What libcurl's callbacks work on.
struct client::transfer {
    std::string body;
    bool too_long = false;
    std::array<char, CURL_ERROR_SIZE> words{};
    const egress_policy& policy;
    std::string refused;                 ///< address that the policy does not allow
    std::vector<opened_socket> sockets;  ///< that connect, or did
    std::string peer;  ///< of one that did ("192.0.2.1 port 443"); libcurl's own time of it comes only after TLS
    const std::atomic<bool>& stop;

    const std::size_t longest_answer;
    int file = -1;  ///< that is sent

    transfer(const egress_policy& policy_in, const std::atomic<bool>& stop_in, std::size_t longest)
        : policy(policy_in), stop(stop_in), longest_answer(longest) {}

    static std::size_t read(char* to, std::size_t size, std::size_t count, void* context) {
        const auto& from = *static_cast<transfer*>(context);
        while (true) {
            const ssize_t got = ::read(from.file, to, size * count);
            if (got >= 0) {
                return static_cast<std::size_t>(got);
            }
            if (errno != EINTR) {
                return CURL_READFUNC_ABORT;
            }
        }
    }
    /// A connection that was kept open and is gone: sent again from the start.
    static int seek(void* context, curl_off_t offset, int origin) {
        const auto& from = *static_cast<transfer*>(context);
        return ::lseek(from.file, offset, origin) >= 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
    }

    static std::size_t write(char* octets, std::size_t size, std::size_t count, void* context) {
        auto& to = *static_cast<transfer*>(context);
        if (size * count > to.longest_answer - std::min(to.longest_answer, to.body.size())) {
            to.too_long = true;
            return 0;
        }
        to.body.append(octets, size * count);
        return size * count;
    }
    static int progress(void* context, curl_off_t /*total*/, curl_off_t /*got*/, curl_off_t /*to_send*/,
                        curl_off_t /*sent*/) {
        auto& with = *static_cast<transfer*>(context);
        const auto at = std::find_if(with.sockets.begin(), with.sockets.end(), is_connected);
        if (with.peer.empty() && at != with.sockets.end()) {
            with.peer = at->peer;
        }
        return with.stop.load(std::memory_order_relaxed) ? 1 : 0;
    }
    /// Asked for each address before it is connected to, so that a name can't lead round the policy.
    static curl_socket_t open(void* context, curlsocktype /*purpose*/, curl_sockaddr* to) {
        auto& with = *static_cast<transfer*>(context);
        const std::string address = address_text(*to);
        if (with.policy && !with.policy(address)) {
            with.refused = address;
            return CURL_SOCKET_BAD;
        }
        const int made = ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
        with.sockets.push_back({made, address + " port " + port_text(*to)});
        return made;
    }
};

client::client(client_settings settings, const egress_policy& policy, patience limits, connection_observer observer)
    : _settings(std::move(settings)),
      _policy(policy),
      _limits(limits),
      _observer(std::move(observer)),
      _handle(std::make_unique<handle>()) {
    CURL* const curl = _handle->curl;
    if (curl == nullptr) {
        return;
    }
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // a name server that is silent does not hold up the end
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, _settings.clear ? "http,https" : "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "Postern");
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(_settings.connect_timeout_s));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(_settings.answer_timeout_s));
    curl_easy_setopt(curl, CURLOPT_PROXY, _settings.proxy.c_str());
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
    curl_easy_setopt(curl, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));  // the proxy gets no token
    if (!_settings.proxy_user.empty()) {
        curl_easy_setopt(curl, CURLOPT_PROXYUSERNAME, _settings.proxy_user.c_str());
        curl_easy_setopt(curl, CURLOPT_PROXYPASSWORD, _settings.proxy_password.c_str());
    }
    if (!_settings.ca_certificates.empty()) {
        curl_blob authorities = blob_of(_settings.ca_certificates);
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &authorities);
        curl_easy_setopt(curl, CURLOPT_PROXY_CAINFO_BLOB, &authorities);
    }
}

client::~client() = default;

answer client::perform(const request& what) {
    answer out;
    _server = what.server;
    _host = what.host;
    const auto left = std::chrono::duration_cast<milliseconds>(_limits.until - clock::now());
    CURL* const curl = _handle->curl;
    if (curl == nullptr) {
        out.why = fail("TCP", "libcurl has no memory for a request").value();
        return out;
    }
    transfer one(_policy, _limits.stop, _settings.longest_answer);
    header_list fields;
    append(fields, "Accept: application/json");
    append(fields, "Expect:");
    if (!what.token.empty()) {
        append(fields, "Authorization: Bearer " + what.token);
    }
    const std::string url = _server + what.target;
    const process::descriptor file(what.file.empty() ? -1 : ::open(what.file.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!what.file.empty() && (!file || ::fstat(file.get(), &status) != 0)) {
        out.why = fail("file", process::errno_text("open", what.file, errno)).value();
        return out;
    }
    one.file = file.get();
    if (file) {
        append(fields, "Content-Type: " + what.file_type);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
    if (file) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, nullptr);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(status.st_size));
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, &transfer::read);
        curl_easy_setopt(curl, CURLOPT_READDATA, &one);
        curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, &transfer::seek);
        curl_easy_setopt(curl, CURLOPT_SEEKDATA, &one);
    } else if (what.form.empty()) {
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    } else {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(what.form.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, what.form.data());
    }
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                     static_cast<long>(std::clamp(left, milliseconds(1), longest_request).count()));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, one.words.data());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &transfer::write);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &one);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &transfer::progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &one);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &transfer::open);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &one);
    const CURLcode code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr);
    observe(one);
    if (code != CURLE_OK) {
        out.why = explain(code, one);
        out.may_pass = code != CURLE_PEER_FAILED_VERIFICATION && code != CURLE_SSL_CACERT_BADFILE &&
                       code != CURLE_ABORTED_BY_CALLBACK && !one.too_long && one.refused.empty() &&
                       out.why.step != "proxy";
        return out;
    }
    out.status = static_cast<unsigned>(std::clamp(_handle->number(CURLINFO_RESPONSE_CODE), 1L, 999L));
    out.body = std::move(one.body);
    curl_off_t retry_after = 0;
    if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK && retry_after > 0) {
        out.retry_after = std::chrono::seconds(retry_after);
    }
    return out;
}

void client::observe(const transfer& of) {
    if (!_observer) {
        return;
    }
    const auto tell = [&](const char* step, const std::string& detail) {
        if (_observed.insert(_server + " " + step).second) {
            _observer(_server, step, detail);
        }
    };
    const std::string via = _settings.proxy.empty() ? "" : " of the proxy " + _settings.proxy;
    if (_handle->passed(CURLINFO_NAMELOOKUP_TIME_T)) {
        tell("name", via.empty() ? _host + " resolves" : "the name" + via + " resolves");
    }
    if (!of.peer.empty() || _handle->passed(CURLINFO_CONNECT_TIME_T)) {
        const std::string peer = of.peer.empty() ? _handle->text(CURLINFO_PRIMARY_IP) : of.peer;
        tell("TCP", "connected to " + peer + (via.empty() ? "" : "," + via.substr(3)));
    }
    if (_handle->passed(CURLINFO_APPCONNECT_TIME_T)) {
        tell("TLS", "the certificate of " + _host + " is good");
    }
}

failure client::explain(int code, const transfer& of) const {
    const std::string words =
        one_line(of.words[0] == '\0' ? curl_easy_strerror(static_cast<CURLcode>(code)) : of.words.data());
    const std::string whom = _settings.proxy.empty() ? _host : "the proxy " + _settings.proxy;
    const std::string see_whether =
        "; see whether this machine may reach it, directly or by a proxy, and no firewall stands between";
    const long tunnel = _handle->number(CURLINFO_HTTP_CONNECTCODE);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        return stopped().value();
    }
    if (!of.refused.empty()) {
        return fail("TCP", "cannot connect to " + whom + ": " + process::egress_refusal(of.refused)).value();
    }
    if (of.too_long) {
        return fail("answer", _host + " answers with more than " + std::to_string(_settings.longest_answer) + " octets")
            .value();
    }
    if (tunnel != 0 && tunnel != 200) {
        return fail("proxy", "the proxy " + _settings.proxy + " does not lead to " + _host + ": it answers " +
                                 std::to_string(tunnel) +
                                 (tunnel == 407 ? "; set proxy_user and " + _settings.proxy_password_member
                                                : "; allow " + _host + " there"))
            .value();
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
        return fail("TLS", "the certificate that " + _host + " shows can't be trusted: " + words +
                               "; if something between inspects TLS, set its authority's certificate as " +
                               _settings.ca_member)
            .value();
    }
    if (_handle->passed(CURLINFO_PRETRANSFER_TIME_T)) {
        return fail("answer", "the connection to " + _host + " ended before its answer did: " + words).value();
    }
    if (!of.peer.empty() || _handle->passed(CURLINFO_CONNECT_TIME_T)) {
        return fail("TLS", "no TLS with " + _host + ": " + words + "; it needs TLS 1.2 or higher" + see_whether)
            .value();
    }
    if (_handle->passed(CURLINFO_NAMELOOKUP_TIME_T)) {
        return fail("TCP", "cannot connect to " + whom + ": " + words + see_whether).value();
    }
    return fail("name", "the name of " + whom + " does not resolve: " + words +
                            "; correct it, or see whether the machine's DNS servers know it")
        .value();
}

}  // namespace postern::sources::https
