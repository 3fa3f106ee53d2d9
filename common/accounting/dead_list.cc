#include "common/accounting/dead_list.h"

#include <algorithm>

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

}  // namespace

bool is_later_part(const record::Dead& dead, std::string_view key) {
  if (dead.head.part() > 0) return true;
  // repair/<segment>/<position>/<part>
  if (key.starts_with("repair/")) return !key.ends_with("/0000");
  // <topic>/<partition>/<offset>, of a parked delivery retries/<partition>/<message id>/<index>; then the part.
  const auto slashes = std::ranges::count(key, '/');
  return slashes > (static_cast<log::Topic>(dead.head.topic()) == log::Topic::kRetries ? 3 : 2);
}

Result<DeadList> list_dead(log::Log& log, std::size_t rows_max) {
  DeadList list;
  const auto older = [](const DeadRow& a, const DeadRow& b) { return a.time < b.time; };
  // A heap whose front is the youngest row kept, so that the oldest rows_max stay.
  TRY_VOID(log.history(log::Topic::kDead, Timestamp{}, [&](const log::HistoryRecord& at) {
    const auto dead = record::decode_dead(at.record.value);
    if (dead && is_later_part(*dead, at.record.key)) return true;
    ++list.total;
    list.rows.push_back(row_of(at, dead));
    std::ranges::push_heap(list.rows, older);
    if (list.rows.size() > rows_max) {
      std::ranges::pop_heap(list.rows, older);
      list.rows.pop_back();
    }
    return true;
  }));
  std::ranges::sort_heap(list.rows, older);
  return list;
}

}  // namespace godwit::accounting
