// What goes wrong, as clients of MailRoute's API expect it: {"error": "…"}, and for values that can't be taken
// {"email_account": {"localpart": ["This field is required."]}}.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "control/api/message.h"
#include "control/api/problem.h"
#include "control/directory/error.h"

namespace postern::mailroute {

template <class T>
using result = tl::expected<T, api::response>;

struct resource;

struct field_error {
    std::string field;  ///< "__all__": of the object as a whole
    std::string text;
};

inline constexpr std::string_view whole_object = "__all__";
inline constexpr std::string_view required_text = "This field is required.";

/// `text` says what was wrong and what to do.
api::response refusal(unsigned status, std::string_view text);
tl::unexpected<api::response> refuse(unsigned status, std::string_view text);
tl::unexpected<api::response> refuse(const resource& of, const std::vector<field_error>& errors);
tl::unexpected<api::response> refuse(const resource& of, std::string_view field, std::string text);
/// The API's own problem in this one's form.
api::response refusal(const api::problem& error);

/// Names that the directory blames, and the fields that stand for them here.
using field_names = std::initializer_list<std::pair<std::string_view, std::string_view>>;
tl::unexpected<api::response> refuse(const resource& of, const directory::error& error, field_names names);
/// For what no field can be blamed of.
tl::unexpected<api::response> refuse(const directory::error& error);

}  // namespace postern::mailroute
