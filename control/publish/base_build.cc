#include "control/publish/base_build.h"

#include <unistd.h>

#include "control/directory/changes.h"
#include "control/publish/generation_files.h"
#include "smtp/recipients/builder.h"

namespace postern::publish {

namespace {

tl::expected<built_base, std::string> build(const directory::store& store, const std::string& folder,
                                            std::uint64_t number, const std::atomic<bool>& cancel) {
    const auto text_of = [](const directory::error& cause) { return tl::unexpected(cause.text); };
    const auto in = store.read();
    if (!in) {
        return text_of(in.error());
    }
    built_base out;
    out.number = number;
    out.file = base_name(number);
    // The first query fixes the view: number, domains and addresses are of one moment.
    const auto seq = directory::last_change(*in);
    if (!seq) {
        return text_of(seq.error());
    }
    out.seq = *seq;
    const auto domains = directory::published_domains(*in);
    if (!domains) {
        return text_of(domains.error());
    }
    out.domains = domains->domains.size();
    directory::result<void> read;
    const std::string path = folder + '/' + out.file;
    const auto report = recipients::build_base(
        path, number, *domains, [&](const std::function<void(const recipients::listed_address&)>& sink) {
            read = directory::each_valid_address(*in, [&](const recipients::listed_address& next) {
                sink(next);
                return !cancel.load(std::memory_order_relaxed);
            });
        });
    if (!read || cancel.load()) {
        ::unlink(path.c_str());  // it is of a part of the list
        return tl::unexpected(read ? std::string("stopped") : read.error().text);
    }
    if (!report) {
        return tl::unexpected(report.error());
    }
    out.addresses = report->addresses;
    return out;
}

}  // namespace

void base_build::start(const directory::store& store, const std::string& folder, std::uint64_t number,
                       std::function<void()> done) {
    _finished.store(false);
    _thread = std::thread([this, &store, folder, number, done = std::move(done)] {
        _result = build(store, folder, number, _cancel);
        _finished.store(true);
        done();
    });
}

tl::expected<built_base, std::string> base_build::take() {
    _thread.join();
    _finished.store(false);
    return std::move(_result);
}

void base_build::cancel() {
    _cancel.store(true);
    if (_thread.joinable()) {
        _thread.join();
    }
}

}  // namespace postern::publish
