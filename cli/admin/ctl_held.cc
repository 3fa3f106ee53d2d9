#include "cli/admin/ctl_held.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ostream>

#include "cli/admin/answer.h"
#include "cli/admin/table.h"
#include "cli/admin/time_text.h"
#include "common/text/escape.h"

namespace godwit::cli::admin {

int ctl_held_list(const CtlOptions& options, std::uint32_t rows_max, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto list = client->held(rows_max);
  if (!list) return could_not(list.error(), io);
  if (options.json) {
    Json json{{"total", list->total}, {"rows", Json::array()}};
    for (const auto& row : list->rows) {
      json["rows"].push_back({{"delivery", row.delivery.to_text()},
                              {"partition", row.partition},
                              {"tenant", row.tenant},
                              {"sender", row.sender},
                              {"recipients", row.recipients},
                              {"site", row.site},
                              {"pool", row.pool},
                              {"reply", row.reply},
                              {"accepted", json_time(row.accepted)},
                              {"expires", json_time(row.expires)},
                              {"attempts", row.attempts}});
    }
    return say(json, io);
  }
  if (list->total == 0) {
    io.out << "Nobody is held: of every recipient it is known what became of it, or it is tried "
              "again.\n";
    return kDone;
  }
  Table table({{"ACCEPTED (UTC)"},
               {"EXPIRES (UTC)"},
               {"DELIVERY"},
               {"TENANT"},
               {"RECIPIENTS"},
               {"SITE"},
               {"WHY"}});
  for (const auto& row : list->rows) {
    table.add({time_text(row.accepted), time_text(row.expires), row.delivery.to_text(), row.tenant,
               text::printable(fmt::format("{}", fmt::join(row.recipients, " ")), 200), row.site,
               row.reply});
  }
  io.out << table.to_string();
  if (list->total > list->rows.size()) {
    io.out << fmt::format("The oldest {} of {}; --rows shows more.\n", list->rows.size(),
                          list->total);
  }
  return kDone;
}

int ctl_held_decide(const CtlOptions& options, const std::string& delivery,
                    accounting::HeldDecision decision, const Target& target, Io io) {
  auto client = connect(target);
  if (!client) return could_not(client.error(), io);
  const auto recipients = client->held_decide(delivery, decision, options.reason);
  if (!recipients) {
    io.err << "godwit ctl: " << recipients.error().to_string() << '\n';
    return recipients.error().code == operate::Errc::kInvalid ? kAnswerIsNo : kCouldNotRun;
  }
  if (options.json) return say({{"recipients", *recipients}}, io);
  io.out << fmt::format("{} recipients: {}\n", *recipients, accounting::decision_name(decision));
  return kDone;
}

}  // namespace godwit::cli::admin
