#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "common/log/log.h"
#include "common/log/ownership_rules.h"

namespace godwit::simulation {

// A node's copies of tables: what its RocksDB would hold. Outlives its processes.
//
// Durability  what was applied is remembered at the next flush(), or forgotten with a crash
class Disk {
 public:
  struct Copy {
    std::map<std::string, std::string> rows;
    std::set<std::string> index;
    std::optional<log::CopyMark> mark;
  };

  void set_indexer(log::Indexer indexer) { indexer_ = std::move(indexer); }
  [[nodiscard]] Copy& at(log::TopicPartition where) { return copies_[where]; }
  void apply(log::TopicPartition where, const std::string& key,
             const std::optional<std::string>& value);
  void wipe(log::TopicPartition where) { copies_[where] = {}; }

  void flush() { flushed_ = copies_; }
  // The process is killed.
  void crash() { copies_ = flushed_; }
  // The process ends in order: its copies are current.
  void close(Timestamp now);
  // The disk is replaced by an empty one.
  void lose();

  [[nodiscard]] std::unique_ptr<log::Table> table(log::TopicPartition where);

 private:
  std::map<log::TopicPartition, Copy> copies_;
  std::map<log::TopicPartition, Copy> flushed_;
  log::Indexer indexer_;
};

}  // namespace godwit::simulation
