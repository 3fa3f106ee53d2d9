#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/log/fake_log_state.h"

namespace godwit::log::fake {

// A table, or a partition of one, of a FakeLog.
class FakeTable final : public Table {
 public:
  FakeTable(std::shared_ptr<State> state, TopicPartition where)
      : state_(std::move(state)), where_(rows_key(where)) {}

  Result<std::optional<std::string>> get(std::string_view key) const override;
  Result<void> scan(std::string_view from, std::string_view to, const Visit& visit) const override;
  Result<void> scan_index(std::string_view from, std::string_view to,
                          const VisitIndex& visit) const override;

 private:
  [[nodiscard]] Rows rows() const;

  const std::shared_ptr<State> state_;
  const TopicPartition where_;
};

class FakeSharedTable final : public SharedTable {
 public:
  FakeSharedTable(std::shared_ptr<State> state, Topic topic)
      : state_(std::move(state)), topic_(topic), table_(state_, TopicPartition{topic, 0}) {}

  const Table& local() const override { return table_; }
  bool caught_up() const override { return true; }
  void change(std::vector<TableChange> changes, WriteDone done) override;
  void change_and_append(std::vector<TableChange> changes, std::vector<Append> appends,
                         WriteDone done) override;
  void when_changed(Changed changed) override;

 private:
  const std::shared_ptr<State> state_;
  const Topic topic_;
  const FakeTable table_;
  std::shared_ptr<State::Watch> watch_;
};

}  // namespace godwit::log::fake
