// A relay port for tests: answers from a script, or by itself, and writes down all that it is told.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "smtp/relay/port.h"

namespace postern::session::testing {

inline relay::reply make_reply(std::string_view text) {
    relay::reply out;
    out.code = static_cast<std::uint16_t>((text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
    out.size = static_cast<std::uint16_t>(std::min(text.size(), out.text.size()));
    text.copy(out.text.data(), out.size);
    return out;
}

/// Content with its control octets made visible.
inline std::string visible(std::string_view octets) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    for (const char c : octets) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '\r') {
            out += "\\r";
        } else if (c == '\n') {
            out += "\\n";
        } else if (octet < 0x20 || octet > 0x7e) {
            out += "\\x";
            out += digits[octet >> 4U];
            out += digits[octet & 15U];
        } else {
            out += c;
        }
    }
    return out;
}

class fake_relay final : public relay::port {
public:
    /// Answers still to be given, oldest first; `nullopt` is silence. Without any: the answer of a server that takes
    /// everything.
    struct script {
        std::deque<std::optional<std::string>> recipient;
        std::deque<std::optional<std::string>> data;
        std::deque<std::optional<std::string>> final;
    };
    script answers;
    bool silent = false;  ///< without a script there is no answer
    bool accept_transactions = true;
    std::size_t room_left = SIZE_MAX;
    bool keeps_its_word = true;  ///< takes as much content as it has room for
    std::vector<std::string> log;

    bool begin(relay::transaction_id id, const std::shared_ptr<const recipients::route>& route,
               const relay::envelope& envelope) override {
        require(id.serial != 0, "a transaction without a serial");
        require(_open.find(id.slot) == _open.end(), "a second transaction of one session");
        require(!envelope.message_id.empty() && envelope.message_id.size() <= 32, "the length of a message's id");
        if (!accept_transactions) {
            log.emplace_back("begin refused");
            return false;
        }
        std::string line = "begin route=" + std::to_string(route->id) + " from=<" + std::string(envelope.reverse_path) +
                           "> " + (envelope.extended ? "ehlo=" : "helo=") + std::string(envelope.helo);
        if (envelope.declared_size != 0) {
            line += " size=" + std::to_string(envelope.declared_size);
        }
        if (envelope.body != relay::body_type::unspecified) {
            line += envelope.body == relay::body_type::seven_bit ? " body=7bit" : " body=8bitmime";
        }
        log.push_back(line);
        _open[id.slot].id = id;
        return true;
    }
    void recipient(relay::transaction_id id, std::string_view path, const relay::list_word& word) override {
        transaction& t = open(id);
        log.push_back("recipient <" + std::string(path) + "> " + (word.listed ? "listed" : "unlisted") +
                      (word.discovers ? ", domain " + std::to_string(word.domain) + " discovers" : ""));
        ++t.asked;
        if (const auto answer = next(answers.recipient, "250 2.1.5 OK")) {
            answer_recipient(*answer, id);
        }
    }
    void data(relay::transaction_id id) override {
        open(id).data_asked = true;
        log.emplace_back("data");
        if (const auto answer = next(answers.data, "354 Go ahead")) {
            answer_data(*answer, id);
        }
    }
    std::size_t room(relay::transaction_id id) const override {
        require(_open.count(id.slot) == 1 && _open.at(id.slot).in_data, "room outside of data");
        return room_left;
    }
    std::size_t chunk(relay::transaction_id id, std::span<const char> octets) override {
        transaction& t = open(id);
        require(t.in_data, "content outside of data");
        require(octets.size() <= room_left, "more content than there is room for");
        t.content.append(octets.data(), octets.size());
        if (room_left != SIZE_MAX) {
            room_left -= octets.size();
        }
        return keeps_its_word ? octets.size() : octets.size() - 1;
    }
    void end_of_data(relay::transaction_id id) override {
        transaction& t = open(id);
        require(t.in_data, "an end outside of data");
        note_content(t);
        log.emplace_back("end");
        t.in_data = false;
        t.end_told = true;
        if (const auto answer = next(answers.final, "250 2.0.0 Delivered")) {
            answer_final(*answer, id);
        }
    }
    void abandon(relay::transaction_id id) override {
        note_content(open(id));
        log.emplace_back("abandon");
        _open.erase(id.slot);
        // No event follows, not even one that was on its way.
        std::deque<relay::event> kept;
        for (const relay::event& e : _events) {
            if (!(e.id == id)) {
                kept.push_back(e);
            }
        }
        _events.swap(kept);
    }
    bool next_event(relay::event& out) override {
        if (_events.empty()) {
            return false;
        }
        out = _events.front();
        _events.pop_front();
        // A transaction that the server's side has ended is over when the session hears of it, not before.
        const auto found = _open.find(out.id.slot);
        if (found != _open.end() && found->second.id == out.id) {
            const bool refused_data = out.kind == relay::event_kind::data && out.reply.code != 354;
            found->second.in_data = found->second.in_data || (out.kind == relay::event_kind::data && !refused_data);
            if (refused_data || out.kind == relay::event_kind::final || out.kind == relay::event_kind::aborted) {
                _open.erase(found);
            }
        }
        return true;
    }
    bool idle() const override { return _events.empty(); }
    void flush() override {}

    // What the test makes the relay do of itself, to one transaction: the only one that is open unless it is named.

    using chosen = std::optional<relay::transaction_id>;
    void abort(std::string_view text, chosen which = {}) {
        const relay::transaction_id id = which.value_or(only());
        transaction& t = open(id);
        note_content(t);
        log.emplace_back("aborted");
        t.over = true;
        say(relay::event_kind::aborted, id, text);
    }
    void answer_recipient(std::string_view text, chosen which = {}) {
        const relay::transaction_id id = which.value_or(only());
        transaction& t = open(id);
        t.asked -= t.asked == 0 ? 0 : 1;
        say(relay::event_kind::recipient, id, text);
    }
    void answer_data(std::string_view text, chosen which = {}) {
        const relay::transaction_id id = which.value_or(only());
        transaction& t = open(id);
        t.data_asked = false;
        t.over = text.substr(0, 3) != "354";
        say(relay::event_kind::data, id, text);
    }
    void answer_final(std::string_view text, chosen which = {}) {
        const relay::transaction_id id = which.value_or(only());
        open(id).over = true;
        say(relay::event_kind::final, id, text);
    }
    void credit(std::size_t room, chosen which = {}) {
        room_left = room;
        relay::event e;
        e.kind = relay::event_kind::credit;
        e.count = 1;
        e.id = which.value_or(only());
        _events.push_back(e);
    }
    /// An event that nobody asked for.
    void stray(relay::event_kind kind, relay::transaction_id id, std::string_view text) {
        say(kind, id, std::string(text));
    }
    std::size_t open_transactions() const { return _open.size(); }
    /// What a transaction waits for, as far as the server's side has not ended it.
    struct wish {
        relay::transaction_id id;
        bool recipient = false;
        bool data = false;
        bool credit = false;
        bool final = false;
    };
    std::vector<wish> wishes() const {
        std::vector<wish> all;
        for (const auto& [slot, one] : _open) {
            if (!one.over) {
                all.push_back({one.id, one.asked != 0, one.data_asked, one.in_data, one.end_told});
            }
        }
        return all;
    }
    relay::transaction_id only() const {
        require(!_open.empty(), "no transaction is open");
        return _open.begin()->second.id;
    }

private:
    struct transaction {
        relay::transaction_id id;
        unsigned asked = 0;  ///< recipients without an answer
        bool data_asked = false;
        bool in_data = false;
        bool end_told = false;
        bool over = false;  ///< for the server; the session has not heard of it yet
        std::string content;
    };

    static void require(bool holds, const char* what) {
        if (!holds) {
            throw std::logic_error(std::string("relay: ") + what);
        }
    }
    transaction& open(relay::transaction_id id) {
        const auto found = _open.find(id.slot);
        require(found != _open.end() && found->second.id == id, "a transaction that is not open");
        return found->second;
    }
    void note_content(transaction& t) {
        if (t.in_data && !t.over) {
            log.push_back("content " + visible(t.content));
        }
    }
    std::optional<std::string> next(std::deque<std::optional<std::string>>& script, const char* usual) const {
        if (script.empty()) {
            return silent ? std::nullopt : std::optional<std::string>(usual);
        }
        std::optional<std::string> answer = std::move(script.front());
        script.pop_front();
        return answer;
    }
    void say(relay::event_kind kind, relay::transaction_id id, std::string_view text) {
        relay::event e;
        e.kind = kind;
        e.id = id;
        e.reply = make_reply(text);
        _events.push_back(e);
    }

    std::map<std::uint32_t, transaction> _open;  ///< by slot
    std::deque<relay::event> _events;
};

}  // namespace postern::session::testing
