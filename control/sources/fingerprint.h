// Tells whether settings changed that a fetch depends on: what stands in a cookie beside where the fetch ended.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace postern::sources {

class fingerprint_maker {
public:
    void add(std::string_view text);
    void add(const std::vector<std::string>& texts);
    /// 16 hexadecimal digits; no seal, only a sum (XXH3).
    std::string text() const;

private:
    std::string _all;
};

}  // namespace postern::sources
