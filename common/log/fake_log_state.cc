#include "common/log/fake_log_state.h"

#include "common/base/check.h"
#include "common/log/fake_log_group.h"

namespace godwit::log::fake {
namespace {

std::optional<Error> refusal(const State& state, const Batch& batch) {
  if (state.closed) return Error{Errc::kClosed, "fake"};
  if (!state.problem.empty()) return Error{Errc::kUnavailable, state.problem};
  const auto too_large = [](const std::string& key, std::size_t value) {
    return key.size() > kKeyBytesMax || key.size() + value > kRecordBytesMax;
  };
  for (const Append& append : batch.appends) {
    CHECK(!is_table(append.where.topic), "append to table {}", topic_name(append.where.topic));
    if (too_large(append.key, append.value.size())) return Error{Errc::kTooLarge, append.key};
  }
  for (const TableChange& change : batch.changes) {
    CHECK(is_table(change.where.topic), "change of topic {}", topic_name(change.where.topic));
    if (too_large(change.key, change.value ? change.value->size() : 0))
      return Error{Errc::kTooLarge, change.key};
  }
  return std::nullopt;
}

Calls::value_type answer(WriteDone done, Result<Written> written) {
  return [done = std::move(done), written = std::move(written)]() mutable {
    done(std::move(written));
  };
}

}  // namespace

void run(Calls calls) {
  for (auto& call : calls) call();
}

const Partition::Stored* Partition::at(Offset offset) const {
  if (offset < start || offset >= next()) return nullptr;
  return &records[static_cast<std::size_t>(offset - start)];
}

bool Partition::readable(Offset offset) const {
  const Stored* stored = at(offset);
  return stored != nullptr && stored->visible;
}

void Partition::settle() {
  for (; settled < records.size(); ++settled)
    records[settled].visible = records[settled].synced = true;
}

void Partition::wake(Calls& calls) {
  std::erase_if(waiters, [](const auto& waiter) { return waiter.expired(); });
  for (const auto& weak : waiters) {
    if (auto waiter = weak.lock(); waiter && waiter->wake && readable(waiter->next)) {
      calls.push_back(std::move(waiter->wake));
      waiter->wake = nullptr;
    }
  }
}

TopicPartition rows_key(TopicPartition where) {
  return is_partition_owned(where.topic) ? where : TopicPartition{where.topic, 0};
}

void Rows::change(const TableChange& change, const Indexer& indexer) {
  const auto each_entry = [&](const std::string& value, const Emit& emit) {
    if (indexer) indexer(change.key, value, emit);
  };
  if (const auto old = values.find(change.key); old != values.end()) {
    each_entry(old->second, [&](const std::string& entry) { index.erase(entry); });
    values.erase(old);
  }
  if (!change.value) return;
  const std::string value = change.value->to_string();
  each_entry(value, [&](std::string entry) { index.insert(std::move(entry)); });
  values.emplace(change.key, value);
}

void Rows::index_anew(const Indexer& indexer) {
  index.clear();
  if (!indexer) return;
  for (const auto& [key, value] : values) {
    indexer(key, value, [&](std::string entry) { index.insert(std::move(entry)); });
  }
}

void State::submit(Write write) {
  Calls calls;
  {
    const std::lock_guard lock(mutex);
    take(std::move(write), calls);
  }
  run(std::move(calls));
}

void State::take(Write write, Calls& calls) {
  if (auto error = refusal(*this, write.batch)) {
    calls.push_back(answer(std::move(write.done), fail(*std::move(error))));
    return;
  }
  if (!scripted.empty()) {
    write.answer = scripted.front().code;
    write.applied = scripted.front().written;
    scripted.pop_front();
    if (write.answer != Errc::kUnknown) {
      calls.push_back(answer(std::move(write.done), fail(write.answer, "fake")));
      return;
    }
  }
  if (write.applied) append(write, calls);
  waiting.push_back(std::move(write));
  if (!held) complete_all(calls);
}

void State::append(Write& write, Calls& calls) {
  for (const Append& append : write.batch.appends) {
    Partition& partition = partitions[append.where];
    const Offset offset = partition.next();
    // Of a commit it is seen at once, unless something before it is not.
    const bool visible =
        !write.group.empty() && (offset == partition.start || partition.readable(offset - 1));
    partition.records.push_back(
        {.record = {offset, clock.now(), append.key, append.value}, .visible = visible});
    write.offsets.push_back(offset);
    if (interleaved.contains(append.where.topic)) {
      partition.records.push_back(
          {.record = {offset + 1, clock.now(), "another", Bytes::of_static("another's")},
           .visible = true,
           .synced = true});
    }
    partition.wake(calls);
  }
}

void State::complete_all(Calls& calls) {
  while (!waiting.empty()) {
    Write write = std::move(waiting.front());
    waiting.pop_front();
    complete(std::move(write), calls);
  }
  for (auto& [where, partition] : partitions) {
    partition.settle();
    partition.wake(calls);
  }
}

void State::complete(Write write, Calls& calls) {
  if (write.applied) apply(write.batch, write.group, calls);
  if (!write.answer) {
    calls.push_back(answer(std::move(write.done), Written{std::move(write.offsets)}));
    return;
  }
  if (const auto owner = write.owner.lock()) {
    owner->end_locked();
    const auto found = groups.find(write.group);
    if (found != groups.end() && found->second->owned.erase(owner->partition()) > 0) {
      calls.push_back([listener = found->second->listener, partition = owner->partition()] {
        listener->lost(partition);
      });
    }
  }
  calls.push_back(answer(std::move(write.done), fail(write.answer, "fake")));
}

void State::apply(const Batch& batch, const std::string& group, Calls& calls) {
  for (const TableChange& change : batch.changes) {
    tables[rows_key(change.where)].change(change, indexers[change.where.topic]);
  }
  for (const PositionChange& change : batch.positions)
    positions[{group, change.where}] = change.next;
  tell_watches(batch, calls);
}

void State::tell_watches(const Batch& batch, Calls& calls) {
  std::map<Topic, std::vector<TableChange>> by_topic;
  for (const TableChange& change : batch.changes) by_topic[change.where.topic].push_back(change);
  std::erase_if(watches, [](const auto& watch) { return watch.expired(); });
  for (const auto& weak : watches) {
    auto watch = weak.lock();
    if (!watch || !by_topic.contains(watch->topic)) continue;
    calls.push_back([watch, changes = by_topic[watch->topic]] { watch->changed(changes); });
  }
}

}  // namespace godwit::log::fake
