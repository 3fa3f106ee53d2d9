#include "common/admin/types.h"

#include <gtest/gtest.h>

namespace godwit::admin {
namespace {

QueueCounts counts(std::uint64_t waiting, std::int64_t oldest, std::int64_t due) {
  return {
      .waiting = waiting, .oldest_accepted = from_unix_ms(oldest), .next_due = from_unix_ms(due)};
}

TEST(QueueCounts, AddKeepsTheOldestAndTheNext) {
  struct {
    QueueCounts a, b, sum;
  } cases[] = {
      {counts(1, 0, 0), counts(2, 0, 0), counts(3, 0, 0)},
      {counts(1, 5, 0), counts(2, 0, 7), counts(3, 5, 7)},
      {counts(1, 5, 9), counts(2, 3, 10), counts(3, 3, 9)},
  };
  for (const auto& [a, b, sum] : cases) {
    QueueCounts one = a;
    one.add(b);
    EXPECT_EQ(one, sum);
    QueueCounts other = b;
    other.add(a);
    EXPECT_EQ(other, sum);
  }
}

TEST(Merge, AddsRowsOfOneNameAndKeepsTheFullest) {
  const QueueSummary router{
      .counts = counts(5, 2, 0),
      .rows = {{.name = "a", .counts = counts(3, 2, 0)}, {.name = "b", .counts = counts(2, 4, 0)}},
      .rows_total = 2};
  const QueueSummary sender{
      .counts = counts(9, 1, 8),
      .rows = {{.name = "b", .counts = counts(4, 1, 8), .suspended = "by ann"},
               {.name = "c", .counts = counts(1, 3, 0)}},
      .rows_total = 2};
  const QueueSummary merged = merge({router, sender}, 2);
  EXPECT_EQ(merged.counts, counts(14, 1, 8));
  EXPECT_EQ(merged.rows_total, 3u);
  ASSERT_EQ(merged.rows.size(), 2u);
  EXPECT_EQ(merged.rows[0].name, "b");
  EXPECT_EQ(merged.rows[0].counts, counts(6, 1, 8));
  EXPECT_EQ(merged.rows[0].suspended, "by ann");
  EXPECT_EQ(merged.rows[1].name, "a");
}

}  // namespace
}  // namespace godwit::admin
