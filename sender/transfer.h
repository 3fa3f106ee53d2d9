#pragma once

#include <memory>

#include "common/async/task.h"
#include "common/base/result.h"
#include "common/log/types.h"
#include "sender/content_reader.h"
#include "sender/environment.h"

namespace godwit::log {
class Producer;
}

namespace godwit::sender {

// Makes the record with which a delivery goes on in another partition of `outbound`: with its history, and with its
// content or what it refers to. The commit that appends it also finishes the delivery here (Journal::add_moved).
//
// Content   stays where it is when the record refers to it. What was parked is in this partition's table only: it
//           goes along in the record; when it is too large for one, into `bodies`, acknowledged before the record
//           that names it. A crash in between leaves chunks that nobody refers to: they go with their retention
// Errors    those of ContentReader::load() and of Producer::append(); the delivery is untouched but for its content
// Threads   belongs to the shard
class Transfer {
 public:
  Transfer(Environment& environment, ContentReader& content);
  ~Transfer();

  [[nodiscard]] async::Task<Result<log::Append>> record_of(QueuedDelivery& delivery,
                                                           log::PartitionId to);

 private:
  [[nodiscard]] async::Task<Result<v1::BodyReference>> put_body(const QueuedDelivery& delivery);

  Environment& env_;
  ContentReader& content_;
  std::unique_ptr<log::Producer> producer_;  // made when it is needed first
};

}  // namespace godwit::sender
