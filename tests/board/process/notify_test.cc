#include "board/process/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "board/process/files.h"

namespace postern::process {
namespace {

struct notify : ::testing::Test {
    ~notify() override { ::unsetenv("NOTIFY_SOCKET"); }
};

TEST_F(notify, without_a_service_manager_nothing_is_done) {
    ::unsetenv("NOTIFY_SOCKET");
    EXPECT_TRUE(notify_service_manager("READY=1"));
}

TEST_F(notify, the_state_arrives_as_one_datagram) {
    std::string folder = ::testing::TempDir() + "notifyXXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    const std::string path = folder + "/socket";
    const descriptor manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path.size(), sizeof address.sun_path);
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(::bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    EXPECT_TRUE(notify_service_manager("READY=1"));
    std::array<char, 64> octets{};
    const ssize_t size = ::recv(manager.get(), octets.data(), octets.size(), MSG_DONTWAIT);
    ASSERT_EQ(size, 7);
    EXPECT_EQ(std::string(octets.data(), 7), "READY=1");
    std::filesystem::remove_all(folder);
}

TEST_F(notify, a_socket_that_is_gone_is_told_to_the_caller) {
    ::setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    EXPECT_FALSE(notify_service_manager("READY=1"));
    ::setenv("NOTIFY_SOCKET", "relative", 1);
    EXPECT_FALSE(notify_service_manager("READY=1"));
    ::setenv("NOTIFY_SOCKET", ("/" + std::string(200, 'x')).c_str(), 1);
    EXPECT_FALSE(notify_service_manager("READY=1"));
}

}  // namespace
}  // namespace postern::process
