#include "board/process/settings.h"

// The library asserts, in one place, what it then tells as an error ("[ # comment"): in every build it shall be the
// error.
#define TOML_ASSERT(expression) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace postern::process {
namespace {

const toml::table* as_table(const void* node) {
    return static_cast<const toml::table*>(node);
}

const toml::node* as_node(const void* node) {
    return static_cast<const toml::node*>(node);
}

std::uint32_t line_of(const toml::node& node) {
    return node.source().begin.line;
}

/// The value as the file would spell it, cut where it is too long to be read in a message.
std::string spelled(const toml::node& node) {
    constexpr std::size_t longest = 60;
    std::ostringstream out;
    if (const auto* text = node.as_string()) {
        out << '"' << text->get() << '"';
    } else if (const auto* integer = node.as_integer()) {
        out << integer->get();
    } else if (const auto* real = node.as_floating_point()) {
        out << real->get();
    } else if (const auto* yes = node.as_boolean()) {
        out << (yes->get() ? "true" : "false");
    } else if (node.is_table()) {
        out << "(a table)";
    } else if (node.is_array()) {
        out << "(an array)";
    } else {
        out << "(a date or time)";
    }
    std::string text = out.str();
    if (text.size() > longest) {
        text.resize(longest);
        text += "…";
    }
    return text;
}

std::string joined(const std::string& path, std::string_view key) {
    std::string whole = path;
    if (!whole.empty() && !key.empty()) {
        whole += '.';
    }
    whole += key;
    return whole;
}

template <class Words>
std::string listed(const Words& words, std::string_view quote) {
    std::string text;
    for (const auto& word : words) {
        if (!text.empty()) {
            text += ", ";
        }
        text += quote;
        text += word;
        text += quote;
    }
    return text;
}

}  // namespace

struct settings_file::content {
    toml::table root;
};

settings_file::settings_file(std::string_view text, std::string name)
    : _name(std::move(name)), _content(std::make_unique<content>()) {
    try {
        _content->root = toml::parse(text, std::string_view(_name));
    } catch (const toml::parse_error& problem) {
        _parsed = false;
        std::string what = "this is not TOML: ";
        what += problem.description();
        add_error(problem.source().begin.line, what);
    }
    add_node(&_content->root, "", 1);
}

settings_file::~settings_file() = default;

settings_section settings_file::root() {
    return settings_section(&_nodes.front());
}

settings_section::node* settings_file::add_node(const void* table, std::string path, std::uint32_t line) {
    return &_nodes.emplace_back(settings_section::node{this, table, std::move(path), line, {}});
}

void settings_file::add_error(std::uint32_t line, std::string_view what) {
    std::string text = _name;
    if (line != 0) {
        text += ':';
        text += std::to_string(line);
    }
    text += ": ";
    text += what;
    _errors.emplace_back(line, std::move(text));
}

std::vector<std::string> settings_file::finish(unknown_keys unknown) {
    for (const settings_section::node& section : _nodes) {
        if (section.table == nullptr || unknown == unknown_keys::left_alone) {
            continue;
        }
        for (const auto& [key, value] : *as_table(section.table)) {
            if (std::find(section.known.begin(), section.known.end(), key.str()) != section.known.end()) {
                continue;
            }
            std::string what = joined(section.path, key.str());
            what += value.is_table() || value.is_array_of_tables() ? ": there is no such section"
                                                                   : ": there is no such key";
            what += "; remove it, or use one of " + listed(section.known, "");
            add_error(key.source().begin.line, what);
        }
    }
    std::stable_sort(_errors.begin(), _errors.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<std::string> texts;
    texts.reserve(_errors.size());
    for (auto& [line, text] : _errors) {
        texts.push_back(std::move(text));
    }
    _errors.clear();
    return texts;
}

bool settings_section::has(std::string_view key) const {
    return _node->table != nullptr && as_table(_node->table)->contains(key);
}

const void* settings_section::find(std::string_view key) {
    _node->known.emplace_back(key);
    return _node->table == nullptr ? nullptr : as_table(_node->table)->get(key);
}

void settings_section::wrong(std::string_view key, const void* value, std::string_view what) {
    std::string text = joined(_node->path, key);
    text += " = ";
    text += spelled(*as_node(value));
    text += ": ";
    text += what;
    _node->file->add_error(line_of(*as_node(value)), text);
}

void settings_section::error(std::string_view key, std::string_view what) {
    if (_node->table != nullptr) {
        if (const toml::node* value = as_table(_node->table)->get(key)) {
            wrong(key, value, what);
            return;
        }
    }
    _node->file->add_error(_node->line, joined(_node->path, key) + ": " + std::string(what));
}

void settings_section::text(std::string_view key, std::string& out) {
    const void* value = find(key);
    if (value == nullptr) {
        return;
    }
    const auto* string = as_node(value)->as_string();
    if (string == nullptr) {
        wrong(key, value, "it must be a string; put it in double quotes");
    } else if (string->get().find('\0') != std::string::npos) {
        wrong(key, value, "it must not contain a NUL");
    } else {
        out = string->get();
    }
}

void settings_section::texts(std::string_view key, std::vector<std::string>& out) {
    const void* value = find(key);
    if (value == nullptr) {
        return;
    }
    const auto* array = as_node(value)->as_array();
    if (array == nullptr || (!array->empty() && !array->is_homogeneous(toml::node_type::string))) {
        wrong(key, value, "it must be an array of strings; write [\"one\", \"two\"]");
        return;
    }
    out.clear();
    for (const toml::node& element : *array) {
        out.push_back(element.as_string()->get());
    }
}

void settings_section::boolean(std::string_view key, bool& out) {
    const void* value = find(key);
    if (value == nullptr) {
        return;
    }
    if (const auto* yes = as_node(value)->as_boolean()) {
        out = yes->get();
    } else {
        wrong(key, value, "it must be true or false, without quotes");
    }
}

void settings_section::choice(std::string_view key, std::size_t& out, std::initializer_list<std::string_view> words) {
    const void* value = find(key);
    if (value == nullptr) {
        return;
    }
    if (const auto* string = as_node(value)->as_string()) {
        const auto* found = std::find(words.begin(), words.end(), string->get());
        if (found != words.end()) {
            out = static_cast<std::size_t>(found - words.begin());
            return;
        }
    }
    wrong(key, value, "it must be " + std::string(words.size() > 1 ? "one of " : "") + listed(words, "\""));
}

void settings_section::whole_number(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most) {
    const void* value = find(key);
    if (value == nullptr) {
        return;
    }
    const auto* integer = as_node(value)->as_integer();
    if (integer == nullptr) {
        wrong(key, value, "it must be a whole number, without quotes");
    } else if (integer->get() < least || integer->get() > most) {
        wrong(key, value, "it must be from " + std::to_string(least) + " to " + std::to_string(most));
    } else {
        out = integer->get();
    }
}

settings_section settings_section::table(std::string_view key) {
    const void* value = find(key);
    const toml::table* found = nullptr;
    std::uint32_t line = _node->line;
    if (value != nullptr) {
        found = as_node(value)->as_table();
        line = line_of(*as_node(value));
        if (found == nullptr) {
            wrong(key, value, "it must be a section; write [" + joined(_node->path, key) + "] on a line of its own");
        }
    }
    return settings_section(_node->file->add_node(found, joined(_node->path, key), line));
}

std::vector<settings_section> settings_section::tables(std::string_view key) {
    std::vector<settings_section> sections;
    const void* value = find(key);
    if (value == nullptr) {
        return sections;
    }
    const auto* array = as_node(value)->as_array();
    if (array == nullptr || (!array->empty() && !array->is_homogeneous(toml::node_type::table))) {
        wrong(key, value,
              "there may be several, so write [[" + joined(_node->path, key) + "]] with two brackets for each");
        return sections;
    }
    for (const toml::node& element : *array) {
        sections.push_back(
            settings_section(_node->file->add_node(element.as_table(), joined(_node->path, key), line_of(element))));
    }
    return sections;
}

}  // namespace postern::process
