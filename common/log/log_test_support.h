#pragma once

// What tests of a log share: waiting for completions, a listener that records, short forms of calls.

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/log/log.h"

namespace godwit::log {

inline constexpr std::chrono::seconds kPatience{60};

// A value that another thread will set.
template <class T>
class Awaited {
 public:
  void set(T value) {
    const std::lock_guard lock(state_->mutex);
    state_->value = std::move(value);
    state_->condition.notify_all();
  }
  // A callback that may outlive this object.
  auto setter() {
    return [state = state_](T value) {
      const std::lock_guard lock(state->mutex);
      state->value = std::move(value);
      state->condition.notify_all();
    };
  }
  [[nodiscard]] bool is_set() const {
    const std::lock_guard lock(state_->mutex);
    return state_->value.has_value();
  }
  T get() {
    std::unique_lock lock(state_->mutex);
    if (!state_->condition.wait_for(lock, kPatience, [&] { return state_->value.has_value(); })) {
      ADD_FAILURE() << "nothing came in " << kPatience.count() << " s";
      std::abort();
    }
    return std::move(*state_->value);
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable condition;
    std::optional<T> value;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

// Keeps what a group is given; releases at once what is asked back, unless told to hold on.
class RecordingListener final : public GroupListener {
 public:
  void assigned(std::shared_ptr<Ownership> partition) override {
    const std::lock_guard lock(mutex_);
    const PartitionId number = partition->partition();
    owned_[number] = std::move(partition);
    changed_.notify_all();
  }
  void revoked(PartitionId partition, std::move_only_function<void()> released) override {
    {
      const std::lock_guard lock(mutex_);
      ++revoked_[partition];
      if (hold_on_) {
        held_.push_back(std::move(released));
        return;
      }
    }
    released();
  }
  void lost(PartitionId partition) override {
    const std::lock_guard lock(mutex_);
    ++lost_[partition];
    changed_.notify_all();
  }

  void hold_on() { hold_on_ = true; }
  // Waits until `count` partitions have come.
  std::map<PartitionId, std::shared_ptr<Ownership>> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return owned_.size() >= count; }));
    return owned_;
  }
  // The same, but gives up when `ended` says so.
  std::map<PartitionId, std::shared_ptr<Ownership>> wait_for(std::size_t count,
                                                             const std::function<bool()>& ended) {
    std::unique_lock lock(mutex_);
    while (owned_.size() < count && !ended()) {
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    return owned_;
  }
  void wait_lost(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, kPatience, [&] { return lost_.size() >= count; }));
  }
  std::size_t revoked_count() {
    const std::lock_guard lock(mutex_);
    return revoked_.size();
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    owned_.clear();
    held_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> hold_on_ = false;
  std::map<PartitionId, std::shared_ptr<Ownership>> owned_;
  std::map<PartitionId, int> revoked_;
  std::map<PartitionId, int> lost_;
  std::vector<std::move_only_function<void()>> held_;
};

inline constexpr TopicPartition kAccepted0{Topic::kAccepted, 0};
inline constexpr TopicPartition kOutbound0{Topic::kOutbound, 0};
inline constexpr TopicPartition kRetries0{Topic::kRetries, 0};

inline Append append_of(TopicPartition where, std::string key, std::string_view value) {
  return {
      .where = where, .key = std::move(key), .value = Rope(Bytes::copy_of(value)), .refers_to = {}};
}
inline TableChange change_of(TopicPartition where, std::string key,
                             std::optional<std::string> value) {
  TableChange change{.where = where, .key = std::move(key), .value = {}};
  if (value) change.value = Rope(Bytes::adopt(*std::move(value)));
  return change;
}

inline Result<Written> append_now(Producer& producer, std::vector<Append> records) {
  Awaited<Result<Written>> done;
  producer.append(std::move(records), done.setter());
  return done.get();
}
inline Result<Written> commit_now(Ownership& ownership, Batch batch) {
  Awaited<Result<Written>> done;
  ownership.commit(std::move(batch), done.setter());
  return done.get();
}
inline Result<Written> change_now(SharedTable& table, std::vector<TableChange> changes) {
  Awaited<Result<Written>> done;
  table.change(std::move(changes), done.setter());
  return done.get();
}

// Reads until `count` records have come.
inline std::vector<Record> read_records(Reader& reader, std::size_t count) {
  std::vector<Record> records;
  while (records.size() < count) {
    auto taken = reader.take(100, 1 << 20);
    if (!taken) {
      ADD_FAILURE() << taken.error().to_string();
      return records;
    }
    if (taken->empty()) {
      Awaited<bool> ready;
      reader.when_ready([set = ready.setter()] { set(true); });
      ready.get();
    }
    for (Record& record : *taken) records.push_back(std::move(record));
  }
  return records;
}

inline std::vector<std::string> values_of(const std::vector<Record>& records) {
  std::vector<std::string> values;
  for (const Record& record : records) values.push_back(record.value.to_string());
  return values;
}
inline std::map<std::string, std::string> rows_of(const Table& table, std::string_view from = {},
                                                  std::string_view to = {}) {
  std::map<std::string, std::string> rows;
  EXPECT_TRUE(table.scan(from, to, [&](std::string_view key, std::string_view value) {
    rows.emplace(key, value);
    return true;
  }));
  return rows;
}
inline std::vector<std::string> index_of(const Table& table, std::string_view from = {},
                                         std::string_view to = {}) {
  std::vector<std::string> entries;
  EXPECT_TRUE(table.scan_index(from, to, [&](std::string_view entry) {
    entries.emplace_back(entry);
    return true;
  }));
  return entries;
}

// Index entries "v<value>/<key>".
inline void index_by_value(std::string_view key, std::string_view value, const Emit& emit) {
  emit("v" + std::string(value) + "/" + std::string(key));
}
inline GroupSpec sender_spec() {
  return {.name = "sender",
          .subscribed = Topic::kOutbound,
          .followed = {Topic::kOutboundUrgent},
          .tables = {Topic::kRetries},
          .indexer = index_by_value};
}

}  // namespace godwit::log
