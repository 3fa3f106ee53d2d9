#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/log/kafka/client.h"

namespace godwit::log {

// A member of a group: is told which partitions are its own, and reads none of them. Whoever is told has them read by
// a KafkaConsumer, from where it wants: librdkafka's own assignment of a member stays empty, because it would begin to
// read what it is given at once, from somewhere, and a seek that comes behind that races with it.
//
// Static   a member by its node's name: stop() keeps its place in the group, leave() gives it back
// Anew     the broker gives a member that comes back what was its own last, without a rebalance. It asks for one itself:
//          what it was to give back when it went away gets an owner only then. Once for each time it comes with nothing
//          in its hands, and is given something; when nothing moves, nobody notices
// Threads  release(), assignment_lost(): the member's thread, where the Spec is called; the others any
class GroupMember {
 public:
  struct Spec {
    std::string group;
    Topic subscribed{};
    std::function<void(const std::vector<PartitionId>&)> assigned;
    // Answered by release() then or later, except after stop().
    std::function<void(const std::vector<PartitionId>&, bool lost)> revoked;
    // This client is no member any more, and will not be one again.
    std::function<void(std::string problem)> failed;
    // Now and then; true: soon again.
    std::function<bool()> tick;
  };
  // Returns at once. Errors: kUnavailable with librdkafka's words.
  [[nodiscard]] static Result<std::unique_ptr<GroupMember>> join(const KafkaOptions& options,
                                                                 const TopicNames& names,
                                                                 Spec spec);
  ~GroupMember();

  // What `revoked` asked for is done.
  void release();
  [[nodiscard]] bool assignment_lost() const;
  [[nodiscard]] bool is_member() const;

  // Gives its place back, so that others get its partitions at once; stop() comes next. What it had is not told to
  // `revoked`. Blocks, until `deadline`.
  void leave(Instant deadline);
  // Idempotent; blocks.
  void stop();
  [[nodiscard]] rd_kafka_s* handle() const { return handle_.get(); }

 private:
  class Events;
  GroupMember(Spec spec, std::string topic);
  [[nodiscard]] Result<void> subscribe();
  void work();
  void rebalance(bool assigned, const rd_kafka_topic_partition_list_s& partitions);
  void join_again();

  const Spec spec_;
  const std::string topic_;
  std::unique_ptr<Events> events_;
  Handle handle_;
  std::atomic<bool> leaving_{false};
  std::atomic<bool> stopping_{false};
  std::mutex subscription_;  // who leaves does not subscribe again
  bool comes_anew_ = true;   // on the member's thread: it has joined, and not been told what it has
  std::thread thread_;
};

}  // namespace godwit::log
