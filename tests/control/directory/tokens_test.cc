#include "control/directory/tokens.h"

#include <gmock/gmock.h>

#include "control/directory/connection.h"
#include "control/directory/generations.h"
#include "control/directory/idempotency.h"
#include "tests/control/directory/open_store.h"

namespace postern::directory {
namespace {

TEST_F(store_test, a_token_is_known_by_its_secret_until_revoked) {
    writer in = write();
    EXPECT_TRUE(need(needs_first_token(in)));
    const issued_token made = need(issue_token(in, "ops", role::admin));
    EXPECT_FALSE(need(needs_first_token(in)));
    EXPECT_EQ(made.secret.size(), 47U);
    EXPECT_EQ(made.token.created_by, "tester");
    EXPECT_EQ(need(authenticate(in, made.secret)).id, made.token.id);
    for (const std::string& wrong : {std::string(), std::string("pst_"), made.secret + "A", made.secret.substr(4),
                                     "pst_" + std::string(43, 'A')}) {
        EXPECT_EQ(authenticate(in, wrong).error().kind, error_kind::not_found);
    }
    need(revoke_token(in, made.token.id));
    EXPECT_FALSE(authenticate(in, made.secret));
    EXPECT_TRUE(need(needs_first_token(in)));
}

TEST_F(store_test, the_store_keeps_no_secret) {
    std::string secret;
    {
        writer in = write();
        secret = need(issue_token(in, "ops", role::viewer)).secret;
        commit(in);
    }
    const reader in = read();
    statement row = in.on().query("SELECT count(*) FROM token WHERE instr(hash, ?1) OR name = ?1", secret);
    ASSERT_TRUE(row.step());
    EXPECT_EQ(row.integer(0), 0);
    statement history = in.on().query("SELECT count(*) FROM history WHERE instr(after, ?1)", secret);
    ASSERT_TRUE(history.step());
    EXPECT_EQ(history.integer(0), 0);
}

TEST_F(store_test, a_tokens_name_is_free_again_after_revoking) {
    writer in = write();
    const issued_token first = need(issue_token(in, "ops", role::editor));
    EXPECT_EQ(issue_token(in, "ops", role::editor).error().kind, error_kind::conflict);
    need(revoke_token(in, first.token.id));
    EXPECT_NE(need(issue_token(in, "ops", role::editor)).secret, first.secret);
    EXPECT_EQ(need(list_tokens(in, false, {})).items.size(), 1U);
    EXPECT_EQ(need(list_tokens(in, true, {})).items.size(), 2U);
}

TEST_F(store_test, a_kept_answer_comes_back_until_it_is_old) {
    {
        writer in = write();
        need(keep_answer(in, 7, "k1", {"hash", 201, "application/json", "{}"}));
        EXPECT_EQ(keep_answer(in, 7, "k1", {"hash", 201, "", ""}).error().kind, error_kind::conflict);
        EXPECT_TRUE(keep_answer(in, 8, "k1", {"hash", 201, "", ""})) << "another token's key is another key";
        commit(in);
    }
    {
        const reader in = read();
        const auto kept = need(kept_answer(in, 7, "k1"));
        ASSERT_TRUE(kept);
        EXPECT_EQ(kept->status, 201);
        EXPECT_EQ(kept->body, "{}");
        EXPECT_FALSE(need(kept_answer(in, 7, "k2")));
    }
    _now += idempotency_lifetime + 1;
    writer in = write();
    need(keep_answer(in, 7, "k2", {"hash", 200, "", ""}));
    EXPECT_FALSE(need(kept_answer(in, 7, "k1")));
}

TEST_F(store_test, generation_numbers_are_handed_out_once) {
    writer in = write();
    EXPECT_EQ(need(reserve_generations(in, 0, 10)), 1U);
    EXPECT_EQ(need(reserve_generations(in, 0, 10)), 11U);
    EXPECT_EQ(need(reserve_generations(in, 500, 10)), 501U) << "over what an edge has in force";
    generation made;
    made.number = 501;
    made.base = "base-501.table";
    made.seq = 9;
    need(record_generation(in, made));
    EXPECT_EQ(need(last_generation(in))->base, "base-501.table");
    EXPECT_EQ(need(list_generations(in, {})).items.size(), 1U);
}

}  // namespace
}  // namespace postern::directory
