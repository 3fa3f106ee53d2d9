#include "common/poison/dead_letter.h"

#include <algorithm>

#include "common/record/keys.h"
#include "common/record/records.h"
#include "common/text/escape.h"

namespace godwit::poison {
namespace {

constexpr std::size_t kCauseBytesMax = 1024;
constexpr std::size_t kPartBytesMax = log::kRecordBytesMax - 4096;

}  // namespace

std::vector<log::TableChange> bury(const DeadLetter& letter) {
  const log::TopicPartition& where = letter.position.where;
  record::Dead dead;
  dead.head.set_topic(static_cast<std::uint32_t>(where.topic));
  dead.head.set_partition(where.partition);
  dead.head.set_offset(letter.position.offset);
  dead.head.set_time_unix_ms(to_unix_ms(letter.now));
  dead.head.set_cause(text::printable(letter.cause, kCauseBytesMax));
  dead.head.set_role(std::string(letter.role));
  dead.head.set_crashes(letter.crashes);
  dead.head.set_key(letter.key);
  const auto parts = static_cast<std::uint32_t>(
      std::max<std::size_t>(1, (letter.value.size() + kPartBytesMax - 1) / kPartBytesMax));
  dead.head.set_parts(parts);
  std::vector<log::TableChange> changes;
  for (std::uint32_t part = 0; part < parts; ++part) {
    dead.head.set_part(part);
    dead.value = letter.value.slice(part * kPartBytesMax, kPartBytesMax);
    changes.push_back({.where = {log::Topic::kDead, where.partition},
                       .key = record::dead_key(log::topic_name(where.topic), where.partition,
                                               letter.position.offset, part),
                       .value = record::encode(dead)});
  }
  return changes;
}

}  // namespace godwit::poison
