#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "common/log/archive.h"
#include "common/log/committer.h"
#include "common/log/counters.h"
#include "common/log/embedded.h"
#include "common/log/identity.h"
#include "common/log/keeper.h"
#include "common/log/partition_table.h"
#include "common/log/read_pool.h"
#include "common/log/segment_set.h"
#include "common/log/space.h"
#include "common/log/table_applier.h"

namespace godwit::log {

// The parts of a running embedded log, together: what producers, groups and tables share and keep alive.
//
// Lifecycle  open(), then close() once; handles may outlive close(), they get kClosed
// Threads    any
class Core {
 public:
  [[nodiscard]] static Result<std::shared_ptr<Core>> open(const EmbeddedConfig& config,
                                                          const Clock& clock);
  ~Core();
  void close();

  // Sizes the batch, refuses it or sends it on its way. `write` has everything but its bytes.
  void submit(WritePtr write);
  [[nodiscard]] bool closed() const { return closed_.load(); }
  // Of the appends and changes of one write: a page is left for its positions.
  [[nodiscard]] std::size_t batch_bytes_max() const { return write_bytes_max_ - kPageBytes; }
  [[nodiscard]] Status status() const;

  // Called once, on a thread of the log, when nothing can be written any more.
  void when_broken(std::function<void()> broken);

  std::shared_ptr<Counters> counters;
  PartitionTable partitions;
  std::unique_ptr<store::FileLock> lock;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<TableState> tables;
  std::unique_ptr<SegmentSet> segments;
  std::unique_ptr<Archive> archive;
  std::unique_ptr<TableApplier> applier;
  std::unique_ptr<Committer> committer;
  std::unique_ptr<Keeper> keeper;
  std::unique_ptr<ReadPool> readers;

 private:
  Core(const EmbeddedConfig& config, const Clock& clock, const Identity& identity);
  [[nodiscard]] Result<void> recover_and_start(const EmbeddedConfig& config);
  [[nodiscard]] std::optional<Error> refusal(const Write& write) const;
  void broken(const Error& error);

  const Clock& clock_;
  store::FileSystem& files_;
  const Layout layout_;
  const std::uint32_t segment_bytes_;
  const std::uint64_t write_bytes_max_;
  Space space_;
  std::atomic<bool> closed_{false};
  std::atomic<bool> broken_{false};
  std::mutex broken_mutex_;
  std::function<void()> broken_handler_;
};

// The least a segment may have: a header and a record of the largest size, twice.
inline constexpr std::uint64_t kSegmentBytesMin = 64 * 1024;
inline constexpr std::uint64_t kSegmentBytesMax = 1ull << 30;
inline constexpr PartitionId kPartitionsMax = 1024;

}  // namespace godwit::log
