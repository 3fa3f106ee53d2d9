#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/log/errc.h"
#include "common/log/types.h"

// The log: the one place where Godwit keeps what it must not lose.
//
// Two implementations pass one conformance suite (log_conformance.h): the embedded log (segment
// files, open_embedded()) and Kafka. Callers do not know which one they have, except through
// reads_by_position().
//
// Order      the log first, local tables after: when a completion runs, the record is durable (on
//            disk, or replicated) and tables show the changes. Nothing acknowledged is lost; see
//            docs/formats/segments.md.
// Threads    every function may be called from any thread and none blocks on disk or network unless
//            it says so. Completions and wake-ups run on a thread of the log, or on the caller's
//            before the function returns when the answer is known at once: they only post, never
//            work or wait.
// Bounds     each producer, group and reader has a stated limit of memory; at the limit an append
//            fails at once with kUnavailable, a reader stops reading ahead.
namespace godwit::log {

using WriteDone = std::move_only_function<void(Result<Written>)>;
using ReadDone = std::move_only_function<void(Result<Record>)>;
using Wake = std::move_only_function<void()>;

// Appends what comes from outside. Each call is its own promise: done(ok) means durable.
// Records of one call are written in order; on Kafka not atomically, so an error means "some may be
// there".
class Producer {
 public:
  virtual ~Producer() = default;
  // Errors: kNoSpace, kUnavailable, kTooLarge, kClosed: nothing was written. kUnknown: it may have
  // been. Durability: asks for a sync at once; calls share syncs as they come.
  virtual void append(std::vector<Append> records, WriteDone done) = 0;
};

// Reads one partition of a topic in order. Belongs to one thread at a time; destroying it stops it.
class Reader {
 public:
  virtual ~Reader() = default;
  // What is there now, up to the limits, at least one record if any is there. Empty: nothing yet;
  // use when_ready. Never blocks on the network; the embedded log may read its segment files when
  // the reader lags. Errors: kCorrupt (at the record next() names: skip(next() + 1) goes on behind
  // it), kIo, kNotFound, kClosed.
  [[nodiscard]] virtual Result<std::vector<Record>> take(std::size_t records_max,
                                                         std::size_t bytes_max) = 0;
  // Calls `wake` once, from any thread, when take() would not be empty (at once if so now), or on
  // an error. A second call replaces the first.
  virtual void when_ready(Wake wake) = 0;
  // The offset take() continues at.
  [[nodiscard]] virtual Offset next() const = 0;
  virtual void skip_to(Offset offset) = 0;
};

// A table partition's local, queryable copy, current with every completed commit.
// Reads may touch the local disk; keep them off the mail loops when they may be many.
// Index entries derived by an Indexer are keys of their own space, local only, never in the log.
class Table {
 public:
  virtual ~Table() = default;
  [[nodiscard]] virtual Result<std::optional<std::string>> get(std::string_view key) const = 0;
  // Visits keys in [from, to) in byte order until `visit` returns false. An empty `to` means the
  // end.
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  [[nodiscard]] virtual Result<void> scan(std::string_view from, std::string_view to,
                                          const Visit& visit) const = 0;
  // The same over index entries (their values are empty).
  using VisitIndex = std::function<bool(std::string_view entry)>;
  [[nodiscard]] virtual Result<void> scan_index(std::string_view from, std::string_view to,
                                                const VisitIndex& visit) const = 0;
};

// Derives index entries from a table record; pure, called on a thread of the log for the old and
// new value.
using Emit = std::function<void(std::string entry)>;
using Indexer = std::function<void(std::string_view key, std::string_view value, const Emit& emit)>;

// One partition that this process owns, of every topic of its group. Obtained from a Group.
class Ownership {
 public:
  virtual ~Ownership() = default;
  [[nodiscard]] virtual PartitionId partition() const = 0;
  // Readers continue at the committed positions. One reader a topic; the pointer lives as long as
  // the ownership.
  [[nodiscard]] virtual Reader& reader(Topic topic) = 0;
  [[nodiscard]] virtual Table& table(Topic topic) = 0;
  // The position a new owner would continue at.
  [[nodiscard]] virtual Offset committed(Topic topic) const = 0;
  // Writes the batch atomically, fenced by the ownership. Several commits may be under way; they
  // are applied in order. Positions and changes must be of this partition; appends may go anywhere.
  // Durability: embedded, shares the next sync (at most kCommitSyncDelayMax later); readers of the
  // appended records may see them before. Errors: as Producer, and kFenced. After kUnknown the
  // ownership ends.
  virtual void commit(Batch batch, WriteDone done) = 0;
  // What the appends and changes of one commit may come to, in bytes_in_batch(); positions are on top. A larger
  // batch is kTooLarge, now and always: whoever gathers stops before.
  [[nodiscard]] virtual std::size_t batch_bytes_max() const = 0;
  // Commits wait a moment for others, which go with them: whoever commits need not gather.
  [[nodiscard]] virtual bool gathers_commits() const { return false; }
  // How long after the sending of its last acknowledged commit the owner may count on nobody else
  // having taken the partition; an empty commit renews it. nullopt: until it is told otherwise.
  [[nodiscard]] virtual std::optional<std::chrono::milliseconds> lease() const {
    return std::nullopt;
  }
  // Of the partition in this process: the same as that of its last ownership when nobody else can
  // have had the partition in between (it was taken anew after an error), another one otherwise.
  [[nodiscard]] virtual std::uint64_t generation() const { return 0; }
};

// Learns which partitions this process owns. Calls come one at a time, on a thread of the log.
class GroupListener {
 public:
  virtual ~GroupListener() = default;
  virtual void assigned(std::shared_ptr<Ownership> partition) = 0;
  // Finish what is under way and call `released`; at most the group's revocation bound is waited
  // for it.
  virtual void revoked(PartitionId partition, std::move_only_function<void()> released) = 0;
  // Already lost: another may own it. Stop, write nothing.
  virtual void lost(PartitionId partition) = 0;
};

// Where a position is found again that the group has lost: everything below it is finished. `table`
// is the partition's first one; nullopt: nothing is known. Pure, called on a thread of the log.
using KeptPosition = std::function<std::optional<Offset>(Topic topic, const Table& table)>;

struct GroupSpec {
  std::string name;               // "router", "sender"
  Topic subscribed{};             // its partitions are what is shared out
  std::vector<Topic> followed{};  // read by the owner of the same partition number
  std::vector<Topic> tables{};    // kept by the owner of the same partition number
  Indexer indexer{};  // of the tables that the owner of a partition keeps (is_partition_owned)
  std::uint32_t indexer_version =
      1;  // raise it when `indexer` emits something else: the index is rebuilt
  KeptPosition kept_position{};
};

// Membership in a group of processes that share a topic's partitions. Embedded: all of them, at
// once.
class Group {
 public:
  virtual ~Group() = default;
  // Revokes and releases every partition (waits at most `bound`), then leaves. Idempotent. Blocks.
  virtual void stop(std::chrono::milliseconds bound) = 0;
};

// A table that every process reads whole (control, suppressions, commands).
class SharedTable {
 public:
  virtual ~SharedTable() = default;
  [[nodiscard]] virtual const Table& local() const = 0;
  // True when the copy has reached what was the end of the table when it was opened.
  [[nodiscard]] virtual bool caught_up() const = 0;
  virtual void change(std::vector<TableChange> changes, WriteDone done) = 0;
  // Changes of this table and appends in one batch, all or nothing. Errors: as Producer; kUnsupported
  // where the log cannot do both at once: nothing was written. Durability: asks for a sync at once.
  virtual void change_and_append(std::vector<TableChange> /*changes*/,
                                 std::vector<Append> /*appends*/, WriteDone done) {
    done(fail(Errc::kUnsupported, "changes and appends in one batch"));
  }
  // Called after each applied group of changes, on a thread of the log. Changes of one call of
  // change() may come in several groups, in order.
  using Changed = std::function<void(std::span<const TableChange>)>;
  virtual void when_changed(Changed changed) = 0;
};

// Reads everything that is retained of a topic, archived parts too; each partition's records oldest
// first. Of a table: its rows as they are now, one record a key, in key order within a partition
// (offset and time are 0). Blocks: for tools and audits. Records that come meanwhile may or may not
// be visited.
struct HistoryRecord {
  TopicPartition where;
  Record record;
};
using VisitHistory = std::function<bool(const HistoryRecord&)>;

struct Status {
  bool writable = false;         // an append would be taken now
  std::string problem;           // why not, for people
  std::uint64_t bytes_free = 0;  // what is left above the reserve; Kafka: very much, it has none
  // For good: only another start of the process helps. `problem` says why.
  bool ended = false;
};

class Log {
 public:
  virtual ~Log() = default;

  [[nodiscard]] virtual PartitionId partitions(Topic topic) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Producer> producer() = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<Group>> join(
      GroupSpec spec, std::shared_ptr<GroupListener> listener) = 0;
  // A reader outside any group, from `from` (or the oldest retained record when that is younger).
  // Blocks on Kafka for a round trip, and costs a client of its own there: for tools.
  [[nodiscard]] virtual Result<std::unique_ptr<Reader>> read_from(TopicPartition where,
                                                                  Offset from) = 0;
  // Blocks on Kafka for a round trip.
  [[nodiscard]] virtual Result<std::unique_ptr<SharedTable>> shared_table(Topic topic) = 0;

  // True when one record can be read by its position, cheaply: then records refer to content
  // instead of carrying it again. Embedded: yes. Kafka: no.
  [[nodiscard]] virtual bool reads_by_position() const = 0;
  // One record. On Kafka a fetch of its own, tens of milliseconds: for content in `bodies`.
  virtual void read_at(RecordPosition position, ReadDone done) = 0;

  [[nodiscard]] virtual Result<void> history(Topic topic, Timestamp since,
                                             const VisitHistory& visit) = 0;
  // The position the named group's next owner would continue at: everything below it is finished. 0
  // (or the oldest retained offset) for a group that never committed. Blocks on Kafka: for tools
  // and audits.
  [[nodiscard]] virtual Result<Offset> committed(std::string_view group, TopicPartition where) = 0;
  // One past the newest durable record. Blocks on Kafka: for tools and audits.
  [[nodiscard]] virtual Offset end(TopicPartition where) const = 0;
  [[nodiscard]] virtual Status status() const = 0;

  // From now on a group that stops leaves for good: others get its partitions at once, not only when
  // this process did not come back in time. Embedded: nobody is there who would.
  virtual void leave_on_stop() {}
  // Puts a node that is gone out of a group, so that others get its partitions at once. A node that is
  // alive after all is thrown out and ends (Status::ended): the caller makes sure. Output: whether it
  // was a member. Blocks for seconds. Errors: kUnavailable; kUnsupported: nobody shares this log.
  [[nodiscard]] virtual Result<bool> evict(std::string_view group, std::string_view node) {
    (void)group, (void)node;
    return fail(Errc::kUnsupported, "the log is on this machine, and nobody shares it");
  }

  // Syncs what is under way and ends; later calls fail with kClosed. Blocks. Groups are stopped
  // before.
  virtual void close() = 0;
};

}  // namespace godwit::log
