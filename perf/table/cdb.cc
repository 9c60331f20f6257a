// CDB (tinycdb), as Exim and Postfix have their lists: a constant file, mapped, read once so that no page is missing.
#include <cdb.h>
#include <fcntl.h>
#include <unistd.h>

#include "board/process/files.h"
#include "perf/table/subject.h"

namespace postern::perf::table {
namespace {

class cdb_table final : public subject {
public:
    explicit cdb_table(const options& with) {
        const std::string path = with.folder + "/cdb";
        _file = process::descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        cdb_make making{};
        bool good = _file && cdb_make_start(&making, _file.get()) == 0;
        for (std::uint64_t i = 0; good && i < with.keys; ++i) {
            const address_text text = text_of(i);
            good = cdb_make_add(&making, text.data(), static_cast<unsigned>(text.size()), "1", 1) == 0;
        }
        if (!good || cdb_make_finish(&making) != 0 || cdb_init(&_cdb, _file.get()) != 0) {
            throw failure("cannot make " + path);
        }
        ::unlink(path.c_str());
        _octets = static_cast<std::uint64_t>(::lseek(_file.get(), 0, SEEK_END));
        unsigned sum = 0;
        constexpr std::uint64_t page = 4096;
        const auto* const from = static_cast<const unsigned char*>(cdb_get(&_cdb, static_cast<unsigned>(_octets), 0));
        for (std::uint64_t at = 0; from != nullptr && at < _octets; at += page) {
            sum += from[at];
        }
        _touched = sum;
    }
    ~cdb_table() override { cdb_free(&_cdb); }
    cdb_table(const cdb_table&) = delete;
    cdb_table& operator=(const cdb_table&) = delete;

    void ask(const query_block& block, std::size_t /*batch*/, bool* answers) override {
        for (std::size_t i = 0; i < block.size; ++i) {
            const std::string_view text = block.texts[i];
            answers[i] = cdb_find(&_cdb, text.data(), static_cast<unsigned>(text.size())) > 0;
        }
    }
    std::uint64_t octets() const override { return _octets; }

private:
    process::descriptor _file;
    ::cdb _cdb{};
    std::uint64_t _octets = 0;
    volatile unsigned _touched = 0;
};

}  // namespace

std::unique_ptr<subject> make_cdb(const options& with) {
    return std::make_unique<cdb_table>(with);
}

}  // namespace postern::perf::table
