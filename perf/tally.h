// What one thread of the load generator counts; added up when the threads have ended.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "perf/histogram.h"

namespace postern::perf {

struct tally {
    static constexpr std::size_t examples_kept = 5;

    std::uint64_t rcpts = 0;             ///< replies to RCPT, right or wrong
    std::uint64_t accepted = 0;          ///< of them 2xx
    std::uint64_t messages = 0;          ///< ends of data answered with 250
    std::uint64_t sessions = 0;          ///< ended by QUIT and 221
    std::uint64_t connections = 0;       ///< made
    std::uint64_t wrong = 0;             ///< replies that were not what was expected
    std::uint64_t dropped = 0;           ///< connections the server closed or reset while they were in use
    std::uint64_t timeouts = 0;          ///< connections on which no reply came in time
    std::uint64_t connect_errors = 0;    ///< connections that could not be made
    std::uint64_t handshakes = 0;        ///< of TLS, made
    std::uint64_t handshake_errors = 0;  ///< of TLS, that failed
    std::uint64_t swap_judged = 0;       ///< answers for addresses of one list that were held against the swap windows
    std::uint64_t swap_unjudged = 0;     ///< those for which there was no room to wait for the window's end
    std::array<std::uint64_t, 600> replies{};  ///< by code: replies to RCPT and to the end of data

    histogram rcpt_latency;       ///< ns from the sending of the segment to the reply
    histogram swap_latency;       ///< of them those that touch a swap (with swap windows only)
    histogram calm_latency;       ///< of them the others (with swap windows only)
    histogram message_latency;    ///< ns from the sending of the body to the final answer
    histogram session_latency;    ///< ns from connect to 221
    histogram handshake_latency;  ///< ns from the answer to STARTTLS to the end of the TLS handshake

    std::vector<std::string> examples;  ///< the first few wrong answers, in words

    /// Counts something wrong and keeps its words if it is one of the first.
    void count(std::uint64_t& counter, std::string words) {
        ++counter;
        if (examples.size() < examples_kept) {
            examples.push_back(std::move(words));
        }
    }
    std::uint64_t failures() const noexcept { return wrong + dropped + timeouts + connect_errors + handshake_errors; }
    bool clean() const noexcept { return failures() == 0; }

    void add(const tally& other) {
        rcpts += other.rcpts;
        accepted += other.accepted;
        messages += other.messages;
        sessions += other.sessions;
        connections += other.connections;
        wrong += other.wrong;
        dropped += other.dropped;
        timeouts += other.timeouts;
        connect_errors += other.connect_errors;
        handshakes += other.handshakes;
        handshake_errors += other.handshake_errors;
        swap_judged += other.swap_judged;
        swap_unjudged += other.swap_unjudged;
        for (std::size_t code = 0; code < replies.size(); ++code) {
            replies[code] += other.replies[code];
        }
        rcpt_latency.add(other.rcpt_latency);
        swap_latency.add(other.swap_latency);
        calm_latency.add(other.calm_latency);
        message_latency.add(other.message_latency);
        session_latency.add(other.session_latency);
        handshake_latency.add(other.handshake_latency);
        for (const auto& example : other.examples) {
            if (examples.size() < examples_kept) {
                examples.push_back(example);
            }
        }
    }
};

}  // namespace postern::perf
