#include "common/admin/types.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>

namespace godwit::admin {
namespace {

constexpr Timestamp kNone{};

// The earlier of two times that are there.
Timestamp earlier(Timestamp a, Timestamp b) {
  if (a == kNone || b == kNone) return std::max(a, b);
  return std::min(a, b);
}

}  // namespace

void QueueCounts::add(const QueueCounts& other) {
  waiting += other.waiting;
  active += other.active;
  parked += other.parked;
  suspended += other.suspended;
  bytes += other.bytes;
  oldest_accepted = earlier(oldest_accepted, other.oldest_accepted);
  next_due = earlier(next_due, other.next_due);
}

QueueSummary merge(const std::vector<QueueSummary>& parts, std::uint32_t rows_max) {
  QueueSummary merged;
  std::unordered_map<std::string_view, std::size_t> rows;  // by name: index in merged.rows
  for (const QueueSummary& part : parts) {
    merged.counts.add(part.counts);
    merged.rows_total += part.rows_total;
    for (const QueueRow& row : part.rows) {
      const auto [found, fresh] = rows.try_emplace(row.name, merged.rows.size());
      if (fresh) {
        merged.rows.push_back(row);
        continue;
      }
      --merged.rows_total;  // one row of two
      QueueRow& into = merged.rows[found->second];
      into.counts.add(row.counts);
      if (into.suspended.empty()) into.suspended = row.suspended;
    }
  }
  merged.rows_total = std::max<std::uint64_t>(merged.rows_total, merged.rows.size());
  std::ranges::sort(merged.rows, [](const QueueRow& a, const QueueRow& b) {
    return std::tuple(b.counts.total(), std::string_view(a.name)) <
           std::tuple(a.counts.total(), std::string_view(b.name));
  });
  if (merged.rows.size() > rows_max) merged.rows.resize(rows_max);
  return merged;
}

}  // namespace godwit::admin
