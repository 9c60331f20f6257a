#include "smtp/relay/refusals.h"

#include <algorithm>

namespace postern::relay {

namespace {

std::string folded(std::string_view path) {
    std::string out(path);
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

}  // namespace

void refusal_memory::remember(std::uint32_t route, std::string_view path, const reply& answer, shard::instant now) {
    if (_capacity == 0) {
        return;
    }
    key which(route, folded(path));
    if (const auto known = _by_key.find(which); known != _by_key.end()) {
        _by_use.erase(known->second);
        _by_key.erase(known);
    } else if (_by_use.size() == _capacity) {
        _by_key.erase(_by_use.back().key);
        _by_use.pop_back();
    }
    _by_use.push_front({which, std::string(answer.view()), answer.code, now + _kept});
    _by_key.emplace(std::move(which), _by_use.begin());
}

std::optional<reply> refusal_memory::recall(std::uint32_t route, std::string_view path, shard::instant now) {
    const auto known = _by_key.find(key(route, folded(path)));
    if (known == _by_key.end()) {
        return std::nullopt;
    }
    const auto place = known->second;
    if (now >= place->until) {
        _by_use.erase(place);
        _by_key.erase(known);
        return std::nullopt;
    }
    _by_use.splice(_by_use.begin(), _by_use, place);
    reply answer;
    answer.code = place->code;
    answer.size = static_cast<std::uint16_t>(place->text.size());
    std::copy(place->text.begin(), place->text.end(), answer.text.begin());
    return answer;
}

refusal_row::change refusal_row::refused(std::string_view path) {
    if (_distrusted) {
        return change::none;
    }
    _paths.insert(folded(path));
    if (_paths.size() < _most) {
        return change::none;
    }
    _distrusted = true;
    _paths.clear();
    return change::tripped;
}

bool refusal_row::lift() {
    _paths.clear();
    return std::exchange(_distrusted, false);
}

}  // namespace postern::relay
