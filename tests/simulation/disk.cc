#include "tests/simulation/disk.h"

namespace godwit::simulation {
namespace {

class DiskTable final : public log::Table {
 public:
  explicit DiskTable(const Disk::Copy& copy) : copy_(copy) {}

  [[nodiscard]] Result<std::optional<std::string>> get(std::string_view key) const override {
    const auto found = copy_.rows.find(std::string(key));
    if (found == copy_.rows.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] Result<void> scan(std::string_view from, std::string_view to,
                                  const Visit& visit) const override {
    for (auto row = copy_.rows.lower_bound(std::string(from)); row != copy_.rows.end(); ++row) {
      if (!to.empty() && row->first >= to) break;
      if (!visit(row->first, row->second)) break;
    }
    return {};
  }
  [[nodiscard]] Result<void> scan_index(std::string_view from, std::string_view to,
                                        const VisitIndex& visit) const override {
    for (auto entry = copy_.index.lower_bound(std::string(from)); entry != copy_.index.end();
         ++entry) {
      if (!to.empty() && *entry >= to) break;
      if (!visit(*entry)) break;
    }
    return {};
  }

 private:
  const Disk::Copy& copy_;
};

}  // namespace

void Disk::apply(log::TopicPartition where, const std::string& key,
                 const std::optional<std::string>& value) {
  Copy& copy = copies_[where];
  if (const auto old = copy.rows.find(key); old != copy.rows.end()) {
    if (indexer_)
      indexer_(key, old->second, [&](const std::string& entry) { copy.index.erase(entry); });
    copy.rows.erase(old);
  }
  if (!value) return;
  if (indexer_)
    indexer_(key, *value, [&](std::string entry) { copy.index.insert(std::move(entry)); });
  copy.rows.emplace(key, *value);
}

void Disk::close(Timestamp now) {
  for (auto& [where, copy] : copies_) {
    if (copy.mark) copy.mark->as_of = now;
  }
  flush();
}

void Disk::lose() {
  copies_.clear();
  flushed_.clear();
}

std::unique_ptr<log::Table> Disk::table(log::TopicPartition where) {
  return std::make_unique<DiskTable>(copies_[where]);
}

}  // namespace godwit::simulation
