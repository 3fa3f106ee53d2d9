#include "common/log/kafka/table_copies.h"

#include <gtest/gtest.h>

#include "common/base/manual_clock.h"
#include "common/base/test_directory.h"
#include "common/log/log_test_support.h"

namespace godwit::log {
namespace {

using namespace std::chrono_literals;

class TableCopiesTest : public testing::Test {
 protected:
  TableCopiesTest() {
    topics_.cluster_id = "cluster";
    topics_.ids[static_cast<std::size_t>(Topic::kRetries)] = "topic";
    clock_.advance(1000h);
    open();
  }
  void open() {
    copies_.reset();
    copies_ = TableCopies::open(directory_.path() / "kafka", topics_, clock_).value();
  }
  std::optional<Offset> begin(Offset start, Offset end) {
    const TableCopies::Part part{kRetries0, {start, end}};
    return copies_->begin(std::span(&part, 1)).value().front();
  }
  void put(const std::string& key, const std::string& value, Offset next) {
    const std::vector changes{change_of(kRetries0, key, value)};
    const PositionChange reached{kRetries0, next};
    ASSERT_TRUE(copies_->apply(changes, std::span(&reached, 1)));
  }
  std::string get(const std::string& key) {
    return copies_->table(kRetries0)->get(key).value().value_or("");
  }

  TestDirectory directory_;
  ManualClock clock_;
  KafkaTopics topics_;
  std::shared_ptr<TableCopies> copies_;
};

TEST_F(TableCopiesTest, ACopyIsUsedOnlyIfItFits) {
  struct Case {
    const char* what;
    Offset start;
    Offset end;
    std::chrono::hours age;
    const char* cluster;
    const char* topic;
    bool used;
  };
  const Case cases[] = {
      {"it does", 0, 10, 0h, "cluster", "topic", true},
      {"to the end", 5, 5, 83h, "cluster", "topic", true},
      {"half of delete.retention.ms", 0, 10, 85h, "cluster", "topic", false},
      {"another cluster", 0, 10, 0h, "other", "topic", false},
      {"a topic that was made again", 0, 10, 0h, "cluster", "other", false},
      {"more than the topic has", 0, 4, 0h, "cluster", "topic", false},
      {"less than the topic begins at", 6, 10, 0h, "cluster", "topic", false},
  };
  for (const Case& one : cases) {
    topics_.cluster_id = "cluster";
    topics_.ids[static_cast<std::size_t>(Topic::kRetries)] = "topic";
    open();
    ASSERT_TRUE(copies_->wipe(kRetries0));
    EXPECT_EQ(begin(0, 10), std::nullopt);
    put("k", "v", 5);
    topics_.cluster_id = one.cluster;
    topics_.ids[static_cast<std::size_t>(Topic::kRetries)] = one.topic;
    clock_.advance(one.age);
    open();
    EXPECT_EQ(begin(one.start, one.end), one.used ? std::optional<Offset>(5) : std::nullopt)
        << one.what;
    EXPECT_EQ(get("k"), one.used ? "v" : "") << one.what;
  }
}

// A commit that was under way when its partition was lost ends later.
TEST_F(TableCopiesTest, WhatComesAfterTheWipeMakesNoCopyWithHoles) {
  EXPECT_EQ(begin(0, 10), std::nullopt);
  put("first", "v", 1);
  ASSERT_TRUE(copies_->wipe(kRetries0));
  put("late", "v", 8);
  EXPECT_EQ(get("late"), "");
  EXPECT_EQ(begin(0, 10), std::nullopt);
}

TEST_F(TableCopiesTest, AnEndInOrderMakesCopiesYoungAgainButNotThoseOfOthers) {
  EXPECT_EQ(begin(0, 10), std::nullopt);
  put("k", "v", 5);
  clock_.advance(80h);
  copies_->close();
  clock_.advance(80h);
  open();
  EXPECT_EQ(begin(0, 10), 5);
  ASSERT_TRUE(copies_->wipe(kRetries0));
  copies_->close();
  open();
  EXPECT_EQ(begin(0, 10), std::nullopt);
}

}  // namespace
}  // namespace godwit::log
