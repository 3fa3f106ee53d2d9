#include "common/log/kafka/table_transactions.h"

#include <fmt/format.h>

#include <random>
#include <utility>

#include "common/log/errc.h"
#include "common/log/kafka/appender.h"
#include "common/log/kafka/owned_partition.h"

namespace godwit::log {

TableTransactions::TableTransactions(const KafkaOptions& options, const TopicNames& names)
    : options_(options),
      names_(names),
      id_(fmt::format("{}tables.{}.{:08x}", names.prefix(), options.node, std::random_device()())) {
}

TableTransactions::~TableTransactions() {
  stop();
}

void TableTransactions::write(std::vector<TableChange> changes, std::vector<Append> appends,
                              Done done) {
  std::size_t bytes = 0;
  std::optional<Error> refused;
  for (const TableChange& change : changes) {
    bytes += bytes_in_batch(change);
    if (!refused) refused = too_large(change.key, change.value ? change.value->size() : 0);
  }
  for (const Append& append : appends) {
    bytes += bytes_in_batch(append);
    if (!refused) refused = too_large(append.key, append.value.size());
  }
  if (!refused && bytes > kKafkaBatchBytesMax) refused = Error{Errc::kTooLarge, "a transaction"};
  if (!refused) {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      refused = Error{Errc::kClosed, {}};
    } else if (jobs_.size() >= kWaitingMax) {
      refused = Error{Errc::kUnavailable, "transactions wait for Kafka"};
    } else {
      jobs_.push_back({std::move(changes), std::move(appends), std::move(done)});
      if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
      changed_.notify_all();
      return;
    }
  }
  done(fail(*std::move(refused)));
}

void TableTransactions::work() {
  while (true) {
    Job job;
    bool stopping = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
      stopping = stopping_;
    }
    auto place = stopping ? Result<Place>(fail(Errc::kClosed)) : run(job);
    job.done(std::move(place));
  }
}

Result<void> TableTransactions::begin(Instant deadline) {
  while (true) {
    TRY(producer_, TransactionalProducer::make(
                       options_, names_,
                       {.id = id_, .timeout = kTimeout, .queue_bytes = kKafkaBatchBytesMax}));
    Result<void> begun = producer_->begin();
    while (!begun && producer_->usable() && std::chrono::steady_clock::now() < deadline) {
      begun = producer_->begin();
    }
    if (begun) return {};
    const bool again = !producer_->usable() && std::chrono::steady_clock::now() < deadline;
    producer_.reset();
    if (!again) return begun;
  }
}

Result<TableTransactions::Place> TableTransactions::run(const Job& job) {
  const Instant deadline = std::chrono::steady_clock::now() + kTimeout;
  if (!producer_) TRY_VOID(begin(deadline));
  Place place{.appended = std::vector<Offset>(job.appends.size(), -1),
              .changed = std::vector<Offset>(job.changes.size(), -1)};
  std::vector<TransactionalProducer::Write> writes;
  for (std::size_t i = 0; i < job.appends.size(); ++i) {
    const Append& append = job.appends[i];
    writes.push_back({append.where, append.key, &append.value, &place.appended[i]});
  }
  for (std::size_t i = 0; i < job.changes.size(); ++i) {
    const TableChange& change = job.changes[i];
    writes.push_back(
        {change.where, change.key, change.value ? &*change.value : nullptr, &place.changed[i]});
  }
  const auto outcome = producer_->run(writes, {}, nullptr, deadline);
  if (outcome.end != TransactionEnd::kCommitted) producer_.reset();
  switch (outcome.end) {
    case TransactionEnd::kCommitted: return place;
    case TransactionEnd::kTooLarge: return fail(Errc::kTooLarge, outcome.why);
    case TransactionEnd::kUnknown: return fail(Errc::kUnknown, outcome.why);
    default: return fail(Errc::kUnavailable, outcome.why);
  }
}

void TableTransactions::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  producer_.reset();
}

}  // namespace godwit::log
