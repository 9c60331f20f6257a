#include "smtp/judge/rspamd_answer.h"

#include <algorithm>
#include <array>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cmath>
#include <cstdio>
#include <optional>

#include "smtp/judge/finding.h"

namespace postern::judge {
namespace {

namespace json = boost::json;

constexpr std::size_t longest_name = 60;

/// A name of rspamd's, shortened, for people.
std::string plain(std::string_view text) {
    std::string out(text.substr(0, longest_name));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

std::optional<double> number(const json::object& in, std::string_view key) {
    const json::value* const found = in.if_contains(key);
    if (found == nullptr || !found->is_number()) {
        return std::nullopt;
    }
    const double value = found->to_number<double>();
    return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

/// The symbol that weighs most; empty: none weighs anything.
std::string heaviest_symbol(const json::object& in) {
    const json::value* const symbols = in.if_contains("symbols");
    std::string name;
    double most = 0;
    if (symbols == nullptr || !symbols->is_object()) {
        return name;
    }
    for (const auto& [key, value] : symbols->get_object()) {
        const double score = value.is_object() ? number(value.get_object(), "score").value_or(0) : 0;
        if (score > most || (name.empty() && key == "GTUBE")) {  // GTUBE rejects without a score
            most = score;
            name = plain(key);
        }
    }
    return name;
}

std::string two_digits(double value) {
    std::array<char, 32> out{};
    const int size = std::snprintf(out.data(), out.size(), "%.2f", std::clamp(value, -1e9, 1e9));
    return {out.data(), static_cast<std::size_t>(std::max(size, 0))};
}

opinion opinion_of(std::string_view action) noexcept {
    constexpr std::array<std::string_view, 5> bad{"reject", "add header", "rewrite subject", "discard", "quarantine"};
    if (action == "no action") {
        return opinion::good;
    }
    return std::find(bad.begin(), bad.end(), action) != bad.end() ? opinion::bad : opinion::undecided;
}

}  // namespace

tl::expected<verdict, std::string> read_rspamd_answer(std::string_view body) {
    if (body.size() > longest_rspamd_answer) {
        return tl::unexpected(std::string("it answers with too much"));
    }
    boost::system::error_code problem;
    const json::value parsed = json::parse({body.data(), body.size()}, problem);
    if (problem || !parsed.is_object()) {
        return tl::unexpected(std::string("its answer is not a JSON object"));
    }
    const json::object& in = parsed.get_object();
    if (const json::value* const error = in.if_contains("error"); error != nullptr && error->is_string()) {
        return tl::unexpected("it says: " + plain(error->get_string()));
    }
    const json::value* const action = in.if_contains("action");
    if (action == nullptr || !action->is_string()) {
        return tl::unexpected(std::string("its answer has no action; the URL must be that of /checkv2"));
    }
    verdict out{opinion_of(action->get_string()), {}};
    if (out.opinion == opinion::good) {
        const json::value* const skipped = in.if_contains("is_skipped");
        const bool looked_at = skipped == nullptr || !skipped->is_bool() || !skipped->get_bool();
        return looked_at ? out : verdict{opinion::undecided, "skipped"};
    }
    out.why = plain(action->get_string());
    if (const std::string symbol = heaviest_symbol(in); !symbol.empty()) {
        out.why += ": " + symbol;
    }
    const auto score = number(in, "score");
    const auto required = number(in, "required_score");
    if (score && required) {
        out.why += ", score " + two_digits(*score) + " of " + two_digits(*required);
    }
    out.why.resize(std::min(out.why.size(), finding::longest_why));
    return out;
}

}  // namespace postern::judge
