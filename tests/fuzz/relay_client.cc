// Hostile server octets into the client's state machine, with its owner's commands and time mixed in by the input.
//
// Input: octets; 0x00 0xNN is a step of the owner or of time, anything else goes to the client as the server's.
#include "smtp/relay/client.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace postern;

void check(bool holds) {
    if (!holds) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const relay::settings settings = [] {
        relay::settings out;
        out.own_name = "postern.test";
        return out;
    }();
    relay::client client(settings);
    shard::instant now = std::chrono::seconds(1);
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    bool was_dead = false;
    bool ready = false;
    std::size_t asked = 0;
    std::size_t answered = 0;
    client.opened(now);
    for (std::size_t at = 0; at < input.size();) {
        if (input[at] == '\0' && at + 1 < input.size()) {
            const auto step = static_cast<unsigned char>(input[at + 1]);
            at += 2;
            const bool quiet = ready && client.quiet();
            switch (step % 12) {
                case 0:
                    if (quiet) {
                        client.mail("a@b", step, relay::body_type::eight_bit_mime, now);
                        ++asked;
                    }
                    break;
                case 1:
                    if (ready && !client.within_content()) {
                        client.rcpt("c@d", now);
                        ++asked;
                    }
                    break;
                case 2:
                    if (quiet) {
                        client.data(now);
                        ++asked;
                    }
                    break;
                case 3:
                    client.content(".x\r\n", now);
                    break;
                case 4:
                    if (client.within_content()) {
                        client.end_of_data(now);
                        ++asked;
                    }
                    break;
                case 5:
                    if (quiet) {
                        client.rset(now);
                        ++asked;
                    }
                    break;
                case 6:
                    client.sent(client.output().size(), now);
                    break;
                case 7:
                    client.sent(1, now);
                    break;
                case 8:
                    now += std::chrono::seconds(step);
                    client.tick(now);
                    break;
                case 9:
                    client.closed(now);
                    break;
                case 10:
                    client.quit(now);
                    break;
                default:
                    client.forget_unsent();
            }
        } else {
            const std::size_t end = std::min(input.find('\0', at + 1), input.size());
            client.received({input.data() + at, end - at}, now);
            at = end;
        }
        while (const auto event = client.next_event()) {
            check(!was_dead);
            switch (event->kind) {
                case relay::client_event::kind::ready:
                    check(!ready);
                    ready = true;
                    break;
                case relay::client_event::kind::answer:
                    check(ready);
                    check(++answered <= asked);
                    check(event->reply.code >= 200 && event->reply.code < 600);
                    {
                        const relay::reply line = relay::pass_on(event->reply, relay::answered::rcpt);
                        check(line.view().size() >= 3 && line.view().size() <= 508);
                        for (const char c : line.view()) {
                            check(c >= ' ' && c <= '~');
                        }
                    }
                    (void)relay::refuses_us(event->reply);
                    break;
                case relay::client_event::kind::failed:
                    was_dead = true;
                    (void)relay::for_people(event->reply);
                    break;
            }
        }
        check(client.dead() == was_dead);
        check(!was_dead || client.poll_at() == shard::never);
    }
    return 0;
}
