#include "control/discovery/digest.h"

#include <array>
#include <ctime>

#include "control/directory/connection.h"

namespace postern::discovery {

namespace {

using directory::statement;
using recipients::mode;

constexpr std::size_t most_named = 50;

struct named {
    std::uint64_t count = 0;
    std::string text;  ///< the first `most_named`, a line each
    void add(const std::string& line) {
        if (++count <= most_named) {
            text += "\n  " + line;
        } else if (count == most_named + 1) {
            text += "\n  … (all: posternctl discovery list)";
        }
    }
};

std::string count_of(std::uint64_t number, const char* one, const char* many) {
    return std::to_string(number) + " " + (number == 1 ? one : many);
}

std::string with_note(std::string address, std::string_view note) {
    address += " (";
    address += note;
    address += ')';
    return address;
}

std::string day_of(timestamp at) {
    const auto seconds = static_cast<std::time_t>(at / 1000);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

std::string joined(const std::vector<std::string>& sentences) {
    std::string out;
    for (const std::string& each : sentences) {
        out += (out.empty() ? "" : "; ") + each;
    }
    return out;
}

/// What is untold, by what became of it.
struct untold {
    named added, left, base_refused, refused, flagged;
};
untold read_untold(const directory::reader& in, std::uint32_t domain) {
    untold out;
    {
        statement rows = in.on().query(
            "SELECT c.state, c.normal || '@' || d.name, c.good, (SELECT count(*) FROM discovery_sender s WHERE"
            " s.candidate = c.id), c.taken_by, c.why FROM discovery_candidate c JOIN domain d ON d.id = c.domain"
            " WHERE c.domain = ? AND c.untold ORDER BY c.id",
            domain);
        while (rows.step()) {
            const std::string address(rows.text(1));
            const std::string seen = count_of(rows.as<std::uint64_t>(2), "good message", "good messages") + " from " +
                                     count_of(rows.as<std::uint64_t>(3), "sender", "senders");
            switch (static_cast<candidate_state>(rows.as<int>(0))) {
                case candidate_state::added:
                    out.added.add(with_note(address, seen));
                    break;
                case candidate_state::left:
                    out.left.add(
                        with_note(address, "taken out by " + std::string(rows.text(4)).append("; ").append(seen)));
                    break;
                case candidate_state::base_refused:
                    out.base_refused.add(with_note(address, seen));
                    break;
                case candidate_state::refused:
                    out.refused.add(with_note(address, rows.text(5)));
                    break;
                case candidate_state::waiting:
                case candidate_state::checking:
                    break;
            }
        }
    }
    statement rows = in.on().query(
        "SELECT r.normal || '@' || d.name FROM discovery_refusal r JOIN domain d ON d.id = r.domain WHERE r.domain = ?"
        " AND r.untold ORDER BY r.id",
        domain);
    while (rows.step()) {
        out.flagged.add(std::string(rows.text(0)));
    }
    return out;
}

}  // namespace

result<std::optional<letter>> write_letter(const directory::reader& in, const domain_state& of, told_as as,
                                           std::string event, std::string text, timestamp now,
                                           const sync::secret_box& box) {
    const sync::notices& to = of.set.notify;
    const bool wanted = as == told_as::additions ? to.additions : as == told_as::changes ? to.changes : to.trouble;
    if (!wanted || (to.webhook.empty() && to.emails.empty())) {
        return std::nullopt;
    }
    auto secret = webhook_secret(in, of.domain.id, box);
    if (!secret) {
        return tl::unexpected(secret.error());
    }
    letter out;
    out.what.event = std::move(event);
    out.what.source = source_name(of.domain);
    out.what.organisation = of.domain.organisation;
    out.what.text = std::move(text);
    out.what.at = now;
    out.to = to;
    out.secret = *std::move(secret);
    return out;
}

result<std::vector<std::uint32_t>> digests_due(const directory::reader& in, timestamp now, timestamp pause) {
    statement rows = in.on().query(
        "SELECT u.domain FROM (SELECT domain FROM discovery_candidate WHERE untold UNION SELECT domain FROM"
        " discovery_refusal WHERE untold) u LEFT JOIN discovery x ON x.domain = u.domain WHERE coalesce(x.told, 0) <="
        " ?",
        now - pause);
    std::vector<std::uint32_t> out;
    while (rows.step()) {
        out.push_back(rows.as<std::uint32_t>(0));
    }
    return directory::or_failure(in, std::move(out));
}

result<std::vector<letter>> write_digest(directory::writer& in, std::uint32_t domain, bool billed_at_once,
                                         const sync::secret_box& box) {
    const auto of = find_state(in, domain);
    if (!of) {
        return tl::unexpected(of.error());
    }
    const untold what = read_untold(in, domain);
    const std::string& name = of->domain.name;
    std::vector<letter> out;
    const auto put = [&](told_as as, const char* event, std::uint64_t added, std::string text) -> result<void> {
        auto made = write_letter(in, *of, as, event, std::move(text), in.now(), box);
        if (!made) {
            return tl::unexpected(made.error());
        }
        if (*made) {
            (*made)->what.counts.added = added;
            out.push_back(**std::move(made));
        }
        return {};
    };
    if (what.added.count != 0) {
        const auto done = put(
            told_as::additions, "discovery_added", what.added.count,
            count_of(what.added.count, "address was", "addresses were") + " added to the list of " + name +
                ", because the mail server accepted good mail for " + (what.added.count == 1 ? "it" : "them") + ". " +
                (billed_at_once ? "Until somebody says what they are they count as unclassified mailboxes, which are "
                                  "billed at once."
                                : "They are unclassified and not billed until somebody says what they are.") +
                " posternctl discovery accept, alias or block decides." + what.added.text);
        if (!done) {
            return tl::unexpected(done.error());
        }
    }
    std::string open;
    if (what.left.count != 0) {
        open += count_of(what.left.count, "address", "addresses") +
                " that somebody took out of the list, yet the mail server still accepts good mail for (not added):" +
                what.left.text + "\n";
    }
    if (what.base_refused.count != 0) {
        open +=
            count_of(what.base_refused.count, "address", "addresses") +
            " that mail came for with subaddresses only, and that the mail server refuses as they stand (not added):" +
            what.base_refused.text + "\n";
    }
    if (what.refused.count != 0) {
        open += count_of(what.refused.count, "discovered address", "discovered addresses") +
                " that the mail server refuses now (taken out of the list):" + what.refused.text + "\n";
    }
    if (what.flagged.count != 0) {
        open += count_of(what.flagged.count, "listed address", "listed addresses") +
                " that the mail server refuses (left in the list, for others than discovery assert them):" +
                what.flagged.text + "\n";
    }
    if (!open.empty()) {
        if (const auto done = put(told_as::changes, "discovery_to_decide", 0, "To look at in " + name + ":\n" + open);
            !done) {
            return tl::unexpected(done.error());
        }
    }
    need_row(in, domain);
    in.on().run("UPDATE discovery_candidate SET untold = 0 WHERE domain = ? AND untold", domain);
    in.on().run("UPDATE discovery_refusal SET untold = 0 WHERE domain = ? AND untold", domain);
    in.on().run("UPDATE discovery SET told = ? WHERE domain = ?", in.now(), domain);
    return directory::or_failure(in, std::move(out));
}

std::pair<std::string, std::string> words_of(const probe_effect& of) {
    const std::string& name = of.after.domain.name;
    if (of.suspends) {
        std::string text = "Discovery of " + name + " is " + of.after.text;
        if (of.doubtful != 0) {
            text += ". " + count_of(of.doubtful, "address was", "addresses were") +
                    " added since the server was last seen to refuse a random one (" + day_of(of.before.probe.found) +
                    "): look at them";
        }
        return {"discovery_suspended", std::move(text)};
    }
    if (of.resumes) {
        return {"discovery_resumed",
                "The mail server of " + name + " refuses a random address now. Discovery is " + of.after.text};
    }
    return {};
}

std::string words_of(const ended_mode& of) {
    std::string text = "The mode " + std::string(directory::to_string(of.before.domain.mode)) + " of " + of.now.name +
                       " has ended: it is in " + std::string(directory::to_string(of.now.mode)) + " now";
    if (of.now.mode == mode::enforce) {
        return text +
               ", as was chosen beforehand, and was ready for it: addresses that are not on its list are refused";
    }
    if (!of.against.empty()) {
        text += " and not in enforce, which was chosen, because it is not ready: " + joined(of.against);
    }
    return text + ". Nobody is refused; posternctl domain ready " + of.now.name + " says what speaks against enforce";
}

std::string words_of_coming_end(const domain_state& of, const std::vector<std::string>& against) {
    const std::string& name = of.domain.name;
    std::string text = "Discovery of " + name + " ends at " + day_of(of.domain.mode_until) + ". ";
    if (of.set.ends_in != mode::enforce) {
        return text + "The domain goes to observe then: nothing is refused, and nothing is added any more";
    }
    if (against.empty()) {
        return text +
               "The domain goes to enforce then, as was chosen, for it is ready now: addresses that are not on "
               "its list will be refused. To change that: posternctl discovery set " +
               name + " --ends-in observe";
    }
    return text +
           "Enforce was chosen, but as it is now the domain is not ready and would go to observe: " + joined(against);
}

}  // namespace postern::discovery
