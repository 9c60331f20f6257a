#include "dataplane/edge/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "table_files.h"

namespace postern::edge {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr const char* listener = "[[listener]]\naddress = \"127.0.0.1\"\nport = 2025\n";

tl::expected<configuration, std::vector<std::string>> parse(const std::string& text) {
    return parse_configuration(text, "edge.toml", "/srv/mail");
}

std::vector<std::string> errors_of(const std::string& text) {
    const auto parsed = parse(text);
    return parsed ? std::vector<std::string>{} : parsed.error();
}

TEST(configuration, a_listener_is_enough) {
    const auto parsed = parse(listener);
    ASSERT_TRUE(parsed) << parsed.error().front();
    EXPECT_FALSE(parsed->name.empty());
    EXPECT_EQ(parsed->session.name, parsed->name);
    EXPECT_EQ(parsed->relay.own_name, parsed->name);
    ASSERT_THAT(parsed->listeners, SizeIs(1));
    EXPECT_EQ(parsed->listeners[0].at.port, 2025);
    EXPECT_THAT(parsed->listeners[0].at.address, ElementsAre(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1));
    EXPECT_GE(parsed->shard_count(), 1U);
}

TEST(configuration, the_sample_says_every_default) {
    const std::string sample = *process::read_file(POSTERN_SOURCE_DIR "/dataplane/edge/edge.toml", 1 << 20);
    const auto parsed = parse(sample);
    ASSERT_TRUE(parsed) << parsed.error().front();
    const auto defaults = parse("[[listener]]\naddress = \"0.0.0.0\"\n[[listener]]\naddress = \"::\"\n");
    ASSERT_TRUE(defaults);
    EXPECT_EQ(parsed->name, defaults->name);
    EXPECT_EQ(parsed->user, defaults->user);
    EXPECT_EQ(parsed->group, defaults->group);
    EXPECT_EQ(parsed->state, defaults->state);
    EXPECT_EQ(parsed->tables, defaults->tables);
    EXPECT_EQ(parsed->socket, defaults->socket);
    EXPECT_EQ(parsed->shards, defaults->shards);
    EXPECT_EQ(parsed->cores, defaults->cores);
    EXPECT_EQ(parsed->drain, defaults->drain);
    EXPECT_EQ(parsed->log_level, defaults->log_level);
    ASSERT_THAT(parsed->listeners, SizeIs(2));
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(parsed->listeners[i].at, defaults->listeners[i].at);
        EXPECT_EQ(parsed->listeners[i].several_routes, defaults->listeners[i].several_routes);
        EXPECT_EQ(parsed->listeners[i].limits.connections, defaults->listeners[i].limits.connections);
        EXPECT_EQ(parsed->listeners[i].limits.connections_per_source,
                  defaults->listeners[i].limits.connections_per_source);
    }
    const session::settings& a = parsed->session;
    const session::settings& b = defaults->session;
    EXPECT_EQ(a.size_limit, b.size_limit);
    EXPECT_EQ(a.recipient_limit, b.recipient_limit);
    EXPECT_EQ(a.null_sender_recipients, b.null_sender_recipients);
    EXPECT_EQ(a.command_line_limit, b.command_line_limit);
    EXPECT_EQ(a.protocol_error_limit, b.protocol_error_limit);
    EXPECT_EQ(a.discard_limit, b.discard_limit);
    EXPECT_EQ(a.swallow_limit, b.swallow_limit);
    EXPECT_EQ(a.data_minimum, b.data_minimum);
    EXPECT_EQ(a.transactions, b.transactions);
    EXPECT_EQ(a.serve_address_literals, b.serve_address_literals);
    EXPECT_EQ(a.postmaster_route, b.postmaster_route);
    EXPECT_EQ(a.bare_line_ends, b.bare_line_ends);
    EXPECT_THAT(a.bare_line_end_exceptions, SizeIs(0));
    EXPECT_EQ(a.timeouts.greeting_delay, b.timeouts.greeting_delay);
    EXPECT_EQ(a.timeouts.greeting, b.timeouts.greeting);
    EXPECT_EQ(a.timeouts.command, b.timeouts.command);
    EXPECT_EQ(a.timeouts.idle, b.timeouts.idle);
    EXPECT_EQ(a.timeouts.data, b.timeouts.data);
    EXPECT_EQ(a.timeouts.session, b.timeouts.session);
    EXPECT_EQ(a.timeouts.relay, b.timeouts.relay);
    const relay::settings& c = parsed->relay;
    const relay::settings& d = defaults->relay;
    EXPECT_EQ(c.threads, d.threads);
    EXPECT_EQ(c.transactions_per_shard, d.transactions_per_shard);
    EXPECT_EQ(c.chunks_per_shard, d.chunks_per_shard);
    EXPECT_EQ(c.timeouts.connect, d.timeouts.connect);
    EXPECT_EQ(c.timeouts.connect_total, d.timeouts.connect_total);
    EXPECT_EQ(c.timeouts.greeting, d.timeouts.greeting);
    EXPECT_EQ(c.timeouts.command, d.timeouts.command);
    EXPECT_EQ(c.timeouts.data_block, d.timeouts.data_block);
    EXPECT_EQ(c.timeouts.final, d.timeouts.final);
    EXPECT_EQ(c.timeouts.idle, d.timeouts.idle);
    EXPECT_EQ(c.timeouts.wait, d.timeouts.wait);
    EXPECT_EQ(c.timeouts.host_down, d.timeouts.host_down);
    EXPECT_EQ(c.limits.messages_per_connection, d.limits.messages_per_connection);
    EXPECT_EQ(c.limits.unlisted_per_second, d.limits.unlisted_per_second);
    EXPECT_EQ(parsed->judge.rspamd, defaults->judge.rspamd);
    EXPECT_EQ(parsed->judge.timeout, defaults->judge.timeout);
    EXPECT_EQ(parsed->judge.copy, defaults->judge.copy);
    EXPECT_EQ(parsed->judge.messages, defaults->judge.messages);
}

TEST(configuration, the_egress_policy_is_asked_with_an_address) {
    const auto text = [](const std::string& egress) {
        return "[edge]\nname = \"e.example\"\n[[listener]]\naddress = \"192.0.2.1\"\n" + egress;
    };
    const shard::endpoint loopback{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}, 25};
    const shard::endpoint other{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, 25};
    const auto usual = parse_configuration(text(""), "e", "/x");
    ASSERT_TRUE(usual) << usual.error().front();
    EXPECT_FALSE(usual->relay.may_reach(loopback));
    EXPECT_TRUE(usual->relay.may_reach(other));
    const auto opened =
        parse_configuration(text("[egress]\nallowed = [\"127.0.0.1\"]\ndenied = [\"192.0.2.0/24\"]\n"), "e", "/x");
    ASSERT_TRUE(opened) << opened.error().front();
    EXPECT_TRUE(opened->relay.may_reach(loopback));
    EXPECT_FALSE(opened->relay.may_reach(other));
}

TEST(configuration, relative_paths_are_relative_to_the_file) {
    const auto parsed =
        parse(std::string("[edge]\nstate = \"state\"\ntables = \"../tables\"\nsocket = \"/run/e.sock\"\n") + listener);
    ASSERT_TRUE(parsed) << parsed.error().front();
    EXPECT_EQ(parsed->state, "/srv/mail/state");
    EXPECT_EQ(parsed->tables, "/srv/tables");
    EXPECT_EQ(parsed->socket, "/run/e.sock");
}

TEST(configuration, listeners_have_limits_of_their_own) {
    const auto parsed = parse(std::string("[limits]\nconnections = 50\n") + listener + "connections = 7\n" +
                              "[[listener]]\naddress = \"::1\"\nport = 2025\nseveral_routes = true\n");
    ASSERT_TRUE(parsed) << parsed.error().front();
    EXPECT_EQ(parsed->listeners[0].limits.connections, 7U);
    EXPECT_EQ(parsed->listeners[1].limits.connections, 50U);
    ASSERT_THAT(parsed->session.listeners, SizeIs(2));
    EXPECT_FALSE(parsed->session.listeners[0].extensions.has(protocol::extension::one_recipient_domain));
    EXPECT_TRUE(parsed->session.listeners[1].extensions.has(protocol::extension::one_recipient_domain));
}

TEST(configuration, networks_of_exceptions_are_cut_to_their_length) {
    const auto parsed =
        parse(std::string("[smtp]\nbare_line_end_exceptions = [\"192.0.2.77/24\", \"2001:db8::1\"]\n") + listener);
    ASSERT_TRUE(parsed) << parsed.error().front();
    ASSERT_THAT(parsed->session.bare_line_end_exceptions, SizeIs(2));
    EXPECT_EQ(parsed->session.bare_line_end_exceptions[0].length, 120);
    EXPECT_EQ(parsed->session.bare_line_end_exceptions[0].address[15], 0);
    EXPECT_EQ(parsed->session.bare_line_end_exceptions[1].length, 128);
}

struct wrong_line {
    const char* name;
    std::string text;
    const char* place;
    const char* what;
    const char* remedy;
};

class wrong_configuration : public ::testing::TestWithParam<wrong_line> {};

TEST_P(wrong_configuration, is_refused_with_place_and_remedy) {
    const wrong_line& wrong = GetParam();
    const auto errors = errors_of(listener + wrong.text);
    EXPECT_THAT(errors, Contains(AllOf(StartsWith(wrong.place), HasSubstr(wrong.what), HasSubstr(wrong.remedy))));
}

INSTANTIATE_TEST_SUITE_P(
    each, wrong_configuration,
    ::testing::Values(
        wrong_line{"key", "[edge]\nnmae = \"x\"\n", "edge.toml:5:", "edge.nmae", "use one of name"},
        wrong_line{"section", "[limit]\nx = 1\n", "edge.toml:4:", "limit: there is no such section", "limits"},
        wrong_line{"type", "[limits]\nrecipients = \"many\"\n", "edge.toml:5:", "\"many\"", "whole number"},
        wrong_line{"range", "[limits]\nrecipients = 5\n", "edge.toml:5:", "limits.recipients = 5", "from 100"},
        wrong_line{"name", "[edge]\nname = \"no host name\"\n", "edge.toml:5:", "\"no host name\"", "reverse DNS"},
        wrong_line{"state", "[edge]\nstate = \"\"\n", "edge.toml:5:", "edge.state", "write a path"},
        wrong_line{"transport", "[edge]\ntransport = \"xdp\"\n", "edge.toml:5:", "\"xdp\"", "\"sockets\""},
        wrong_line{"queues",
                   "[edge]\ntransport = \"dpdk\"\nshards = 2\n[port]\ndevice = \"net_tap0\"\naddresses = "
                   "[\"192.0.2.1/24\"]\nqueues = 3\n",
                   "edge.toml:10:", "port.queues = 3", "2 shards"},
        wrong_line{"twin",
                   "[edge]\ntransport = \"dpdk\"\n[port]\ndevice = \"net_tap0\"\naddresses = "
                   "[\"192.0.2.1/24\"]\ntwin_device = \"a name too long\"\n",
                   "edge.toml:9:", "port.twin_device", "postern0"},
        wrong_line{"address", "[[listener]]\naddress = \"localhost\"\n", "edge.toml:5:", "\"localhost\"", "0.0.0.0"},
        wrong_line{"no_address", "[[listener]]\nport = 25\n", "edge.toml:4:", "address", "it is missing"},
        wrong_line{"port", "[[listener]]\naddress = \"::\"\nport = 65536\n", "edge.toml:6:", "65536", "to 65535"},
        wrong_line{"twice", "[[listener]]\naddress = \"127.0.0.1\"\nport = 2025\n", "edge.toml:5:", "same address",
                   "remove one"},
        wrong_line{"network", "[smtp]\nbare_line_end_exceptions = [\"10.0.0.0/33\"]\n",
                   "edge.toml:5:", "\"10.0.0.0/33\"", "192.0.2.0/24"},
        wrong_line{"level", "[log]\nlevel = \"loud\"\n", "edge.toml:5:", "\"loud\"", "\"debug\""},
        wrong_line{"fleet", "[relay]\nfleet = [\"a b\"]\n", "edge.toml:5:", "\"a b\"", "names"},
        wrong_line{"rspamd", "[judge]\nrspamd = \"ftp://127.0.0.1/\"\n", "edge.toml:5:", "not http or https",
                   "http://127.0.0.1:11333/checkv2"},
        wrong_line{"seconds", "[timeouts]\nidle = 0\n", "edge.toml:5:", "timeouts.idle = 0", "from 1"},
        wrong_line{"toml", "[edge\n", "edge.toml:4:", "not TOML", ""}),
    [](const auto& each_one) { return std::string(each_one.param.name); });

TEST(configuration, all_errors_are_told_at_once_in_the_order_of_lines) {
    const auto errors = errors_of(std::string(listener) + "[log]\nlevel = 1\n[edge]\nshards = -1\nx = 1\n");
    ASSERT_THAT(errors, SizeIs(3));
    EXPECT_THAT(errors[0], StartsWith("edge.toml:5:"));
    EXPECT_THAT(errors[1], StartsWith("edge.toml:7:"));
    EXPECT_THAT(errors[2], StartsWith("edge.toml:8:"));
}

TEST(configuration, cores_are_a_list_of_cpus_one_for_each_shard) {
    const auto two = parse(std::string(listener) + "[edge]\ncores = \"3,1\"\n");
    ASSERT_TRUE(two);
    EXPECT_THAT(two->cores, ElementsAre(1U, 3U));
    EXPECT_EQ(two->shard_count(), 2U) << "as many shards as CPUs are named";
    EXPECT_THAT(errors_of(std::string(listener) + "[edge]\ncores = \"3-1\"\n"),
                ElementsAre(HasSubstr("no list of CPUs")));
    EXPECT_THAT(errors_of(std::string(listener) + "[edge]\nshards = 3\ncores = \"0-1\"\n"),
                ElementsAre(HasSubstr("2 CPUs for 3 shards")));
}

TEST(configuration, without_a_listener_there_is_nothing_to_do) {
    EXPECT_THAT(errors_of(""), ElementsAre(HasSubstr("add [[listener]]")));
}

TEST(configuration, listeners_are_bounded) {
    std::string text;
    for (int i = 0; i < 65; ++i) {
        text += "[[listener]]\naddress = \"127.0.0.1\"\nport = " + std::to_string(2000 + i) + "\n";
    }
    EXPECT_THAT(errors_of(text), ElementsAre(HasSubstr("more than 64")));
}

TEST(configuration, a_missing_file_names_itself_and_the_remedy) {
    const auto parsed = read_configuration("/nonexistent/edge.toml");
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error(), ElementsAre(AllOf(HasSubstr("/nonexistent/edge.toml"), HasSubstr("--config"))));
}

TEST(configuration, a_file_is_read_and_its_folder_is_where_paths_begin) {
    const temporary_folder folder;
    folder.write("edge.toml", listener + std::string("[edge]\nstate = \"state\"\n"));
    const auto parsed = read_configuration(folder.path("edge.toml"));
    ASSERT_TRUE(parsed) << parsed.error().front();
    EXPECT_EQ(parsed->state, folder.path("state"));
}

TEST(configuration, open_files_follow_the_limits) {
    const auto few = parse(std::string("[limits]\nconnections = 100\n[edge]\nshards = 1\n") + listener);
    const auto many = parse(std::string("[limits]\nconnections = 50100\n[edge]\nshards = 1\n") + listener);
    ASSERT_TRUE(few && many);
    EXPECT_EQ(many->open_files() - few->open_files(), 50'000U);
    const std::string own_port =
        "[port]\ndevice = \"net_tap0\"\naddresses = [\"192.0.2.1/24\"]\n[edge]\nshards = 1\ntransport = \"dpdk\"\n";
    const auto over_port = parse("[limits]\nconnections = 50100\n" + own_port + listener);
    ASSERT_TRUE(over_port) << errors_of("[limits]\nconnections = 50100\n" + own_port + listener).front();
    EXPECT_LT(over_port->open_files(), few->open_files()) << "the kernel has no part in them";
}

}  // namespace
}  // namespace postern::edge
