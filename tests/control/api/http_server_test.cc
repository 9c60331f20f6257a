// The server on real sockets: keep-alive, limits, time-outs, uploads, TLS, the end.
#include "control/api/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "board/process/files.h"
#include "control/api/encode.h"

namespace postern::api {
namespace {

/// Answers with what it got; `/upload` takes a file, `/none` no body, `/stream` streams, `/hold` waits to be let go.
class echo final : public application {
public:
    admission admit(request& head) override {
        admission out;
        if (head.path == "/refused") {
            out.refusal = response{403, "text/plain", "no", {}, {}};
        }
        out.body = head.path == "/upload" ? body_kind::upload
                   : head.path == "/none" ? body_kind::none
                                          : body_kind::memory;
        out.may_wait = head.path == "/hold";
        return out;
    }
    response handle(request& whole) override {
        response out;
        out.content_type = "text/plain";
        if (whole.path == "/throw") {
            throw std::runtime_error("a fault");
        }
        if (whole.path == "/hold") {
            std::unique_lock lock(mutex);
            ++held;
            changed.notify_all();
            changed.wait(lock, [this] { return let_go; });
        }
        if (whole.path == "/upload") {
            std::ifstream file(whole.upload, std::ios::binary);
            std::stringstream content;
            content << file.rdbuf();
            out.body = std::to_string(content.str().size()) + " " + sha256(content.str()) + " " + whole.upload_digest;
            last_upload = whole.upload;
            return out;
        }
        if (whole.path == "/stream") {
            out.stream = [left = 5](std::string& part) mutable {
                part = left-- > 0 ? std::string(1000, 'x') : std::string();
                return true;
            };
            return out;
        }
        out.body = std::string(to_string(whole.verb)) + " " + whole.path + "?" + whole.query + " " + whole.body;
        return out;
    }
    std::mutex mutex;
    std::condition_variable changed;
    int held = 0;
    bool let_go = false;
    std::string last_upload;
};

class http_server_test : public testing::Test {
protected:
    http_server_test() {
        std::string name = std::filesystem::temp_directory_path() / "postern-http-XXXXXX";
        folder = ::mkdtemp(name.data());
        options.port = 0;
        options.upload_folder = folder;
    }
    ~http_server_test() override {
        server.reset();
        std::filesystem::remove_all(folder);
    }
    void start() {
        auto opened = http_server::open(options, app);
        ASSERT_TRUE(opened) << opened.error();
        server = std::move(*opened);
        server->start();
    }
    process::descriptor connect() const {
        process::descriptor fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(server->port());
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
        const timeval limit{20, 0};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        return fd;
    }
    static void send(const process::descriptor& to, std::string_view text) {
        while (!text.empty()) {
            const ssize_t n = ::send(to.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (n <= 0) {
                return;
            }
            text.remove_prefix(static_cast<std::size_t>(n));
        }
    }
    /// All until the server closes.
    static std::string read_all(const process::descriptor& from) {
        std::string out;
        char block[4096];
        for (ssize_t n = 0; (n = ::recv(from.get(), block, sizeof block, 0)) > 0;) {
            out.append(block, static_cast<std::size_t>(n));
        }
        return out;
    }
    /// One answer with a Content-Length.
    static std::string read_one(const process::descriptor& from) {
        std::string out;
        char block[4096];
        while (true) {
            const std::size_t end = out.find("\r\n\r\n");
            if (end != std::string::npos) {
                const std::size_t at = out.find("Content-Length: ");
                if (at != std::string::npos && out.size() >= end + 4 + std::stoul(out.substr(at + 16))) {
                    return out;
                }
            }
            const ssize_t n = ::recv(from.get(), block, sizeof block, 0);
            if (n <= 0) {
                return out;
            }
            out.append(block, static_cast<std::size_t>(n));
        }
    }
    std::string ask(std::string_view text) const {
        const auto fd = connect();
        send(fd, text);
        return read_all(fd);
    }

    std::string folder;
    echo app;
    server_options options;
    std::unique_ptr<http_server> server;
};

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

TEST_F(http_server_test, answers_and_keeps_the_connection) {
    start();
    const auto fd = connect();
    for (int each = 0; each < 3; ++each) {
        send(fd, "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
        const std::string answer = read_one(fd);
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
        EXPECT_TRUE(answer.ends_with("POST /a?b=c hi")) << answer;
        EXPECT_TRUE(has(answer, "X-Content-Type-Options: nosniff"));
    }
}

TEST_F(http_server_test, answers_requests_sent_in_one_go_in_their_order) {
    start();
    const std::string answers =
        ask("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
            "GET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const auto one = answers.find("GET /1?");
    const auto two = answers.find("GET /2?");
    const auto three = answers.find("GET /3?");
    EXPECT_LT(one, two);
    EXPECT_LT(two, three);
    EXPECT_NE(three, std::string::npos);
}

TEST_F(http_server_test, streams_in_chunks) {
    start();
    const std::string answer = ask("GET /stream HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(has(answer, "Transfer-Encoding: chunked")) << answer;
    EXPECT_TRUE(answer.ends_with("0\r\n\r\n"));
    EXPECT_EQ(std::count(answer.begin() + static_cast<std::ptrdiff_t>(answer.find("\r\n\r\n")), answer.end(), 'x'),
              5000);
    const std::string old = ask("GET /stream HTTP/1.0\r\n\r\n");
    EXPECT_FALSE(has(old, "chunked"));
    EXPECT_TRUE(old.ends_with("xxxx"));
}

TEST_F(http_server_test, puts_an_upload_into_a_file_and_removes_it) {
    start();
    const std::string content(3'000'000, 'u');
    const std::string answer = ask("POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " +
                                   std::to_string(content.size()) + "\r\n\r\n" + content);
    EXPECT_TRUE(answer.ends_with("3000000 " + sha256(content) + " " + sha256(content))) << answer;
    EXPECT_FALSE(std::filesystem::exists(app.last_upload));
    const std::string chunked =
        ask("POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: "
            "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    EXPECT_TRUE(chunked.ends_with("3 " + sha256("abc") + " " + sha256("abc"))) << chunked;
}

TEST_F(http_server_test, says_continue_to_who_waits_for_it) {
    start();
    const auto fd = connect();
    send(fd,
         "POST /upload HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n");
    char block[64]{};
    ASSERT_GT(::recv(fd.get(), block, sizeof block - 1, 0), 0);
    EXPECT_TRUE(std::string(block).starts_with("HTTP/1.1 100 ")) << block;
    send(fd, "abc");
    EXPECT_TRUE(has(read_all(fd), "3 " + sha256("abc")));
}

TEST_F(http_server_test, a_refused_head_is_answered_before_its_body_comes) {
    start();
    const auto fd = connect();
    send(fd, "POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    EXPECT_TRUE(read_one(fd).starts_with("HTTP/1.1 403 "));
}

TEST_F(http_server_test, bodies_beyond_the_limit_are_refused) {
    options.body_limit = 100;
    options.upload_limit = 1000;
    start();
    EXPECT_TRUE(ask("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n").starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(ask("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n").starts_with("HTTP/1.1 413 "));
    const std::string chunk = "65\r\n" + std::string(101, 'x') + "\r\n0\r\n\r\n";
    EXPECT_TRUE(
        ask("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk).starts_with("HTTP/1.1 413 "));
    EXPECT_TRUE(ask("GET /none HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx").starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(http_server_test, what_is_no_http_is_refused) {
    start();
    EXPECT_TRUE(ask("nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(ask("BREW / HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 501 "));
    EXPECT_TRUE(ask("GET / HTTP/1.1\r\nX: " + std::string(options.header_limit, 'x') + "\r\n\r\n")
                    .starts_with("HTTP/1.1 431 "));
    EXPECT_TRUE(ask("POST /a HTTP/1.1\r\nContent-Length: x\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

TEST_F(http_server_test, a_handler_that_fails_is_an_internal_error) {
    start();
    const std::string answer = ask("GET /throw HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ")) << answer;
    EXPECT_FALSE(has(answer, "a fault"));
}

TEST_F(http_server_test, head_has_no_body) {
    start();
    const std::string answer = ask("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(http_server_test, slow_clients_are_cut_off) {
    options.header_timeout = std::chrono::milliseconds(50);
    options.idle_timeout = std::chrono::milliseconds(50);
    options.block_timeout = std::chrono::milliseconds(50);
    start();
    EXPECT_EQ(ask("GET / HT"), "") << "in the head";
    EXPECT_EQ(ask("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"), "") << "in the body";
    EXPECT_TRUE(ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n").starts_with("HTTP/1.1 200 ")) << "between requests";
}

TEST_F(http_server_test, connections_beyond_the_limit_are_closed) {
    options.max_connections = 2;
    start();
    const auto one = connect();
    const auto two = connect();
    send(one, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
    send(two, "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(has(read_one(one), "GET /1"));
    EXPECT_TRUE(has(read_one(two), "GET /2"));
    EXPECT_EQ(ask("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n"), "");
    EXPECT_EQ(server->counters().connections_refused, 1U);
}

TEST_F(http_server_test, reads_go_on_while_others_wait) {
    options.waiting_workers = 2;
    start();
    std::vector<process::descriptor> waiting;
    for (int each = 0; each < 4; ++each) {
        waiting.push_back(connect());
        send(waiting.back(), "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    {
        std::unique_lock lock(app.mutex);
        app.changed.wait(lock, [this] { return app.held == 2; });
    }
    EXPECT_TRUE(ask("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").starts_with("HTTP/1.1 200 "));
    {
        const std::lock_guard lock(app.mutex);
        app.let_go = true;
        app.changed.notify_all();
    }
    for (const auto& each : waiting) {
        EXPECT_TRUE(has(read_one(each), "GET /hold"));
    }
}

TEST_F(http_server_test, a_request_in_progress_is_finished_at_the_end) {
    start();
    const auto fd = connect();
    send(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    {
        std::unique_lock lock(app.mutex);
        app.changed.wait(lock, [this] { return app.held == 1; });
    }
    std::thread ending([this] { server->stop(std::chrono::seconds(20)); });
    {
        const std::lock_guard lock(app.mutex);
        app.let_go = true;
        app.changed.notify_all();
    }
    EXPECT_TRUE(has(read_one(fd), "GET /hold"));
    ending.join();
}

TEST_F(http_server_test, refuses_plain_http_off_loopback) {
    options.address = "0.0.0.0";
    const auto opened = http_server::open(options, app);
    ASSERT_FALSE(opened);
    EXPECT_TRUE(has(opened.error(), "certificate")) << opened.error();
}

TEST_F(http_server_test, a_port_in_use_is_named) {
    start();
    server_options second = options;
    second.port = server->port();
    const auto opened = http_server::open(second, app);
    ASSERT_FALSE(opened);
    EXPECT_TRUE(has(opened.error(), std::to_string(second.port))) << opened.error();
}

/// A certificate that signs itself, for 127.0.0.1.
void make_certificate(const std::string& certificate, const std::string& key) {
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> pair(EVP_EC_gen("P-256"), &EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), &X509_free);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), pair.get());
    X509_NAME* const name = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("127.0.0.1"), -1, -1,
                               0);
    X509_set_issuer_name(made.get(), name);
    X509_sign(made.get(), pair.get(), EVP_sha256());
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::fopen(certificate.c_str(), "w"), &std::fclose);
    PEM_write_X509(out.get(), made.get());
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> secret(std::fopen(key.c_str(), "w"), &std::fclose);
    PEM_write_PrivateKey(secret.get(), pair.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

TEST_F(http_server_test, speaks_tls_and_nothing_else_with_a_certificate) {
    make_certificate(folder + "/c.pem", folder + "/k.pem");
    options.certificate = folder + "/c.pem";
    options.key = folder + "/k.pem";
    start();
    EXPECT_TRUE(server->url().starts_with("https://127.0.0.1:"));
    EXPECT_FALSE(has(ask("GET /a HTTP/1.1\r\nHost: x\r\n\r\n"), "200 OK"));

    const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    const auto fd = connect();
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context.get()), &SSL_free);
    SSL_set_fd(tls.get(), fd.get());
    ASSERT_EQ(SSL_connect(tls.get()), 1);
    const std::string_view text = "GET /secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ASSERT_EQ(SSL_write(tls.get(), text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
    std::string answer;
    char block[4096];
    for (int n = 0; (n = SSL_read(tls.get(), block, sizeof block)) > 0;) {
        answer.append(block, static_cast<std::size_t>(n));
    }
    EXPECT_TRUE(has(answer, "GET /secret")) << answer;
}

TEST_F(http_server_test, a_certificate_that_cannot_be_used_is_named) {
    make_certificate(folder + "/c.pem", folder + "/k.pem");
    make_certificate(folder + "/c2.pem", folder + "/k2.pem");
    options.certificate = folder + "/c.pem";
    options.key = folder + "/k2.pem";
    const auto other_key = check_tls(options);
    ASSERT_FALSE(other_key);
    EXPECT_TRUE(has(other_key.error(), "k2.pem")) << other_key.error();
    options.certificate = folder + "/missing.pem";
    const auto missing = http_server::open(options, app);
    ASSERT_FALSE(missing);
    EXPECT_TRUE(has(missing.error(), "missing.pem")) << missing.error();
}

}  // namespace
}  // namespace postern::api
