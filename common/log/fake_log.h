#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "common/base/clock.h"
#include "common/log/log.h"

namespace godwit::log {

namespace fake {
struct State;
}

// A Log over plain maps, for tests of what uses one. Keeps every rule of log.h and loses everything
// with the process.
//
// By itself it syncs each write at once and answers before append(), commit() or change() returns.
// After hold() writes wait, unsynced, until sync() or release(): appends of producers invisible,
// appends of commits visible, tables and positions as before. Listeners are called from inside
// join(), revoke() and lose(). Threads: any; callbacks run on the thread that caused them, with no
// lock held.
class FakeLog final : public Log {
 public:
  explicit FakeLog(const Clock& clock, PartitionId partitions = 4, bool reads_by_position = true);
  ~FakeLog() override;

  // The disk's side.
  void hold();
  void sync();     // completes what waits, in order
  void release();  // sync() and from now on at once again
  // The next write fails with `code` and leaves nothing behind. Calls queue up, as do those of
  // unknown_next().
  void fail_next(std::error_code code);
  // The next write is answered kUnknown; `written` says whether it is there. A commit's ownership
  // is lost.
  void unknown_next(bool written);
  // The process dies: what is not synced is gone and its completions never come; groups, readers
  // and ownerships of before are dead (kClosed, kFenced). The log itself goes on as after a
  // restart.
  void crash();
  // What one commit may come to from now on; at first 32 MiB.
  void set_batch_bytes_max(std::size_t bytes);
  // What ownerships say of lease() from now on; at first nullopt. Nothing ends by it here.
  void set_lease(std::optional<std::chrono::milliseconds> lease);
  // What ownerships that are assigned from now on say of generation(); at first 0.
  void set_generation(std::uint64_t generation);
  // Records below `offset` are gone, as after their retention.
  void trim(TopicPartition where, Offset offset);
  // From now on a record of another writer follows each record of that topic, as it may on Kafka.
  void interleave(Topic topic);
  // Reading that record fails with kCorrupt from now on.
  void corrupt(RecordPosition position);

  // The group's side: takes one partition away (asking first, or not), or gives it (again).
  void revoke(const std::string& group, PartitionId partition);
  void lose(const std::string& group, PartitionId partition);
  void assign(const std::string& group, PartitionId partition);

  // What is there, synced or not.
  [[nodiscard]] std::vector<Record> records(TopicPartition where) const;
  // The same over all partitions of the topic, partition by partition.
  [[nodiscard]] std::vector<Record> records(Topic topic) const;
  [[nodiscard]] std::map<std::string, std::string> rows(TopicPartition table) const;
  [[nodiscard]] std::size_t writes_waiting() const;

  [[nodiscard]] PartitionId partitions(Topic topic) const override;
  [[nodiscard]] std::unique_ptr<Producer> producer() override;
  [[nodiscard]] Result<std::unique_ptr<Group>> join(
      GroupSpec spec, std::shared_ptr<GroupListener> listener) override;
  [[nodiscard]] Result<std::unique_ptr<Reader>> read_from(TopicPartition where,
                                                          Offset from) override;
  [[nodiscard]] Result<std::unique_ptr<SharedTable>> shared_table(Topic topic) override;
  [[nodiscard]] bool reads_by_position() const override;
  void read_at(RecordPosition position, ReadDone done) override;
  [[nodiscard]] Result<void> history(Topic topic, Timestamp since,
                                     const VisitHistory& visit) override;
  [[nodiscard]] Result<Offset> committed(std::string_view group, TopicPartition where) override;
  [[nodiscard]] Offset end(TopicPartition where) const override;
  [[nodiscard]] Status status() const override;
  // Makes status() say so and appends fail with kUnavailable; an empty problem ends it.
  void set_problem(std::string problem);
  // What status() says is left above the reserve; at first 1 TiB. 0: only the reserve is left.
  void set_bytes_free(std::uint64_t bytes);
  void close() override;

 private:
  std::shared_ptr<fake::State> state_;
};

}  // namespace godwit::log
