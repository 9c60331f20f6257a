#include "tests/control/publish/fake_edge.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cstring>
#include <sstream>
#include <stdexcept>

#include "smtp/recipients/table.h"

namespace postern::publish {

namespace {

namespace json = boost::json;

constexpr std::size_t kept_for_rollback = 3;

std::string no(const std::string& why) {
    return json::serialize(json::object{{"ok", false}, {"error", why}});
}

json::value or_null(const std::string& name) {
    return name.empty() ? json::value(nullptr) : json::value(name);
}

}  // namespace

fake_edge::fake_edge(std::string socket, std::string tables) : _path(std::move(socket)), _tables(std::move(tables)) {}

void fake_edge::start() {
    ::unlink(_path.c_str());
    _listener = process::descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    _wake = process::descriptor(::eventfd(0, EFD_CLOEXEC));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, _path.data(), _path.size());
    if (::bind(_listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(_listener.get(), 8) != 0) {
        throw std::runtime_error("cannot listen at " + _path);
    }
    {
        // Its last good pair, as after a restart.
        const std::lock_guard hold(_mutex);
        std::string error;
        if (!_in_force.base.empty()) {
            const auto base = load(_in_force.base, error);
            const auto overlay = _in_force.overlay.empty() ? nullptr : load(_in_force.overlay, error);
            auto made = base ? recipients::make_snapshot(_in_force.generation, base, overlay)
                             : tl::unexpected(std::string("no base"));
            if (!error.empty() || !made) {
                _complaints.push_back("the files in force are gone: " + error);
            } else {
                _snapshot = std::move(*made);
            }
        }
    }
    _thread = std::thread([this] { run(); });
}

void fake_edge::stop() {
    if (!_thread.joinable()) {
        return;
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(_wake.get(), &one, sizeof one);
    _thread.join();
    _listener = {};
    ::unlink(_path.c_str());
}

void fake_edge::forget() {
    const std::lock_guard hold(_mutex);
    _in_force = {};
    _kept.clear();
    _snapshot.reset();
    _numbers.clear();
}

void fake_edge::run() {
    struct client {
        process::descriptor socket;
        std::string received;
    };
    std::vector<client> clients;
    for (;;) {
        std::vector<pollfd> watched{{_wake.get(), POLLIN, 0}, {_listener.get(), POLLIN, 0}};
        for (const client& each : clients) {
            watched.push_back({each.socket.get(), POLLIN, 0});
        }
        ::poll(watched.data(), watched.size(), -1);
        if (watched[0].revents != 0) {
            return;
        }
        for (std::size_t at = clients.size(); at-- > 0;) {
            if (watched[at + 2].revents == 0) {
                continue;
            }
            client& from = clients[at];
            std::array<char, 4096> piece{};
            const ssize_t count = ::recv(from.socket.get(), piece.data(), piece.size(), 0);
            bool open = count > 0;
            from.received.append(piece.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
            for (std::size_t end = 0; open && (end = from.received.find('\n')) != std::string::npos;) {
                const std::string line = from.received.substr(0, end);
                from.received.erase(0, end + 1);
                const bool drop = line.starts_with("table commit") && drop_commit.exchange(false);
                std::string reply = answer(line) + '\n';
                if (garble) {
                    reply = "hello\n";
                }
                open = !drop;
                if (!silent && !drop) {
                    open = ::send(from.socket.get(), reply.data(), reply.size(), MSG_NOSIGNAL) >= 0;
                }
            }
            if (!open) {
                clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(at));
            }
        }
        if (watched[1].revents != 0) {
            clients.push_back({process::descriptor(::accept4(_listener.get(), nullptr, nullptr, SOCK_CLOEXEC)), {}});
        }
    }
}

std::string fake_edge::answer(const std::string& line) {
    std::istringstream in(line);
    std::vector<std::string> words;
    for (std::string word; in >> word;) {
        words.push_back(word);
    }
    const std::lock_guard hold(_mutex);
    if (line == "show table") {
        return show();
    }
    if (words.size() >= 3 && words.size() <= 4 && words[1] == "prepare") {
        return prepare(words[2] == "-" ? std::string() : words[2], words.size() == 4 ? words[3] : std::string());
    }
    if (words.size() == 3 && words[1] == "commit") {
        return commit(std::stoull(words[2]));
    }
    _complaints.push_back("unknown command: " + line);
    return no("unknown command");
}

std::string fake_edge::prepare(const std::string& base, const std::string& overlay) {
    _prepared_snapshot.reset();
    if (refuse) {
        return no("told to refuse");
    }
    if (base.empty() && !_snapshot) {
        _complaints.emplace_back("'-' without a base in force");
        return no("there is no base in force");
    }
    std::string error;
    const auto of_base = base.empty() ? _snapshot->base : load(base, error);
    const auto of_overlay = overlay.empty() ? nullptr : load(overlay, error);
    if (!error.empty()) {
        return no(error);
    }
    auto made = recipients::make_snapshot(0, of_base, of_overlay);
    if (!made) {
        return no(made.error());
    }
    _prepared_snapshot = std::move(*made);
    _prepared = {0, base.empty() ? _in_force.base : base, overlay};
    return R"({"ok":true,"prepared":{}})";
}

std::string fake_edge::commit(std::uint64_t number) {
    if (!_prepared_snapshot) {
        return no("nothing is prepared");
    }
    if (number <= _in_force.generation) {
        return no("generation " + std::to_string(number) + " is not greater than the one in force");
    }
    if (!_in_force.base.empty()) {
        _kept.push_back(_in_force);
        if (_kept.size() > kept_for_rollback) {
            _kept.erase(_kept.begin());
        }
    }
    _in_force = _prepared;
    _in_force.generation = number;
    _snapshot = std::move(_prepared_snapshot);
    _numbers.push_back(number);
    return json::serialize(json::object{{"ok", true}, {"generation", number}});
}

void fake_edge::roll_back(std::size_t n) {
    const std::lock_guard hold(_mutex);
    const pair to = _kept.at(_kept.size() - n);
    std::string error;
    const auto base = load(to.base, error);
    const auto overlay = to.overlay.empty() ? nullptr : load(to.overlay, error);
    auto made = base ? recipients::make_snapshot(0, base, overlay) : tl::unexpected(std::string("no base"));
    if (!error.empty() || !made) {
        _complaints.push_back("a kept file is gone: " + error);
        return;
    }
    _kept.push_back(_in_force);
    _snapshot = std::move(*made);
    const std::uint64_t number = _in_force.generation + 1;
    _in_force = to;
    _in_force.generation = number;
    _numbers.push_back(number);
}

std::string fake_edge::show() const {
    const auto named = [](const pair& of) {
        return json::object{{"generation", of.generation}, {"base", of.base}, {"overlay", or_null(of.overlay)}};
    };
    json::array kept;
    for (const pair& each : _kept) {
        kept.push_back(named(each));
    }
    json::object out{{"ok", true}, {"loaded", _snapshot != nullptr}, {"generation", _in_force.generation}};
    out["base"] = _in_force.base.empty() ? json::value(nullptr) : json::value(json::object{{"file", _in_force.base}});
    out["overlay"] =
        _in_force.overlay.empty() ? json::value(nullptr) : json::value(json::object{{"file", _in_force.overlay}});
    out["kept"] = kept;
    return json::serialize(out);
}

std::shared_ptr<const recipients::table> fake_edge::load(const std::string& file, std::string& error) const {
    const process::descriptor fd(::open((_tables + "/" + file).c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) {
        error = "cannot open " + file;
        return nullptr;
    }
    auto loaded = recipients::table::load_file(fd.get(), file);
    if (!loaded) {
        error = loaded.error();
        return nullptr;
    }
    return *loaded;
}

fake_edge::pair fake_edge::in_force() const {
    const std::lock_guard hold(_mutex);
    return _in_force;
}

std::vector<std::uint64_t> fake_edge::numbers() const {
    const std::lock_guard hold(_mutex);
    return _numbers;
}

std::vector<std::string> fake_edge::complaints() const {
    const std::lock_guard hold(_mutex);
    return _complaints;
}

std::string fake_edge::standing(const std::string& address) const {
    const std::lock_guard hold(_mutex);
    if (!_snapshot) {
        return "no table";
    }
    recipients::normal_address parsed;
    if (!recipients::parse_address(address, {}, parsed)) {
        return "no address";
    }
    switch (recipients::look_up(*_snapshot, parsed).standing) {
        case recipients::standing::listed:
            return "listed";
        case recipients::standing::unlisted:
            return "unlisted";
        case recipients::standing::not_served:
            return "not served";
        case recipients::standing::always:
            return "always";
    }
    return "?";
}

const recipients::domain_settings* fake_edge::domain(const std::string& address) const {
    const std::lock_guard hold(_mutex);
    recipients::normal_address parsed;
    if (!_snapshot || !recipients::parse_address(address, {}, parsed)) {
        return nullptr;
    }
    return recipients::look_up(*_snapshot, parsed).domain;
}

}  // namespace postern::publish
