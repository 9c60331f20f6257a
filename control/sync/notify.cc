#include "control/sync/notify.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <ctime>

#include "board/process/log.h"

namespace postern::sync {

namespace {

constexpr std::size_t most_queued = 1000;
constexpr unsigned most_attempts = 5;
constexpr std::array<std::chrono::seconds, most_attempts> pauses = {std::chrono::seconds(0), std::chrono::seconds(2),
                                                                    std::chrono::seconds(10), std::chrono::seconds(60),
                                                                    std::chrono::seconds(300)};

std::string time_text(directory::timestamp at, const char* format) {
    const auto seconds = static_cast<std::time_t>(at / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format, &parts)};
}

/// Of a header line: no line ends, nothing but ASCII.
std::string header_text(std::string_view value) {
    std::string out;
    for (const char c : value.substr(0, 200)) {
        out += c >= 0x20 && c < 0x7f ? c : '?';
    }
    return out;
}

}  // namespace

std::string notice_json(const notice& what) {
    return boost::json::serialize(boost::json::object{
        {"event", what.event},
        {"source", what.source},
        {"organisation", what.organisation},
        {"sync", what.run == 0 ? boost::json::value() : boost::json::value(what.run)},
        {"text", what.text},
        {"added", what.counts.added},
        {"removed", what.counts.removed},
        {"changed", what.counts.changed},
        {"time", time_text(what.at, "%Y-%m-%dT%H:%M:%SZ")},
    });
}

std::string notice_message(const notice& what, const mail_settings& mail, const std::vector<std::string>& to) {
    std::string recipients;
    for (const std::string& each : to) {
        recipients += (recipients.empty() ? "" : ",\r\n ") + header_text(each);
    }
    std::string out = "From: Postern <" + header_text(mail.from) + ">\r\nTo: " + recipients +
                      "\r\nSubject: " + header_text(what.source + ": " + what.event) +
                      "\r\nDate: " + time_text(what.at, "%a, %d %b %Y %H:%M:%S +0000") + "\r\nMessage-ID: <" +
                      std::to_string(what.at) + "." + std::to_string(what.run) + "." + header_text(what.event) + "@" +
                      header_text(mail.helo) +
                      ">\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                      "Content-Transfer-Encoding: 8bit\r\nAuto-Submitted: auto-generated\r\n\r\n";
    std::string body = "Source: " + what.source + "\nEvent: " + what.event + "\n";
    if (what.run != 0) {
        body += "Sync: " + std::to_string(what.run) + "\nAdded: " + std::to_string(what.counts.added) +
                "\nRemoved: " + std::to_string(what.counts.removed) +
                "\nChanged: " + std::to_string(what.counts.changed) + "\n";
    }
    body += "\n" + what.text + "\n";
    std::size_t column = 0;
    for (const char c : body) {
        if (c == '\n') {
            out += "\r\n";
            column = 0;
            continue;
        }
        // RFC 5322 2.1.1: 998 octets a line; folded far before, at a space.
        if (column > 200 && c == ' ') {
            out += "\r\n";
            column = 0;
            continue;
        }
        out += c == '\r' ? ' ' : c;
        if (++column == 900 && (static_cast<unsigned char>(c) & 0x80U) == 0) {
            out += "\r\n";
            column = 0;
        }
    }
    return out;
}

std::string webhook_signature(const std::string& secret, std::int64_t unix_time, std::string_view body) {
    const std::string time = std::to_string(unix_time);
    const std::string content = time + "." + std::string(body);
    std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
    unsigned size = 0;
    ::HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
           reinterpret_cast<const unsigned char*>(content.data()), content.size(), mac.data(), &size);
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "t=" + time + ",v1=";
    for (unsigned i = 0; i < size; ++i) {
        out += digits[mac.at(i) >> 4U];
        out += digits[mac.at(i) & 15U];
    }
    return out;
}

void notifier::start() {
    _thread = std::thread([this] { run(); });
}

void notifier::end() {
    {
        const std::lock_guard hold(_mutex);
        _stop = true;
        _changed.notify_all();
    }
    if (_thread.joinable()) {
        _thread.join();
    }
}

void notifier::put(letter one) {
    const std::lock_guard hold(_mutex);
    if (_queue.size() >= most_queued) {
        ++_dropped;
        return;
    }
    _queue.push_back(std::move(one));
    _changed.notify_all();
}

void notifier::tell(const notice& what, const notices& to, const std::string& webhook_secret) {
    letter one;
    one.what = what;
    one.due = std::chrono::steady_clock::now();
    if (!to.webhook.empty()) {
        one.url = to.webhook;
        one.secret = webhook_secret;
        put(one);
    }
    if (!to.emails.empty() && !_options.mail.host.empty()) {
        one.mail = true;
        one.to = to.emails;
        put(std::move(one));
    }
}

tl::expected<void, std::string> notifier::send(const letter& one) const {
    if (one.mail) {
        return send_mail(_options.mail, one.to, notice_message(one.what, _options.mail, one.to));
    }
    const std::string body = notice_json(one.what);
    const std::string signature =
        one.secret.empty() ? std::string()
                           : webhook_signature(one.secret, static_cast<std::int64_t>(std::time(nullptr)), body);
    return post_webhook(one.url, body, signature, _options.may_reach);
}

void notifier::run() {
    std::unique_lock hold(_mutex);
    while (!_stop) {
        const auto first = std::ranges::min_element(_queue, {}, &letter::due);
        if (first == _queue.end()) {
            _changed.wait(hold);
            continue;
        }
        const auto due = first->due;
        if (due > std::chrono::steady_clock::now()) {
            _changed.wait_until(hold, due);
            continue;
        }
        letter one = std::move(*first);
        _queue.erase(first);
        hold.unlock();
        const auto done = send(one);
        if (done) {
            ++_sent;
        } else if (++one.attempts >= most_attempts) {
            ++_failed;
            process::log(process::level::error, "notice_failed",
                         {{"event", one.what.event},
                          {"source", one.what.source},
                          {"way", one.mail ? "e-mail" : "webhook"},
                          {"reason", done.error()}});
        }
        hold.lock();
        if (!done && one.attempts < most_attempts && _queue.size() < most_queued) {
            one.due = std::chrono::steady_clock::now() + pauses.at(one.attempts);
            _queue.push_back(std::move(one));
        }
    }
}

}  // namespace postern::sync
