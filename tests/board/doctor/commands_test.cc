// postern-board's command line over recorded machines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>

#include "board/process/files.h"
#include "board/tool/tool.h"
#include "tests/board/machine/recorded_machine.h"

namespace postern::board_tool {
namespace {

using machine::recorded_machine;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct outcome {
    int status;
    std::string out;
    std::string err;
};

outcome call(std::vector<std::string> words, const recorded_machine& at) {
    words.insert(words.end(), {"--root", at.root()});
    std::ostringstream out;
    std::ostringstream err;
    const int status = run(words, POSTERN_SOURCE_DIR "/board/profiles", {out, err});
    return {status, out.str(), err.str()};
}

TEST(commands, probe_tells_text_and_json) {
    const recorded_machine at("two_sockets");
    EXPECT_THAT(call({"probe"}, at).out, HasSubstr("0000:41:00.0"));
    EXPECT_EQ(boost::json::parse(call({"probe", "--json"}, at).out).at("kernel"), "6.1.0-56-amd64");
}

TEST(commands, doctor_by_a_profile_ends_with_1_if_there_is_an_error) {
    const recorded_machine at("virtio_vm");
    const outcome seen = call({"doctor", "--profile", "virtio-vm"}, at);
    EXPECT_EQ(seen.status, refused);
    EXPECT_THAT(seen.out, AllOf(StartsWith("by profile virtio-vm, port 0000:00:02.0:\n"), HasSubstr("mend:")));
    const auto told = boost::json::parse(call({"doctor", "--profile", "virtio-vm", "--json"}, at).out);
    EXPECT_EQ(told.at("errors"), 1);
    EXPECT_EQ(told.at("findings").at(0).at("severity"), "error");
}

TEST(commands, a_profile_becomes_part_of_an_edge_toml_that_doctor_judges_by) {
    recorded_machine at("two_sockets_vfio");
    const std::string file = at.root() + "/edge.toml";
    at.write("edge.toml", "# mine\n[edge]\nname = \"mx\"\n");
    const outcome without = call({"profile", "apply", "development", "--config", file}, at);
    EXPECT_EQ(without.status, refused);
    EXPECT_THAT(without.err, HasSubstr("--address"));
    EXPECT_EQ(*process::read_file(file, 1000), "# mine\n[edge]\nname = \"mx\"\n") << "nothing was written";
    const outcome done = call({"profile", "apply", "development", "--config", file, "--address", "192.0.2.1/24"}, at);
    EXPECT_EQ(done.status, good) << done.err;
    EXPECT_THAT(*process::read_file(file, 1000),
                AllOf(StartsWith("# mine\n"), HasSubstr("name = \"mx\""),
                      HasSubstr("[port]\ndevice = \"net_tap0,iface=postern0\"\nmac = ")));
    const outcome judged = call({"doctor", "--config", file}, at);
    EXPECT_EQ(judged.status, good) << judged.out;
    EXPECT_THAT(judged.out, StartsWith("by " + file + ", port net_tap0,iface=postern0:\n"));
}

TEST(commands, profiles_are_listed_with_what_they_fit) {
    const recorded_machine at("virtio_vm");
    EXPECT_THAT(call({"profile", "list"}, at).out, HasSubstr("fits: 0000:00:02.0, 0000:00:01.0"));
    const auto told = boost::json::parse(call({"profile", "list", "--json"}, at).out);
    EXPECT_EQ(told.at(1).at("name"), "virtio-vm");
    EXPECT_EQ(told.at(1).at("devices").at(0), "0000:00:02.0");
    EXPECT_THAT(call({"profile", "show", "virtio-vm"}, at).out,
                AllOf(HasSubstr("[queues]"), HasSubstr("# on this machine:\n[edge]\n")));
    EXPECT_THAT(call({"profile", "show", "cray"}, at).err, HasSubstr("there are: development, virtio-vm"));
}

TEST(commands, misuse_ends_with_2) {
    const recorded_machine at("virtio_vm");
    EXPECT_EQ(call({"prob"}, at).status, misused);
    EXPECT_EQ(call({"profile", "apply"}, at).status, misused);
}

}  // namespace
}  // namespace postern::board_tool
