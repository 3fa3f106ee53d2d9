#include "common/log/table_applier.h"

#include <algorithm>
#include <future>
#include <map>
#include <utility>

namespace godwit::log {
namespace {

constexpr std::size_t kStagedBytesMax = 4 << 20;
// How long a store that refuses is asked again, when its disk is not just full.
constexpr int kAttemptsMax = 20;
constexpr std::chrono::milliseconds kPause{100};

}  // namespace

TableApplier::TableApplier(TableState& tables, Counters& counters)
    : tables_(tables), counters_(counters) {}

TableApplier::~TableApplier() {
  stop();
}

void TableApplier::start(StreamPosition applied) {
  applied_ = submitted_ = applied;
  thread_ = std::thread([this] { run(); });
}

void TableApplier::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    condition_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void TableApplier::submit(std::vector<WritePtr> writes, StreamPosition end) {
  {
    const std::lock_guard lock(mutex_);
    submitted_ = end;
    if (writes.empty()) return;
    queue_.push_back({std::move(writes), nullptr, end});
  }
  condition_.notify_one();  // without the mutex: who wakes up takes it at once
}

void TableApplier::post(std::move_only_function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back({{}, std::move(task), submitted_});
  }
  condition_.notify_one();
}

void TableApplier::watch(std::weak_ptr<Watch> watch) {
  const std::lock_guard lock(watches_mutex_);
  watches_.push_back(std::move(watch));
}

void TableApplier::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    condition_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    std::vector<Work> work = std::exchange(queue_, {});
    lock.unlock();
    perform(std::move(work));
    lock.lock();
  }
}

void TableApplier::perform(std::vector<Work> work) {
  std::vector<WritePtr> staged;
  Result<void> result;
  const auto flush = [&] {
    if (result && !staged.empty()) result = apply_with_patience();
    finish(staged, result);
    staged.clear();
  };
  for (Work& item : work) {
    for (WritePtr& write : item.writes) {
      if (result && !broken_) result = stage(*write);
      staged.push_back(std::move(write));
      if (tables_.staged_bytes() > kStagedBytesMax) flush();
    }
    if (item.task) {
      flush();
      applied_ = item.end;
      item.task();
    }
    applied_ = item.end;
  }
  flush();
}

Result<void> TableApplier::stage(const Write& write) {
  for (const TableChange& change : write.batch.changes) {
    for (int attempt = 1;; ++attempt) {
      auto staged = tables_.stage_change(change);
      if (staged) break;
      if (attempt == kAttemptsMax) return staged;
      std::this_thread::sleep_for(kPause);
    }
  }
  for (const PositionChange& change : write.batch.positions) {
    tables_.stage_position(write.group, change);
  }
  return {};
}

Result<void> TableApplier::apply_with_patience() {
  for (int attempt = 1;; ++attempt) {
    auto applied = tables_.apply();
    if (applied) return applied;
    const bool full = applied.error().code == Errc::kNoSpace;
    if (!full && attempt >= kAttemptsMax) return applied;
    {
      const std::lock_guard lock(mutex_);
      // The log has it: it is replayed at the next start.
      if (stopping_) return applied;
    }
    std::this_thread::sleep_for(kPause);
    (void)tables_.resume();
  }
}

void TableApplier::finish(std::vector<WritePtr>& writes, const Result<void>& result) {
  if (!result && !broken_) {
    broken_ = result.error();
    if (broken_handler_) broken_handler_(*broken_);
  }
  for (WritePtr& write : writes) {
    if (broken_) {
      // It is in the log, but nobody can see it in the tables.
      write->finish(fail(Errc::kUnknown, "tables: " + broken_->to_string()));
      continue;
    }
    notify(*write);
    write->finish({});
  }
}

void TableApplier::notify(const Write& write) {
  if (write.batch.changes.empty()) return;
  counters_.changes_total.fetch_add(write.batch.changes.size(), std::memory_order_relaxed);
  std::vector<std::shared_ptr<Watch>> watches;
  {
    const std::lock_guard lock(watches_mutex_);
    std::erase_if(watches_, [](const auto& watch) { return watch.expired(); });
    for (const auto& watch : watches_) {
      if (auto held = watch.lock()) watches.push_back(std::move(held));
    }
  }
  for (const auto& watch : watches) {
    std::vector<TableChange> changes;
    std::ranges::copy_if(write.batch.changes, std::back_inserter(changes),
                         [&](const TableChange& c) { return c.where.topic == watch->topic; });
    const std::lock_guard lock(watch->mutex);
    if (!changes.empty() && watch->changed) watch->changed(changes);
  }
}

Result<StreamPosition> TableApplier::mark_checkpoint(
    std::uint64_t needed_from, const std::function<std::vector<PositionChange>()>& next_offsets) {
  std::promise<Result<StreamPosition>> promise;
  auto marked = promise.get_future();
  post([&] {
    if (broken_) return promise.set_value(fail(*broken_));
    tables_.stage_checkpoint(applied_, needed_from, next_offsets());
    const auto applied = tables_.apply();
    if (!applied) return promise.set_value(fail(applied.error()));
    promise.set_value(applied_);
  });
  return marked.get();
}

}  // namespace godwit::log
