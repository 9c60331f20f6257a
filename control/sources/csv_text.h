// A CSV file's octets as UTF-8 text: encoding found from its beginning, then decoded piece by piece.
// RFC 3629 (UTF-8), RFC 2781 (UTF-16); Windows-1252 as the WHATWG encoding standard has it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::sources {

enum class encoding : std::uint8_t { utf8, utf16le, utf16be, windows1252 };
std::string_view to_string(encoding which) noexcept;

struct encoding_guess {
    sources::encoding encoding = encoding::utf8;
    bool bom = false;
    std::size_t bom_octets = 0;
    /// Nothing but ASCII was seen, so what comes later may be either: a field that is no UTF-8 is taken for
    /// Windows-1252.
    bool undecided = false;
};
/// `beginning` may end within a character unless it is the `whole` file.
encoding_guess guess_encoding(std::string_view beginning, bool whole);

/// Turns octets into UTF-8. Octets that make no character become U+FFFD (UTF-16) or stay as they are (UTF-8: the
/// field's check finds them).
class text_decoder {
public:
    explicit text_decoder(encoding from) : _from(from) {}
    void decode(std::string_view octets, std::string& to);
    /// At the file's end: what is left of a character becomes U+FFFD.
    void finish(std::string& to);

private:
    void unit(std::uint32_t code, std::string& to);
    encoding _from;
    int _half = -1;           ///< first octet of a UTF-16 unit
    std::uint32_t _high = 0;  ///< a high surrogate that waits for its low one
};

bool is_utf8(std::string_view text) noexcept;
std::string from_windows1252(std::string_view text);
/// At most `most` octets, cut between characters, control characters taken out; what is no UTF-8 read as Windows-1252.
std::string plain_text(std::string_view text, std::size_t most);

}  // namespace postern::sources
