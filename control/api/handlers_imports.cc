// Imports and exports of lists as CSV.
#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "control/api/body.h"
#include "control/api/encode.h"
#include "control/api/handlers.h"
#include "control/api/import_jobs.h"
#include "control/api/lookups.h"
#include "control/api/represent_import.h"
#include "control/api/scope.h"
#include "control/sources/export.h"

namespace postern::api {
namespace {

using boost::json::array;
using boost::json::object;

std::string_view stage_word(enum sources::import_progress::stage of) {
    switch (of) {
        case sources::import_progress::stage::reading:
            return "reading";
        case sources::import_progress::stage::comparing:
            return "comparing";
        case sources::import_progress::stage::writing:
            return "writing";
        case sources::import_progress::stage::done:
            return "done";
    }
    return "done";
}

object represent_job(const service& with, const import_job& of, bool whole) {
    object out;
    out["id"] = of.id;
    out["file_name"] = of.file_name;
    out["size"] = of.size;
    out["state"] = to_string(of.state);
    out["organisation"] = of.options.organisation;
    out["domain"] = of.options.domain == 0 ? boost::json::value(nullptr) : boost::json::value(of.options.domain);
    out["replace"] = of.options.replace;
    out["strict"] = of.options.strict;
    out["by"] = of.by;
    out["created"] = time_value(of.created);
    out["finished"] = time_value(of.finished);
    out["progress"] =
        object{{"stage", stage_word(of.progress.stage)}, {"octets", of.progress.octets}, {"rows", of.progress.rows}};
    out["report"] = of.report ? boost::json::value(represent(*of.report, whole)) : boost::json::value(nullptr);
    out["error"] = of.error.empty() ? boost::json::value(nullptr) : boost::json::value(of.error);
    if ((of.state == import_state::applied || of.state == import_state::held) && of.report) {
        out["change"] = of.report->seq;
        out["in_force"] =
            with.publisher.wait_in_force(of.report->seq, std::chrono::milliseconds(0)) == publish::in_force::everywhere;
    }
    return out;
}

/// An import into one domain is that domain's, one into several is its organisation's.
answer<bool> is_inside(service& with, const call& of, const import_job& job) {
    const directory::scope& within = scope_of(of);
    if (within.is_everything() || job.options.domain == 0) {
        return within.has_organisation(job.options.organisation);
    }
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    const auto inside = directory::has_domain(*in, within, job.options.domain);
    if (!inside) {
        return failure(inside);
    }
    return *inside;
}

answer<import_job> import_argument(service& with, const call& of) {
    auto found = with.imports.find(of.argument(0));
    if (found) {
        const auto inside = is_inside(with, of, *found);
        if (!inside) {
            return failure(inside);
        }
        if (!*inside) {
            found.reset();
        }
    }
    if (!found) {
        return tl::unexpected(
            not_found("There is no import \"" + of.argument(0) +
                      "\". Those that are over are kept until postern-control restarts; the history stays."));
    }
    return std::move(*found);
}

problem no_room(const service& with) {
    return unavailable("The import can't be kept in " + with.imports.folder() + "; the log says why.");
}

/// To a request that the import be gone on with.
response taken(const service& with, const import_job& before) {
    const auto now = with.imports.find(before.id);
    response made = json(202, represent_job(with, now ? *now : before, true));
    made.fields.emplace_back("Location", "/v1/imports/" + before.id);
    return made;
}

}  // namespace

answer<response> list_imports(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    array items;
    for (const import_job& each : with.imports.list()) {
        const auto inside = is_inside(with, of, each);
        if (!inside) {
            return failure(inside);
        }
        if (!*inside) {
            continue;
        }
        items.push_back(represent_job(with, each, false));
    }
    return json(200, {{"items", std::move(items)}, {"next", nullptr}});
}

answer<response> add_import(service& with, call& of) {
    const std::string type(of.asked.field("content-type"));
    if (!type.starts_with("text/csv") && !type.starts_with("text/plain") &&
        !type.starts_with("application/octet-stream")) {
        return tl::unexpected(unsupported_media_type("Send the file itself as text/csv; options go into the query."));
    }
    import_jobs::submission given;
    given.path = of.asked.upload;
    given.file_name = printable_utf8(of.parameters.text("file_name", 200).value_or(""));
    given.apply_at_once = of.parameters.flag("apply").value_or(false);
    given.options.replace = of.parameters.flag("replace").value_or(false);
    if (const auto count = of.parameters.number("confirm_removals", 0, std::numeric_limits<std::int64_t>::max())) {
        given.confirmed = static_cast<std::uint64_t>(*count);
    }
    given.options.strict = of.parameters.flag("strict").value_or(false);
    given.options.header = of.parameters.flag("header");
    given.options.source = of.parameters.text("source", 200).value_or("");
    given.options.max_row_errors = 1000;
    const std::uint32_t organisation = id_parameter(of.parameters, "organisation");
    {
        const auto in = with.store.read();
        if (!in) {
            return failure(in);
        }
        const auto domain = domain_parameter(*in, of, "domain");
        if (!given.options.source.empty() && !given.options.source.starts_with("csv:")) {
            of.parameters.refuse("source", "does not begin with \"csv:\"");
        }
        if (const auto good = of.parameters.finish(); !good) {
            return failure(good);
        }
        if (!domain) {
            return failure(domain);
        }
        given.options.domain = *domain;
        std::optional<std::int64_t> owner;
        if (organisation != 0) {
            owner = organisation;
        } else if (*domain != 0) {
            const auto found = directory::find_domain(*in, *domain);
            if (!found) {
                return failure(found);
            }
            owner = found->organisation;
        }
        const auto whose = organisation_for(of, owner, "?organisation");
        if (!whose) {
            return failure(whose);
        }
        given.options.organisation = *whose;
        if (!scope_of(of).is_everything() && !given.options.source.empty()) {
            return tl::unexpected(invalid("?source", "the operator alone names sources; leave it out"));
        }
        if (scope_of(of).reach == directory::reach::domains && *domain == 0) {
            return tl::unexpected(invalid("?domain", "name the domain that the list is of: the token is for domains"));
        }
    }
    given.by = actor_of(of);
    if (const std::string_view key = of.asked.field("idempotency-key"); !key.empty()) {
        given.idempotency = std::to_string(of.asked.caller.token) + ":" + std::string(key);
    }
    given.digest = sha256(of.asked.query + "\n" + of.asked.upload_digest);
    const auto id = with.imports.add(std::move(given));
    if (!id) {
        switch (id.error()) {
            case import_jobs::add_error::other_request:
                return tl::unexpected(key_used_otherwise());
            case import_jobs::add_error::too_many:
                return tl::unexpected(unavailable("Too many imports are waiting; wait for some, or remove them."));
            case import_jobs::add_error::failed:
                return tl::unexpected(no_room(with));
        }
    }
    const auto job = with.imports.find(*id);
    if (!job) {
        return tl::unexpected(internal("an import vanished"));
    }
    return taken(with, *job);
}

answer<response> get_import(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = import_argument(with, of);
    if (!found) {
        return failure(found);
    }
    return json(200, represent_job(with, *found, true));
}

answer<response> remove_import(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = import_argument(with, of);
    if (!found) {
        return failure(found);
    }
    if (!with.imports.remove(found->id)) {
        return tl::unexpected(not_found("There is no import \"" + found->id + "\"."));
    }
    return no_content();
}

answer<response> apply_import(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = import_argument(with, of);
    if (!found) {
        return failure(found);
    }
    const auto applied = with.imports.apply(found->id, actor_of(of));
    if (applied == import_jobs::apply_answer::not_previewed) {
        return tl::unexpected(conflict("The import is \"" + std::string(to_string(found->state)) +
                                       "\"; it can be applied when it is \"previewed\"."));
    }
    if (applied == import_jobs::apply_answer::failed) {
        return tl::unexpected(no_room(with));
    }
    return taken(with, *found);
}

answer<response> approve_import(service& with, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = import_argument(with, of);
    if (!found) {
        return failure(found);
    }
    const auto approved = with.imports.approve(found->id, actor_of(of));
    if (approved == import_jobs::approve_answer::failed) {
        return tl::unexpected(no_room(with));
    }
    if (approved != import_jobs::approve_answer::queued) {
        return tl::unexpected(conflict("The import is \"" + std::string(to_string(found->state)) +
                                       "\"; it can be approved when it is \"held\"."));
    }
    return taken(with, *found);
}

answer<response> list_import_errors(service& with, call& of) {
    const page_request page = of.parameters.paging({"line"});
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    const auto found = import_argument(with, of);
    if (!found) {
        return failure(found);
    }
    std::size_t from = 0;
    std::from_chars(page.after.data(), page.after.data() + page.after.size(), from);
    array items;
    const std::vector<sources::row_error> none;
    const std::vector<sources::row_error>& errors = found->report ? found->report->errors : none;
    std::size_t at = from;
    for (; at < errors.size() && items.size() < page.limit; ++at) {
        items.push_back(represent(errors[at]));
    }
    object body;
    body["items"] = std::move(items);
    body["next"] = at < errors.size() ? boost::json::value(make_cursor(page.order, std::to_string(at)))
                                      : boost::json::value(nullptr);
    body["total"] = found->report ? found->report->errors_total : 0;
    return json(200, body);
}

namespace {

/// Between `export_csv`, which pushes, and the server, which pulls: a page of mailboxes a call would need the
/// exporter's inside, so the text goes to an unlinked temporary file and is streamed from there. Flat memory, one
/// reader held short.
class spooled {
public:
    explicit spooled(const std::string& folder) {
        std::string path = folder + "/export-XXXXXX";
        _file = std::unique_ptr<std::FILE, int (*)(std::FILE*)>(nullptr, &std::fclose);
        const int fd = ::mkostemp(path.data(), O_CLOEXEC);
        if (fd >= 0) {
            ::unlink(path.c_str());
            _file.reset(::fdopen(fd, "w+"));
        }
    }
    bool good() const { return _file != nullptr; }
    bool write(std::string_view text) { return std::fwrite(text.data(), 1, text.size(), _file.get()) == text.size(); }
    bool rewind() { return std::fflush(_file.get()) == 0 && std::fseek(_file.get(), 0, SEEK_SET) == 0; }
    bool read(std::string& part) {
        part.resize(65536);
        part.resize(std::fread(part.data(), 1, part.size(), _file.get()));
        return std::ferror(_file.get()) == 0;
    }

private:
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> _file{nullptr, &std::fclose};
};

}  // namespace

answer<response> export_mailboxes(service& with, call& of) {
    const auto in = with.store.read();
    if (!in) {
        return failure(in);
    }
    directory::mailbox_filter filter;
    const auto domain = domain_parameter(*in, of, "domain");
    filter.organisation = id_parameter(of.parameters, "organisation");
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    if (!domain) {
        return failure(domain);
    }
    filter.domain = *domain;
    filter.within = &scope_of(of);
    const auto spool = std::make_shared<spooled>(with.imports.folder());
    if (!spool->good()) {
        return tl::unexpected(unavailable("There is no place for the export in " + with.imports.folder() + "."));
    }
    bool written = true;
    const auto done =
        sources::export_csv(*in, filter, [&](std::string_view text) { return written = spool->write(text); });
    if (!done) {
        return failure(done);
    }
    if (!written || !spool->rewind()) {
        return tl::unexpected(unavailable("There is no room for the export in " + with.imports.folder() + "."));
    }
    response made;
    made.content_type = "text/csv; charset=utf-8; header=present";
    made.fields.emplace_back("Content-Disposition", "attachment; filename=\"postern.csv\"");
    made.stream = [spool](std::string& part) { return spool->read(part); };
    return made;
}

answer<response> get_sample(service& /*with*/, call& of) {
    if (const auto good = of.parameters.finish(); !good) {
        return failure(good);
    }
    response made;
    made.content_type = "text/csv; charset=utf-8; header=present";
    made.fields.emplace_back("Content-Disposition", "attachment; filename=\"sample.csv\"");
    made.body = sources::sample_csv();
    return made;
}

}  // namespace postern::api
