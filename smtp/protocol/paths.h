// Paths in angle brackets and the parameters behind them, as MAIL and RCPT have them. RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2.
#pragma once

#include <optional>
#include <string_view>

namespace postern::protocol {

/// `<path> rest`, taken apart; views of the text it came from.
struct bracketed_path {
    std::string_view path;  ///< between the brackets, without a source route
    std::string_view rest;  ///< behind the closing bracket, spaces around it removed
};

/// Takes `text`, which begins with `<`, apart; a `>` in a quoted local part is not the end. Nothing if no bracket
/// closes it, or something other than a space follows the bracket.
std::optional<bracketed_path> split_path(std::string_view text) noexcept;

/// One parameter of MAIL or RCPT.
struct parameter {
    std::string_view keyword;
    std::string_view value;  ///< behind the `=`
    bool has_value = false;
};

/// Takes the next parameter off the front of `rest`. Nothing if it does not have the form of one; call it while `rest`
/// is not empty.
std::optional<parameter> next_parameter(std::string_view& rest) noexcept;

/// Whether `text` is `upper` (given in upper case) in any case.
bool is_word(std::string_view text, std::string_view upper) noexcept;

/// Without spaces at both ends.
std::string_view trimmed(std::string_view text) noexcept;

}  // namespace postern::protocol
