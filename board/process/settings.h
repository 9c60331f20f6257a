// Configuration files (TOML): every key is read with its bounds, and what nobody asked for is an error.
//
// Values go into variables that hold their defaults. All errors of a file are gathered, each with file, line, key, the
// value and the remedy:  edge.toml:12: limits.recipients = 5: it must be from 100 to 100000
//     settings_file file(text, "edge.toml");
//     auto limits = file.root().table("limits");
//     limits.number("recipients", out.recipients, 100, 100'000);
//     … ; if (!file.finish().empty()) …
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::process {

class settings_file;

/// What is made of keys that nobody asked for.
enum class unknown_keys : std::uint8_t { refused, left_alone };

/// One table of the file; a table that the file does not have reads as an empty one. Copies are cheap; valid as long as
/// its file.
class settings_section {
public:
    bool present() const noexcept { return _node->table != nullptr; }
    /// True if the key is there; does not count as reading it.
    bool has(std::string_view key) const;

    void text(std::string_view key, std::string& out);
    /// An array of strings.
    void texts(std::string_view key, std::vector<std::string>& out);
    void boolean(std::string_view key, bool& out);
    /// One of `words`; `out` becomes its index.
    void choice(std::string_view key, std::size_t& out, std::initializer_list<std::string_view> words);
    template <std::integral T>
    void number(std::string_view key, T& out, T least, T most) {
        std::int64_t value = static_cast<std::int64_t>(out);
        whole_number(key, value, static_cast<std::int64_t>(least), static_cast<std::int64_t>(most));
        out = static_cast<T>(value);
    }

    settings_section table(std::string_view key);
    /// The elements of `[[key]]`; a single `[key]` is an error with its remedy.
    std::vector<settings_section> tables(std::string_view key);

    /// Adds an error about `key` (which may be absent: then the section's line is named).
    void error(std::string_view key, std::string_view what);

private:
    friend class settings_file;
    struct node {
        settings_file* file = nullptr;
        const void* table = nullptr;  ///< const toml::table*; null: not in the file
        std::string path;             ///< "limits"; empty for the root
        std::uint32_t line = 0;
        std::vector<std::string> known;
    };
    explicit settings_section(node* at) : _node(at) {}
    const void* find(std::string_view key);
    void wrong(std::string_view key, const void* value, std::string_view what);
    void whole_number(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most);

    node* _node;
};

class settings_file {
public:
    settings_file(std::string_view text, std::string name);
    ~settings_file();
    settings_file(const settings_file&) = delete;
    settings_file& operator=(const settings_file&) = delete;

    /// False: the text is not TOML; `finish` has the one error that says so.
    bool parsed() const noexcept { return _parsed; }
    settings_section root();
    /// All errors found so far and those of unknown keys, in the order of the file's lines. Call once, after reading.
    /// A program that reads part of another one's file leaves unknown keys alone.
    std::vector<std::string> finish(unknown_keys unknown = unknown_keys::refused);

private:
    friend class settings_section;
    struct content;
    settings_section::node* add_node(const void* table, std::string path, std::uint32_t line);
    void add_error(std::uint32_t line, std::string_view what);

    std::string _name;
    bool _parsed = true;
    std::unique_ptr<content> _content;
    std::deque<settings_section::node> _nodes;
    std::vector<std::pair<std::uint32_t, std::string>> _errors;
};

}  // namespace postern::process
