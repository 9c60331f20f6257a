#include "control/agent/memory.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace postern::agent {
namespace {

constexpr std::size_t longest = 1U << 20U;

std::string path_in(const std::string& folder) {
    return folder + "/memory.json";
}

}  // namespace

memory parse_memory(std::string_view text, const std::string& of) {
    boost::json::error_code failed;
    const boost::json::value parsed = boost::json::parse(text, failed);
    if (failed || !parsed.is_object()) {
        return {of, 0, ""};
    }
    const boost::json::object& from = parsed.get_object();
    const boost::json::value* const whose = from.if_contains("of");
    const boost::json::value* const sequence = from.if_contains("sequence");
    const boost::json::value* const cookie = from.if_contains("cookie");
    if (whose == nullptr || !whose->is_string() || whose->get_string() != of || sequence == nullptr ||
        !sequence->is_int64() || sequence->get_int64() <= 0 || cookie == nullptr || !cookie->is_string()) {
        return {of, 0, ""};
    }
    return {of, static_cast<std::uint64_t>(sequence->get_int64()), std::string(cookie->get_string())};
}

memory recall(const std::string& folder, const std::string& of) {
    const auto text = process::read_file(path_in(folder), longest);
    return text ? parse_memory(*text, of) : memory{of, 0, ""};
}

process::result<void> keep(const std::string& folder, const memory& what) {
    return process::replace_file(path_in(folder),
                                 boost::json::serialize(boost::json::object{
                                     {"of", what.of}, {"sequence", what.sequence}, {"cookie", what.cookie}}) +
                                     '\n',
                                 0600);
}

}  // namespace postern::agent
