#include "perf/swap_windows.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "board/process/files.h"

namespace postern::perf {

namespace {

constexpr std::size_t header_words = 2;
constexpr std::size_t record_words = 4;

std::uint64_t load_word(const std::uint64_t& word) noexcept {
    return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}

bool gives(const span_facts& facts, const swap_answer& answer) noexcept {
    const bool by_a = (answer.who.standing == standing::only_a) == answer.accepted;
    return by_a ? facts.a : facts.b;
}

}  // namespace

tl::expected<swap_windows, std::string> swap_windows::open(const std::string& path) {
    const process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) {
        return tl::unexpected(process::errno_text("open", path, errno));
    }
    struct stat facts {};
    if (::fstat(file.get(), &facts) != 0) {
        return tl::unexpected(process::errno_text("examine", path, errno));
    }
    const std::size_t words = static_cast<std::size_t>(facts.st_size) / sizeof(std::uint64_t);
    if (words < header_words + record_words) {
        return tl::unexpected(path + ": too short for a file of swap windows (its first record is the list in force)");
    }
    void* at = ::mmap(nullptr, words * sizeof(std::uint64_t), PROT_READ, MAP_SHARED, file.get(), 0);
    if (at == MAP_FAILED) {
        return tl::unexpected(process::errno_text("map", path, errno));
    }
    swap_windows windows(std::span<const std::uint64_t>(static_cast<const std::uint64_t*>(at), words));
    windows._mapped = true;
    if (load_word(windows._words[0]) != magic || windows.size() == 0) {
        return tl::unexpected(path + ": not a file of swap windows (it begins with PSTNSWAP and has a record)");
    }
    return windows;
}

swap_windows::swap_windows(swap_windows&& other) noexcept
    : _words(std::exchange(other._words, {})), _mapped(std::exchange(other._mapped, false)) {}

swap_windows::~swap_windows() {
    if (_mapped) {
        ::munmap(const_cast<std::uint64_t*>(_words.data()), _words.size_bytes());
    }
}

std::size_t swap_windows::size() const noexcept {
    const std::size_t room = (_words.size() - header_words) / record_words;
    return std::min<std::size_t>(room, load_word(_words[1]));
}

swap_record swap_windows::operator[](std::size_t i) const noexcept {
    const auto words = _words.subspan(header_words + i * record_words, record_words);
    // `ended` first: if it is set, so are the others.
    swap_record record;
    record.ended = load_word(words[2]);
    record.begun = load_word(words[1]);
    record.preparing = load_word(words[0]);
    record.list = load_word(words[3]);
    return record;
}

span_facts facts_of(const swap_windows& windows, std::uint64_t sent, std::uint64_t received) noexcept {
    span_facts facts;
    // From the newest back to the one that was settled before the span began: that one's list was in force from then.
    for (std::size_t i = windows.size(); i-- > 0;) {
        const swap_record record = windows[i];
        if (i != 0 && record.preparing <= received && (record.ended == 0 || sent <= record.ended)) {
            facts.during = true;
        }
        if (record.begun == 0 || record.begun > received) {
            continue;
        }
        (record.list == 0 ? facts.a : facts.b) = true;
        if (record.ended != 0 && record.ended < sent) {
            return facts;
        }
        if (record.ended == 0 && record.begun < sent && i != 0 && windows[i - 1].list != record.list) {
            facts.undecided = true;
        }
    }
    return facts;
}

swap_judge::judgement swap_judge::judge(const swap_answer& answer) {
    ++_judged;
    const span_facts facts = facts_of(_windows, answer.sent, answer.received);
    if (!gives(facts, answer)) {
        return judgement::wrong;
    }
    if (!facts.undecided) {
        return judgement::right;
    }
    // Right under either list for now: keep it until the window has an end, unless the new list alone explains it.
    const std::uint64_t new_list = _windows[_windows.size() - 1].list;
    const bool by_a = (answer.who.standing == standing::only_a) == answer.accepted;
    if (by_a == (new_list == 0)) {
        return judgement::right;
    }
    if (_waiting.size() == limit) {
        --_judged;
        ++_unjudged;
        return judgement::right;
    }
    _waiting.push_back(answer);
    return judgement::later;
}

std::optional<swap_answer> swap_judge::next_wrong() {
    while (!_waiting.empty()) {
        const swap_answer answer = _waiting.front();
        const span_facts facts = facts_of(_windows, answer.sent, answer.received);
        const bool right = gives(facts, answer);
        if (right && facts.undecided) {
            return std::nullopt;  // those behind it wait for the same window
        }
        _waiting.pop_front();
        if (!right) {
            return answer;
        }
    }
    return std::nullopt;
}

}  // namespace postern::perf
