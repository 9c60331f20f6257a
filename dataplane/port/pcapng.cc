#include "dataplane/port/pcapng.h"

namespace postern::port::pcapng {
namespace {

constexpr std::uint32_t section_block = 0x0a0d0d0a;
constexpr std::uint32_t interface_block = 1;
constexpr std::uint32_t frame_block = 6;  // "enhanced packet block"
constexpr std::uint16_t link_ethernet = 1;

namespace option {
constexpr std::uint16_t end = 0;
constexpr std::uint16_t application = 4;     // of a section
constexpr std::uint16_t interface_name = 2;  // of an interface
constexpr std::uint16_t interface_resolution = 9;
constexpr std::uint16_t frame_flags = 2;  // of a frame
}  // namespace option

using octets = std::vector<std::uint8_t>;

template <class T>
void put(octets& out, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
}

void put_padded(octets& out, std::span<const std::uint8_t> some) {
    out.insert(out.end(), some.begin(), some.end());
    out.resize(out.size() + (4 - some.size() % 4) % 4);
}

void put_option(octets& out, std::uint16_t code, std::span<const std::uint8_t> value) {
    put(out, code);
    put(out, static_cast<std::uint16_t>(value.size()));
    put_padded(out, value);
}

void put_text(octets& out, std::uint16_t code, std::string_view text) {
    put_option(out, code, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

/// A block: its type and length around what `body` writes.
template <class F>
void put_block(octets& out, std::uint32_t type, F&& body) {
    const std::size_t begin = out.size();
    put(out, type);
    put(out, std::uint32_t{0});
    body();
    const auto length = static_cast<std::uint32_t>(out.size() - begin + 4);
    put(out, length);
    for (std::size_t i = 0; i < 4; ++i) {
        out[begin + 4 + i] = static_cast<std::uint8_t>(length >> (8 * i));
    }
}

}  // namespace

void begin(octets& out, std::string_view application, std::string_view interface, std::uint32_t snap) {
    put_block(out, section_block, [&] {
        put(out, std::uint32_t{0x1a2b3c4d});
        put(out, std::uint16_t{1});
        put(out, std::uint16_t{0});
        put(out, ~std::uint64_t{0});  // the section's length isn't known
        put_text(out, option::application, application);
        put_option(out, option::end, {});
    });
    put_block(out, interface_block, [&] {
        put(out, link_ethernet);
        put(out, std::uint16_t{0});
        put(out, snap);
        put_text(out, option::interface_name, interface);
        const std::uint8_t nanoseconds = 9;
        put_option(out, option::interface_resolution, {&nanoseconds, 1});
        put_option(out, option::end, {});
    });
}

void frame(octets& out, std::uint64_t at, bool sent, std::uint32_t length, std::span<const std::uint8_t> kept) {
    put_block(out, frame_block, [&] {
        put(out, std::uint32_t{0});
        put(out, static_cast<std::uint32_t>(at >> 32U));
        put(out, static_cast<std::uint32_t>(at));
        put(out, static_cast<std::uint32_t>(kept.size()));
        put(out, length);
        put_padded(out, kept);
        const std::uint8_t direction[4] = {static_cast<std::uint8_t>(sent ? 2 : 1), 0, 0, 0};
        put_option(out, option::frame_flags, direction);
        put_option(out, option::end, {});
    });
}

}  // namespace postern::port::pcapng
