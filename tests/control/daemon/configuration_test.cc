#include "control/daemon/configuration.h"

#include <gtest/gtest.h>

#include "board/process/files.h"

namespace postern::daemon {
namespace {

std::string first_error(std::string_view text) {
    const auto read = parse_configuration(text, "control.toml", "/etc/postern");
    return read ? std::string() : read.error().front();
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST(control_configuration, an_empty_file_has_the_defaults) {
    const auto read = parse_configuration("", "control.toml", "/etc/postern");
    ASSERT_TRUE(read) << read.error().front();
    EXPECT_EQ(read->api.address, "127.0.0.1");
    EXPECT_EQ(read->api.port, 8025);
    EXPECT_EQ(read->database(), "/var/lib/postern/control/directory.db");
    ASSERT_EQ(read->publish.edges.size(), 1U);
    EXPECT_EQ(read->publish.edges[0].socket, "/run/postern/edge.sock");
    EXPECT_FALSE(read->probe.own_names.empty());
}

TEST(control_configuration, the_sample_has_every_key_with_its_default) {
    const auto text = process::read_file(POSTERN_SOURCE_DIR "/control/daemon/control.toml", 1U << 20U);
    ASSERT_TRUE(text);
    const auto sample = parse_configuration(*text, "control.toml", "/etc/postern");
    ASSERT_TRUE(sample) << sample.error().front();
    const auto empty = parse_configuration("", "control.toml", "/etc/postern");
    EXPECT_EQ(sample->user, empty->user);
    EXPECT_EQ(sample->state, empty->state);
    EXPECT_EQ(sample->publish.tables, empty->publish.tables);
    EXPECT_EQ(sample->publish.overlay_limit, empty->publish.overlay_limit);
    EXPECT_EQ(sample->publish.coalesce, empty->publish.coalesce);
    EXPECT_EQ(sample->api.address, empty->api.address);
    EXPECT_EQ(sample->api.port, empty->api.port);
    EXPECT_EQ(sample->api.max_connections, empty->api.max_connections);
    EXPECT_EQ(sample->api.upload_limit, empty->api.upload_limit);
    EXPECT_EQ(sample->probe.helo, empty->probe.helo);
    EXPECT_EQ(sample->probe.own_listeners.size(), empty->probe.own_listeners.size());
    EXPECT_EQ(sample->syncs.at_once, empty->syncs.at_once);
    EXPECT_EQ(sample->syncs.kept_runs, empty->syncs.kept_runs);
    EXPECT_EQ(sample->syncs.max_items, empty->syncs.max_items);
    EXPECT_EQ(sample->syncs.max_addresses, empty->syncs.max_addresses);
    EXPECT_EQ(sample->syncs.mail.host, empty->syncs.mail.host);
    EXPECT_EQ(sample->syncs.mail.port, empty->syncs.mail.port);
    EXPECT_EQ(sample->syncs.mail.from, empty->syncs.mail.from);
}

TEST(control_configuration, syncs_keep_their_files_in_the_state_folder_and_notices_have_a_sender) {
    const auto read = parse_configuration(
        "[control]\nstate = \"/s\"\n[sync]\nat_once = 3\n[mail]\nhost = \"::1\"\nport = 587\nhelo = \"c.example\"\n",
        "c", "/x");
    ASSERT_TRUE(read) << read.error().front();
    EXPECT_EQ(read->syncs.folder, "/s/syncs");
    EXPECT_EQ(read->syncs.key_file, "/s/secrets.key");
    EXPECT_EQ(read->syncs.at_once, 3U);
    EXPECT_EQ(read->syncs.mail.host, "::1");
    EXPECT_EQ(read->syncs.mail.port, 587);
    EXPECT_EQ(read->syncs.mail.from, "postern@c.example");
}

TEST(control_configuration, the_egress_policy_is_the_operators) {
    const auto read =
        parse_configuration("[egress]\nallowed = [\"127.0.0.1\"]\ndenied = [\"198.51.100.0/24\"]\n", "c", "/x");
    ASSERT_TRUE(read) << read.error().front();
    EXPECT_TRUE(read->egress.allows("127.0.0.1"));
    EXPECT_FALSE(read->egress.allows("127.0.0.2"));
    EXPECT_FALSE(read->egress.allows("198.51.100.7"));
    EXPECT_TRUE(has(first_error("[egress]\ndenied = [\"10.0.0.1/8\"]\n"), "is not a network"));
    EXPECT_TRUE(has(first_error("[mail]\nhost = \"a b\"\n"), "neither a host name nor an address"));
    EXPECT_TRUE(has(first_error("[mail]\nfrom = \"nobody\"\n"), "not an e-mail address"));
}

TEST(control_configuration, relative_paths_are_beside_the_file) {
    const auto read =
        parse_configuration("[control]\nstate = \"s\"\nedges = [\"a/e.sock\", \"b/e.sock\"]\n", "c", "/x");
    ASSERT_TRUE(read);
    EXPECT_EQ(read->state, "/x/s");
    ASSERT_EQ(read->publish.edges.size(), 2U);
    EXPECT_EQ(read->publish.edges[1].socket, "/x/b/e.sock");
    EXPECT_NE(read->publish.edges[0].name, read->publish.edges[1].name);
}

TEST(control_configuration, errors_name_file_line_key_and_remedy) {
    const std::string error = first_error("[api]\n\nport = 70000\n");
    EXPECT_TRUE(error.starts_with("control.toml:3: ")) << error;
    EXPECT_TRUE(has(error, "api.port")) << error;
    EXPECT_TRUE(has(error, "70000")) << error;
    for (const char* text :
         {"[api]\nprot = 1\n", "[api]\naddress = \"localhost\"\n", "[api]\naddress = \"0.0.0.0\"\n",
          "[api]\ncertificate = \"c\"\n", "[control]\nstate = \"\"\n", "[control]\nedges = [\"\"]\n",
          "[control]\nedges = [\"/e\", \"/e\"]\n", "[publish]\ncoalesce_ms = 21\n", "[probe]\nhelo = \"a b\"\n",
          "[probe]\nown_listeners = [\"x\"]\n", "[log]\nlevel = \"loud\"\n", "[unknown]\n", "nonsense"}) {
        EXPECT_TRUE(first_error(text).starts_with("control.toml:")) << text << ": " << first_error(text);
    }
}

TEST(control_configuration, tls_makes_other_addresses_good) {
    EXPECT_EQ(first_error("[api]\naddress = \"0.0.0.0\"\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n"), "");
    EXPECT_EQ(first_error("[api]\naddress = \"::1\"\n"), "");
}

}  // namespace
}  // namespace postern::daemon
