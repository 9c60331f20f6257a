// LMDB: one database, mapped, no locks; one read transaction that stays open, as a server would keep it.
#include <lmdb.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "perf/table/subject.h"

namespace postern::perf::table {
namespace {

void check(int status, const char* what) {
    if (status != MDB_SUCCESS) {
        throw failure(std::string("lmdb, ") + what + ": " + mdb_strerror(status));
    }
}

MDB_val value_of(const void* at, std::size_t octets) {
    return {octets, const_cast<void*>(at)};  // NOLINT: LMDB only reads it
}

class lmdb_table final : public subject {
public:
    explicit lmdb_table(const options& with) {
        // In order, so that it may be appended, which packs the pages.
        std::vector<std::string> sorted(with.keys);
        for (std::uint64_t i = 0; i < with.keys; ++i) {
            sorted[i] = std::string(view(text_of(i)));
        }
        std::sort(sorted.begin(), sorted.end());
        constexpr std::uint64_t room_a_key = 128;
        check(mdb_env_create(&_environment), "create");
        check(mdb_env_set_mapsize(_environment, (64U << 20U) + with.keys * room_a_key), "size");
        const std::string path = with.folder + "/lmdb";
        check(mdb_env_open(_environment, path.c_str(), MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOSYNC | MDB_WRITEMAP, 0600),
              "open");
        MDB_txn* writing = nullptr;
        check(mdb_txn_begin(_environment, nullptr, 0, &writing), "begin");
        check(mdb_dbi_open(writing, nullptr, 0, &_database), "database");
        MDB_val payload = value_of("1", 1);
        for (const std::string& text : sorted) {
            MDB_val key = value_of(text.data(), text.size());
            check(mdb_put(writing, _database, &key, &payload, MDB_APPEND), "put");
        }
        check(mdb_txn_commit(writing), "commit");
        check(mdb_txn_begin(_environment, nullptr, MDB_RDONLY, &_reading), "read");
    }
    ~lmdb_table() override {
        mdb_txn_abort(_reading);
        mdb_env_close(_environment);
    }
    lmdb_table(const lmdb_table&) = delete;
    lmdb_table& operator=(const lmdb_table&) = delete;

    void ask(const query_block& block, std::size_t /*batch*/, bool* answers) override {
        for (std::size_t i = 0; i < block.size; ++i) {
            MDB_val key = value_of(block.texts[i].data(), block.texts[i].size());
            MDB_val payload{};
            answers[i] = mdb_get(_reading, _database, &key, &payload) == MDB_SUCCESS;
        }
    }
    std::uint64_t octets() const override {
        MDB_envinfo about{};
        MDB_stat page{};
        mdb_env_info(_environment, &about);
        mdb_env_stat(_environment, &page);
        return (about.me_last_pgno + 1) * page.ms_psize;
    }

private:
    MDB_env* _environment = nullptr;
    MDB_txn* _reading = nullptr;
    MDB_dbi _database = 0;
};

}  // namespace

std::unique_ptr<subject> make_lmdb(const options& with) {
    return std::make_unique<lmdb_table>(with);
}

}  // namespace postern::perf::table
