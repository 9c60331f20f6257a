#include "control/agent/memory.h"

#include <gtest/gtest.h>

#include "control/agent/spool.h"
#include "control/sources/push/lines.h"
#include "tests/control/directory/open_store.h"

namespace postern::agent {
namespace {

TEST(agent_memory, what_was_kept_is_known_again_and_only_to_the_same_source_and_settings) {
    const directory::temporary_folder folder;
    EXPECT_EQ(recall(folder.path(), "a").sequence, 0U) << "nothing yet";
    ASSERT_TRUE(keep(folder.path(), {"a", 7, "cookie"}));
    EXPECT_EQ(recall(folder.path(), "a"), (memory{"a", 7, "cookie"}));
    EXPECT_EQ(recall(folder.path(), "b"), (memory{"b", 0, ""}));
}

TEST(agent_memory, what_is_damaged_is_forgotten) {
    for (const char* const text : {"", "{", "[]", R"({"of":"a"})", R"({"of":"a","sequence":-1,"cookie":""})",
                                   R"({"of":"a","sequence":"7","cookie":""})", R"({"of":"a","sequence":7})"}) {
        EXPECT_EQ(parse_memory(text, "a").sequence, 0U) << text;
    }
}

TEST(agent_spool, a_restart_takes_back_all_that_was_written) {
    const directory::temporary_folder folder;
    auto lines = spool::create(folder.file("list"));
    ASSERT_TRUE(lines);
    const auto person = [](const char* identity, const char* address) {
        sources::directory_entry out;
        out.identity = identity;
        out.address = address;
        return out;
    };
    EXPECT_TRUE((*lines)->entry(person("1", "old@example.com")));
    EXPECT_TRUE((*lines)->restart_whole());
    EXPECT_TRUE((*lines)->entry(person("2", "new@example.com")));
    EXPECT_TRUE((*lines)->gone("3"));
    ASSERT_TRUE((*lines)->finish());
    const auto read = process::read_file((*lines)->path(), 10'000);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->find("old@"), std::string::npos);
    EXPECT_NE(read->find("new@example.com"), std::string::npos);
    EXPECT_TRUE(read->ends_with("{\"end\":2}\n")) << *read;
    lines->reset();
    EXPECT_FALSE(std::filesystem::exists(folder.file("list"))) << "nothing is left";
}

}  // namespace
}  // namespace postern::agent
