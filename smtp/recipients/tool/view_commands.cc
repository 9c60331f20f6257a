// postern-table inspect, lookup and verify.
#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <iomanip>

#include "smtp/recipients/domain_index.h"
#include "smtp/recipients/table_image.h"
#include "smtp/recipients/tool/lists.h"

namespace postern::recipients::tool {
namespace {

namespace json = boost::json;

std::string hexadecimal(std::uint64_t value) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (unsigned shift = 64; shift != 0; shift -= 4) {
        text += digits[(value >> (shift - 4)) & 15U];
    }
    return text;
}

const char* word_of(standing of) noexcept {
    switch (of) {
        case standing::listed:
            return "listed";
        case standing::unlisted:
            return "unlisted";
        case standing::not_served:
            return "not served";
        case standing::always:
            return "always accepted";
    }
    return "unknown";
}

json::object facts_of(const table& of, const std::string& name) {
    const table_facts& facts = of.facts();
    const format::header& head = table_image::of(of).header();
    json::object told = {{"file", name},
                         {"kind", facts.is_overlay ? "overlay" : "base"},
                         {"format", format::version},
                         {"generation", facts.generation},
                         {"key_id", hexadecimal(facts.key_id)},
                         {"addresses", facts.addresses},
                         {"octets", facts.file_octets},
                         {"lines", head.lines()},
                         {"buckets", head.buckets()}};
    if (facts.addresses != 0) {
        told["octets_per_address"] =
            static_cast<double>(head.lines() * sizeof(line) + head.buckets()) / static_cast<double>(facts.addresses);
        told["lines_filled"] =
            static_cast<double>(facts.addresses) / static_cast<double>(head.lines() * line::capacity);
    }
    if (facts.is_overlay) {
        told["base_generation"] = facts.base_generation;
        told["removals"] = facts.removals;
    }
    if (facts.has_domains) {
        told["domains"] = facts.domains;
        told["routes"] = head.routes;
    }
    return told;
}

json::object domain_of(const domain_settings& of, const domain_index& in) {
    json::object told = {{"name", of.name}, {"id", of.id}};
    if (of.target != of.id) {
        told["alias_of"] = in.find_id(of.target)->name;
        return told;
    }
    told["mode"] = tool::word_of(of.mode);
    told["subaddress_delimiter"] =
        of.subaddress_delimiter == '\0' ? json::value() : json::value(std::string(1, of.subaddress_delimiter));
    told["grace_defers"] = of.grace_defers;
    told["abuse_always"] = of.abuse_always;
    told["strip_prvs"] = of.strip_prvs;
    told["accept_srs"] = of.accept_srs;
    told["on_hold"] = of.on_hold;
    told["trusted"] = of.trusted.size();
    json::array hosts;
    if (const auto* const to = in.find_route(of.route); to != nullptr) {
        for (const mail_host& host : (*to)->hosts) {
            hosts.push_back(json::string(host.host + ":" + std::to_string(host.port)));
        }
        told["route_confirmed"] = (*to)->confirmed;
    }
    told["hosts"] = std::move(hosts);
    return told;
}

std::string joined(const json::array& words) {
    std::string text;
    for (const json::value& word : words) {
        text += (text.empty() ? "" : " ") + std::string(word.get_string());
    }
    return text.empty() ? "none" : text;
}

/// One "name  value" a line.
void print(const json::object& told, const streams& with, const char* indent) {
    for (const auto& [name, value] : told) {
        std::string label(name);
        std::replace(label.begin(), label.end(), '_', ' ');
        with.out << indent << std::left << std::setw(22) << label;
        if (value.is_string()) {
            with.out << std::string_view(value.get_string());
        } else if (value.is_double()) {
            with.out << std::fixed << std::setprecision(3) << value.get_double();
        } else if (value.is_bool()) {
            with.out << (value.get_bool() ? "yes" : "no");
        } else if (value.is_null()) {
            with.out << "none";
        } else if (value.is_array()) {
            with.out << joined(value.get_array());
        } else {
            with.out << value;
        }
        with.out << '\n';
    }
}

json::object answer_of(const std::string& asked, const normal_address& normal, const verdict& v) {
    json::object told = {{"address", asked},
                         {"normal", std::string(normal.text())},
                         {"standing", word_of(v.standing)},
                         {"generation", v.generation}};
    if (v.standing == standing::listed) {
        told["kind"] = tool::word_of(v.kind);
        told["grace"] = v.grace;
        told["internal_only"] = v.internal_only;
    }
    if (v.domain != nullptr) {
        told["domain"] = v.domain->name;
        told["mode"] = tool::word_of(v.domain->mode);
        told["on_hold"] = v.domain->on_hold;
    }
    return told;
}

void print_answer(const std::string& asked, const verdict& v, const streams& with) {
    with.out << asked << ": " << word_of(v.standing);
    if (v.standing == standing::listed) {
        with.out << ", " << tool::word_of(v.kind) << (v.grace ? ", in grace" : "")
                 << (v.internal_only ? ", internal only" : "");
    }
    if (v.domain != nullptr) {
        with.out << " (" << v.domain->name << ", " << tool::word_of(v.domain->mode)
                 << (v.domain->on_hold ? ", on hold" : "") << ')';
    }
    with.out << '\n';
}

/// Asks for every address of a list.
void ask_all(const snapshot& in, const std::vector<listed_address>& addresses,
             const std::function<void(const listed_address&, const verdict&)>& answered) {
    lookup_batch batch;
    normal_address normal;
    const address_options options;
    const auto drain = [&] {
        for (const lookup_batch::answer& answer : batch.resolve()) {
            answered(addresses[answer.cookie], answer.verdict);
        }
    };
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        // A normal form is an address; what is not, stays unasked and is missed in the count.
        if (parse_address(addresses[i].text, options, normal)) {
            batch.add(in, normal, i);
        }
        if (batch.full()) {
            drain();
        }
    }
    drain();
}

/// What of a list the tables answer otherwise, said line by line; how many addresses were asked and how many are wrong.
struct comparison {
    std::uint64_t asked = 0;
    std::uint64_t wrong = 0;
};

comparison compare(const snapshot& in, const address_list& list, const streams& with) {
    constexpr std::uint64_t shown = 20;
    comparison made;
    ask_all(in, list.addresses(), [&](const listed_address& address, const verdict& v) {
        ++made.asked;
        // Postmaster and abuse are not looked up.
        const bool right =
            v.standing == standing::always || (v.standing == standing::listed && v.kind == address.kind &&
                                               v.grace == address.grace && v.internal_only == address.internal_only);
        if (!right && ++made.wrong <= shown) {
            with.err << address.text << ": "
                     << (v.standing == standing::listed ? "another kind or flag" : word_of(v.standing)) << '\n';
        }
    });
    made.wrong += list.size() - made.asked;
    return made;
}

}  // namespace

int inspect(const view_arguments& given, const streams& with) {
    const auto loaded = load_tables(given.file, given.overlay);
    if (!loaded) {
        return complain(with, loaded.error());
    }
    json::array files = {facts_of(*loaded->base, given.file)};
    if (loaded->overlay != nullptr) {
        files.push_back(facts_of(*loaded->overlay, given.overlay));
    }
    const auto domains = loaded->both ? loaded->both->domains : table_image::of(*loaded->base).domains();
    json::array served;
    if (domains != nullptr) {
        for (const domain_settings& domain : domains->domains()) {
            served.push_back(domain_of(domain, *domains));
        }
    }
    if (given.json) {
        with.out << json::object{{"files", std::move(files)}, {"domains", std::move(served)}} << '\n';
        return good;
    }
    for (const json::value& file : files) {
        print(file.get_object(), with, "");
    }
    for (const json::value& domain : served) {
        with.out << '\n';
        print(domain.get_object(), with, "  ");
    }
    return good;
}

int lookup(const view_arguments& given, const streams& with) {
    const auto loaded = load_tables(given.file, given.overlay);
    if (!loaded) {
        return complain(with, loaded.error());
    }
    if (loaded->both == nullptr) {
        return complain(with, given.file + " is an overlay; name its base and this one with --overlay");
    }
    bool all_accepted = true;
    const auto ask = [&](const std::string& text) {
        normal_address normal;
        if (const auto parsed = parse_address(text, {}, normal); !parsed) {
            all_accepted = false;
            if (given.json) {
                with.out << json::object{{"address", text}, {"error", std::string(to_string(parsed.error()))}} << '\n';
            } else {
                with.out << text << ": " << to_string(parsed.error()) << '\n';
            }
            return;
        }
        const verdict v = look_up(*loaded->both, normal);
        all_accepted = all_accepted && (v.standing == standing::listed || v.standing == standing::always);
        if (given.json) {
            with.out << answer_of(text, normal, v) << '\n';
        } else {
            print_answer(text, v, with);
        }
    };
    for (const std::string& address : given.addresses) {
        ask(address);
    }
    if (given.addresses.empty()) {
        for (std::string line; std::getline(with.in, line);) {
            ask(line);
        }
    }
    return all_accepted ? good : refused;
}

int verify(const view_arguments& given, const streams& with) {
    const auto loaded = load_tables(given.file, given.overlay);
    if (!loaded) {
        return complain(with, loaded.error());
    }
    comparison made;
    if (!given.list.empty()) {
        if (loaded->both == nullptr) {
            return complain(with, given.file + " is an overlay; a list is checked against its base with --overlay");
        }
        const auto list = read_list(given.list, finder_of(*loaded->both->domains), with);
        if (!list) {
            return complain(with, list.error());
        }
        if (!accept_bad_lines(*list, given.list, false, with)) {
            return refused;
        }
        made = compare(*loaded->both, *list, with);
        if (made.wrong != 0) {
            return complain(with,
                            std::to_string(made.wrong) + " addresses of the list are not in the table as it says");
        }
        if (loaded->overlay == nullptr && loaded->base->facts().addresses != list->size()) {
            return complain(with, given.file + " has " + std::to_string(loaded->base->facts().addresses) +
                                      " addresses, the list " + std::to_string(list->size()));
        }
    }
    if (given.json) {
        json::array files = {facts_of(*loaded->base, given.file)};
        if (loaded->overlay != nullptr) {
            files.push_back(facts_of(*loaded->overlay, given.overlay));
        }
        with.out << json::object{{"good", true}, {"checked", made.asked}, {"files", std::move(files)}} << '\n';
        return good;
    }
    const table_facts& facts = (loaded->overlay ? loaded->overlay : loaded->base)->facts();
    with.out << (loaded->overlay ? given.overlay : given.file) << ": good, generation " << facts.generation << ", "
             << facts.addresses << " addresses, " << facts.removals << " removals";
    if (!given.list.empty()) {
        with.out << "; " << made.asked << " of the list found";
    }
    with.out << '\n';
    return good;
}

}  // namespace postern::recipients::tool
