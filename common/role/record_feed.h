#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "common/async/event.h"
#include "common/async/shard.h"
#include "common/base/result.h"
#include "common/log/log.h"

namespace godwit::role {

// Reads one topic of an owned partition for the work on its shard.
//
// Output     take(): what is there now, in order. Nothing: `wake` is notified when there is more
// Errors     kClosed: the ownership has ended. Any other: a record is missing, and an operator has to decide. After
//            an error there is nothing to take any more
// Threads    belongs to the shard, its destruction too
// Borrows    the reader, the shard and `wake`, which outlive it
class RecordFeed {
 public:
  RecordFeed(log::Topic topic, log::Reader& reader, async::Shard& shard, async::Event& wake);
  RecordFeed(const RecordFeed&) = delete;
  RecordFeed& operator=(const RecordFeed&) = delete;

  // A record that nobody can read, now or later (log::Errc::kCorrupt). It was passed over.
  struct Lost {
    log::Offset offset = 0;
    Error error;
  };
  // Either records, or one that is lost (take again for what is behind it), or nothing.
  struct Taken {
    std::vector<log::Record> records;
    std::optional<Lost> lost;
  };
  [[nodiscard]] Result<Taken> take(std::size_t records_max, std::size_t bytes_max);

  [[nodiscard]] log::Topic topic() const { return topic_; }

 private:
  struct Waiting {
    bool readable = true;  // false: nothing is there, or never will be
    async::Event& wake;
  };

  Result<Taken> failed(Error error);
  void wait();

  const log::Topic topic_;
  log::Reader& reader_;
  async::Shard& shard_;
  const std::shared_ptr<Waiting> waiting_;  // shared with a wake-up that is on its way
};

}  // namespace godwit::role
