// Reads and checks a source's settings, whatever its protocol: JSON members into values, and the first that is wrong in
// words.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace postern::sources {

struct settings_error {
    std::string member;  ///< "servers", "alias_attributes"
    std::string text;    ///< what is wrong, with the value, and what to do
};
using settings_check = tl::expected<void, settings_error>;

tl::unexpected<settings_error> wrong_setting(std::string member, std::string text);

/// Takes members into settings that have their default values; the first that is wrong is kept.
class settings_reader {
public:
    explicit settings_reader(const boost::json::object& from) : _from(from) {}

    void text(std::string_view name, std::string& to);
    void flag(std::string_view name, bool& to);
    void number(std::string_view name, std::uint32_t& to);
    void texts(std::string_view name, std::vector<std::string>& to);
    /// One of `all`, by its `to_string`.
    template <class Word>
    void word(std::string_view name, Word& to, std::initializer_list<Word> all) {
        std::string read(to_string(to));
        text(name, read);
        std::string words;
        for (const Word each : all) {
            if (read == to_string(each)) {
                to = each;
                return;
            }
            words += (words.empty() ? "\"" : ", \"") + std::string(to_string(each)) + "\"";
        }
        refuse(name, "\"" + read + "\" is none of " + words);
    }
    /// A member that is kept apart from the others, and must not be here.
    void secret(std::string_view name);
    void refuse(std::string_view name, std::string text);
    bool has(std::string_view name) const;
    /// Also refuses members that nobody asked for.
    std::optional<settings_error> finish();

private:
    const boost::json::value* take(std::string_view name);

    const boost::json::object& _from;
    std::vector<std::string_view> _known;
    std::size_t _taken = 0;
    std::optional<settings_error> _wrong;
};

/// A source's secrets, a JSON object of texts ("" for none), into the values of those names.
struct named_secret {
    std::string_view name;
    std::string& value;
};
/// `kind` for the sentence: "an LDAP source".
settings_check read_secrets(std::string_view text, std::string_view kind, std::initializer_list<named_secret> all);

boost::json::array to_array(const std::vector<std::string>& from);

struct number_bounds {
    const char* member;
    std::uint32_t value;
    std::uint32_t least;
    std::uint32_t most;
};
settings_check check_numbers(std::span<const number_bounds> all);
/// Empty, or certificates in PEM form.
settings_check check_certificates(const char* member, std::string_view pem);
/// At most 64 patterns of at most 1024 octets.
settings_check check_patterns(const char* member, const std::vector<std::string>& patterns);

}  // namespace postern::sources
