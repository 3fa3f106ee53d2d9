#include "common/accounting/dead_list.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "common/accounting/oldest.h"
#include "common/record/records.h"

namespace godwit::accounting {
namespace {

std::uint64_t recipients_in(log::Topic topic, const Rope& value) {
  switch (topic) {
    case log::Topic::kAccepted:
    case log::Topic::kAcceptedUrgent: {
      const auto message = record::decode_message(value);
      return message ? static_cast<std::uint64_t>(message->envelope.recipients_size()) : 0;
    }
    case log::Topic::kOutbound:
    case log::Topic::kOutboundUrgent:
    case log::Topic::kRetries: {
      const auto delivery = record::decode_delivery(value);
      return delivery ? static_cast<std::uint64_t>(delivery->envelope.recipients_size()) : 0;
    }
    default: return 0;
  }
}

// Octets of the log itself (`godwit ctl log repair`) come from no topic.
log::Topic topic_of(std::uint32_t number) {
  if (number == 0 || number > log::kTopicMax) return log::Topic::kDead;
  return static_cast<log::Topic>(number);
}

DeadRow row_of(const log::HistoryRecord& at, const Result<record::Dead>& dead) {
  if (!dead) {
    return {.key = at.record.key,
            .topic = at.where.topic,
            .partition = at.where.partition,
            .time = at.record.time,
            .cause = "this entry cannot be read: " + dead.error().to_string(),
            .size = at.record.value.size()};
  }
  const log::Topic topic = topic_of(dead->head.topic());
  // What killed the process is not decoded: this runs in the process too.
  return {.key = at.record.key,
          .topic = topic,
          .partition = dead->head.partition(),
          .offset = dead->head.offset(),
          .time = from_unix_ms(dead->head.time_unix_ms()),
          .role = dead->head.role(),
          .cause = dead->head.cause(),
          .crashes = dead->head.crashes(),
          .size = dead->value.size(),
          .recipients = dead->head.crashes() > 0 ? 0 : recipients_in(topic, dead->value)};
}

// True when this row carries on a record that was too large for one row (proto DeadRecord.part, or its key).
bool is_later_part(const record::Dead& dead, std::string_view key) {
  if (dead.head.part() > 0) return true;
  // repair/<segment>/<position>/<part>
  if (key.starts_with("repair/")) return !key.ends_with("/0000");
  // <topic>/<partition>/<offset>, of a parked delivery retries/<partition>/<message id>/<index>; then the part.
  const auto slashes = std::ranges::count(key, '/');
  return slashes > (static_cast<log::Topic>(dead.head.topic()) == log::Topic::kRetries ? 3 : 2);
}

// Puts the parts of a record together. Their keys begin with that of the first, so they follow it.
class Assembly {
 public:
  explicit Assembly(const VisitDead& visit) : visit_(visit) {}

  bool take(const log::HistoryRecord& row) {
    auto dead = record::decode_dead(row.record.value);
    if (!dead || !is_later_part(*dead, row.record.key)) {
      if (!finish()) return false;
      first_.emplace(row, std::move(dead));
      return true;
    }
    const bool ours = first_ && first_->dead && first_->row.where == row.where &&
                      row.record.key.starts_with(first_->row.record.key + "/");
    if (ours) parts_[dead->head.part()] = std::move(dead->value);  // by number: /10 comes before /2
    return true;
  }

  // What was begun is whole.
  bool finish() {
    if (!first_) return true;
    DeadEntry entry = *std::exchange(first_, std::nullopt);
    const auto parts = std::exchange(parts_, {});
    if (entry.dead) {
      for (std::uint32_t part = 1; part < entry.dead->head.parts() && entry.complete; ++part) {
        const auto found = parts.find(part);
        entry.complete = found != parts.end();
        if (entry.complete) entry.dead->value.append(found->second);
      }
    }
    return visit_(entry);
  }

 private:
  const VisitDead& visit_;
  std::optional<DeadEntry> first_;
  std::map<std::uint32_t, Rope> parts_;
};

}  // namespace

Result<void> visit_dead(log::Log& log, const VisitDead& visit) {
  Assembly assembly(visit);
  bool wanted = true;
  TRY_VOID(log.history(log::Topic::kDead, Timestamp{}, [&](const log::HistoryRecord& row) {
    wanted = assembly.take(row);
    return wanted;
  }));
  if (wanted) assembly.finish();
  return {};
}

Result<DeadList> list_dead(log::Log& log, std::size_t rows_max) {
  DeadList list;
  Oldest<DeadRow, decltype(&DeadRow::time)> oldest(rows_max, &DeadRow::time);
  TRY_VOID(visit_dead(log, [&](const DeadEntry& entry) {
    ++list.total;
    oldest.add(row_of(entry.row, entry.dead));
    return true;
  }));
  list.rows = std::move(oldest).take();
  return list;
}

}  // namespace godwit::accounting
