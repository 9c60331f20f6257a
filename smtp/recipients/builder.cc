#include "smtp/recipients/builder.h"

#include <fcntl.h>

#include <algorithm>
#include <unordered_set>

#include "board/process/files.h"
#include "smtp/recipients/domain_codec.h"
#include "smtp/recipients/key_list.h"
#include "smtp/recipients/overlay_base.h"
#include "smtp/recipients/table_writer.h"

namespace postern::recipients {
namespace {

using reason = tl::unexpected<std::string>;

std::uint16_t payload_of(const listed_address& address) noexcept {
    return make_payload(address.kind, address.grace, address.internal_only, address.domain);
}

/// An address with this hash that the source gives twice; empty if those that have it differ.
std::string find_duplicate(const hash_key& key, std::uint64_t shared_hash, const address_source& addresses) {
    std::unordered_set<std::string> seen;
    std::string duplicate;
    addresses([&](const listed_address& address) {
        if (duplicate.empty() && siphash13(key, address.text) == shared_hash &&
            !seen.insert(std::string(address.text)).second) {
            duplicate = address.text;
        }
    });
    return duplicate;
}

/// One pass over the source. The error names the address.
tl::expected<sorted_keys, std::string> gather(format::header& head, const domain_section& domains,
                                              const address_source& addresses) {
    domain_check check(domains);
    key_list keys(head.key);
    tl::expected<void, std::string> checked;
    addresses([&](const listed_address& address) {
        if (!checked) {
            return;
        }
        checked = check(address);
        if (checked) {
            keys.add(address.text, payload_of(address));
        }
    });
    if (!checked) {
        return reason(checked.error());
    }
    keys.finish();
    choose_partitions(keys.size(), head);
    return keys.sort(placement(head), head.partitions);
}

}  // namespace

tl::expected<build_report, std::string> build_base(const std::string& path, std::uint64_t generation,
                                                   const domain_section& domains, const address_source& addresses,
                                                   const build_effort& with) {
    constexpr unsigned most_keys = 4;
    if (auto checked = check_domains(domains); !checked) {
        return reason(checked.error());
    }
    auto writer = table_writer::create(path);
    if (!writer) {
        return reason(writer.error());
    }
    format::header head;
    head.kind = format::file_kind::base;
    head.generation = generation;
    head.domains = static_cast<std::uint32_t>(domains.domains.size());
    head.routes = static_cast<std::uint32_t>(domains.routes.size());
    const std::string encoded = encode_domains(domains);
    for (unsigned rekeys = 0; rekeys < most_keys; ++rekeys) {
        if (!draw_key(head.key)) {
            return reason(std::string("the system gives no random octets for the table's key"));
        }
        head.key_id = format::key_id_of(head.key);
        const auto keys = gather(head, domains, addresses);
        if (!keys) {
            return reason(keys.error());
        }
        const auto done = writer->write(head, {encoded, {}, keys->all(), keys->ends}, with);
        if (!done) {
            return reason(done.error());
        }
        if (done->written) {
            return build_report{head.addresses, head.file_octets, rekeys + done->resaltings};
        }
        if (const std::string twice = find_duplicate(head.key, done->shared_hash, addresses); !twice.empty()) {
            return reason("address " + twice + " is listed twice");
        }
    }
    return reason(std::string("different addresses had one hash under each of 4 keys: is the source stable?"));
}

tl::expected<build_report, std::string> build_overlay(const std::string& path, std::uint64_t generation,
                                                      const std::string& base_path, const domain_section* domains,
                                                      std::span<const listed_address> added,
                                                      std::span<const std::string> removed) {
    auto base = overlay_base::open(base_path);
    if (!base) {
        return reason(base.error());
    }
    domain_section carried;
    if (domains == nullptr) {
        auto of_base = base->domains();
        if (!of_base) {
            return reason(of_base.error());
        }
        carried = *std::move(of_base);
    } else if (auto checked = check_domains(*domains); !checked) {
        return reason(checked.error());
    }
    const domain_section& in_force = domains == nullptr ? carried : *domains;

    std::unordered_set<std::string_view> texts;
    for (const listed_address& address : added) {
        if (!texts.insert(address.text).second) {
            return reason("address " + std::string(address.text) + " is added twice");
        }
    }
    std::vector<std::uint64_t> slots;
    for (const std::string& text : removed) {
        if (texts.contains(text)) {
            return reason("address " + text + " is both added and removed");
        }
        const auto slot = base->slot_of(text);
        if (!slot) {
            return reason(slot.error());
        }
        slots.push_back(*slot);
    }
    std::sort(slots.begin(), slots.end());
    slots.erase(std::unique(slots.begin(), slots.end()), slots.end());

    format::header head;
    head.kind = format::file_kind::overlay;
    head.generation = generation;
    head.base_generation = base->header().generation;
    head.key = base->header().key;
    head.key_id = base->header().key_id;
    head.has_domains = domains != nullptr;
    std::string encoded;
    if (domains != nullptr) {
        head.domains = static_cast<std::uint32_t>(domains->domains.size());
        head.routes = static_cast<std::uint32_t>(domains->routes.size());
        encoded = encode_domains(*domains);
    }
    auto keys = gather(head, in_force, [&](const auto& sink) { std::for_each(added.begin(), added.end(), sink); });
    if (!keys) {
        return reason(keys.error());
    }
    auto writer = table_writer::create(path);
    if (!writer) {
        return reason(writer.error());
    }
    const auto done = writer->write(head, {encoded, slots, keys->all(), keys->ends});
    if (!done) {
        return reason(done.error());
    }
    if (!done->written) {
        return reason(std::string("two added addresses have one hash under the base's key: build a new base"));
    }
    return build_report{head.addresses, head.file_octets, done->resaltings};
}

}  // namespace postern::recipients
