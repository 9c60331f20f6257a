#include "control/sources/push/lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <vector>

#include "board/process/files.h"
#include "smtp/recipients/kind_words.h"
#include "smtp/recipients/unicode.h"

namespace postern::sources::push {
namespace {

using boost::json::object;
using boost::json::value;

constexpr std::size_t read_size = 256U << 10U;
constexpr std::size_t deepest = 4;
constexpr std::size_t longest_shown = 100;

std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, longest_shown)) {
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
    return out;
}

/// A name as a line can carry it: cut between characters, what is no UTF-8 made visible.
std::string fitting(std::string_view text) {
    std::size_t size = std::min(text.size(), longest_name);
    while (size < text.size() && size != 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) {
        --size;
    }
    std::string out(text.substr(0, size));
    if (!recipients::unicode::is_utf8(out)) {
        std::replace_if(
            out.begin(), out.end(), [](char c) { return static_cast<unsigned char>(c) > 0x7f; }, '?');
    }
    return out;
}

/// Takes members of one line; the first that is wrong is kept.
class line_reader {
public:
    explicit line_reader(const object& from) : _from(from) {}

    const value* take(std::string_view name) {
        const value* const found = _from.if_contains(name);
        _taken += found == nullptr ? 0 : 1;
        return found == nullptr || found->is_null() ? nullptr : found;
    }
    void text(std::string_view name, std::string& to, std::size_t most) {
        if (const value* const found = take(name)) {
            if (!found->is_string() || found->get_string().size() > most) {
                return refuse(name, "is not a string of at most " + std::to_string(most) + " octets");
            }
            to = found->get_string();
        }
    }
    void flag(std::string_view name, bool& to) {
        if (const value* const found = take(name)) {
            if (!found->is_bool()) {
                return refuse(name, "is not true or false");
            }
            to = found->get_bool();
        }
    }
    void refuse(std::string_view name, const std::string& text) {
        if (wrong.empty()) {
            wrong = "\"" + std::string(name) + "\" " + text;
        }
    }
    void finish(std::initializer_list<std::string_view> known) {
        if (_taken == _from.size() || !wrong.empty()) {
            return;
        }
        for (const auto& member : _from) {
            if (std::find(known.begin(), known.end(), std::string_view(member.key())) == known.end()) {
                return refuse(shown(member.key()), "is no member of a line");
            }
        }
    }

    std::string wrong;

private:
    const object& _from;
    std::size_t _taken = 0;
};

void read_aliases(line_reader& given, std::vector<std::string>& to) {
    const value* const found = given.take("aliases");
    if (found == nullptr) {
        return;
    }
    if (!found->is_array() || found->get_array().size() > most_aliases) {
        return given.refuse("aliases", "is not an array of at most " + std::to_string(most_aliases) + " addresses");
    }
    to.reserve(found->get_array().size());
    for (const value& each : found->get_array()) {
        if (!each.is_string() || each.get_string().empty() || each.get_string().size() > longest_address) {
            return given.refuse("aliases", "has something else than addresses of at most " +
                                               std::to_string(longest_address) + " octets");
        }
        to.emplace_back(each.get_string());
    }
}

void read_person(line_reader& given, directory_entry& to) {
    given.text("id", to.identity, longest_id);
    given.text("name", to.name, longest_name);
    given.text("address", to.address, longest_address);
    given.text("first_name", to.first_name, longest_name);
    given.text("last_name", to.last_name, longest_name);
    given.flag("internal_only", to.internal_only);
    read_aliases(given, to.aliases);
    std::string word;
    given.text("kind", word, longest_name);
    if (!word.empty()) {
        const auto kind = recipients::parse_kind(word);
        if (!kind || *kind == recipients::mailbox_kind::alias) {
            given.refuse("kind", "\"" + shown(word) + "\" is not user, shared, resource, list or unclassified");
        } else {
            to.kind = *kind;
        }
    }
    if (to.address.empty()) {
        given.refuse("address", "is missing");
    }
    if (to.identity.empty()) {
        to.identity = to.address;
        std::transform(to.identity.begin(), to.identity.end(), to.identity.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    }
    given.finish({"id", "name", "address", "first_name", "last_name", "internal_only", "aliases", "kind", "gone"});
}

/// Cuts lines out of what is read.
class line_cutter {
public:
    explicit line_cutter(const octet_source& from) : _from(from), _octets(read_size) {}

    /// The next line; nullptr data at the end. Valid until the next call.
    tl::expected<std::string_view, std::string> next() {
        while (true) {
            const std::string_view left(_octets.data() + _begin, _end - _begin);
            const std::size_t end = left.find('\n', _seen);
            if (std::min(end, left.size()) > longest_line) {
                return tl::unexpected("is longer than " + std::to_string(longest_line) + " octets");
            }
            if (end != std::string_view::npos) {
                _begin += end + 1;
                _seen = 0;
                return trimmed(left.substr(0, end));
            }
            if (_over) {
                _begin = _end;
                return left.empty() ? std::string_view() : trimmed(left);
            }
            _seen = left.size();
            if (auto more = fill(); !more) {
                return tl::unexpected(std::move(more.error()));
            }
        }
    }
    bool is_over() const { return _over && _begin == _end; }

private:
    static std::string_view trimmed(std::string_view line) {
        return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
    }
    tl::expected<void, std::string> fill() {
        std::copy(_octets.begin() + static_cast<std::ptrdiff_t>(_begin),
                  _octets.begin() + static_cast<std::ptrdiff_t>(_end), _octets.begin());
        _end -= _begin;
        _begin = 0;
        if (_octets.size() - _end < read_size / 2) {
            _octets.resize(_octets.size() * 2);
        }
        const auto got = _from(_octets.data() + _end, _octets.size() - _end);
        if (!got) {
            return tl::unexpected(got.error());
        }
        _over = *got == 0;
        _end += *got;
        return {};
    }

    const octet_source& _from;
    std::vector<char> _octets;
    std::size_t _begin = 0;
    std::size_t _end = 0;
    std::size_t _seen = 0;  ///< octets from _begin that have no line end
    bool _over = false;
};

}  // namespace

tl::expected<line, std::string> parse_line(std::string_view text) {
    boost::json::parse_options options;
    options.max_depth = deepest;
    boost::json::error_code failed;
    boost::json::monotonic_resource memory;
    const value parsed = boost::json::parse(text, failed, &memory, options);
    if (failed || !parsed.is_object()) {
        return tl::unexpected("is no JSON object" + (failed ? ": " + failed.message() : std::string()));
    }
    line out;
    line_reader given(parsed.get_object());
    if (const value* const end = given.take("end")) {
        boost::json::error_code wrong;
        out.what = line::kind::end;
        out.count = end->to_number<std::uint64_t>(wrong);
        if (wrong) {
            given.refuse("end", "is not the number of lines before it");
        }
        given.finish({"end"});
    } else {
        bool gone = false;
        given.flag("gone", gone);
        if (gone) {
            out.what = line::kind::gone;
            given.text("id", out.person.identity, longest_id);
            if (out.person.identity.empty()) {
                given.refuse("id", "is missing");
            }
            given.finish({"gone", "id"});
        } else {
            read_person(given, out.person);
        }
    }
    if (!given.wrong.empty()) {
        return tl::unexpected(std::move(given.wrong));
    }
    return out;
}

std::string to_line(const directory_entry& person) {
    object out;
    out["id"] = person.identity;
    if (!person.name.empty()) {
        out["name"] = fitting(person.name);
    }
    out["address"] = person.address;
    if (!person.aliases.empty()) {
        out["aliases"] = boost::json::array(person.aliases.begin(), person.aliases.end());
    }
    if (!person.first_name.empty()) {
        out["first_name"] = fitting(person.first_name);
    }
    if (!person.last_name.empty()) {
        out["last_name"] = fitting(person.last_name);
    }
    if (person.kind != recipients::mailbox_kind::user) {
        out["kind"] = recipients::to_string(person.kind);
    }
    if (person.internal_only) {
        out["internal_only"] = true;
    }
    return boost::json::serialize(out) + '\n';
}

std::string gone_line(std::string_view identity) {
    return boost::json::serialize(object{{"id", identity}, {"gone", true}}) + '\n';
}

std::string end_line(std::uint64_t count) {
    return "{\"end\":" + std::to_string(count) + "}\n";
}

tl::expected<std::uint64_t, read_error> read_lines(const octet_source& from, const std::function<bool(line&&)>& each) {
    line_cutter cutter(from);
    std::uint64_t number = 0;
    std::uint64_t count = 0;
    const auto fail = [&](std::string text) { return tl::unexpected(read_error{number, std::move(text)}); };
    while (true) {
        ++number;
        const auto text = cutter.next();
        if (!text) {
            return fail(text.error());
        }
        if (text->empty()) {
            if (!cutter.is_over()) {
                continue;
            }
            return tl::unexpected(
                read_error{0, "the list ends without its end line {\"end\": " + std::to_string(count) +
                                  "}: it was cut off, or its writer does not close it; nothing of it was taken"});
        }
        auto parsed = parse_line(*text);
        if (!parsed) {
            return fail(std::move(parsed.error()));
        }
        if (parsed->what == line::kind::end) {
            if (parsed->count != count) {
                return fail("the end line counts " + std::to_string(parsed->count) + " lines before it, but " +
                            std::to_string(count) + " came");
            }
            break;
        }
        ++count;
        if (!each(*std::move(parsed))) {
            return tl::unexpected(read_error{number, "stopped", true});
        }
    }
    while (!cutter.is_over()) {
        ++number;
        const auto text = cutter.next();
        if (!text || !text->empty()) {
            return fail("something follows the end line");
        }
    }
    return count;
}

tl::expected<std::uint64_t, read_error> read_file_lines(const std::string& path,
                                                        const std::function<bool(line&&)>& each) {
    const process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return tl::unexpected(read_error{0, process::errno_text("open", path, errno)});
    }
    const octet_source from = [&](char* to, std::size_t most) -> tl::expected<std::size_t, std::string> {
        while (true) {
            const ssize_t got = ::read(file.get(), to, most);
            if (got >= 0) {
                return static_cast<std::size_t>(got);
            }
            if (errno != EINTR) {
                return tl::unexpected(process::errno_text("read", path, errno));
            }
        }
    };
    return read_lines(from, each);
}

}  // namespace postern::sources::push
