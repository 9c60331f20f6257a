#include "tests/control/sync/scripted_directory.h"

#include "control/directory/changes.h"

namespace postern::sync {

using directory::need;
using sources::fetch_outcome;

namespace {

class scripted_fetcher final : public sources::fetcher {
public:
    explicit scripted_fetcher(scripted_directory& from) : _from(from) {}

    fetch_outcome fetch(const sources::fetch_request& request, sources::entry_sink& into,
                        const std::atomic<bool>& stop) override {
        _from.cookies.push_back(request.cookie);
        if (_from.meanwhile) {
            _from.meanwhile(stop);
        }
        fetch_outcome out;
        out.server = "test://directory";
        out.reason = _from.reason;
        out.end = _from.end;
        std::uint64_t since = request.cookie.empty() || _from.whole_only ? 0 : std::stoull(request.cookie);
        if (since != 0 && _from.refuse_cookie) {
            into.gone("id-1");
            into.entry({"nonsense", "", "nonsense@example.com", {}, "", "", {}, false});
            into.restart_whole();
            since = 0;
        }
        out.whole = since == 0;
        if (out.end == fetch_outcome::end::failed) {
            out.step = "TCP";
            return out;
        }
        for (const auto& [identity, entry] : _from.objects) {
            if (out.read == _from.cut_after) {
                return out;
            }
            if (_from.touched[identity] > since || since == 0) {
                ++out.read;
                if (!into.entry(sources::directory_entry(entry))) {
                    out.end = fetch_outcome::end::stopped;
                    return out;
                }
            }
        }
        for (const auto& [identity, when] : _from.touched) {
            if (since != 0 && when > since && !_from.objects.contains(identity)) {
                into.gone(identity);
            }
        }
        if (out.end == fetch_outcome::end::complete) {
            out.cookie = std::to_string(_from.version);
        }
        return out;
    }

private:
    scripted_directory& _from;
};

}  // namespace

void scripted_directory::put(const std::string& identity, const std::string& address, std::vector<std::string> aliases,
                             const std::string& first_name) {
    sources::directory_entry entry;
    entry.identity = identity;
    entry.name = "CN=" + identity + ",OU=People";
    entry.address = address;
    entry.aliases = std::move(aliases);
    entry.first_name = first_name;
    put(std::move(entry));
}

void scripted_directory::put(sources::directory_entry entry) {
    touched[entry.identity] = ++version;
    objects[entry.identity] = std::move(entry);
}

void scripted_directory::remove(const std::string& identity) {
    touched[identity] = ++version;
    objects.erase(identity);
}

std::set<std::string> scripted_directory::addresses() const {
    std::set<std::string> out;
    for (const auto& [identity, entry] : objects) {
        out.insert(entry.address);
        out.insert(entry.aliases.begin(), entry.aliases.end());
    }
    return out;
}

sync_test::sync_test() {
    add("example.com");
    start();
}

void sync_test::start(const std::function<void(service_options&)>& how) {
    _service.reset();
    service_options options;
    options.folder = _folder.file("syncs");
    options.key_file = _folder.file("secret.key");
    options.scheduled = false;
    options.types["test"].make =
        [this](const source_order& order) -> tl::expected<std::unique_ptr<sources::fetcher>, std::string> {
        return std::make_unique<scripted_fetcher>(_directories[order.name.substr(order.name.find(':') + 1)]);
    };
    if (how) {
        how(options);
    }
    _service = need(service::start(*_store, std::move(options)));
}

directory_source sync_test::add_source(const std::string& name, const source_settings& set,
                                       std::uint32_t organisation) {
    auto in = write();
    new_source input;
    input.name = "test:" + name;
    input.organisation = organisation;
    input.set = set;
    auto out = need(sync::add_source(in, _service->with(), input));
    commit(in);
    return out;
}

sync_run sync_test::sync(std::uint32_t source, bool dry) {
    const std::uint64_t id = need(_service->start_sync(source, dry, {"tester", "a test"}));
    _service->wait_idle();
    return run(id);
}

std::vector<diff_item> sync_test::items(std::uint64_t run) {
    return need(_service->items(run, {}, {"", 1000})).items;
}

std::vector<run_problem> sync_test::problems(std::uint64_t run) {
    return need(_service->problems(run, {"", 1000})).items;
}

std::set<std::string> sync_test::valid(bool in_grace) {
    std::set<std::string> out;
    const auto in = read();
    need(directory::each_valid_address(in, [&](const recipients::listed_address& each) {
        if (in_grace || !each.grace) {
            out.emplace(each.text);
        }
        return true;
    }));
    return out;
}

void sync_test::change(std::uint32_t source, const std::function<void(source_settings&)>& how) {
    auto in = write();
    auto set = need(find_source(in, source)).set;
    how(set);
    need(change_source(in, _service->with(), source, set, {}, {}));
    commit(in);
}

}  // namespace postern::sync
