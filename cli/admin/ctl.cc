#include "cli/admin/ctl.h"

#include <fmt/format.h>

#include <ostream>

#include "cli/admin/answer.h"
#include "cli/admin/senders.h"
#include "cli/admin/table.h"
#include "cli/admin/time_text.h"
#include "common/record/event_view.h"

namespace godwit::cli::admin {
namespace {

Json json_counts(const operate::QueueCounts& counts) {
  return {{"total", counts.total()},
          {"waiting", counts.waiting},
          {"active", counts.active},
          {"parked", counts.parked},
          {"suspended_count", counts.suspended},
          {"bytes", counts.bytes},
          {"oldest_accepted", json_time(counts.oldest_accepted)},
          {"next_due", json_time(counts.next_due)}};
}

Json json_queue(const operate::QueueSummary& summary) {
  Json json = json_counts(summary.counts);
  json["rows_total"] = summary.rows_total;
  auto& rows = json["rows"] = Json::array();
  for (const operate::QueueRow& row : summary.rows) {
    Json item{{"name", row.name}};
    item.update(json_counts(row.counts));
    if (!row.suspended.empty()) item["suspended"] = row.suspended;
    rows.push_back(std::move(item));
  }
  return json;
}

std::string queue_table(const operate::QueueSummary& summary, operate::QueueBy by, Timestamp now) {
  const auto& counts = summary.counts;
  std::string out = fmt::format(
      "{} recipients: {} waiting, {} active, {} parked, {} suspended; {}; oldest {}, "
      "next due {}\n",
      counts.total(), counts.waiting, counts.active, counts.parked, counts.suspended,
      bytes_text(counts.bytes), age_text(counts.oldest_accepted, now),
      age_text(counts.next_due, now));
  if (summary.rows.empty()) return out;
  constexpr auto kRight = Table::Align::kRight;
  constexpr std::string_view kTitles[] = {"LANE (SITE POOL)", "DOMAIN", "TENANT", "SITE", "POOL"};
  Table table({{kTitles[static_cast<std::size_t>(by)]},
               {"TOTAL", kRight},
               {"WAITING", kRight},
               {"ACTIVE", kRight},
               {"PARKED", kRight},
               {"SUSPENDED", kRight},
               {"SIZE", kRight},
               {"OLDEST", kRight},
               {"NEXT DUE", kRight},
               {"STANDS STILL"}});
  for (const operate::QueueRow& row : summary.rows) {
    table.add({row.name, std::to_string(row.counts.total()), std::to_string(row.counts.waiting),
               std::to_string(row.counts.active), std::to_string(row.counts.parked),
               std::to_string(row.counts.suspended), bytes_text(row.counts.bytes),
               age_text(row.counts.oldest_accepted, now), age_text(row.counts.next_due, now),
               row.suspended});
  }
  out += '\n' + table.to_string();
  if (summary.rows_total > summary.rows.size()) {
    out += fmt::format("The fullest {} of {}; --rows shows more.\n", summary.rows.size(),
                       summary.rows_total);
  }
  return out;
}

}  // namespace

int ctl_info(const CtlOptions& options, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto info = client->info();
  if (!info) return could_not(info.error(), io);
  if (options.json) {
    Json json{{"node", info->node},
              {"version", info->version},
              {"cluster", info->cluster},
              {"pid", info->pid},
              {"started", json_time(info->started)},
              {"draining", info->draining},
              {"addresses", info->addresses},
              {"roles", Json::array()}};
    for (const auto& role : info->roles) {
      json["roles"].push_back(
          {{"name", role.name}, {"ready", role.problem.empty()}, {"problem", role.problem}});
    }
    return say(json, io);
  }
  io.out << fmt::format("{} (cluster {}), godwit {}, process {}, up {}{}\n", info->node,
                        info->cluster, info->version, info->pid, age_text(info->started, info->now),
                        info->draining ? ", draining" : "");
  Table roles({{"ROLE"}, {"READY"}, {"PROBLEM"}});
  for (const auto& role : info->roles) {
    roles.add({role.name, role.problem.empty() ? "yes" : "no", role.problem});
  }
  if (!roles.empty()) io.out << '\n' << roles.to_string();
  if (!info->addresses.empty()) io.out << '\n';
  for (const std::string& address : info->addresses) io.out << address << '\n';
  return kDone;
}

int ctl_health(const CtlOptions& options, const std::string& role, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto serving = client->serving(role);
  if (!serving) return could_not(serving.error(), io);
  if (options.json) {
    (void)say({{"role", role}, {"serving", *serving}}, io);
  } else {
    io.out << (*serving ? "serving\n" : "not serving: `godwit ctl info` says why\n");
  }
  return *serving ? kDone : kAnswerIsNo;
}

int ctl_drain(const CtlOptions& options, bool leave, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  if (const auto drained = client->drain(leave, options.reason); !drained)
    return could_not(drained.error(), io);
  if (options.json) return say({{"draining", true}}, io);
  io.out << "draining: it takes no new mail, finishes what is under way, and ends\n";
  return kDone;
}

int ctl_reload(const CtlOptions& options, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto notes = client->reload(options.reason);
  if (!notes) return could_not(notes.error(), io);
  if (options.json) return say({{"notes", *notes}}, io);
  io.out << "reloaded\n";
  for (const std::string& note : *notes) io.out << "  " << note << '\n';
  return kDone;
}

int ctl_queue(const CtlOptions& options, const operate::QueueQuery& query, const Target& target,
              const Clock& clock, Io io) {
  Missing missing;
  const auto summary = queue_everywhere(target, query, missing);
  if (!summary) return could_not(summary.error(), io);
  tell_of(missing, io);
  if (options.json) {
    Json json = json_queue(*summary);
    json["not_counted"] = missing;
    return say(json, io);
  }
  io.out << queue_table(*summary, query.by, clock.now());
  return kDone;
}

int ctl_log_level(const CtlOptions& options, const std::string& level, const Target& target,
                  Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto now =
      level.empty() ? client->log_level() : client->set_log_level(level, options.reason);
  if (!now) return could_not(now.error(), io);
  if (options.json) return say({{"level", *now}}, io);
  io.out << *now << '\n';
  return kDone;
}

}  // namespace godwit::cli::admin
