// postern-table as a person uses it: what it prints, what it refuses, its exit status.
#include "smtp/recipients/tool/tool.h"

#include <sstream>

#include "smtp/recipients/tool/domain_words.h"
#include "tests/smtp/recipients/table_fixture.h"

namespace postern::recipients::tool {
namespace {

using testing::octets_of;
using testing::temporary_folder;

class table_tool : public ::testing::Test {
protected:
    int run_with(const std::vector<std::string>& arguments, const std::string& input = "") {
        std::istringstream in(input);
        std::ostringstream out_stream;
        std::ostringstream err_stream;
        const int status = run(arguments, {in, out_stream, err_stream});
        out = out_stream.str();
        err = err_stream.str();
        return status;
    }
    std::string file(const std::string& name, const std::string& content) {
        std::ofstream(folder / name) << content;
        return folder / name;
    }
    std::string build(const std::string& list, std::vector<std::string> more = {}) {
        std::vector<std::string> arguments = {"build", "--output", folder / "base"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        EXPECT_EQ(run_with(arguments, list), good) << err;
        return folder / "base";
    }
    temporary_folder folder;
    std::string out;
    std::string err;
};

TEST_F(table_tool, builds_from_standard_input_and_looks_up) {
    const std::string base = build("Alice@example.com\nroom@example.org resource internal-only\n");
    EXPECT_EQ(out, base + ": generation 1, 2 addresses, " + std::to_string(octets_of(base).size()) + " octets\n");
    EXPECT_EQ(run_with({"lookup", base, "ALICE@example.com", "room+x@example.org"}), good);
    EXPECT_EQ(out,
              "ALICE@example.com: listed, user (example.com, enforce)\n"
              "room+x@example.org: listed, resource, internal only (example.org, enforce)\n");
    EXPECT_EQ(run_with({"lookup", base}, "nobody@example.com\nx@example.net\npostmaster@example.com\nno address\n"),
              refused);
    EXPECT_EQ(out,
              "nobody@example.com: unlisted (example.com, enforce)\n"
              "x@example.net: not served\n"
              "postmaster@example.com: always accepted (example.com, enforce)\n"
              "no address: the part before the @ is neither a dot-string nor a quoted string\n");
}

TEST_F(table_tool, tells_how_far_it_is) {
    std::string list;
    for (int i = 0; i < 100000; ++i) {
        list += "user" + std::to_string(i) + "@example.com\n";
    }
    const std::string base = build(list, {"--threads", "2", "--progress"});
    EXPECT_NE(err.find("placed 100000 of 100000 addresses, 100 %\n"), std::string::npos) << err;
    EXPECT_GE(std::count(err.begin(), err.end(), '\n'), 3);
    EXPECT_EQ(run_with({"lookup", base, "user99999@example.com"}), good);
    EXPECT_NE(run_with({"build", "--output", base, "--threads", "0"}, "a@example.com\n"), good);
}

TEST_F(table_tool, reads_lists_as_people_keep_them) {
    const std::string list =
        "\xEF\xBB\xBF"
        "# staff\r\n"
        "\r\n"
        "  alice@example.com\t list \r\n"
        "\"odd one\"@example.com shared grace # comment\n"
        "ALICE@example.com list\n"
        "b\u00f6b@b\u00fccher.example";
    const std::string base = build(list, {"--json"});
    EXPECT_NE(out.find("\"addresses\":3"), std::string::npos) << out;
    EXPECT_NE(out.find("\"repeated\":1"), std::string::npos) << out;
    EXPECT_EQ(
        run_with({"lookup", base, "alice@example.com", "\"Odd one\"@example.com", "B\u00d6B@xn--bcher-kva.example"}),
        good);
    EXPECT_NE(out.find("listed, list"), std::string::npos);
    EXPECT_NE(out.find("listed, shared, in grace"), std::string::npos);
}

TEST_F(table_tool, refuses_bad_lines_with_their_place) {
    const std::string list =
        file("list", "alice@example.com\nalice\n.x@example.com\nb@example.com cook\nalice@example.com list\n");
    const std::string base = folder / "base";
    EXPECT_EQ(run_with({"build", "-o", base, list}), refused);
    EXPECT_FALSE(std::filesystem::exists(base));
    EXPECT_EQ(err, list + ":2: the address has no domain\n" + list +
                       ":3: the part before the @ is neither a dot-string nor a quoted string\n" + list +
                       ":4: 'cook' is neither a kind nor a flag\n" + list +
                       ":5: the address stands in line 1 with another kind or flag\n"
                       "postern-table: 4 bad lines, nothing written; correct them or use --skip-bad\n");
    EXPECT_EQ(run_with({"build", "-o", base, list, "--skip-bad"}), good);
    EXPECT_NE(out.find(" 1 addresses"), std::string::npos);
}

TEST_F(table_tool, shows_the_first_bad_lines_only) {
    std::string list;
    for (int i = 0; i < 100; ++i) {
        list += "nonsense\n";
    }
    EXPECT_EQ(run_with({"build", "-o", folder / "base"}, list), refused);
    EXPECT_NE(err.find("standard input:20: "), std::string::npos);
    EXPECT_EQ(err.find("standard input:21: "), std::string::npos);
    EXPECT_NE(err.find("... and 80 more bad lines"), std::string::npos);
}

TEST_F(table_tool, serves_the_named_domains_only) {
    const std::string domain =
        "Example.com=defer,mail.example.com:2525,[2001:db8::1]:25,prvs,srs,hold,no-abuse,"
        "delimiter:-,grace-defers,trust:10.0.0.0/8,trust:2001:db8::/32";
    const std::string base =
        build("alice@example.com\nbob@alias.example\n",
              {"--domain", domain, "--domain", "alias.example=alias:example.com", "--generation", "12"});
    EXPECT_EQ(run_with({"lookup", base, "alice-x@alias.example", "bob@example.com"}), good);
    EXPECT_EQ(run_with({"inspect", base, "--json"}), good);
    for (const char* part :
         {R"("generation":12)", R"("mode":"defer")", R"("hosts":["mail.example.com:2525","2001:db8::1:25"])",
          R"("strip_prvs":true)", R"("accept_srs":true)", R"("on_hold":true)", R"("abuse_always":false)",
          R"("trusted":2)", R"("subaddress_delimiter":"-")", R"("grace_defers":true)", R"("alias_of":"example.com")"}) {
        EXPECT_NE(out.find(part), std::string::npos) << part << " in " << out;
    }
    EXPECT_EQ(run_with({"build", "-o", base, "--domain", "example.com"}, "a@example.net\n"), refused);
    EXPECT_NE(err.find("standard input:1: the domain example.net is not one of the served"), std::string::npos) << err;
}

TEST_F(table_tool, refuses_domain_words_that_say_nothing) {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"exam ple", "domain 'exam ple'"},
        {"example.com=enforced", "'enforced' is no setting"},
        {"example.com=mail:0x19", "'mail:0x19' is no setting"},
        {"example.com=mail:0", "the port 0"},
        {"example.com=trust:10.0.0.0/33", "'trust:10.0.0.0/33' is no setting"},
        {"example.com=trust:10.0.0.1/8", "host bits"},
        {"example.com=alias:example.net", "which is no --domain"},
        {"example.com=alias:-", "domain '-'"},
        {"example.com=delimiter:@", "delimiter"},
        {"example.com=,", "'' is no setting"},
    };
    for (const auto& [word, reason] : cases) {
        EXPECT_EQ(run_with({"build", "-o", folder / "base", "--domain", word}), misused) << word;
        EXPECT_NE(err.find(reason), std::string::npos) << err;
    }
    EXPECT_EQ(run_with({"build", "-o", folder / "base", "--mode", "strict"}), misused);
    EXPECT_NE(err.find("'strict' is no mode"), std::string::npos) << err;
}

TEST_F(table_tool, builds_overlays) {
    const std::string base =
        build("alice@example.com\nbob@example.com\n", {"--domain", "example.com", "-d", "a.example=alias:example.com"});
    const std::string over = folder / "overlay";
    const std::string added = file("add", "carol@example.com list\nalice@a.example shared\n");
    const std::string removed = file("remove", "BOB@a.example\n");
    ASSERT_EQ(run_with({"overlay", base, "-o", over, "-g", "2", "--add", added, "--remove", removed}), good) << err;
    EXPECT_NE(out.find("generation 2, 2 addresses, 1 removals"), std::string::npos) << out;
    EXPECT_EQ(
        run_with({"lookup", base, "--overlay", over, "alice@example.com", "bob@example.com", "carol@example.com"}),
        refused);
    EXPECT_EQ(out,
              "alice@example.com: listed, shared (example.com, enforce)\n"
              "bob@example.com: unlisted (example.com, enforce)\n"
              "carol@example.com: listed, list (example.com, enforce)\n");
    EXPECT_EQ(run_with({"inspect", base, "--overlay", over}), good);
    EXPECT_NE(out.find("base generation       1\n"), std::string::npos) << out;
    EXPECT_EQ(run_with({"inspect", over}), good);
    EXPECT_EQ(run_with({"verify", base, "--overlay", over}), good);
    EXPECT_EQ(run_with({"verify", over}), good);
    EXPECT_EQ(run_with({"lookup", over, "alice@example.com"}), refused);
    EXPECT_NE(err.find("is an overlay"), std::string::npos) << err;
    EXPECT_EQ(run_with({"overlay", over, "-o", folder / "x"}), refused);
    EXPECT_NE(err.find("is an overlay"), std::string::npos) << err;
    EXPECT_EQ(run_with({"overlay", base, "-o", folder / "x", "--remove", added}), refused);
    EXPECT_NE(err.find("address carol@example.com is to be removed, but the base"), std::string::npos) << err;
    EXPECT_EQ(run_with({"overlay", base, "-o", folder / "x", "--remove", "-", "--add", "-"}), misused);
}

TEST_F(table_tool, verifies_a_list_against_a_table) {
    const std::string base = build("alice@example.com\nbob@example.com list\n");
    const std::string same = file("same", "BOB@example.com list\nalice@example.com\n");
    EXPECT_EQ(run_with({"verify", base, "--list", same}), good) << err;
    EXPECT_NE(out.find("2 of the list found"), std::string::npos) << out;
    EXPECT_EQ(run_with({"verify", base, "--list", file("less", "alice@example.com\n")}), refused);
    EXPECT_NE(err.find("has 2 addresses, the list 1"), std::string::npos) << err;
    EXPECT_EQ(
        run_with({"verify", base, "--list", file("other", "alice@example.com\nbob@example.com\ncarol@example.com\n")}),
        refused);
    EXPECT_NE(err.find("bob@example.com: another kind or flag"), std::string::npos) << err;
    EXPECT_NE(err.find("carol@example.com: unlisted"), std::string::npos) << err;
    EXPECT_NE(err.find("2 addresses of the list"), std::string::npos) << err;
    EXPECT_EQ(run_with({"verify", base, "--json"}), good);
    EXPECT_NE(out.find("\"good\":true"), std::string::npos);
}

TEST_F(table_tool, names_files_that_are_missing_or_something_else) {
    for (const char* command : {"inspect", "lookup", "verify"}) {
        EXPECT_EQ(run_with({command, folder / "nothing"}), refused);
        EXPECT_NE(err.find("nothing: No such file or directory"), std::string::npos) << err;
        EXPECT_EQ(run_with({command, file("text", "alice@example.com\n")}), refused);
        EXPECT_NE(err.find("text: header: not a table file"), std::string::npos) << err;
    }
    EXPECT_EQ(run_with({"build", "-o", folder / "base", folder / "nothing"}), refused);
    EXPECT_NE(err.find("nothing: No such file or directory"), std::string::npos) << err;
    EXPECT_EQ(run_with({"build", "-o", folder / "missing/base"}), refused);
    EXPECT_NE(err.find("missing"), std::string::npos) << err;
}

TEST_F(table_tool, explains_its_command_line) {
    EXPECT_EQ(run_with({"--help"}), good);
    for (const char* command : {"build", "overlay", "inspect", "lookup", "verify"}) {
        EXPECT_NE(out.find(command), std::string::npos);
    }
    EXPECT_EQ(run_with({"--version"}), good);
    EXPECT_EQ(run_with({}), misused);
    EXPECT_NE(err.find("postern-table: "), std::string::npos);
    EXPECT_EQ(run_with({"build"}), misused);
    EXPECT_EQ(run_with({"frobnicate"}), misused);
}

}  // namespace
}  // namespace postern::recipients::tool
