// The inside of relay::engine: its transactions, links and routes, and what they do to each other. engine.cc has the
// transactions' side, engine_links.cc the links', engine_evidence.cc what they tell of a list. Included by these only.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "smtp/judge/intake.h"
#include "smtp/relay/client.h"
#include "smtp/relay/engine.h"
#include "smtp/relay/refusals.h"
#include "smtp/relay/trace.h"

namespace postern::relay {

struct link;
struct transaction;

enum class alarm_kind : std::uint8_t { refuses_us, ourselves, distrusted, out_of_reach };
inline constexpr std::size_t alarm_kinds = 4;

/// What this thread knows of a route, for as long as it runs.
struct route_state {
    explicit route_state(std::uint32_t number, const limits& limits)
        : id(number),
          connections(limits),
          row(limits.refused_listed_in_a_row),
          unlisted(limits.unlisted_per_second, limits.unlisted_burst) {}

    std::uint32_t id;
    pool connections;
    std::list<transaction*> waiting;  ///< for a connection, first come first
    refusal_row row;
    rate_limit unlisted;
    std::array<shard::instant, alarm_kinds> silent_until{};
    /// Listed recipients that the server does not know, until it shows that it knows another.
    std::vector<judge::finding> unknown_listed;
    /// By domain: when the server refused an unlisted recipient as unknown.
    std::map<std::uint32_t, shard::instant> refused_unknown;
};

struct pending_recipient {
    enum class stage : std::uint8_t { waiting, sent, answered };
    std::string path;
    list_word word;
    pending_recipient::stage stage = stage::waiting;
    bool admitted = false;  ///< by the rate of unlisted ones
    reply answer{};
};

struct transaction {
    enum class stage : std::uint8_t {
        fresh,       ///< no connection is needed yet
        waiting,     ///< for a connection
        connecting,  ///< `link` is not ready
        open,        ///< MAIL and RCPTs
        data,        ///< DATA is sent
        content,     ///< 354 came
        final,       ///< the end of data is given to the client
        over,        ///< the shard was told, or has closed
    };

    lane* from = nullptr;
    std::size_t shard = 0;
    std::uint32_t cell = 0;
    std::shared_ptr<const recipients::route> route;
    route_state* at = nullptr;
    shard::endpoint client;
    std::string reverse_path;
    std::string helo;
    std::string message_id;
    std::uint64_t declared_size = 0;
    body_type body = body_type::unspecified;
    bool extended = true;

    transaction::stage stage = stage::fresh;
    relay::link* link = nullptr;
    pool::claim claim;
    std::vector<host_key> tried;
    bool has_share = false;
    bool marked = false;  ///< stands in `marked`
    bool mail_sent = false;
    bool server_answered = false;   ///< a RCPT: no other host from here on
    bool has_unlisted = false;      ///< among the accepted
    bool unlisted_refused = false;  ///< no connection for unlisted ones came in time
    bool data_wanted = false;
    bool ended = false;  ///< the shard's end of data came
    std::uint32_t accepted = 0;
    std::string accepted_path;  ///< the first
    std::uint32_t next_reply_slot = 0;
    std::deque<pending_recipient> recipients;
    std::deque<std::pair<std::uint32_t, std::uint16_t>> chunks;  ///< number and octets, to be sent
    std::optional<loop_guard> guard;
    std::uint32_t refused = 0;                 ///< recipients, for good
    std::vector<judge::addressee> unknown;     ///< accepted, not listed, of a domain that discovers
    std::optional<judge::bounded_copy> copy;   ///< its content is evidence, if it is good
    std::optional<shard::instant> connect_by;  ///< all hosts; from the first connection on, new or pooled
    shard::instant deadline = shard::never;
};

struct link {
    enum class use : std::uint8_t {
        opening,   ///< not ready for MAIL
        working,   ///< for `user`
        clearing,  ///< the user is gone; what is unanswered is waited for, then RSET
        resetting,
        idle,
        quitting,
    };
    link(link_id number, const settings& settings, route_state& of, recipients::mail_host to)
        : id(number), smtp(settings), at(&of), host(std::move(to)) {}

    link_id id;
    client smtp;
    route_state* at;
    recipients::mail_host host;
    transaction* user = nullptr;
    link::use use = use::opening;
    bool connected = false;
    bool reused = false;  ///< taken from the pool for `user`
    std::uint32_t messages = 0;
    std::uint32_t errors = 0;
    shard::instant open_by = shard::never;
    shard::instant idle_until = shard::never;
    shard::instant deadline = shard::never;  ///< as it stands in `link_deadlines`

    host_key key() const { return {host.host, host.port}; }
};

struct engine::state {
    state(const relay::settings& own, counters& all, network& world, std::vector<lane*> from_shards);

    // Commands (engine.cc).
    void take(std::size_t shard, const to_relay& message);
    void begin(std::size_t shard, std::uint32_t cell);
    void take_recipient(transaction& t, const to_relay& message);
    void take_chunk(std::size_t shard, std::uint32_t cell, const to_relay& message);
    void take_close(transaction& t, bool abandoned);
    void abandon(transaction& t);

    // Transactions (engine.cc).
    void mark(transaction& t);  ///< something happened that may let it go on
    void settle();              ///< pumps all that were marked; never from within
    void leave() {              ///< at the end of every call from outside
        settle();
        dropped.clear();
    }
    void pump(transaction& t);
    bool decide(transaction& t, pending_recipient& next);
    bool has_connection(transaction& t, const pending_recipient& next);
    bool open_mail(transaction& t);
    void ask_for_data(transaction& t);
    void start_content(transaction& t);
    void pump_content(transaction& t);
    void answer_front(transaction& t);
    void recipient_answered(transaction& t, const server_reply& said);
    void end(transaction& t, news how, const reply& answer);
    void abort(transaction& t, const reply& answer) { end(t, news::aborted, answer); }
    void refuse_data(transaction& t, const reply& answer);
    void return_chunks(transaction& t);
    void tell(transaction& t, news what, std::uint32_t at);
    reply judged(transaction& t, const server_reply& said, answered what);
    void alarm(route_state& route, alarm_kind kind, const std::string& text);
    void set_deadline(transaction& t, shard::instant when);
    void no_connection(transaction& t);
    bool too_many_wait(const transaction& t) const;

    // Evidence (engine_evidence.cc). Nothing is done without a judge.
    void note_accepted(transaction& t, const pending_recipient& one);
    void note_refused(transaction& t, const pending_recipient& one, const server_reply& said);
    void begin_copy(transaction& t);
    void give_copy(transaction& t);

    // Links (engine_links.cc).
    void find_link(transaction& t);
    void start_connect_time(transaction& t);
    void take_idle(transaction& t, link_id id);
    void open_link(transaction& t, const recipients::mail_host& host);
    void serve_waiting(route_state& route);
    void stop_waiting(transaction& t);
    void give_share_back(transaction& t);
    void work(link& one);   ///< takes the client's events, then flushes
    void flush(link& one);  ///< has its output sent, notes its deadline
    void take(link& one, client_event& event);
    void link_ready(link& one);
    void link_answer(link& one, const client_event& event);
    void link_trouble(link& one, relay::trouble trouble, const server_reply& said, std::string_view text);
    bool try_again(transaction& t, link& one, relay::trouble trouble);
    void release(link& one);  ///< its user is done with it, between replies or not
    void clear_on(link& one);
    void rest(link& one);  ///< it is idle
    void drop(link& one);
    void note_deadline(link& one);
    link* find(link_id id);
    transaction* find(std::size_t shard, std::uint32_t cell) { return transactions[shard][cell].get(); }
    route_state& route_of(std::uint32_t id);

    const relay::settings& settings;
    counters& counts;
    network& net;
    std::vector<lane*> lanes;
    std::vector<std::string> our_names;
    std::vector<bool> told;
    std::vector<std::vector<std::unique_ptr<transaction>>> transactions;  ///< by shard and cell
    std::map<std::uint32_t, std::unique_ptr<route_state>> routes;
    std::unordered_map<link_id, std::unique_ptr<link>> links;
    std::vector<std::unique_ptr<link>> dropped;  ///< freed when nobody can be within one
    std::vector<transaction*> marked;
    std::set<std::pair<shard::instant, transaction*>> transaction_deadlines;
    std::set<std::pair<shard::instant, link*>> link_deadlines;
    refusal_memory refused_unlisted;
    std::vector<judge::message> for_judge;  ///< delivered, and the client's answer is on its way
    link_id last_link = 0;
    std::size_t at_work = 0;  ///< transactions that are not over
    bool finishing = false;
    shard::instant now{};
};

}  // namespace postern::relay
