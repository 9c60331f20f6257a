#include "tests/wire/relay_command.h"

#include <charconv>
#include <optional>
#include <sstream>
#include <vector>

#include "dataplane/tcp/segment.h"

namespace postern::wire {
namespace {

namespace flag = tcp::flag;

std::optional<std::uint64_t> number_of(std::string_view text) {
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(out) : std::nullopt;
}

std::string refusal(const std::string& why) {
    return R"({"ok": false, "error": ")" + why + "\"}";
}

bool matches(std::string_view kind, const crossing& c) {
    if (kind == "any") {
        return true;
    }
    if (!c.tcp) {
        return false;
    }
    constexpr std::uint8_t ends = flag::syn | flag::fin | flag::rst;
    return (kind == "syn" && (c.flags & (flag::syn | flag::ack)) == flag::syn) ||
           (kind == "syn-ack" && (c.flags & (flag::syn | flag::ack)) == (flag::syn | flag::ack)) ||
           (kind == "fin" && (c.flags & flag::fin) != 0) || (kind == "rst" && (c.flags & flag::rst) != 0) ||
           (kind == "ack" && (c.flags & ends) == 0 && c.payload == 0) || (kind == "data" && c.payload != 0);
}

bool is_kind(std::string_view kind) {
    for (const std::string_view known : {"any", "syn", "syn-ack", "fin", "rst", "ack", "data"}) {
        if (kind == known) {
            return true;
        }
    }
    return false;
}

std::string add_rule(relay& r, const std::vector<std::string>& words) {
    const deed does = words[0] == "drop"        ? deed::drop
                      : words[0] == "duplicate" ? deed::duplicate
                      : words[0] == "hold"      ? deed::hold
                                                : deed::corrupt;
    const std::size_t what = does == deed::hold ? 3 : 2;
    const auto times = words.size() == what + 2 ? number_of(words[1]) : std::nullopt;
    const auto held = does == deed::hold && times ? number_of(words[2]) : std::optional<std::uint64_t>(0);
    if (!times || !held || !is_kind(words[what + 1]) ||
        (words[what] != "near" && words[what] != "far" && words[what] != "both")) {
        return refusal(
            "a rule is: drop|duplicate|corrupt N near|far|both KIND, or hold N MILLISECONDS near|far|both KIND");
    }
    tamper_rule<crossing> rule;
    rule.times = static_cast<unsigned>(*times);
    rule.does = does;
    rule.held = std::chrono::milliseconds(*held);
    rule.matches = [side = words[what], kind = words[what + 1]](const crossing& c) {
        return (side == "both" || (side == "near") == c.from_near) && matches(kind, c);
    };
    r.path().rules.push_back(std::move(rule));
    return R"({"ok": true})";
}

std::string change_path(relay& r, const std::vector<std::string>& words) {
    path p;
    p.delay = shard::instant::zero();
    for (std::size_t i = 1; i < words.size(); ++i) {
        const std::string_view word = words[i];
        const std::size_t equals = word.find('=');
        const auto value = equals == std::string_view::npos ? std::nullopt : number_of(word.substr(equals + 1));
        const std::string_view name = word.substr(0, equals);
        if (!value) {
            return refusal("path takes NAME=NUMBER");
        }
        const auto share = static_cast<unsigned>(*value);
        if (name == "lost") {
            p.lost = share;
        } else if (name == "duplicated") {
            p.duplicated = share;
        } else if (name == "reordered") {
            p.reordered = share;
        } else if (name == "corrupted") {
            p.corrupted = share;
        } else if (name == "delay_ms") {
            p.delay = std::chrono::milliseconds(*value);
        } else if (name == "rate") {
            p.rate = *value;
        } else {
            return refusal("path knows lost, duplicated, reordered, corrupted, delay_ms and rate");
        }
    }
    r.path().change(p);
    return R"({"ok": true})";
}

}  // namespace

std::string obey(relay& r, std::string_view line) {
    std::vector<std::string> words;
    std::istringstream in{std::string(line)};
    for (std::string word; in >> word;) {
        words.push_back(word);
    }
    if (words.empty()) {
        return refusal("nothing was said");
    }
    if (words[0] == "path") {
        return change_path(r, words);
    }
    if (words[0] == "drop" || words[0] == "duplicate" || words[0] == "hold" || words[0] == "corrupt") {
        return add_rule(r, words);
    }
    if (words[0] == "clear") {
        r.path().rules.clear();
        return change_path(r, {"path"});
    }
    if (words[0] == "counts") {
        const auto& p = r.path();
        return R"({"ok": true, "crossed": )" + std::to_string(p.crossed) + R"(, "dropped": )" +
               std::to_string(p.dropped) + R"(, "corrupted": )" + std::to_string(p.corrupted) + "}";
    }
    return refusal("the commands are path, drop, duplicate, hold, corrupt, clear and counts");
}

}  // namespace postern::wire
