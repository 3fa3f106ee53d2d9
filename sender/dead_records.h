#pragma once

#include <string>

#include "common/async/task.h"
#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/record/records.h"
#include "sender/environment.h"
#include "sender/journal.h"

namespace godwit::sender {

// Puts what one partition cannot handle into `dead`, whole, with the cause: it counts as held, and an operator
// retries or drops it. The journal commits the row together with the end of what it was.
//
// Threads   belongs to the shard
class DeadRecords {
 public:
  // `commit_bytes_max`: as log::Ownership::batch_bytes_max().
  DeadRecords(Environment& environment, log::PartitionId partition, std::size_t commit_bytes_max,
              Journal& journal)
      : env_(environment),
        partition_(partition),
        content_bytes_max_(commit_bytes_max / 2),
        journal_(journal) {}

  // A record of the window that was not decoded, as it was read; its content is put into it first
  // (poison::whole_record). `key` is its key in the topic.
  [[nodiscard]] async::Task<void> add_undecoded(WindowSlot slot, std::string key, Rope value,
                                                Error error);
  // One that nobody can read: only a note.
  void add_unread(WindowSlot slot, const Error& error) { add(slot, {}, {}, error); }
  // A delivery in hand, with the content it has in memory. Errors: as Journal::add_dead(); the
  // delivery is untouched.
  [[nodiscard]] Result<void> add(DeliveryPtr& delivery, const Error& error);

 private:
  [[nodiscard]] record::Dead dead_record(const log::RecordPosition& from, std::string key,
                                         const Rope& value, const Error& error) const;

  void add(WindowSlot slot, std::string key, const Rope& value, const Error& error);

  Environment& env_;
  const log::PartitionId partition_;
  const std::size_t content_bytes_max_;
  Journal& journal_;
};

}  // namespace godwit::sender
