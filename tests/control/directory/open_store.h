// A store in a folder of its own with a clock that the test sets.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "control/directory/domains.h"
#include "control/directory/mailboxes.h"
#include "control/directory/store.h"

namespace postern::directory {

class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "postern-test-XXXXXX").string();
        _path = mkdtemp(name.data());
    }
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(_path, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    std::string file(const std::string& name) const { return _path + "/" + name; }
    const std::string& path() const { return _path; }

private:
    std::string _path;
};

/// The value, or a test failure with the error's text.
template <class T>
T need(result<T> got) {
    if (!got) {
        ADD_FAILURE() << got.error().text;
        throw std::runtime_error(got.error().text);
    }
    if constexpr (!std::is_void_v<T>) {
        return std::move(*got);
    }
}

class store_test : public testing::Test {
protected:
    store_test() { reopen(); }

    void reopen() {
        _store.reset();
        store_options options;
        options.clock = [this] { return _now; };
        _store = need(store::open(path(), options));
    }
    std::string path() const { return _folder.file("directory.db"); }

    writer write(const std::string& why = "a test") { return need(_store->write({"tester", why})); }
    reader read() { return need(_store->read()); }
    void commit(writer& in) { need(in.commit()); }

    domain add(const std::string& name) {
        writer in = write();
        domain out = need(add_domain(in, {name}));
        commit(in);
        return out;
    }
    mailbox add(const new_mailbox& input) {
        writer in = write();
        mailbox out = need(add_mailbox(in, input));
        commit(in);
        return out;
    }
    mailbox add_address(const std::string& address) {
        new_mailbox input;
        input.address = address;
        return add(input);
    }

    timestamp _now = 1'700'000'000'000;
    temporary_folder _folder;
    std::unique_ptr<store> _store;
};

}  // namespace postern::directory
