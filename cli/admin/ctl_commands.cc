#include "cli/admin/ctl_commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>
#include <system_error>
#include <utility>

#include "cli/admin/answer.h"
#include "cli/admin/event_line.h"
#include "cli/admin/senders.h"
#include "cli/admin/table.h"
#include "cli/admin/time_text.h"
#include "common/commands/order.h"
#include "common/record/event_view.h"
#include "common/record/records.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

using commands::Command;
using commands::Kind;
constexpr auto kRight = Table::Align::kRight;

std::unexpected<Error> wrong(std::string what) {
  return fail(std::make_error_code(std::errc::invalid_argument), std::move(what));
}

int usage(const Error& error, Io io) {
  io.err << "godwit ctl: " << error.context << '\n';
  return kUsage;
}

// What has no sense is a matter of usage; what is not there, or over, is an answer.
int refused(const Error& error, Io io) {
  (void)could_not(error, io);
  if (error.code == operate::Errc::kInvalid) return kUsage;
  const bool no = error.code == operate::Errc::kNotFound || error.code == operate::Errc::kRefused;
  return no ? kAnswerIsNo : kCouldNotRun;
}

Json json_command(const Command& command) {
  Json json{{"id", command.id.text()},
            {"kind", commands::kind_name(command.kind)},
            {"filter", command.filter.to_text()},
            {"reason", command.reason},
            {"actor", command.actor},
            {"created", json_time(command.created)},
            {"until", json_time(command.until.value_or(Timestamp{}))}};
  if (command.undone) {
    json["undone"] = json_time(*command.undone);
    json["undone_by"] = command.undone_by;
    json["undone_reason"] = command.undone_reason;
  }
  return json;
}

Json json_touches(const operate::DeliveryList& list, const Missing& missing) {
  return {{"deliveries", list.deliveries},
          {"recipients", list.recipients},
          {"bytes", list.bytes},
          {"oldest_accepted", json_time(list.oldest_accepted)},
          {"not_counted", missing}};
}

Json json_row(const operate::DeliveryRow& row) {
  return {{"delivery", row.id.to_text()},
          {"partition", row.partition},
          {"state", operate::state_name(row.state)},
          {"tenant", row.tenant},
          {"domain", row.domain},
          {"site", row.site},
          {"pool", row.pool},
          {"class", row.urgent ? "urgent" : "bulk"},
          {"tags", row.tags},
          {"recipients", row.recipients},
          {"bytes", row.bytes},
          {"accepted", json_time(row.accepted)},
          {"due", json_time(row.due)}};
}

std::string_view deed(Kind kind) {
  switch (kind) {
    case Kind::kSuspend: return "suspended";
    case Kind::kCancel: return "cancelled";
    case Kind::kRetry: return "tried again now, what of them waits for a due time";
  }
  return "touched";
}

}  // namespace

Result<commands::Filter> filter_of(const FilterOptions& options) {
  commands::Filter filter{.tenant = options.tenant,
                          .tag = options.tag,
                          .domain = options.domain,
                          .site = options.site,
                          .pool = options.pool,
                          .of_class = commands::Filter::Class::kAny,
                          .message = {},
                          .source = options.source};
  if (options.of_class == "bulk") filter.of_class = commands::Filter::Class::kBulk;
  if (options.of_class == "urgent") filter.of_class = commands::Filter::Class::kUrgent;
  if (!options.of_class.empty() && filter.of_class == commands::Filter::Class::kAny)
    return wrong(fmt::format("--class {}: bulk or urgent", options.of_class));
  if (!options.message.empty()) {
    filter.message = MessageId::from_text(options.message);
    if (!filter.message)
      return wrong(fmt::format("--message {}: 36 characters, as in the reply \"queued as\"",
                               options.message));
  }
  return filter;
}

int ctl_order(const CtlOptions& options, const OrderOptions& wanted, const Target& target,
              const Clock& clock, Io io) {
  auto filter = filter_of(wanted.filter);
  if (!filter) return usage(filter.error(), io);
  commands::Order order{.kind = wanted.kind,
                        .filter = *std::move(filter),
                        .reason = options.reason,
                        .actor = {},
                        .until = {}};
  if (!wanted.until.empty()) {
    order.until = parse_until(wanted.until, clock.now());
    if (!order.until)
      return usage(
          Error{{}, fmt::format("--until {}: as in 2026-11-22T19:10:44Z, 20m or 5d", wanted.until)},
          io);
  }
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  // Refused before anything is counted: an empty filter would count everything.
  if (const auto checked = client->command_issue(order, /*dry_run=*/true); !checked)
    return refused(checked.error(), io);
  Missing missing;
  const auto touches = deliveries_everywhere(target, order.filter, 0, missing);
  if (!touches) return could_not(touches.error(), io);
  tell_of(missing, io);
  const bool go = order.kind != Kind::kCancel || wanted.yes;
  Json json{{"touches", json_touches(*touches, missing)}};
  if (!options.json) {
    io.out << fmt::format("{} deliveries ({} recipients, {}) fit now\n", touches->deliveries,
                          touches->recipients, bytes_text(touches->bytes));
  }
  if (!go) {
    if (options.json) (void)say(json, io);
    io.err << "godwit ctl: nothing was done; with --yes they end as cancelled, which cannot be "
              "taken back\n";
    return kAnswerIsNo;
  }
  const auto issued = client->command_issue(order, /*dry_run=*/false);
  if (!issued) return refused(issued.error(), io);
  if (options.json) {
    json["command"] = json_command(*issued);
    return say(json, io);
  }
  io.out << fmt::format(
      "They are {}. `godwit ctl commands list` says how far it is, "
      "`godwit ctl commands undo {}` ends it.\n",
      deed(order.kind), issued->id.text());
  return kDone;
}

int ctl_commands_list(const CtlOptions& options, bool all, const Target& target, const Clock& clock,
                      Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  auto listed = client->command_list();
  if (!listed) return could_not(listed.error(), io);
  const Timestamp now = clock.now();
  if (!all) {
    std::erase_if(*listed, [now](const auto& one) { return !one.command.in_force(now); });
  }
  if (options.json) {
    Json json{{"commands", Json::array()}};
    for (const auto& one : *listed) {
      Json item = json_command(one.command);
      item["state"] = one.command.state(now);
      item["deliveries"] = one.progress.deliveries;
      item["recipients"] = one.progress.recipients;
      item["complete"] = one.progress.complete;
      json["commands"].push_back(std::move(item));
    }
    return say(json, io);
  }
  if (listed->empty()) {
    io.out << (all ? "No commands.\n"
                   : "No commands are in force; --all shows those that are over.\n");
    return kDone;
  }
  Table table({{"ID"},
               {"KIND"},
               {"STATE"},
               {"FILTER"},
               {"SINCE", kRight},
               {"END", kRight},
               {"DELIVERIES", kRight},
               {"RECIPIENTS", kRight},
               {"BY"},
               {"REASON"}});
  for (const auto& one : *listed) {
    const Command& command = one.command;
    table.add({command.id.text(), std::string(commands::kind_name(command.kind)),
               std::string(command.state(now)), command.filter.to_text(),
               age_text(command.created, now), age_text(command.until.value_or(Timestamp{}), now),
               std::to_string(one.progress.deliveries), std::to_string(one.progress.recipients),
               command.actor, command.reason});
  }
  io.out << table.to_string();
  return kDone;
}

int ctl_commands_undo(const CtlOptions& options, const std::string& id, const Target& target,
                      Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto undone = client->command_undo(id, options.reason);
  if (!undone) return refused(undone.error(), io);
  if (options.json) return say(json_command(*undone), io);
  io.out << fmt::format("undone: {} {}\n", commands::kind_name(undone->kind),
                        undone->filter.to_text());
  return kDone;
}

int ctl_deliveries_list(const CtlOptions& options, const FilterOptions& wanted,
                        std::uint32_t rows_max, const Target& target, const Clock& clock, Io io) {
  const auto filter = filter_of(wanted);
  if (!filter) return usage(filter.error(), io);
  Missing missing;
  const auto list = deliveries_everywhere(target, *filter, rows_max, missing);
  if (!list) return refused(list.error(), io);
  tell_of(missing, io);
  if (options.json) {
    Json json = json_touches(*list, missing);
    auto& rows = json["rows"] = Json::array();
    for (const auto& row : list->rows) rows.push_back(json_row(row));
    return say(json, io);
  }
  const Timestamp now = clock.now();
  io.out << fmt::format("{} deliveries, {} recipients, {}; oldest {}\n", list->deliveries,
                        list->recipients, bytes_text(list->bytes),
                        age_text(list->oldest_accepted, now));
  if (list->rows.empty()) return kDone;
  Table table({{"DELIVERY"},
               {"STATE"},
               {"AGE", kRight},
               {"DUE", kRight},
               {"RCPTS", kRight},
               {"SIZE", kRight},
               {"TENANT"},
               {"DOMAIN"},
               {"SITE"},
               {"POOL"}});
  for (const auto& row : list->rows) {
    table.add({row.id.to_text(), std::string(operate::state_name(row.state)),
               age_text(row.accepted, now), age_text(row.due, now), std::to_string(row.recipients),
               bytes_text(row.bytes), row.tenant, row.domain, row.site, row.pool});
  }
  io.out << '\n' << table.to_string();
  if (list->deliveries > list->rows.size()) {
    io.out << fmt::format("The oldest {} of {}; --rows shows more.\n", list->rows.size(),
                          list->deliveries);
  }
  return kDone;
}

int ctl_deliveries_show(const CtlOptions& options, const std::string& id, const Target& target,
                        Io io) {
  if (!DeliveryId::from_text(id))
    return usage(Error{{}, id + ": a delivery id is as `deliveries list` shows it"}, io);
  Missing missing;
  const auto found = delivery_anywhere(target, id, missing);
  if (!found) return refused(found.error(), io);
  if (!*found) {
    tell_of(missing, io);
    io.err << fmt::format(
        "godwit ctl: {} is not queued; `godwit ctl trace` says what became of "
        "its message\n",
        id);
    return missing.empty() ? kAnswerIsNo : kCouldNotRun;
  }
  const operate::DeliveryDetails& details = **found;
  if (options.json) {
    Json json = json_row(details.row);
    json["sender"] = details.sender;
    auto& recipients = json["to"] = Json::array();
    for (const auto& one : details.recipients) {
      recipients.push_back(
          {{"recipient", one.address}, {"index", one.index}, {"held", one.held != 0}});
    }
    json["expires"] = json_time(details.expires);
    json["attempts"] = details.attempts;
    json["last_reply"] = details.last_reply;
    json["last_class"] = details.last_class;
    json["throttled"] = details.throttled;
    json["command"] = details.command;
    json["history"] = details.history;
    return say(json, io);
  }
  const auto line = [&io](std::string_view name, std::string_view value) {
    if (!value.empty()) io.out << fmt::format("{:<10} {}\n", name, text::printable(value, 1'200));
  };
  const operate::DeliveryRow& row = details.row;
  line("delivery", row.id.to_text());
  line("state", fmt::format("{}{}", operate::state_name(row.state),
                            details.throttled ? ", behind its lane's limits" : ""));
  line("command", details.command);
  line("tenant", row.tenant);
  line("sender", details.sender.empty() ? "<>" : details.sender);
  for (const auto& one : details.recipients)
    line("recipient", one.address + (one.held != 0 ? "  (held)" : ""));
  line("lane", fmt::format("{} {}, partition {}", row.site, row.pool, row.partition));
  line("class", row.urgent ? "urgent" : "bulk");
  line("tags", fmt::format("{}", fmt::join(row.tags, ", ")));
  line("size", bytes_text(row.bytes));
  line("accepted", time_text(row.accepted));
  line("due", time_text(row.due));
  line("expires", time_text(details.expires));
  line("attempts", std::to_string(details.attempts));
  line("last reply", details.last_reply);
  line("class of it", details.last_class);
  for (const std::string& step : details.history) line("moved", step);
  return kDone;
}

int ctl_trace(const CtlOptions& options, const std::string& message, const Target& target, Io io) {
  accounting::EventQuery query;
  query.message = MessageId::from_text(message);
  if (!query.message)
    return usage(Error{{}, message + ": 36 characters, as in the reply \"queued as\""}, io);
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  std::vector<record::Event> events;
  const auto read = client->events(query, [&](const accounting::EventAt& at) {
    events.push_back(at.event);
    return true;
  });
  if (!read) return could_not(read.error(), io);
  std::ranges::sort(events, {}, [](const record::Event& event) {
    return std::pair(event.head.time_unix_ms(), event.head.type());
  });
  constexpr std::uint32_t kRowsMax = 1'000;
  Missing missing;
  const auto queued = deliveries_everywhere(target, {.message = query.message}, kRowsMax, missing);
  if (!queued) return could_not(queued.error(), io);
  tell_of(missing, io);
  if (options.json) {
    Json json{{"message_id", message}, {"events", Json::array()}, {"queued", Json::array()}};
    for (const record::Event& event : events)
      json["events"].push_back(Json::parse(record::event_json(event)));
    for (const auto& row : queued->rows) json["queued"].push_back(json_row(row));
    (void)say(json, io);
  } else {
    for (const record::Event& event : events) io.out << event_line(event);
    for (const auto& row : queued->rows) {
      io.out << fmt::format("queued  {}  {}, due {}, {} recipients at {}\n", row.id.to_text(),
                            operate::state_name(row.state), time_text(row.due), row.recipients,
                            text::printable(row.domain, 255));
    }
  }
  if (!events.empty() || queued->deliveries > 0) return kDone;
  io.err << "godwit ctl: nothing is known of " << message << '\n';
  return kAnswerIsNo;
}

}  // namespace godwit::cli::admin
