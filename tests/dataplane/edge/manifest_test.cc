#include "dataplane/edge/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "table_files.h"

namespace postern::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

manifest example() {
    manifest out;
    out.in_force = {7, "base-5", "overlay-7"};
    out.kept = {{6, "base-5", "overlay-6"}, {5, "base-5", ""}, {18'446'744'073'709'551'615U, "base-1", ""}};
    return out;
}

TEST(manifest, what_is_written_is_read) {
    const temporary_folder folder;
    ASSERT_TRUE(write_manifest(folder.fd(), example()));
    const auto read = read_manifest(folder.fd());
    ASSERT_TRUE(read) << read.error();
    EXPECT_EQ(*read, example());
}

TEST(manifest, none_is_no_error) {
    const temporary_folder folder;
    const auto read = read_manifest(folder.fd());
    ASSERT_TRUE(read) << read.error();
    EXPECT_FALSE(*read);
}

TEST(manifest, a_crash_before_the_rename_leaves_the_old_one) {
    const temporary_folder folder;
    ASSERT_TRUE(write_manifest(folder.fd(), example()));
    // What a writer that was killed leaves behind: half a temporary file, of any length.
    manifest next = example().after({8, "base-8", ""});
    const std::string text = to_json(next);
    for (std::size_t size = 0; size <= text.size(); ++size) {
        folder.write(".manifest.json.new", text.substr(0, size));
        const auto read = read_manifest(folder.fd());
        ASSERT_TRUE(read) << read.error();
        ASSERT_EQ(*read, example()) << size;
    }
    ASSERT_TRUE(write_manifest(folder.fd(), next));
    ASSERT_TRUE(sync_manifest(folder.fd()));
    EXPECT_EQ(*read_manifest(folder.fd()), next);
}

TEST(manifest, every_truncation_is_refused_with_a_reason) {
    const std::string whole = to_json(example());
    for (std::size_t size = 0; size + 2 < whole.size(); ++size) {
        const auto read = manifest_from_json(std::string_view(whole).substr(0, size));
        ASSERT_FALSE(read) << size;
        EXPECT_FALSE(read.error().empty());
    }
}

TEST(manifest, what_does_not_fit_is_refused) {
    const auto error_of = [](std::string_view text) {
        const auto read = manifest_from_json(text);
        return read ? std::string("(no error)") : read.error();
    };
    EXPECT_THAT(error_of("[]"), HasSubstr("not a JSON object"));
    EXPECT_THAT(error_of("{}"), HasSubstr("\"version\""));
    EXPECT_THAT(error_of(R"({"version":2,"generation":1,"base":"b","overlay":null,"kept":[]})"),
                HasSubstr("version is 2"));
    EXPECT_THAT(error_of(R"({"version":1,"generation":-1,"base":"b","overlay":null,"kept":[]})"),
                HasSubstr("\"generation\""));
    EXPECT_THAT(error_of(R"({"version":1,"generation":1.5,"base":"b","overlay":null,"kept":[]})"),
                HasSubstr("\"generation\""));
    EXPECT_THAT(error_of(R"({"version":1,"generation":1,"base":"../b","overlay":null,"kept":[]})"),
                HasSubstr("\"base\""));
    EXPECT_THAT(error_of(R"({"version":1,"generation":1,"base":"b","overlay":"/o","kept":[]})"),
                HasSubstr("\"overlay\""));
    EXPECT_THAT(error_of(R"({"version":1,"generation":1,"base":"b","overlay":null})"), HasSubstr("\"kept\""));
    EXPECT_THAT(error_of(R"({"version":1,"generation":1,"base":"b","overlay":null,"kept":[1]})"),
                HasSubstr("\"kept\""));
    EXPECT_THAT(error_of(R"({"version":1,"generation":1,"base":"b","overlay":null,"kept":[{"generation":1}]})"),
                HasSubstr("in \"kept\""));
}

TEST(manifest, a_file_that_is_too_large_or_a_link_is_refused) {
    const temporary_folder folder;
    folder.write("manifest.json", std::string(70'000, ' '));
    EXPECT_THAT(read_manifest(folder.fd()).error(), HasSubstr("larger than"));
    std::filesystem::remove(folder.path("manifest.json"));
    std::filesystem::create_symlink("/etc/passwd", folder.path("manifest.json"));
    EXPECT_FALSE(read_manifest(folder.fd()));
}

TEST(manifest, a_commit_keeps_what_was_in_force_first) {
    manifest now;
    now = now.after({1, "base-1", ""});
    EXPECT_THAT(now.kept, SizeIs(0));
    now = now.after({2, "base-1", "o-2"});
    ASSERT_THAT(now.kept, SizeIs(1));
    EXPECT_EQ(now.kept[0], (table_pair{1, "base-1", ""}));
    EXPECT_EQ(now.in_force, (table_pair{2, "base-1", "o-2"}));
}

TEST(manifest, the_last_five_pairs_are_kept_and_the_last_of_three_older_bases) {
    manifest now;
    std::uint64_t generation = 0;
    for (int base = 1; base <= 6; ++base) {
        for (int edit = 0; edit < 10; ++edit) {
            ++generation;
            now = now.after({generation, "base-" + std::to_string(base), "o-" + std::to_string(generation)});
        }
    }
    ASSERT_THAT(now.kept, SizeIs(8));
    for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_EQ(now.kept[i].generation, 59 - i);
    }
    EXPECT_EQ(now.kept[5].generation, 50U);
    EXPECT_EQ(now.kept[6].generation, 40U);
    EXPECT_EQ(now.kept[7].generation, 30U);
}

TEST(manifest, a_pair_is_kept_once) {
    manifest now;
    now = now.after({1, "a", ""}).after({2, "b", ""}).after({3, "a", ""});
    ASSERT_THAT(now.kept, SizeIs(1));
    EXPECT_EQ(now.kept[0].base, "b");
    now = now.after({4, "a", ""});
    ASSERT_THAT(now.kept, SizeIs(1));
    EXPECT_EQ(now.in_force.generation, 4U);
}

}  // namespace
}  // namespace postern::edge
