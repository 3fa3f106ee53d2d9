#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/log/types.h"
#include "common/record/records.h"
#include "common/smtp/envelope.h"

namespace godwit::ingress {

// How a message came in: v1::Origin, which says more. Empty: none.
struct Origin {
  std::string listener;
  std::string protocol;
  std::string address;
  std::string helo;
  std::string username;
  std::string tls;
  std::string node;
  std::string session;
};

// A message as it is about to be trusted to the log.
struct Intake {
  MessageId id;
  Timestamp time;
  log::Topic topic = log::Topic::kAccepted;  // or kAcceptedUrgent, kReports
  v1::MessageClass message_class = v1::BULK;
  TenantName tenant;
  std::vector<std::string> tags;  // bounded in number and length: they are in every record
  Origin origin;
  smtp::Envelope envelope;
  Rope content;                      // our header fields, then what was received
  std::uint64_t size_unstuffed = 0;  // of all of it
  bool has_8bit = false;
  bool dot_stuffed = true;
};

// What goes into the log for one message, in two steps: content that does not fit beside its
// envelope first goes to `bodies`, in chunks, and the records that name it follow when that is
// acknowledged.
//
// Input     an Intake with at least one recipient and content
// Output    log::Appends; the content's pieces are shared, not copied
// Errors    records(): as record::encode; kTooLarge from the log is impossible by the sizes here
// Limits    every record at most log::kRecordBytesMax with its key. Recipients that do not fit into
//           one record are spread over several (first_index, total), all in one partition
// Threads   pure
class IntakeRecords {
 public:
  // The number of partitions of a topic, as log::Log::partitions.
  using Partitions = std::function<log::PartitionId(log::Topic)>;
  IntakeRecords(const Intake& intake, const Partitions& partitions);

  // True when the content goes to `bodies`.
  [[nodiscard]] bool needs_body() const { return needs_body_; }
  [[nodiscard]] std::vector<log::Append> body() const;
  // `body_offsets`: of its chunks; none unless needs_body(). The records are put together in
  // `scratch`, which comes and goes empty but for the memory of its texts: given to message after
  // message, it saves some twenty allocations.
  [[nodiscard]] Result<std::vector<log::Append>> records(std::span<const log::Offset> body_offsets,
                                                         record::Message& scratch) const;
  [[nodiscard]] Result<std::vector<log::Append>> records(
      std::span<const log::Offset> body_offsets) const;

 private:
  // Recipients [begin, end) of one record.
  struct Part {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  [[nodiscard]] Result<log::Append> record(const Part& part,
                                           std::span<const log::Offset> body_offsets,
                                           record::Message& message) const;

  const Intake& intake_;
  log::TopicPartition where_;
  log::PartitionId body_partitions_ = 1;
  std::uint32_t crc_ = 0;
  bool needs_body_ = false;
  std::vector<Part> parts_;
};

}  // namespace godwit::ingress
