#include "cli/admin/ctl_dead.h"

#include <fmt/format.h>

#include <ostream>

#include "cli/admin/answer.h"
#include "cli/admin/table.h"
#include "cli/admin/time_text.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {
namespace {

std::string hex(std::string_view octets) {
  std::string out;
  for (const char c : octets) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

// Sixteen octets a line, as hexadecimal and as text.
std::string dump(std::string_view octets) {
  std::string out;
  for (std::size_t at = 0; at < octets.size(); at += 16) {
    const std::string_view line = octets.substr(at, 16);
    std::string text;
    out += fmt::format("{:06x} ", at);
    for (const char c : line) {
      out += fmt::format(" {:02x}", static_cast<unsigned char>(c));
      text += c >= ' ' && c <= '~' ? c : '.';
    }
    out += fmt::format("{:{}}  {}\n", "", (16 - line.size()) * 3, text);
  }
  return out;
}

// What a record of that topic is. kDead stands for octets of the log itself.
std::string_view kind_of(log::Topic topic) {
  switch (topic) {
    case log::Topic::kAccepted:
    case log::Topic::kAcceptedUrgent: return "message, not routed yet";
    case log::Topic::kOutbound:
    case log::Topic::kOutboundUrgent: return "delivery, routed and waiting";
    case log::Topic::kRetries: return "delivery, parked between two attempts";
    case log::Topic::kReports: return "report from outside (a bounce, a complaint, a reply)";
    case log::Topic::kEvents: return "event";
    case log::Topic::kDead: return "octets of the log itself, which `ctl log repair` took out";
    default: return "record";
  }
}

// What nobody can read from it, and who can tell.
std::string_view unread(const operate::DeadDetails& details) {
  if (details.row.topic == log::Topic::kDead)
    return "cannot be read; `godwit audit` names the recipients that are missing";
  return details.message_id.empty() ? "cannot be read" : "";
}

// That there is no such row, or that it must not be, is an answer.
int refused(const Error& error, Io io) {
  io.err << "godwit ctl: " << error.to_string() << '\n';
  const bool answer =
      error.code == operate::Errc::kInvalid || error.code == operate::Errc::kRefused;
  return answer ? kAnswerIsNo : kCouldNotRun;
}

Json json_of(const accounting::DeadRow& row) {
  return {{"key", row.key},
          {"topic", log::topic_name(row.topic)},
          {"partition", row.partition},
          {"offset", row.offset},
          {"time", json_time(row.time)},
          {"role", row.role},
          {"cause", row.cause},
          {"crashes", row.crashes},
          {"size", row.size}};
}

}  // namespace

int ctl_dead_list(const CtlOptions& options, std::uint32_t rows_max, const Target& target, Io io) {
  auto access = LogAccess::open(target);
  if (!access) return could_not(access.error(), io);
  const auto list = access->dead(rows_max);
  if (!list) return could_not(list.error(), io);
  if (options.json) {
    Json json{{"total", list->total}, {"rows", Json::array()}};
    for (const auto& row : list->rows) {
      Json one = json_of(row);
      one["recipients"] = row.recipients;
      json["rows"].push_back(std::move(one));
    }
    return say(json, io);
  }
  if (list->total == 0) {
    io.out << "Nothing is held: every record could be handled.\n";
    return kDone;
  }
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"TIME (UTC)"},
               {"KEY"},
               {"ROLE"},
               {"CRASHES", kRight},
               {"RECIPIENTS", kRight},
               {"SIZE", kRight},
               {"CAUSE"}});
  for (const auto& row : list->rows) {
    table.add({time_text(row.time), row.key, row.role, std::to_string(row.crashes),
               std::to_string(row.recipients), std::to_string(row.size), row.cause});
  }
  io.out << table.to_string();
  if (list->total > list->rows.size()) {
    io.out << fmt::format("The oldest {} of {}; --rows shows more.\n", list->rows.size(),
                          list->total);
  }
  return kDone;
}

int ctl_dead_show(const CtlOptions& options, const std::string& key, bool octets,
                  const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto details = client->dead_show(key);
  if (!details) return refused(details.error(), io);
  const auto& row = details->row;
  if (options.json) {
    Json json = json_of(row);
    json["parts"] = details->parts;
    json["message_id"] = details->message_id;
    json["sender"] = details->sender;
    json["recipients"] = details->recipients;
    json["kind"] = kind_of(row.topic);
    if (octets) json["head_hex"] = hex(details->head);
    return say(json, io);
  }
  const auto line = [&io](std::string_view name, std::string_view value) {
    io.out << fmt::format("{:<12}{}\n", name, text::printable(value, 2'000));
  };
  line("key", row.key);
  line("kind", kind_of(row.topic));
  if (row.topic != log::Topic::kDead)
    line("from", fmt::format("{}/{}/{}", log::topic_name(row.topic), row.partition, row.offset));
  line("why", row.cause);
  line("put there",
       fmt::format(
           "{} by {}{}", time_text(row.time), row.role,
           row.crashes == 0 ? std::string() : fmt::format(", in hand at {} crashes", row.crashes)));
  line("size", details->parts > 1
                   ? fmt::format("{} in {} parts", bytes_text(row.size), details->parts)
                   : bytes_text(row.size));
  const std::string_view problem = unread(*details);
  line("message", problem.empty() ? std::string_view(details->message_id) : problem);
  if (!details->sender.empty()) line("sender", details->sender);
  for (const std::string& recipient : details->recipients) line("recipient", recipient);
  if (octets) io.out << dump(details->head);
  return kDone;
}

int ctl_dead_retry(const CtlOptions& options, const std::string& key, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto retried = client->dead_retry(key, options.reason);
  if (!retried) return refused(retried.error(), io);
  const auto& [where, offset] = retried->now;
  if (options.json) {
    return say({{"topic", log::topic_name(where.topic)},
                {"partition", where.partition},
                {"offset", offset}},
               io);
  }
  io.out << fmt::format("back at {}/{}/{}\n", log::topic_name(where.topic), where.partition,
                        offset);
  return kDone;
}

int ctl_dead_drop(const CtlOptions& options, const std::string& key, bool force,
                  const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto dropped = client->dead_drop(key, force, options.reason);
  if (!dropped) return refused(dropped.error(), io);
  if (options.json) return say({{"cancelled", dropped->cancelled}}, io);
  io.out << fmt::format("dropped; {} recipients are cancelled\n", dropped->cancelled);
  return kDone;
}

}  // namespace godwit::cli::admin
