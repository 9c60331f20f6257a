#include "control/cli/context.h"

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>

#include "board/process/files.h"

namespace postern::cli {
namespace {

constexpr std::size_t longest_token = 4096;

/// Columns that a terminal uses for the text: characters, not octets.
std::size_t width(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// What a list holds may come from anywhere; a terminal gets no control characters of it.
std::string harmless(std::string_view text) {
    std::string out(text);
    std::replace_if(
        out.begin(), out.end(),
        [](char c) {
            const auto octet = static_cast<unsigned char>(c);
            return octet < 0x20 || octet == 0x7F;
        },
        '?');
    return out;
}

std::string scalar(const boost::json::value& value) {
    if (value.is_null()) {
        return {};
    }
    if (value.is_string()) {
        return harmless({value.get_string().data(), value.get_string().size()});
    }
    if (value.is_bool()) {
        return value.get_bool() ? "yes" : "no";
    }
    if (value.is_array()) {
        std::string out;
        for (const boost::json::value& each : value.get_array()) {
            out += (out.empty() ? "" : " ") + scalar(each);
        }
        return out;
    }
    return harmless(boost::json::serialize(value));
}

void show_problem(const reply& from) {
    boost::json::error_code error;
    const boost::json::value parsed = boost::json::parse(from.body, error);
    if (error || !parsed.is_object()) {
        std::cerr << "posternctl: the server answers " << from.status << '\n';
        return;
    }
    const boost::json::object& problem = parsed.get_object();
    std::cerr << "posternctl: " << text_of(problem, "detail") << '\n';
    const boost::json::value* const errors = problem.if_contains("errors");
    if (errors == nullptr || !errors->is_array() || errors->get_array().size() < 2) {
        return;
    }
    for (const boost::json::value& each : errors->get_array()) {
        if (each.is_object()) {
            std::cerr << "  " << text_of(each.get_object(), "pointer") << ": " << text_of(each.get_object(), "detail")
                      << '\n';
        }
    }
}

}  // namespace

std::string encoded(std::string_view part) {
    std::string out;
    for (const char c : part) {
        const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                c == '-' || c == '.' || c == '_' || c == '~' || c == '@';
        if (unreserved) {
            out += c;
        } else {
            const auto octet = static_cast<unsigned char>(c);
            out += '%';
            out += "0123456789ABCDEF"[octet >> 4U];
            out += "0123456789ABCDEF"[octet & 15U];
        }
    }
    return out;
}

target& target::add(std::string_view name, std::string_view value) {
    _text += (_has_query ? "&" : "?") + std::string(name) + "=" + encoded(value);
    _has_query = true;
    return *this;
}

target& target::add_if(std::string_view name, const std::string& value) {
    return value.empty() ? *this : add(name, value);
}

void context::fail(cli::status with, const std::string& message) {
    std::cerr << "posternctl: " << message << '\n';
    throw stop{with};
}

void context::need_token() {
    if (!client.token.empty()) {
        return;
    }
    auto read = process::read_file(token_file, longest_token);
    if (!read) {
        fail(status::token, read.error() + "; name the file with your token (--token-file, POSTERN_TOKEN_FILE)");
    }
    client.token = read->substr(0, read->find_first_of(" \t\r\n"));
    const bool good = !client.token.empty() && std::all_of(client.token.begin(), client.token.end(),
                                                           [](char c) { return c > 0x20 && c < 0x7F; });
    if (!good) {
        fail(status::token, token_file + " does not hold a token");
    }
}

reply context::raw(call_options what) {
    need_token();
    if (!reason.empty() && what.method != "GET") {
        what.fields.emplace_back("Postern-Reason", reason);
    }
    auto got = perform(client, what);
    if (!got) {
        fail(status::unreachable, got.error());
    }
    if (got->status >= 300) {
        show_problem(*got);
        throw stop{got->status == 401 || got->status == 403 ? status::token : status::refused};
    }
    return std::move(*got);
}

boost::json::value context::parse(const reply& from) const {
    if (from.status == 204 || from.body.empty()) {
        return boost::json::object();
    }
    boost::json::error_code error;
    boost::json::value parsed = boost::json::parse(from.body, error);
    if (error || !parsed.is_object()) {
        fail(status::unreachable, client.url + " does not answer like Postern's API");
    }
    return parsed;
}

boost::json::object context::get(const target& from) {
    call_options what;
    what.target = from.text();
    return parse(raw(std::move(what))).as_object();
}

boost::json::array context::list(target from, std::size_t limit) {
    boost::json::array out;
    std::string cursor;
    const std::size_t page = limit == 0 ? 1000 : std::min<std::size_t>(limit, 1000);
    from.add("limit", std::to_string(page));
    do {
        target next = from;
        next.add_if("cursor", cursor);
        const boost::json::object body = get(next);
        const boost::json::value* const items = body.if_contains("items");
        for (const boost::json::value& each :
             items != nullptr && items->is_array() ? items->get_array() : boost::json::array{}) {
            if (limit == 0 || out.size() < limit) {
                out.push_back(each);
            }
        }
        cursor = text_of(body, "next");
    } while (!cursor.empty() && (limit == 0 || out.size() < limit));
    return out;
}

boost::json::object context::change(const std::string& method, target to, const boost::json::object* body) {
    call_options what;
    what.method = method;
    if (wait) {
        to.add("wait", "in_force");
    }
    what.target = to.text();
    if (body != nullptr) {
        what.body = boost::json::serialize(*body);
        what.content_type = "application/json";
    }
    const reply got = raw(std::move(what));
    _change = got.field("Postern-Change");
    _in_force = got.field("Postern-In-Force");
    return parse(got).as_object();
}

boost::json::object context::act(const std::string& method, const target& to) {
    call_options what;
    what.method = method;
    what.target = to.text();
    return parse(raw(std::move(what))).as_object();
}

std::string context::change_note() const {
    if (_change.empty()) {
        return {};
    }
    const std::string_view force = _in_force == "true"    ? ", in force"
                                   : _in_force == "false" ? ", not in force everywhere yet: see posternctl status"
                                                          : "";
    return " (change " + _change + std::string(force) + ")";
}

void context::show(const boost::json::value& whole, const std::function<void()>& people) const {
    if (json) {
        std::cout << boost::json::serialize(whole) << '\n';
    } else {
        people();
    }
}

void context::say(const std::string& line) const {
    if (!json) {
        std::cout << line << '\n';
    }
}

const boost::json::array& array_of(const boost::json::object& from, std::string_view name) {
    static const boost::json::array none;
    const boost::json::value* const found = from.if_contains(name);
    return found != nullptr && found->is_array() ? found->get_array() : none;
}

const boost::json::object& object_of(const boost::json::object& from, std::string_view name) {
    static const boost::json::object none;
    const boost::json::value* const found = from.if_contains(name);
    return found != nullptr && found->is_object() ? found->get_object() : none;
}

std::string text_of(const boost::json::object& from, std::string_view name) {
    const boost::json::value* const found = from.if_contains(name);
    return found == nullptr ? std::string() : scalar(*found);
}

void print_table(const boost::json::array& rows, const std::vector<std::pair<std::string, std::string>>& columns) {
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> widths;
    cells.emplace_back();
    for (const auto& [member, title] : columns) {
        cells.back().push_back(title);
        widths.push_back(width(title));
    }
    for (const boost::json::value& row : rows) {
        if (!row.is_object()) {
            continue;
        }
        cells.emplace_back();
        for (std::size_t at = 0; at < columns.size(); ++at) {
            cells.back().push_back(text_of(row.get_object(), columns[at].first));
            widths[at] = std::max(widths[at], width(cells.back().back()));
        }
    }
    for (const auto& row : cells) {
        std::string line;
        for (std::size_t at = 0; at < row.size(); ++at) {
            line += row[at];
            if (at + 1 < row.size()) {
                line.append(widths[at] - width(row[at]) + 2, ' ');
            }
        }
        line.erase(line.find_last_not_of(' ') + 1);
        std::cout << line << '\n';
    }
}

void print_members(const boost::json::object& of) {
    for (const auto& member : of) {
        const bool nested =
            member.value().is_object() || (member.value().is_array() && !member.value().get_array().empty() &&
                                           member.value().get_array().front().is_object());
        const std::string text = nested ? std::string() : scalar(member.value());
        if (!text.empty()) {
            std::cout << std::string_view(member.key()) << ": " << text << '\n';
        }
    }
}

}  // namespace postern::cli
