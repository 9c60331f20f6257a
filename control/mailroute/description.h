// What a resource of the MailRoute-compatible API is, as data: its fields, how each is filtered, ordered and written,
// and where its value is kept. Schema pages, lists, filters, validation and representation all come from it.
//
// SQL in a description is an expression over the resource's rows in the directory; nothing of a request is ever part
// of it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "control/api/message.h"
#include "control/directory/scope.h"
#include "control/mailroute/errors.h"

namespace postern::mailroute {

class input;
struct change;

enum class field_type : std::uint8_t {
    string,
    integer,
    boolean,
    datetime,  ///< milliseconds since 1970 in the directory
    to_one,    ///< the id of a row of `leads_to`; a URI outside
    joined,    ///< "a,b,c"; a list is taken, too
    list,      ///< always empty: nothing of the kind is kept
};

enum class access : std::uint8_t {
    kept,         ///< Postern's own to say: what a client sends back of it is ignored
    written,      ///< by POST, PUT and PATCH
    not_by_put,   ///< by POST and PATCH: a PUT is the whole object as it was once read
    disregarded,  ///< taken, without effect
};

enum class filters : std::uint8_t {
    none,
    some,            ///< exact, in
    all,             ///< every comparison
    with_relations,  ///< these, and those of the resource that it leads to
};

struct resource;

/// What a new object has if nothing is given; monostate: no default.
using initial = std::variant<std::monostate, bool, std::int64_t, std::string_view>;

struct field {
    std::string_view name;
    field_type type = field_type::string;
    std::string_view sql = {};  ///< empty: not shown
    std::string_view help = {};
    mailroute::access access = mailroute::access::kept;
    bool required = false;
    bool nullable = false;
    bool unique = false;
    filters filter = filters::none;
    bool ordered = false;                ///< `order_by` knows it
    const resource* leads_to = nullptr;  ///< of `to_one`
    initial usually = {};
    std::int64_t least = 0;  ///< of an integer
    std::int64_t most = std::numeric_limits<std::int32_t>::max();
    std::size_t longest = 255;  ///< octets of a text
    /// If set, equality is of `same_sql` with what this makes of the value (a domain's, a local part's normal form).
    std::string (*same_form)(std::string_view value) = nullptr;
    std::string_view same_sql = {};
};

/// Whose an object is.
enum class belongs_to : std::uint8_t {
    organisation,  ///< rows `o` of `organisation`
    domain,        ///< rows `d` of `domain`
};

struct resource {
    std::string_view name;
    std::string_view rows;  ///< "FROM … WHERE …", so that conditions can follow
    std::string_view id;
    std::string_view usual_order;
    std::string_view searched;           ///< text that `q` is looked for in
    std::string_view absolute_url = {};  ///< "/user/"; empty: it has none
    belongs_to whose = belongs_to::domain;
    std::span<const field> fields;
    api::role changed_by = api::role::admin;
    /// The narrowest key that changes it.
    directory::reach changed_within = directory::reach::organisation;

    /// What a request does, within its transaction; the value of `add` is the new object's id.
    result<std::int64_t> (*add)(change& in, const input& given);
    result<void> (*edit)(change& in, std::int64_t id, const input& given);
    result<void> (*remove)(change& in, std::int64_t id);
};

extern const resource reseller;
extern const resource customer;
extern const resource domain;
extern const resource domain_alias;
extern const resource email_account;
extern const resource localpart_alias;
extern const resource mail_server;

/// All of them, by name.
std::span<const resource* const> resources();
const resource* find_resource(std::string_view name);
const field* find_field(const resource& of, std::string_view name);

}  // namespace postern::mailroute
