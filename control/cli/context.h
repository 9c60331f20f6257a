// What every command of posternctl works with: the options, requests with their errors shown, and output.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/cli/http_client.h"

namespace postern::cli {

/// Exit statuses (posternctl(1)).
enum class status : int {
    done = 0,
    refused = 1,      ///< the API refused or failed
    usage = 2,        ///< the command line is wrong
    unreachable = 3,  ///< no connection, no TLS, no answer
    token = 4,        ///< no token, an unknown one, or its role does not allow it
    bad_rows = 5,     ///< imported, but for rows with errors
};

/// Ends the command; the message was shown.
struct stop {
    cli::status with;
};

/// Query parameters in order, encoded when asked for.
class target {
public:
    explicit target(std::string path) : _text(std::move(path)) {}
    target& add(std::string_view name, std::string_view value);
    target& add_if(std::string_view name, const std::string& value);  ///< unless empty
    const std::string& text() const noexcept { return _text; }

private:
    std::string _text;
    bool _has_query = false;
};

std::string encoded(std::string_view part);  ///< one part of a path

class context {
public:
    client_options client;
    std::string token_file;
    std::string reason;
    bool json = false;
    bool wait = false;

    boost::json::object get(const target& from);
    /// Every item of a list, page by page, at most `limit` (0: all).
    boost::json::array list(target from, std::size_t limit);
    /// POST, PATCH or DELETE with `?wait=in_force` if asked for; an empty object for 204.
    boost::json::object change(const std::string& method, target to, const boost::json::object* body);
    /// POST or DELETE of what changes no list (a probe, an import's course).
    boost::json::object act(const std::string& method, const target& to);
    reply raw(call_options what);  ///< any answer but an error
    boost::json::object parsed(const reply& from) const { return parse(from).as_object(); }

    /// The last change's number and whether it is in force, for people: " (change 17, in force)".
    std::string change_note() const;

    /// With --json the object as it is, else what `people` writes.
    void show(const boost::json::value& whole, const std::function<void()>& people) const;
    /// A line for people only.
    void say(const std::string& line) const;
    [[noreturn]] static void fail(cli::status with, const std::string& message);

private:
    void need_token();
    boost::json::value parse(const reply& from) const;

    std::string _change;
    std::string _in_force;
};

/// Members that are an array or an object; an empty one for anything else.
const boost::json::array& array_of(const boost::json::object& from, std::string_view name);
const boost::json::object& object_of(const boost::json::object& from, std::string_view name);
std::string text_of(const boost::json::object& from, std::string_view name);  ///< any scalar as text; "" for null
/// Columns of members with their titles, aligned.
void print_table(const boost::json::array& rows, const std::vector<std::pair<std::string, std::string>>& columns);
/// "name: value" lines of the members that are no arrays or objects.
void print_members(const boost::json::object& of);

}  // namespace postern::cli
