#include "common/poison/whole_record.h"

#include <utility>
#include <vector>

#include "common/async/completion.h"
#include "common/base/crc32c.h"
#include "common/log/log.h"
#include "common/record/body.h"
#include "common/record/content_field.h"

namespace godwit::poison {
namespace {

async::Task<Result<Rope>> read(log::Log& log, log::RecordPosition at) {
  auto read = co_await async::completion<Result<log::Record>>(
      [&](auto done) { log.read_at(at, std::move(done)); });
  if (!read) co_return fail(std::move(read).error());
  co_return std::move(read->value);
}

// Octets that may be the content; the checksum tells.
async::Task<Result<Rope>> fetch(log::Log& log, v1::Content content) {
  if (content.has_position()) {
    const v1::Position& position = content.position();
    CO_TRY(const Rope record,
           co_await read(log, {{static_cast<log::Topic>(position.topic()), position.partition()},
                               position.offset()}));
    if (record.size() < content.size()) co_return Rope();
    co_return record.slice(record.size() - content.size(),
                           content.size());  // it is last (proto Content)
  }
  Rope octets;
  const log::TopicPartition where{log::Topic::kBodies, content.body().partition()};
  CO_TRY(const std::vector<log::Offset> chunks, record::body_offsets(content.body()));
  for (const log::Offset chunk : chunks) {
    if (octets.size() >= content.size()) break;
    CO_TRY(const Rope piece, co_await read(log, {where, chunk}));
    octets.append(piece);
  }
  co_return octets;
}

bool valid(const v1::Content& content, log::Log& log) {
  log::TopicPartition where{log::Topic::kBodies, content.body().partition()};
  log::Offset offset = content.body().first_offset();
  if (content.has_position()) {
    const v1::Position& position = content.position();
    if (position.topic() == 0 || position.topic() > log::kTopicMax) return false;
    where = {static_cast<log::Topic>(position.topic()), position.partition()};
    offset = position.offset();
  } else if (!content.has_body()) {
    return false;
  }
  return offset >= 0 && where.partition < log.partitions(where.topic);
}

}  // namespace

async::Task<Rope> whole_record(log::Log& log, Slot& hand, log::RecordPosition place, Rope record,
                               std::size_t content_bytes_max) {
  const Work step{place, Step::kSalvage};
  if (hand.refuses(step)) co_return record;
  const auto content = [&] {
    const InHand in_hand(hand, step);
    return record::content_field(record);
  }();
  if (!content || !valid(*content, log) || content->size() > content_bytes_max) co_return record;
  const auto octets = co_await fetch(log, *content);
  if (!octets || octets->size() != content->size()) co_return record;
  if (crc32c(*octets) != content->crc32c()) co_return record;
  const InHand in_hand(hand, step);
  auto whole = record::with_inline_content(record, *octets);
  co_return whole ? *std::move(whole) : record;
}

}  // namespace godwit::poison
