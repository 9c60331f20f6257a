// A whole API without a socket: a store in a folder of its own, a publisher without edges, the application, and
// requests that are handed to it as the server would.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "board/process/files.h"
#include "control/api/api.h"
#include "control/api/encode.h"
#include "control/api/import_jobs.h"
#include "control/directory/tokens.h"
#include "control/recent/recent_store.h"
#include "control/sync/service.h"

namespace postern::api {

class rig {
public:
    rig() {
        std::string name = std::filesystem::temp_directory_path() / "postern-api-XXXXXX";
        _folder = ::mkdtemp(name.data());
        auto store = directory::store::open(_folder + "/directory.db");
        EXPECT_TRUE(store) << (store ? "" : store.error().text);
        _store = std::move(*store);
        auto imports = import_jobs::open(*_store, _folder + "/uploads");
        EXPECT_TRUE(imports) << (imports ? "" : imports.error());
        _imports = std::move(*imports);
        publish::publisher_options options;
        options.tables = _folder + "/tables";
        auto publisher = publish::publisher::start(*_store, options);
        EXPECT_TRUE(publisher) << (publisher ? "" : publisher.error().text);
        _publisher = std::move(*publisher);
        sync::service_options syncs;
        syncs.folder = _folder + "/syncs";
        syncs.key_file = _folder + "/secrets.key";
        syncs.scheduled = false;
        syncs.types.emplace("test", test_type());
        auto started = sync::service::start(*_store, std::move(syncs));
        EXPECT_TRUE(started) << (started ? "" : started.error().text);
        _syncs = std::move(*started);
        auto recent = recent::recent_store::open(_folder + "/recent.db", {});
        EXPECT_TRUE(recent) << (recent ? "" : recent.error().text);
        _recent = std::move(*recent);
        _service.reset(
            new service{*_store, *_publisher, *_imports, _prober, {}, _store->now(), {}, _recent.get(), _syncs.get()});
        application.attach(*_service);
        admin = make_token("admin", directory::role::admin);
    }
    ~rig() {
        _syncs.reset();
        _publisher.reset();
        _recent.reset();
        _imports.reset();
        _store.reset();
        std::filesystem::remove_all(_folder);
    }
    rig(const rig&) = delete;
    rig& operator=(const rig&) = delete;

    std::string make_token(std::string_view name, directory::role role) {
        auto in = _store->write({"test", ""});
        auto made = directory::issue_token(*in, name, role);
        EXPECT_TRUE(made) << (made ? "" : made.error().text);
        EXPECT_TRUE(in->commit());
        return made->secret;
    }

    using fields = std::vector<std::pair<std::string, std::string>>;

    /// As the server does it: admission by the head, then the answer to the whole.
    response ask(method verb, const std::string& target, const std::string& body = {}, fields more = {}) {
        request asked;
        asked.verb = verb;
        const std::size_t mark = target.find('?');
        asked.path = target.substr(0, mark);
        asked.query = mark == std::string::npos ? "" : target.substr(mark + 1);
        asked.fields = std::move(more);
        if (asked.field("authorization").empty() && !admin.empty()) {
            asked.fields.emplace_back("authorization", "Bearer " + admin);
        }
        if (!body.empty() && asked.field("content-type").empty()) {
            asked.fields.emplace_back("content-type", "application/json");
        }
        admission admitted = application.admit(asked);
        if (admitted.refusal) {
            return std::move(*admitted.refusal);
        }
        if (admitted.body == body_kind::upload) {
            asked.upload = _folder + "/uploads/upload";
            asked.upload_digest = body;
            EXPECT_TRUE(process::replace_file(asked.upload, body, 0600));
        } else {
            asked.body = body;
        }
        return application.handle(asked);
    }
    response get(const std::string& target, fields more = {}) { return ask(method::get, target, {}, std::move(more)); }
    response post(const std::string& target, const std::string& body, fields more = {}) {
        return ask(method::post, target, body, std::move(more));
    }

    /// What sources of the type "test" find in their directory.
    std::vector<sources::directory_entry> directory_has;
    sync::service& syncs() { return *_syncs; }

    const std::string& folder() const { return _folder; }
    directory::store& store() { return *_store; }

    api_application application;
    std::string admin;

private:
    class fetcher final : public sources::fetcher {
    public:
        explicit fetcher(const rig& of) : _of(of) {}
        sources::fetch_outcome fetch(const sources::fetch_request& /*request*/, sources::entry_sink& into,
                                     const std::atomic<bool>& /*stop*/) override {
            sources::fetch_outcome out;
            for (sources::directory_entry each : _of.directory_has) {
                ++out.read;
                into.entry(std::move(each));
            }
            out.end = sources::fetch_outcome::end::complete;
            out.server = "test://directory";
            return out;
        }

    private:
        const rig& _of;
    };
    sync::source_type test_type() {
        sync::source_type out;
        out.check = [](const sync::source_order& order) -> directory::result<void> {
            if (order.settings.find("\"bad\"") != std::string::npos) {
                return directory::fail(directory::error_kind::invalid, "it is bad", "settings/base");
            }
            return {};
        };
        out.make = [this](const sync::source_order& /*order*/) { return std::make_unique<fetcher>(*this); };
        out.test = [this](const sync::source_order& order, const std::atomic<bool>& /*stop*/) {
            sources::test_report report;
            report.good = order.secret == R"({"password":"right"})";
            report.steps.push_back({"test://directory", "bind",
                                    report.good ? sources::test_step::outcome::good : sources::test_step::outcome::bad,
                                    "as it is"});
            report.entries = directory_has;
            return report;
        };
        return out;
    }

    std::string _folder;
    std::unique_ptr<directory::store> _store;
    std::unique_ptr<import_jobs> _imports;
    std::unique_ptr<publish::publisher> _publisher;
    std::unique_ptr<recent::recent_store> _recent;
    probe::prober _prober{{}};
    std::unique_ptr<sync::service> _syncs;
    std::unique_ptr<service> _service;
};

inline boost::json::object body_of(const response& of) {
    boost::json::error_code error;
    auto value = boost::json::parse(of.body, error);
    EXPECT_FALSE(error) << of.body;
    return value.is_object() ? value.get_object() : boost::json::object();
}

inline std::string field_of(const response& of, std::string_view name) {
    for (const auto& [each, value] : of.fields) {
        if (each == name) {
            return value;
        }
    }
    return {};
}

/// The pointer of the first error, "" if the answer has none.
inline std::string first_pointer(const response& of) {
    const auto body = body_of(of);
    const auto* const errors = body.if_contains("errors");
    if (errors == nullptr || errors->get_array().empty()) {
        return {};
    }
    return std::string(errors->get_array().front().at("pointer").as_string());
}

}  // namespace postern::api
