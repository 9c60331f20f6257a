// One connection to a directory server over libldap: name, TCP, TLS and sign-in, each with its deadline and its name in
// words; then searches, message by message. Not part of the folder's public face.
//
// libldap gets a connected socket, so that a name that never resolves or a server that never answers ends in time.
// Settings of the machine (ldap.conf) do not count: every option that matters is set. A connection is used by one
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/sources/failure.h"
#include "control/sources/ldap/attributes.h"
#include "control/sources/ldap/ldap.h"
#include "control/sources/ldap/settings.h"

namespace postern::sources::ldap {

/// Told of every step that went well: its name and what was found.
using step_observer = std::function<void(const char* step, std::string detail)>;

struct control {
    const char* oid;
    std::string value;  ///< empty: none
    bool critical = true;
};
struct received_control {
    std::string oid;
    std::string value;
};
/// The control with this oid, or nullptr.
const received_control* find_control(std::span<const received_control> in, std::string_view oid);

struct search_request {
    std::string base;
    bool subtree = true;  ///< false: the base object alone
    std::string filter;
    std::vector<std::string> attributes;
    std::vector<ldap::control> controls;
    bool endless = false;  ///< may be silent for any time (refreshAndPersist)
};

struct search_end {
    int code = 0;
    std::string text;  ///< the server's own words
    std::vector<std::string> referrals;
    std::vector<received_control> controls;
};

/// Takes the messages of a search. False: enough, the search is given up.
class search_handler {
public:
    search_handler() = default;
    search_handler(const search_handler&) = delete;
    search_handler& operator=(const search_handler&) = delete;
    virtual ~search_handler() = default;

    virtual bool take_object(object&& one, std::span<const received_control> controls) = 0;
    virtual bool take_reference(const std::vector<std::string>& urls) = 0;
    virtual bool take_info(std::string_view oid, std::string_view value);  ///< intermediate response; true
    virtual bool idle();                                                   ///< nothing came for a while; true
};

class connection {
public:
    /// `settings` must outlive the connection.
    static result<std::unique_ptr<connection>> open(const ldap_settings& settings, const server_address& server,
                                                    const egress_policy& policy, patience limits,
                                                    const step_observer& observer = {});
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    const std::string& url() const noexcept { return _url; }
    const patience& limits() const noexcept { return _limits; }
    const ldap_settings& settings() const noexcept { return _settings; }

    /// Nothing: the handler gave up. A result code of the server's is no failure here.
    result<std::optional<search_end>> search(const search_request& request, search_handler& into);
    /// The one object, or nothing if there is none; a failure for other result codes.
    result<std::optional<object>> read(const std::string& dn, const std::vector<std::string>& attributes,
                                       std::vector<control> controls = {});

private:
    struct handle;
    connection(const ldap_settings& settings, std::string url, patience limits);
    result<void> secure(const server_address& server, std::string_view peer, const step_observer& observer);
    result<void> bind(const step_observer& observer);

    const ldap_settings& _settings;
    std::string _url;
    patience _limits;
    std::unique_ptr<handle> _handle;
};

}  // namespace postern::sources::ldap
