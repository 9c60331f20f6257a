// posternctl organisation, domain claim, domain mx, billable.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "control/cli/commands.h"

namespace postern::cli {
namespace {

using boost::json::array;
using boost::json::object;

struct tenant_options {
    std::string name;
    std::string id;
    std::string parent;
    std::string alias_of;
    std::string by = "organisation";
    std::uint32_t organisation = 0;
    bool reseller = false;
};

/// An organisation by its id or its name, as the API's path.
std::string organisation_path(context& with, const std::string& id_or_name) {
    for (const boost::json::value& each : with.list(target("/v1/organisations"), 0)) {
        if (text_of(each.as_object(), "id") == id_or_name || text_of(each.as_object(), "name") == id_or_name) {
            return "/v1/organisations/" + text_of(each.as_object(), "id");
        }
    }
    context::fail(status::refused,
                  "there is no organisation \"" + id_or_name + "\"; posternctl organisation list shows them");
}

std::int64_t organisation_id(context& with, const std::string& id_or_name) {
    return with.get(target(organisation_path(with, id_or_name))).at("id").to_number<std::int64_t>();
}

void add_organisation(context& with, const tenant_options& of) {
    object body{{"name", of.name}};
    if (!of.parent.empty()) {
        body["parent"] = organisation_id(with, of.parent);
    }
    if (of.reseller) {
        body["reseller"] = true;
    }
    const object made = with.change("POST", target("/v1/organisations"), &body);
    with.show(made, [&] { std::cout << text_of(made, "name") << " is added, id " << text_of(made, "id") << '\n'; });
}

void add_organisation_edit(CLI::App& organisation, context& with, const std::shared_ptr<tenant_options>& of) {
    CLI::App* const edit = organisation.add_subcommand("edit", "rename an organisation, or set its reseller");
    const auto change = std::make_shared<object>();
    edit->add_option("ORGANISATION", of->id, "its id or name")->required();
    edit->add_option_function<std::string>(
        "--name", [change](const std::string& value) { (*change)["name"] = value; }, "its new name");
    edit->add_option("--parent", of->parent, "id or name of the reseller whose customer it is, or none");
    edit->add_option_function<bool>(
        "--reseller", [change](const bool& value) { (*change)["reseller"] = value; }, "true: it may have customers");
    edit->callback([&with, of, change] {
        if (of->parent == "none") {
            (*change)["parent"] = nullptr;
        } else if (!of->parent.empty()) {
            (*change)["parent"] = organisation_id(with, of->parent);
        }
        if (change->empty()) {
            context::fail(status::usage, "nothing to change; see posternctl organisation edit --help");
        }
        const object now = with.change("PATCH", target(organisation_path(with, of->id)), change.get());
        with.show(now, [&] { std::cout << text_of(now, "name") << " is changed\n"; });
    });
}

/// A claim by its id or the domain's name, as the API's path.
std::string claim_path(context& with, const std::string& id_or_name) {
    for (const boost::json::value& each : with.list(target("/v1/domain-claims"), 0)) {
        if (text_of(each.as_object(), "id") == id_or_name || text_of(each.as_object(), "name") == id_or_name) {
            return "/v1/domain-claims/" + text_of(each.as_object(), "id");
        }
    }
    context::fail(status::refused,
                  "there is no claim of \"" + id_or_name + "\"; posternctl domain claim list shows them");
}

void add_claim(context& with, const tenant_options& of) {
    object body{{"name", of.name}};
    if (of.organisation != 0) {
        body["organisation"] = of.organisation;
    }
    if (!of.alias_of.empty()) {
        body["alias_of"] = of.alias_of;
    }
    const object made = with.change("POST", target("/v1/domain-claims"), &body);
    with.show(made, [&] {
        const object& record = object_of(made, "record");
        std::cout << text_of(made, "name") << " is claimed. Publish in its DNS:\n"
                  << text_of(record, "name") << ". IN TXT \"" << text_of(record, "value") << "\"\n"
                  << "then: posternctl domain claim check " << text_of(made, "name") << '\n';
    });
}

void check_claim(context& with, const std::string& id_or_name) {
    const object said = with.act("POST", target(claim_path(with, id_or_name) + "/check"));
    const bool proven = text_of(said, "proven") == "yes";
    with.show(said, [&] {
        if (proven) {
            std::cout << text_of(object_of(said, "domain"), "name") << " is proven, and served from now on\n";
        } else {
            std::cout << "not proven: " << text_of(said, "finding") << '\n';
        }
    });
    if (!proven) {
        throw stop{status::refused};
    }
}

void show_mx(context& with, const std::string& domain) {
    const object said = with.get(target("/v1/domains/" + encoded(domain) + "/mx"));
    with.show(said, [&] {
        std::cout << text_of(said, "text") << '\n';
        print_table(said.at("hosts").as_array(), {{"preference", "PREFERENCE"},
                                                  {"host", "HOST"},
                                                  {"here", "HERE"},
                                                  {"addresses", "ADDRESSES"},
                                                  {"error", "NOTE"}});
    });
    if (text_of(said, "mail_goes") != "here") {
        throw stop{status::refused};
    }
}

void show_billable(context& with, const tenant_options& of) {
    target from("/v1/billing");
    from.add("by", of.by).add_if("organisation", of.organisation == 0 ? "" : std::to_string(of.organisation));
    const array rows = with.list(from, 0);
    with.show(rows, [&] {
        array flat;
        for (const boost::json::value& each : rows) {
            object row = each.as_object();
            for (const auto& kind : object_of(each.as_object(), "mailboxes")) {
                row[kind.key()] = kind.value();
            }
            flat.push_back(std::move(row));
        }
        print_table(flat, {{"id", "ID"},
                           {"name", "NAME"},
                           {"billable", "BILLABLE"},
                           {"user", "USER"},
                           {"shared", "SHARED"},
                           {"resource", "RESOURCE"},
                           {"list", "LIST"},
                           {"unclassified", "UNCLASSIFIED"}});
    });
}

}  // namespace

void add_organisation_commands(CLI::App& to, context& with) {
    CLI::App* const organisation = to.add_subcommand("organisation", "whom domains belong to; resellers and customers");
    organisation->require_subcommand(1);
    const auto of = std::make_shared<tenant_options>();

    CLI::App* const add = organisation->add_subcommand("add", "add an organisation");
    add->add_option("NAME", of->name, "its name")->required();
    add->add_option("--parent", of->parent, "id or name of the reseller whose customer it is");
    add->add_flag("--reseller", of->reseller, "it may have customers");
    add->callback([&with, of] { add_organisation(with, *of); });

    CLI::App* const list = organisation->add_subcommand("list", "list organisations");
    list->add_option("--parent", of->parent, "only customers of this reseller (id or name)");
    list->callback([&with, of] {
        target from("/v1/organisations");
        const array rows = with.list(
            from.add_if("parent", of->parent.empty() ? "" : std::to_string(organisation_id(with, of->parent))), 0);
        with.show(rows, [&] {
            print_table(rows, {{"id", "ID"}, {"name", "NAME"}, {"parent", "RESELLER ID"}, {"reseller", "RESELLER"}});
        });
    });

    CLI::App* const show = organisation->add_subcommand("show", "show an organisation");
    show->add_option("ORGANISATION", of->id, "its id or name")->required();
    show->callback([&with, of] {
        const object found = with.get(target(organisation_path(with, of->id)));
        with.show(found, [&] { print_members(found); });
    });

    add_organisation_edit(*organisation, with, of);

    CLI::App* const remove = organisation->add_subcommand("remove", "remove an organisation that has nothing");
    remove->add_option("ORGANISATION", of->id, "its id or name")->required();
    remove->callback([&with, of] {
        with.change("DELETE", target(organisation_path(with, of->id)), nullptr);
        with.say("organisation " + of->id + " is removed");
    });
}

void add_claim_commands(CLI::App& domain, context& with) {
    CLI::App* const claim = domain.add_subcommand("claim", "domains that an organisation says are its own");
    claim->require_subcommand(1);
    const auto of = std::make_shared<tenant_options>();

    CLI::App* const add = claim->add_subcommand("add", "claim a domain; shows the DNS record that proves it");
    add->add_option("NAME", of->name, "the domain")->required();
    add->add_option("--organisation", of->organisation, "id of the organisation; else the token's");
    add->add_option("--alias-of", of->alias_of, "it is another name of this domain");
    add->callback([&with, of] { add_claim(with, *of); });

    CLI::App* const list = claim->add_subcommand("list", "list claims");
    list->callback([&with] {
        const array rows = with.list(target("/v1/domain-claims"), 0);
        with.show(rows, [&] {
            print_table(rows, {{"id", "ID"},
                               {"name", "NAME"},
                               {"organisation", "ORGANISATION ID"},
                               {"checked_at", "CHECKED"},
                               {"finding", "FINDING"}});
        });
    });

    CLI::App* const check = claim->add_subcommand("check", "ask DNS now; if it says so the domain is served");
    check->add_option("NAME", of->name, "the domain, or the claim's id")->required();
    check->callback([&with, of] { check_claim(with, of->name); });

    CLI::App* const grant = claim->add_subcommand("grant", "let the organisation have it without DNS");
    grant->add_option("NAME", of->name, "the domain, or the claim's id")->required();
    grant->callback([&with, of] {
        const object said = with.act("POST", target(claim_path(with, of->name) + "/grant"));
        with.show(said, [&] { std::cout << text_of(object_of(said, "domain"), "name") << " is granted\n"; });
    });

    CLI::App* const remove = claim->add_subcommand("remove", "give a claim up");
    remove->add_option("NAME", of->name, "the domain, or the claim's id")->required();
    remove->callback([&with, of] {
        with.change("DELETE", target(claim_path(with, of->name)), nullptr);
        with.say("the claim of " + of->name + " is removed");
    });

    CLI::App* const mx = domain.add_subcommand("mx", "does the domain's mail come here, by its MX records?");
    mx->add_option("NAME", of->name, "the domain or domain alias")->required();
    mx->callback([&with, of] { show_mx(with, of->name); });
}

void add_billing_commands(CLI::App& to, context& with) {
    const auto of = std::make_shared<tenant_options>();
    CLI::App* const billable = to.add_subcommand("billable", "how many mailboxes are billed");
    billable->add_option("--by", of->by, "organisation or domain")
        ->capture_default_str()
        ->check(CLI::IsMember({"organisation", "domain"}));
    billable->add_option("--organisation", of->organisation, "only of this organisation (id)");
    billable->callback([&with, of] { show_billable(with, *of); });
}

}  // namespace postern::cli
