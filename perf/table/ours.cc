// Our table: by itself (`prepare` and `resolve` of one burst overlap the next), and as the edge asks it, from the
// parsed address to the verdict.
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "board/process/files.h"
#include "perf/table/subject.h"
#include "smtp/recipients/builder.h"
#include "smtp/recipients/burst.h"
#include "smtp/recipients/line.h"
#include "smtp/recipients/snapshot.h"
#include "smtp/recipients/table.h"

namespace postern::perf::table {
namespace {

using namespace postern::recipients;  // NOLINT: what is measured

std::shared_ptr<const recipients::table> built_table(const options& with) {
    domain_section section;
    domain_settings domain;
    domain.id = domain.target = 1;
    domain.name = domain_name;
    section.domains.push_back(domain);
    const std::string path = with.folder + "/ours";
    const auto built = build_base(path, 1, section, [&with](const auto& sink) {
        for (std::uint64_t i = 0; i < with.keys; ++i) {
            const address_text text = text_of(i);
            sink({view(text), 1, mailbox_kind::user, false, false});
        }
    });
    if (!built) {
        throw failure(built.error());
    }
    const process::descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    auto loaded = recipients::table::load_file(file.get(), path, with.huge_pages);
    if (!loaded) {
        throw failure(loaded.error());
    }
    std::filesystem::remove(path);
    return *loaded;
}

class by_itself final : public subject {
public:
    explicit by_itself(const options& with) : _table(built_table(with)) {}

    void ask(const query_block& block, std::size_t batch, bool* answers) override {
        const std::span<const std::string_view> texts(block.texts);
        _bursts[0].prepare(*_table, texts.first(batch));
        std::size_t done = 0;
        for (std::size_t next = batch, turn = 1; done < texts.size(); next += batch, turn ^= 1U) {
            if (next < texts.size()) {
                _bursts[turn].prepare(*_table, texts.subspan(next, batch), &_bursts[turn ^ 1U]);
            }
            for (const std::uint32_t payload : _bursts[turn ^ 1U].resolve()) {
                answers[done++] = payload < no_payload;
            }
        }
    }
    std::uint64_t octets() const override { return _table->facts().file_octets; }
    double false_accepts() const override { return 1.0 / (1U << 30U); }

private:
    std::shared_ptr<const recipients::table> _table;
    std::array<lookup_burst, 2> _bursts;
};

class verdicts final : public subject {
public:
    explicit verdicts(const options& with) : _table(built_table(with)) {
        auto made = make_snapshot(1, _table, nullptr);
        if (!made) {
            throw failure(made.error());
        }
        _in = *std::move(made);
    }

    void ask(const query_block& block, std::size_t batch, bool* answers) override {
        std::size_t done = 0;
        for (std::size_t i = 0; i < block.size; i += batch) {
            for (std::size_t k = i; k < i + batch; ++k) {
                if (!parse_plain_address(block.texts[k], _address)) {
                    throw failure("an address of the benchmark's own is refused");
                }
                _batch.add(*_in, _address, k);
            }
            for (const lookup_batch::answer& answer : _batch.resolve()) {
                answers[done++] = answer.verdict.standing == standing::listed;
            }
        }
    }
    std::uint64_t octets() const override { return _table->facts().file_octets; }
    double false_accepts() const override { return 1.0 / (1U << 28U); }

private:
    std::shared_ptr<const recipients::table> _table;
    std::unique_ptr<const snapshot> _in;
    lookup_batch _batch;
    normal_address _address;
};

}  // namespace

std::unique_ptr<subject> make_ours(const options& with) {
    return std::make_unique<by_itself>(with);
}

std::unique_ptr<subject> make_ours_verdicts(const options& with) {
    return std::make_unique<verdicts>(with);
}

}  // namespace postern::perf::table
