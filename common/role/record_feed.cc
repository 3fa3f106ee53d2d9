#include "common/role/record_feed.h"

#include <fmt/format.h>

#include <utility>

namespace godwit::role {

RecordFeed::RecordFeed(log::Topic topic, log::Reader& reader, async::Shard& shard,
                       async::Event& wake)
    : topic_(topic),
      reader_(reader),
      shard_(shard),
      waiting_(std::make_shared<Waiting>(Waiting{.wake = wake})) {}

Result<RecordFeed::Taken> RecordFeed::take(std::size_t records_max, std::size_t bytes_max) {
  if (!waiting_->readable) return Taken{};
  auto records = reader_.take(records_max, bytes_max);
  if (!records) return failed(std::move(records).error());
  if (records->empty()) wait();
  return Taken{.records = *std::move(records), .lost = std::nullopt};
}

Result<RecordFeed::Taken> RecordFeed::failed(Error error) {
  const log::Offset at = reader_.next();
  if (error.code == log::Errc::kCorrupt) {
    reader_.skip_to(at + 1);
    return Taken{.records = {}, .lost = Lost{at, std::move(error)}};
  }
  waiting_->readable = false;
  return fail(std::move(error).within(fmt::format("{} at {}", log::topic_name(topic_), at)));
}

void RecordFeed::wait() {
  waiting_->readable = false;
  reader_.when_ready([&shard = shard_, waiting = std::weak_ptr(waiting_)] {
    shard.post([waiting] {
      const auto there = waiting.lock();
      if (!there) return;
      there->readable = true;
      there->wake.notify();
    });
  });
}

}  // namespace godwit::role
