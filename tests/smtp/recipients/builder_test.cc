// The builder's files and its refusals: each names what is wrong and leaves the file that was there.
#include "smtp/recipients/builder.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/smtp/recipients/table_fixture.h"

namespace postern::recipients::testing {
namespace {

class builder : public ::testing::Test {
protected:
    std::string refusal_of(const std::vector<entry>& list, const domain_section& domains = two_domains()) {
        const auto built = build_base(path, 1, domains, source_of(list));
        EXPECT_FALSE(built);
        EXPECT_FALSE(std::filesystem::exists(path));
        EXPECT_FALSE(std::filesystem::exists(folder / ".base.new"));
        return built ? "" : built.error();
    }
    std::string overlay_refusal(const std::vector<entry>& added, const std::vector<std::string>& removed) {
        const auto built = build_overlay(folder / "overlay", 2, path, nullptr, views_of(added), removed);
        EXPECT_FALSE(built);
        EXPECT_FALSE(std::filesystem::exists(folder / "overlay"));
        return built ? "" : built.error();
    }
    temporary_folder folder;
    const std::string path = folder / "base";
};

TEST_F(builder, reports_what_it_wrote) {
    const auto built = build_base(path, 9, two_domains(), source_of(many(1000)));
    ASSERT_TRUE(built) << built.error();
    EXPECT_EQ(built->addresses, 1000U);
    EXPECT_EQ(built->file_octets, std::filesystem::file_size(path));
    EXPECT_EQ(built->rekeys, 0U);
    EXPECT_FALSE(std::filesystem::exists(folder / ".base.new"));
    struct stat about {};
    ASSERT_EQ(::stat(path.c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07U, 0U) << "the key in it is secret";
}

TEST_F(builder, takes_at_most_8_octets_a_key) {
    const std::size_t keys = 200000;
    const auto built = build_base(path, 1, two_domains(), source_of(many(keys)));
    ASSERT_TRUE(built);
    EXPECT_LE(built->file_octets, keys * 8);
}

TEST_F(builder, tells_how_far_it_is_and_builds_with_several_threads) {
    const std::size_t keys = 200000;
    const auto list = many(keys);
    for (const unsigned threads : {1U, 3U}) {
        std::vector<std::uint64_t> told;
        build_effort effort;
        effort.threads = threads;
        effort.progress = [&](std::uint64_t placed, std::uint64_t all) {
            EXPECT_EQ(all, keys);
            told.push_back(placed);
        };
        const auto built = build_base(path, 1, two_domains(), source_of(list), effort);
        ASSERT_TRUE(built) << built.error();
        EXPECT_GT(told.size(), 3U);
        EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
        EXPECT_EQ(told.back(), keys);
        const auto loaded = load(path);  // checks every line and counts
        ASSERT_TRUE(loaded) << loaded.error();
        EXPECT_EQ((*loaded)->facts().addresses, keys);
        const auto in = make_snapshot(1, *loaded, nullptr);
        ASSERT_TRUE(in);
        for (std::size_t i = 0; i < keys; i += 97) {
            ASSERT_EQ(ask(**in, list[i].text).standing, standing::listed) << list[i].text;
        }
    }
}

TEST_F(builder, replaces_the_file_that_was_there) {
    ASSERT_TRUE(build_base(path, 1, two_domains(), source_of(many(1000))));
    ASSERT_TRUE(build_base(path, 2, two_domains(), source_of(many(10))));
    const auto loaded = load(path);
    ASSERT_TRUE(loaded) << loaded.error();
    EXPECT_EQ((*loaded)->facts().generation, 2U);
}

TEST_F(builder, draws_another_key_for_every_base) {
    ASSERT_TRUE(build_base(path, 1, two_domains(), source_of(many(10))));
    const std::string first = octets_of(path);
    ASSERT_TRUE(build_base(path, 1, two_domains(), source_of(many(10))));
    EXPECT_NE(first.substr(32, 16), octets_of(path).substr(32, 16));
}

TEST_F(builder, refuses_an_address_given_twice_and_names_it) {
    auto list = many(5000);
    list.push_back(list[1234]);
    EXPECT_EQ(refusal_of(list), "address user1234@example.com is listed twice");
}

TEST_F(builder, asks_again_with_another_key_after_a_collision) {
    // A source that gives an address twice only when it is asked for the first time looks like one.
    int passes = 0;
    const auto list = many(100);
    const auto built = build_base(path, 1, two_domains(), [&](const auto& sink) {
        for (const entry& e : list) {
            sink(e.view());
        }
        if (passes++ == 0) {
            sink(list.front().view());
        }
    });
    ASSERT_TRUE(built) << built.error();
    EXPECT_EQ(built->rekeys, 1U);
    EXPECT_EQ(passes, 3) << "gathered, looked for the duplicate, gathered again";
}

TEST_F(builder, gives_up_on_a_source_that_is_never_the_same) {
    int passes = 0;
    const auto built = build_base(path, 1, two_domains(), [&](const auto& sink) {
        const entry e{"alice@example.com"};
        sink(e.view());
        if (passes++ % 2 == 0) {
            sink(e.view());
        }
    });
    ASSERT_FALSE(built);
    EXPECT_NE(built.error().find("is the source stable"), std::string::npos) << built.error();
}

TEST_F(builder, refuses_addresses_of_no_domain_of_its) {
    EXPECT_NE(refusal_of({{"alice@example.com", 99}}).find("alice@example.com"), std::string::npos);
    EXPECT_NE(refusal_of({{"alice@alias.example", 3}}).find("only a domain alias"), std::string::npos);
    for (const char* text :
         {"alice@example.org", "@example.com", "example.com", "aliceexample.com", "alice@xexample.com"}) {
        EXPECT_NE(refusal_of({{text, 1}}).find("is not of its domain example.com"), std::string::npos) << text;
    }
    EXPECT_NE(refusal_of({{"alice@example.com", 1, static_cast<mailbox_kind>(6)}}).find("unknown kind 6"),
              std::string::npos);
    EXPECT_NE(refusal_of({{std::string(2000, 'a') + "@example.com", 1}}).find("is not of its domain"),
              std::string::npos);
}

TEST_F(builder, refuses_domains_that_do_not_hold_together) {
    domain_section domains = two_domains();
    domains.domains[0].route = 55;
    EXPECT_NE(refusal_of({}, domains).find("there is no route 55"), std::string::npos);
}

TEST_F(builder, names_the_folder_it_can_not_write_to) {
    const auto nowhere = build_base(folder / "missing/base", 1, two_domains(), source_of({}));
    ASSERT_FALSE(nowhere);
    EXPECT_NE(nowhere.error().find("missing"), std::string::npos) << nowhere.error();
    EXPECT_FALSE(build_base((folder / ""), 1, two_domains(), source_of({})));
    std::filesystem::create_directory(path);
    const auto taken = build_base(path, 1, two_domains(), source_of({}));
    ASSERT_FALSE(taken);
    EXPECT_NE(taken.error().find("base"), std::string::npos) << taken.error();
    EXPECT_FALSE(std::filesystem::exists(folder / ".base.new"));
}

TEST_F(builder, keeps_the_old_file_when_there_is_no_room_for_the_new) {
    ASSERT_TRUE(build_base(path, 1, two_domains(), source_of(many(10))));
    const std::string before = octets_of(path);
    rlimit saved{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &saved), 0);
    const auto handler = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit little{4096, saved.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &little), 0);
    const auto built = build_base(path, 2, two_domains(), source_of(many(10000)));
    ::setrlimit(RLIMIT_FSIZE, &saved);
    ::signal(SIGXFSZ, handler);
    ASSERT_FALSE(built);
    EXPECT_NE(built.error().find("File too large"), std::string::npos) << built.error();
    EXPECT_EQ(octets_of(path), before);
    EXPECT_FALSE(std::filesystem::exists(folder / ".base.new"));
}

TEST_F(builder, refuses_overlays_that_contradict_themselves_or_the_base) {
    ASSERT_TRUE(build_base(path, 1, two_domains(), source_of({{"alice@example.com"}, {"bob@example.com"}})));
    EXPECT_EQ(overlay_refusal({{"c@example.com"}, {"c@example.com"}}, {}), "address c@example.com is added twice");
    EXPECT_EQ(overlay_refusal({{"alice@example.com"}}, {"alice@example.com"}),
              "address alice@example.com is both added and removed");
    EXPECT_NE(
        overlay_refusal({}, {"carol@example.com"}).find("address carol@example.com is to be removed, but the base"),
        std::string::npos);
    EXPECT_NE(overlay_refusal({{"c@example.net", 4}}, {}).find("c@example.net"), std::string::npos);
    EXPECT_NE(overlay_refusal({}, {std::string(5000, 'x')}).find("too long"), std::string::npos);
    EXPECT_TRUE(build_overlay(folder / "overlay", 2, path, nullptr, {},
                              std::vector<std::string>{"alice@example.com", "alice@example.com"}))
        << "removing twice is removing once";
}

TEST_F(builder, refuses_overlays_over_what_is_no_base) {
    const auto missing = build_overlay(folder / "overlay", 2, folder / "nothing", nullptr, {}, {});
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().find("nothing: No such file"), std::string::npos) << missing.error();
    ASSERT_TRUE(build_base(path, 1, two_domains(), source_of({})));
    ASSERT_TRUE(build_overlay(folder / "overlay", 2, path, nullptr, {}, {}));
    const auto over_overlay = build_overlay(folder / "second", 3, folder / "overlay", nullptr, {}, {});
    ASSERT_FALSE(over_overlay);
    EXPECT_NE(over_overlay.error().find("it is an overlay"), std::string::npos) << over_overlay.error();
    std::ofstream(folder / "text") << "alice@example.com\n";
    const auto over_text = build_overlay(folder / "second", 3, folder / "text", nullptr, {}, {});
    ASSERT_FALSE(over_text);
    EXPECT_NE(over_text.error().find("not a table file"), std::string::npos) << over_text.error();
}

}  // namespace
}  // namespace postern::recipients::testing
