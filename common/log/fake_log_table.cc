#include "common/log/fake_log_table.h"

#include <utility>

#include "common/base/check.h"

namespace godwit::log::fake {

Rows FakeTable::rows() const {
  const std::lock_guard lock(state_->mutex);
  return state_->tables[where_];
}

Result<std::optional<std::string>> FakeTable::get(std::string_view key) const {
  const std::lock_guard lock(state_->mutex);
  const auto& values = state_->tables[where_].values;
  const auto found = values.find(std::string(key));
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

Result<void> FakeTable::scan(std::string_view from, std::string_view to, const Visit& visit) const {
  const Rows rows = this->rows();
  for (auto row = rows.values.lower_bound(std::string(from)); row != rows.values.end(); ++row) {
    if (!to.empty() && row->first >= to) break;
    if (!visit(row->first, row->second)) break;
  }
  return {};
}

Result<void> FakeTable::scan_index(std::string_view from, std::string_view to,
                                   const VisitIndex& visit) const {
  const Rows rows = this->rows();
  for (auto entry = rows.index.lower_bound(std::string(from)); entry != rows.index.end(); ++entry) {
    if (!to.empty() && *entry >= to) break;
    if (!visit(*entry)) break;
  }
  return {};
}

void FakeSharedTable::change(std::vector<TableChange> changes, WriteDone done) {
  change_and_append(std::move(changes), {}, std::move(done));
}

void FakeSharedTable::change_and_append(std::vector<TableChange> changes,
                                        std::vector<Append> appends, WriteDone done) {
  for (const TableChange& change : changes) CHECK(change.where.topic == topic_);
  Write write;
  write.batch.changes = std::move(changes);
  write.batch.appends = std::move(appends);
  write.done = std::move(done);
  state_->submit(std::move(write));
}

void FakeSharedTable::when_changed(Changed changed) {
  const std::lock_guard lock(state_->mutex);
  watch_ = std::make_shared<State::Watch>(topic_, std::move(changed));
  state_->watches.push_back(watch_);
}

}  // namespace godwit::log::fake
