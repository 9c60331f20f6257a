#include "smtp/judge/rspamd.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <optional>
#include <utility>

#include "smtp/judge/rspamd_answer.h"

namespace postern::judge {
namespace {

template <auto Free>
struct freed {
    template <class T>
    void operator()(T* one) const noexcept {
        Free(one);
    }
};
using easy_handle = std::unique_ptr<CURL, freed<&curl_easy_cleanup>>;
using multi_handle = std::unique_ptr<CURLM, freed<&curl_multi_cleanup>>;
using url_handle = std::unique_ptr<CURLU, freed<&curl_url_cleanup>>;
using curl_text = std::unique_ptr<char, freed<&curl_free>>;

class header_list {
public:
    header_list() = default;
    ~header_list() { curl_slist_free_all(_first); }
    header_list(const header_list&) = delete;
    header_list& operator=(const header_list&) = delete;

    /// Leaves out what is empty; what would end the line becomes `?`.
    void add(std::string_view name, std::string_view value) {
        if (value.empty()) {
            return;
        }
        std::string line(name);
        line += ": ";
        const std::size_t start = line.size();
        line += value;
        std::replace_if(
            line.begin() + static_cast<std::ptrdiff_t>(start), line.end(),
            [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
        append(line.c_str());
    }
    /// libcurl's own header of this name is not sent.
    void leave_out(std::string_view name) { append((std::string(name) + ":").c_str()); }
    curl_slist* get() const noexcept { return _first; }

private:
    void append(const char* line) {
        if (curl_slist* const longer = curl_slist_append(_first, line)) {
            _first = longer;
        }
    }

    curl_slist* _first = nullptr;
};

void prepare_libcurl() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

std::string address_text(const std::array<std::uint8_t, 16>& address) {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const bool is_v4 = std::equal(mapped.begin(), mapped.end(), address.begin());
    std::array<char, INET6_ADDRSTRLEN> out{};
    ::inet_ntop(is_v4 ? AF_INET : AF_INET6, address.data() + (is_v4 ? mapped.size() : 0), out.data(), out.size());
    return out.data();
}

/// One message on its way.
struct transfer {
    explicit transfer(message&& given) : of(std::move(given)) {}

    message of;
    easy_handle easy{curl_easy_init()};
    header_list fields;
    std::string body;
    bool too_long = false;
    std::array<char, CURL_ERROR_SIZE> words{};

    static std::size_t write(char* octets, std::size_t size, std::size_t count, void* context) {
        auto& to = *static_cast<transfer*>(context);
        if (size * count > longest_rspamd_answer - std::min(longest_rspamd_answer, to.body.size())) {
            to.too_long = true;
            return 0;
        }
        to.body.append(octets, size * count);
        return size * count;
    }
};

void set_up(transfer& one, const settings& with) {
    one.fields.add("From", one.of.sender);
    for (const addressee& each : one.of.recipients) {
        one.fields.add("Rcpt", each.path);
    }
    one.fields.add("IP", address_text(one.of.peer));
    one.fields.add("Helo", one.of.helo);
    one.fields.add("Queue-Id", one.of.id);
    one.fields.add("Content-Type", "message/rfc822");
    one.fields.leave_out("Expect");
    CURL* const easy = one.easy.get();
    const std::string_view content = one.of.content.octets();
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &one);
    curl_easy_setopt(easy, CURLOPT_URL, with.rspamd.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "Postern");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, one.fields.get());
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(content.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, content.data());
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(with.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(with.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, one.words.data());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &transfer::write);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &one);
}

rspamd::answer outcome_of(const transfer& one, CURLcode code) {
    if (one.too_long) {
        return tl::unexpected(std::string("it answers with too much"));
    }
    if (code != CURLE_OK) {
        return tl::unexpected(std::string(one.words[0] == '\0' ? curl_easy_strerror(code) : one.words.data()));
    }
    long status = 0;
    curl_easy_getinfo(one.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) {
        return tl::unexpected("it answers HTTP status " + std::to_string(status));
    }
    return read_rspamd_answer(one.body);
}

std::string part_of(const url_handle& url, CURLUPart which, unsigned flags = 0) {
    char* out = nullptr;
    if (curl_url_get(url.get(), which, &out, flags) != CURLUE_OK) {
        return {};
    }
    return curl_text(out).get();
}

}  // namespace

tl::expected<std::string, std::string> rspamd_url(const std::string& text) {
    constexpr const char* example = "; write it as http://127.0.0.1:11333/checkv2";
    prepare_libcurl();
    const url_handle url(curl_url());
    if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
        return tl::unexpected(std::string("it is not a URL") + example);
    }
    const std::string scheme = part_of(url, CURLUPART_SCHEME);
    if (scheme != "http" && scheme != "https") {
        return tl::unexpected("its scheme is " + scheme + ", not http or https" + example);
    }
    if (part_of(url, CURLUPART_PATH) == "/") {
        curl_url_set(url.get(), CURLUPART_PATH, "/checkv2", 0);
    }
    return part_of(url, CURLUPART_URL);
}

struct rspamd::state {
    state(const judge::settings& given, sink to) : with(given), done(std::move(to)) {}
    ~state() {
        for (const auto& one : transfers) {
            curl_multi_remove_handle(multi.get(), one->easy.get());
        }
    }

    /// Hands out those that are over.
    void finish() {
        int left = 0;
        while (const CURLMsg* const told = curl_multi_info_read(multi.get(), &left)) {
            if (told->msg != CURLMSG_DONE) {
                continue;
            }
            const CURLcode code = told->data.result;  // the message is gone with its handle
            transfer* over = nullptr;
            curl_easy_getinfo(told->easy_handle, CURLINFO_PRIVATE, &over);
            curl_multi_remove_handle(multi.get(), over->easy.get());
            end(*over, outcome_of(*over, code));
        }
    }
    void end(transfer& over, rspamd::answer&& said) {
        message of = std::move(over.of);
        transfers.remove_if([&](const auto& one) { return one.get() == &over; });
        done(std::move(of), std::move(said));
    }

    const judge::settings& with;
    sink done;
    multi_handle multi{curl_multi_init()};
    std::list<std::unique_ptr<transfer>> transfers;
};

rspamd::rspamd(std::unique_ptr<state> made) : _state(std::move(made)) {}
rspamd::~rspamd() = default;

tl::expected<std::unique_ptr<rspamd>, std::string> rspamd::make(const settings& settings, sink done) {
    prepare_libcurl();
    auto made = std::make_unique<state>(settings, std::move(done));
    if (!made->multi) {
        return tl::unexpected(std::string("libcurl has no memory for rspamd's connections"));
    }
    curl_multi_setopt(made->multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(most_at_once));
    return std::unique_ptr<rspamd>(new rspamd(std::move(made)));
}

std::size_t rspamd::room() const noexcept {
    return most_at_once - _state->transfers.size();
}

void rspamd::ask(message&& of) {
    transfer& one = *_state->transfers.emplace_back(std::make_unique<transfer>(std::move(of)));
    if (one.easy) {
        set_up(one, _state->with);
        if (curl_multi_add_handle(_state->multi.get(), one.easy.get()) == CURLM_OK) {
            return;
        }
    }
    _state->end(one, tl::unexpected(std::string("libcurl has no memory for a request")));
}

void rspamd::work(std::chrono::milliseconds most) {
    int running = 0;
    curl_multi_perform(_state->multi.get(), &running);
    const std::size_t before = _state->transfers.size();
    _state->finish();
    if (_state->transfers.size() != before) {
        return;
    }
    curl_multi_poll(_state->multi.get(), nullptr, 0, static_cast<int>(most.count()), nullptr);
    curl_multi_perform(_state->multi.get(), &running);
    _state->finish();
}

void rspamd::wake() noexcept {
    curl_multi_wakeup(_state->multi.get());
}

}  // namespace postern::judge
