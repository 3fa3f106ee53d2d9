#include "cli/admin/events.h"

#include <fmt/format.h>

#include <optional>
#include <ostream>
#include <system_error>

#include "cli/admin/event_line.h"
#include "cli/admin/time_text.h"
#include "common/record/event_view.h"
#include "common/record/records.h"

namespace godwit::cli::admin {
namespace {

std::optional<int> type_of(std::string_view name) {
  for (int number = 1; number <= v1::EventType_MAX; ++number) {
    if (v1::EventType_IsValid(number) &&
        record::event_type_name(static_cast<v1::EventType>(number)) == name) {
      return number;
    }
  }
  return std::nullopt;
}

std::string type_names() {
  std::string names;
  for (int number = 1; number <= v1::EventType_MAX; ++number) {
    if (!v1::EventType_IsValid(number)) continue;
    names.append(names.empty() ? "" : " ")
        .append(record::event_type_name(static_cast<v1::EventType>(number)));
  }
  return names;
}

std::unexpected<Error> wrong(std::string what) {
  return fail(std::make_error_code(std::errc::invalid_argument), std::move(what));
}

}  // namespace

Result<accounting::EventQuery> query_of(const EventsOptions& options, Timestamp now) {
  accounting::EventQuery query;
  query.follow = options.follow;
  query.tenant = options.tenant;
  query.recipient = options.recipient;
  query.site = options.site;
  if (!options.since.empty()) {
    const auto since = parse_since(options.since, now);
    if (!since) {
      return wrong(fmt::format("--since {}: as in 2026-11-22T19:10:44Z, 2026-11-22, 20m or 5d",
                               options.since));
    }
    query.since = *since;
  }
  for (const std::string& name : options.types) {
    const auto type = type_of(name);
    if (!type) return wrong(fmt::format("--type {}: one of {}", name, type_names()));
    query.types.push_back(*type);
  }
  if (!options.message.empty()) {
    query.message = MessageId::from_text(options.message);
    if (!query.message) {
      return wrong(fmt::format("--message {}: 36 characters, as in the reply \"queued as\"",
                               options.message));
    }
  }
  return query;
}

int events(const EventsOptions& options, const Target& target, const Clock& clock, Io io) {
  const auto query = query_of(options, clock.now());
  if (!query) {
    io.err << "godwit events: " << query.error().context << '\n';
    return kUsage;
  }
  auto access = LogAccess::open(target);
  if (!access) {
    io.err << "godwit events: " << access.error().to_string() << '\n';
    return kCouldNotRun;
  }
  if (options.follow && !access->live()) {
    io.err << "godwit events: no process runs on " << target.data_dir.string()
           << ", so nothing would come: start `godwit run` first, or leave out --follow\n";
    return kCouldNotRun;
  }
  const auto read = access->events(*query, [&](const accounting::EventAt& at) {
    if (options.json) {
      io.out << record::event_json(at.event) << '\n';
    } else {
      io.out << event_line(at.event);
    }
    if (options.follow) io.out.flush();
    return io.out.good();
  });
  io.out.flush();
  if (!read) {
    io.err << "godwit events: " << read.error().to_string() << '\n';
    return kCouldNotRun;
  }
  return kDone;
}

}  // namespace godwit::cli::admin
