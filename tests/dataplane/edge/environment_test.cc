#include "dataplane/edge/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "table_files.h"

namespace postern::edge {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct environment_test : ::testing::Test {
    environment_test() {
        for (const char* name : {"state", "tables"}) {
            std::filesystem::create_directory(folder.path(name));
        }
        settings.user.clear();
        settings.state = folder.path("state");
        settings.tables = folder.path("tables");
        settings.socket = folder.path("edge.sock");
    }
    bool connects() const {
        const process::descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, settings.socket.data(), settings.socket.size());
        return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }

    temporary_folder folder;
    configuration settings;
};

TEST_F(environment_test, what_is_there_is_good) {
    EXPECT_THAT(check_environment(settings), IsEmpty());
    const auto opened = open_environment(settings);
    ASSERT_TRUE(opened) << opened.error();
    EXPECT_FALSE(opened->runs_as);
    EXPECT_TRUE(hand_over_state(*opened));
}

TEST_F(environment_test, checking_changes_nothing) {
    EXPECT_THAT(check_environment(settings), IsEmpty());
    EXPECT_TRUE(std::filesystem::is_empty(settings.state));
    EXPECT_FALSE(std::filesystem::exists(settings.socket));
}

TEST_F(environment_test, each_missing_folder_is_told_with_its_key) {
    settings.state = folder.path("no-state");
    settings.tables = folder.path("no-tables");
    settings.socket = folder.path("no-folder/edge.sock");
    EXPECT_THAT(check_environment(settings),
                ElementsAre(HasSubstr("no-state: No such file or directory (edge.state); create it"),
                            HasSubstr("(edge.tables); create it"), HasSubstr("(edge.socket); create the folder")));
    EXPECT_THAT(open_environment(settings).error(), HasSubstr("edge.state"));
}

TEST_F(environment_test, a_file_is_no_folder) {
    folder.write("file", "");
    settings.tables = folder.path("file");
    EXPECT_THAT(check_environment(settings), ElementsAre(HasSubstr("edge.tables")));
}

TEST_F(environment_test, a_folder_that_may_not_be_used_is_told_with_its_key) {
    std::filesystem::permissions(settings.state, std::filesystem::perms::owner_read);
    std::filesystem::permissions(settings.tables, std::filesystem::perms::none);
    EXPECT_THAT(check_environment(settings),
                ::testing::IsSupersetOf({HasSubstr("edge.state"), HasSubstr("edge.tables")}));
    std::filesystem::permissions(settings.state, std::filesystem::perms::owner_all);
    std::filesystem::permissions(settings.tables, std::filesystem::perms::owner_all);
}

TEST_F(environment_test, an_account_that_does_not_exist_is_told) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root changes its user";
    }
    settings.user = "no-such-user";
    EXPECT_THAT(check_environment(settings), Contains(HasSubstr("no user \"no-such-user\" (edge.user)")));
    settings.user = "nobody";
    settings.group = "no-such-group";
    EXPECT_THAT(check_environment(settings), Contains(HasSubstr("no group \"no-such-group\" (edge.group)")));
}

TEST_F(environment_test, the_state_is_handed_over_and_the_tables_must_be_readable) {
    if (::geteuid() != 0) {
        GTEST_SKIP() << "only root changes its user";
    }
    settings.user = "nobody";
    std::filesystem::permissions(settings.tables, std::filesystem::perms::owner_all);
    EXPECT_THAT(check_environment(settings), ElementsAre(HasSubstr("user nobody may not read the folder")));
    std::filesystem::permissions(settings.tables, std::filesystem::perms(0755));
    const auto opened = open_environment(settings);
    ASSERT_TRUE(opened) << opened.error();
    ASSERT_TRUE(opened->runs_as);
    ASSERT_TRUE(hand_over_state(*opened));
    struct stat facts {};
    ASSERT_EQ(::stat(settings.state.c_str(), &facts), 0);
    EXPECT_EQ(facts.st_uid, opened->runs_as->user);
    ASSERT_EQ(::stat((settings.state + "/lock").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_uid, opened->runs_as->user);
}

TEST_F(environment_test, one_process_owns_the_state) {
    const auto first = open_environment(settings);
    ASSERT_TRUE(first);
    EXPECT_THAT(open_environment(settings).error(), HasSubstr("another postern-edge runs with the folder"));
}

TEST_F(environment_test, the_edge_socket_is_for_its_owner_and_group) {
    const auto made = create_edge_socket(settings.socket, std::nullopt);
    ASSERT_TRUE(made) << made.error();
    struct stat facts {};
    ASSERT_EQ(::stat(settings.socket.c_str(), &facts), 0);
    EXPECT_TRUE(S_ISSOCK(facts.st_mode));
    EXPECT_EQ(facts.st_mode & 07777U, 0660U);
    EXPECT_TRUE(connects());
}

TEST_F(environment_test, a_socket_that_is_in_use_is_left_alone_and_a_stale_one_replaced) {
    {
        const auto first = create_edge_socket(settings.socket, std::nullopt);
        ASSERT_TRUE(first);
        EXPECT_THAT(create_edge_socket(settings.socket, std::nullopt).error(), HasSubstr("another process listens on"));
        EXPECT_TRUE(connects());
    }
    EXPECT_FALSE(connects());
    const auto second = create_edge_socket(settings.socket, std::nullopt);
    ASSERT_TRUE(second) << second.error();
    EXPECT_TRUE(connects());
}

TEST_F(environment_test, a_file_in_the_sockets_place_is_never_removed) {
    folder.write("edge.sock", "precious");
    EXPECT_THAT(create_edge_socket(settings.socket, std::nullopt).error(), HasSubstr("is not a socket"));
    EXPECT_EQ(folder.read("edge.sock"), "precious");
}

TEST_F(environment_test, a_path_that_is_too_long_for_a_socket_is_told) {
    settings.socket = folder.path(std::string(120, 's'));
    EXPECT_THAT(check_environment(settings), ElementsAre(HasSubstr("has at most 107")));
    EXPECT_THAT(create_edge_socket(settings.socket, std::nullopt).error(), HasSubstr("has at most 107"));
}

}  // namespace
}  // namespace postern::edge
