// The options of `posternctl source add`, `set` and `test` that fill a source's members in the API's JSON.
#pragma once

#include <CLI/App.hpp>
#include <boost/json/object.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace postern::cli {

/// "head-office" is short for "ldap:head-office" (or another `type`); a number is an id.
std::string full_source_name(const std::string& name, const std::string& type = "ldap");

/// What was given, by option.
using given_options = std::map<std::string, std::vector<std::string>>;

/// `everything` false: only what a test of a connection takes (settings and secrets).
std::shared_ptr<given_options> add_source_options(CLI::App& to, bool everything);

/// A file's content ("-": the standard input); a secret without the line ends behind it. Ends the command if it can't
/// be read.
std::string read_whole(const std::string& file, bool secret);

/// The body's members: {"enabled": …, "settings": {…}, "secrets": {…}, …}; reads the files that are named ("-": the
/// standard input), and ends the command with what is wrong.
boost::json::object source_body(const given_options& from);

}  // namespace postern::cli
