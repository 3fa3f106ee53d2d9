#include "common/control/batches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "common/base/manual_clock.h"
#include "godwit/v1/control.pb.h"

namespace godwit::control {
namespace {

using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

// The table as a map, as compaction leaves it.
class Rows {
 public:
  void change(const log::TableChange& change) {
    if (change.value) {
      rows_[change.key] = change.value->to_string();
    } else {
      rows_.erase(change.key);
    }
  }
  void change(const std::vector<log::TableChange>& changes) {
    for (const auto& one : changes) change(one);
  }
  [[nodiscard]] BatchTable table() const {
    BatchTable table;
    for (const auto& [key, value] : rows_) table.add(key, value);
    return table;
  }
  [[nodiscard]] std::size_t size() const { return rows_.size(); }

 private:
  std::map<std::string, std::string> rows_;
};

ObjectName pool(const std::string& name) {
  return {Kind::kPool, name};
}

BatchTable::NewBatch batch(const BatchTable& table, const Objects& put,
                           const std::vector<ObjectName>& removed = {},
                           Timestamp now = from_unix_ms(1'000'000)) {
  return table.write({.put = put, .removed = removed, .now = now, .actor = "ann", .node = "n"},
                     system_random());
}

TEST(BatchId, TextAndOrder) {
  const BatchId id{42, 0xffff'0000'1111'2222};
  EXPECT_EQ(id.to_text(), "000000000000002a-ffff000011112222");
  EXPECT_EQ(BatchId::from_text(id.to_text()), id);
  for (const char* wrong :
       {"", "2a-ff", "000000000000002a_ffff000011112222", "000000000000002g-ffff000011112222",
        "000000000000002a-ffff0000111122223"}) {
    EXPECT_FALSE(BatchId::from_text(wrong)) << wrong;
  }
  EXPECT_LT((BatchId{1, 9}), (BatchId{2, 0}));
  EXPECT_LT((BatchId{1, 1}), (BatchId{1, 2}));
}

TEST(Batches, OnlyAWholeBatchCounts) {
  Rows rows;
  rows.change(batch(rows.table(), {{pool("a"), "1"}, {pool("b"), "1"}}).changes);
  const Objects before = rows.table().objects();
  EXPECT_THAT(before, SizeIs(2));
  const auto next = batch(rows.table(), {{pool("a"), "2"}, {pool("c"), "2"}}, {pool("b")});
  ASSERT_THAT(next.changes, SizeIs(4));
  for (std::size_t i = 0; i < next.changes.size(); ++i) {
    EXPECT_EQ(rows.table().objects(), before) << i;
    EXPECT_FALSE(rows.table().is_whole(next.id));
    rows.change(next.changes[i]);
  }
  EXPECT_TRUE(rows.table().is_whole(next.id));
  EXPECT_EQ(rows.table().objects(), (Objects{{pool("a"), "2"}, {pool("c"), "2"}}));
  EXPECT_EQ(rows.table().version(), 2U);
}

// A log that lost one of the rows in the middle: the marker alone does not make a batch.
TEST(Batches, ABatchWithAHoleNeverCounts) {
  const auto whole = batch({}, {{pool("a"), "1"}, {pool("b"), "1"}});
  for (std::size_t lost = 0; lost < whole.changes.size(); ++lost) {
    Rows rows;
    for (std::size_t i = 0; i < whole.changes.size(); ++i) {
      if (i != lost) rows.change(whole.changes[i]);
    }
    EXPECT_THAT(rows.table().objects(), IsEmpty()) << lost;
    EXPECT_TRUE(rows.table().empty());
    EXPECT_EQ(rows.table().sequence(), 1U) << "the next one is above it";
  }
}

TEST(Batches, OfTwoAtTheSameMomentEachObjectHasOneWinner) {
  Rows start;
  start.change(batch({}, {{pool("a"), "0"}, {pool("b"), "0"}, {pool("c"), "0"}}).changes);
  const auto one = batch(start.table(), {{pool("a"), "one"}, {pool("b"), "one"}});
  const auto two = batch(start.table(), {{pool("b"), "two"}, {pool("c"), "two"}});
  const std::string winner = one.id < two.id ? "two" : "one";
  const Objects both{{pool("a"), "one"}, {pool("b"), winner}, {pool("c"), "two"}};
  std::vector<log::TableChange> mixed = one.changes;
  mixed.insert(mixed.end(), two.changes.begin(), two.changes.end());
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::ranges::shuffle(mixed, random);  // worse than any log
    Rows rows = start;
    for (const auto& change : mixed) {
      rows.change(change);
      // Each object is as one of the two says, or as before: never of a batch that is not whole.
      for (const auto& [name, value] : rows.table().objects()) {
        if (value == "one") EXPECT_TRUE(rows.table().is_whole(one.id));
        if (value == "two") EXPECT_TRUE(rows.table().is_whole(two.id));
      }
    }
    EXPECT_EQ(rows.table().objects(), both);
  }
}

// Whoever has seen a change comes after it, whatever its clock says.
TEST(Batches, AClockThatIsWrongWinsNothing) {
  Rows rows;
  rows.change(batch(rows.table(), {{pool("a"), "1"}}, {}, from_unix_ms(9'000'000)).changes);
  rows.change(batch(rows.table(), {{pool("a"), "2"}}, {}, from_unix_ms(1)).changes);
  EXPECT_EQ(rows.table().objects().at(pool("a")), "2");
}

TEST(Batches, GarbageChangesNothingAtAnyCut) {
  std::random_device seeds;
  const unsigned seed = seeds();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  Rows rows;
  Timestamp now = from_unix_ms(1'000'000);
  for (int round = 0; round < 200; ++round) {
    now += 1s;
    Objects put;
    std::vector<ObjectName> removed;
    for (unsigned i = 0, count = 1 + random() % 3; i < count; ++i) {
      put[pool(std::to_string(random() % 6))] = std::to_string(round);
    }
    if (random() % 3 == 0) removed.push_back(pool(std::to_string(6 + random() % 3)));
    if (random() % 3 == 0) put[pool(std::to_string(6 + random() % 3))] = "x";
    std::erase_if(removed, [&](const ObjectName& name) { return put.contains(name); });
    const auto next = batch(rows.table(), put, removed, now);
    // Some die in the middle.
    const std::size_t written =
        random() % 10 == 0 ? random() % next.changes.size() : next.changes.size();
    for (std::size_t i = 0; i < written; ++i) rows.change(next.changes[i]);

    const Objects before = rows.table().objects();
    const Timestamp then = now + (random() % 5 == 0 ? 2h : 0h);
    for (const auto& change : rows.table().garbage(then)) {
      rows.change(change);
      ASSERT_EQ(rows.table().objects(), before) << "round " << round;
    }
    now = then;
  }
  // At most nine objects and their batches are left, and what was just written.
  rows.change(rows.table().garbage(now + 2h));
  EXPECT_LE(rows.size(), 60U);
}

TEST(Batches, WhatALivingProcessWritesIsNoGarbage) {
  Rows rows;
  const Timestamp now = from_unix_ms(10'000'000);
  const auto next = batch(rows.table(), {{pool("a"), "1"}, {pool("b"), "1"}}, {}, now);
  rows.change(next.changes[0]);
  EXPECT_THAT(rows.table().garbage(now + 1min), IsEmpty());
  EXPECT_THAT(rows.table().garbage(now + 2h), SizeIs(1));
}

// Not before nobody can still come with an older state of it.
TEST(Batches, ARemovalIsRememberedForAWhile) {
  Rows rows;
  const Timestamp now = from_unix_ms(10'000'000);
  rows.change(batch(rows.table(), {{pool("a"), "1"}}, {}, now).changes);
  rows.change(batch(rows.table(), {}, {pool("a")}, now).changes);
  rows.change(rows.table().garbage(now));
  EXPECT_EQ(rows.size(), 2U) << "the removal and its marker";
  rows.change(rows.table().garbage(now + 2h));
  EXPECT_EQ(rows.size(), 0U);
}

TEST(Batches, OldRowsDoNotPileUp) {
  Rows rows;
  Objects many;
  for (int i = 0; i < 1'200; ++i) many[pool(std::to_string(i))] = "0";
  rows.change(batch(rows.table(), many).changes);
  // Each batch keeps one row that lives, so none is garbage by itself.
  for (int round = 0; round < 15; ++round) {
    Objects put{{pool("keep" + std::to_string(round)), "1"}};
    for (int i = 0; i < 100; ++i) put[pool(std::to_string(i))] = std::to_string(round);
    const std::size_t before = rows.table().objects().size();
    rows.change(batch(rows.table(), put).changes);
    EXPECT_EQ(rows.table().objects().size(), before + 1);
    rows.change(rows.table().garbage(from_unix_ms(2'000'000)));
    EXPECT_LE(rows.size(), 2 * 1'300U + 1'000 + 200);
  }
}

TEST(Batches, WhatANewerVersionWroteIsKeptAndNotUsed) {
  Rows rows;
  v1::ControlObject object;
  object.set_version(2);
  object.set_kind(v1::POOL);
  object.set_name("new");
  const BatchId id{1, 1};
  rows.change({{log::Topic::kControl, 0},
               object_key(pool("new"), id),
               Rope(Bytes::adopt(object.SerializeAsString()))});
  v1::ControlBatch marker;
  marker.set_version(1);
  marker.set_count(1);
  rows.change(
      {{log::Topic::kControl, 0}, batch_key(id), Rope(Bytes::adopt(marker.SerializeAsString()))});
  EXPECT_THAT(rows.table().objects(), IsEmpty());
  EXPECT_THAT(rows.table().problems(), SizeIs(1));
  EXPECT_THAT(rows.table().garbage(from_unix_ms(100'000'000)), IsEmpty());
}

TEST(Batches, AnyOctetsAreARow) {
  BatchTable table;
  for (const char* key :
       {"", "b/", "o/", "b/x", "o/6/a/x", "x", "o/6/a/0000000000000001-0000000000000001"})
    table.add(key, "\xff\xff\xff");
  EXPECT_THAT(table.objects(), IsEmpty());
  EXPECT_THAT(table.problems(), SizeIs(7));
}

}  // namespace
}  // namespace godwit::control
