// What the judge reads of others: rspamd's answer, a message's header, addresses that may be made up. Whatever comes,
// its words stay short and printable.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "smtp/judge/checks.h"
#include "smtp/judge/evidence.h"
#include "smtp/judge/finding.h"
#include "smtp/judge/rspamd_answer.h"

namespace {

using namespace postern::judge;

void check(bool holds) {
    if (!holds) {
        __builtin_trap();
    }
}

void check_words(std::string_view why) {
    check(why.size() <= finding::longest_why);
    check(std::all_of(why.begin(), why.end(), [](char c) { return c >= ' ' && c <= '~'; }));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto said = read_rspamd_answer(text)) {
        check_words(said->why);
        check(said->opinion != opinion::good || said->why.empty());
    } else {
        check_words(said.error());
    }
    const verdict header = check_header(text);
    check_words(header.why);
    check(header.opinion != opinion::undecided);
    (void)why_no_evidence({.sender = text, .recipient = "a@b.example"});
    (void)is_special_form(text);
    return 0;
}
