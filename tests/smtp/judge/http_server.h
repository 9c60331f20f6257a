// An HTTP server on a loopback port that answers as the test says, to stand where rspamd would.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace postern::judge::test {

class http_server {
public:
    /// The whole response to a request (head and body); empty: none, and the connection stays as it is.
    using script = std::function<std::string(const std::string& request)>;

    explicit http_server(script says);
    ~http_server();
    http_server(const http_server&) = delete;
    http_server& operator=(const http_server&) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(_port) + "/checkv2"; }
    /// Once there are so many; the heads and bodies that came.
    std::vector<std::string> requests(std::size_t count);

    static std::string ok(const std::string& body);

private:
    void accept_all();
    void serve(int connection);

    script _says;
    int _listener = -1;
    int _port = 0;
    std::mutex _mutex;
    std::condition_variable _changed;
    std::vector<std::string> _requests;
    std::list<int> _open;
    std::list<std::thread> _threads;
    std::thread _accepting;
};

}  // namespace postern::judge::test
