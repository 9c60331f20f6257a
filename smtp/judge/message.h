// A message that is to be judged: its envelope, and its first octets, kept while it passes.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace postern::judge {

/// One of the places that a judge has for messages. It comes free with the object.
class place {
public:
    /// `taken` counts this place already, and outlives it.
    explicit place(std::atomic<std::uint32_t>& taken) noexcept : _taken(&taken) {}
    place(place&& other) noexcept : _taken(std::exchange(other._taken, nullptr)) {}
    place& operator=(place&& other) noexcept {
        std::swap(_taken, other._taken);
        return *this;
    }
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place() {
        if (_taken != nullptr) {
            _taken->fetch_sub(1, std::memory_order_relaxed);
        }
    }

private:
    std::atomic<std::uint32_t>* _taken;
};

/// The first octets of a message.
class bounded_copy {
public:
    bounded_copy(place where, std::size_t limit) : _place(std::move(where)), _limit(limit) {}

    /// The next piece, of any size.
    void add(std::string_view octets) { _octets.append(octets.substr(0, _limit - std::min(_limit, _octets.size()))); }
    std::string_view octets() const noexcept { return _octets; }

private:
    place _place;
    std::size_t _limit;
    std::string _octets;
};

/// Whom a message is evidence for.
struct addressee {
    std::string path;          ///< as the client gave it
    std::uint32_t domain = 0;  ///< its stable id
};

struct message {
    std::string sender;  ///< as the client gave it; never the null sender
    std::vector<addressee> recipients;
    std::string helo;
    std::array<std::uint8_t, 16> peer{};
    std::string id;  ///< of its trace line
    bounded_copy content;
};

}  // namespace postern::judge
