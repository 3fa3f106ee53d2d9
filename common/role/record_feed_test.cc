#include "common/role/record_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/async/test_loop.h"
#include "common/log/fake_log.h"

namespace godwit::role {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr log::TopicPartition kWhere{log::Topic::kAccepted, 0};

class RecordFeedTest : public testing::Test {
 protected:
  RecordFeedTest() { feed_.emplace(log::Topic::kAccepted, *reader_, loop_.shard(), wake_); }

  void append(const std::string& value) {
    std::vector<log::Append> records;
    records.push_back(
        {.where = kWhere, .key = "key", .value = Bytes::copy_of(value), .refers_to = std::nullopt});
    producer_->append(std::move(records), [](const auto& written) { ASSERT_TRUE(written); });
  }
  std::vector<std::string> take(std::size_t records_max = 10) {
    const auto taken = feed_->take(records_max, 1 << 20);
    EXPECT_TRUE(taken) << taken.error().to_string();
    std::vector<std::string> values;
    if (!taken) return values;
    EXPECT_FALSE(taken->lost);
    for (const log::Record& record : taken->records) values.push_back(record.value.to_string());
    return values;
  }
  // Whether the feed has woken its reader; what was remembered is used up.
  bool woken() {
    while (loop_.shard().poll() != 0) {
    }
    return loop_.run(wait());
  }
  async::Task<bool> wait() { co_return co_await wake_.wait(loop_.shard().now()); }

  async::VirtualLoop loop_;
  log::FakeLog log_{loop_.clock(), 1};
  std::unique_ptr<log::Producer> producer_ = log_.producer();
  std::unique_ptr<log::Reader> reader_ = log_.read_from(kWhere, 0).value();
  async::Event wake_;
  std::optional<RecordFeed> feed_;
};

TEST_F(RecordFeedTest, RecordsComeInOrderAndUpToTheBound) {
  for (const char* value : {"a", "b", "c"}) append(value);
  EXPECT_THAT(take(2), ElementsAre("a", "b"));
  EXPECT_THAT(take(2), ElementsAre("c"));
}

TEST_F(RecordFeedTest, WhoFoundNothingIsWokenOnTheShard) {
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_FALSE(woken());
  append("a");
  EXPECT_THAT(take(), IsEmpty()) << "the wake-up has not come to the shard yet";
  EXPECT_TRUE(woken());
  EXPECT_THAT(take(), ElementsAre("a"));
  append("b");
  EXPECT_FALSE(woken()) << "nobody waits";
  EXPECT_THAT(take(), ElementsAre("b"));
}

TEST_F(RecordFeedTest, AWakeUpThatComesTooLateFindsNobody) {
  EXPECT_THAT(take(), IsEmpty());
  append("a");
  feed_.reset();
  EXPECT_FALSE(woken());
}

TEST_F(RecordFeedTest, ALostRecordIsNamedOnceAndPassedOver) {
  for (const char* value : {"a", "b", "c"}) append(value);
  log_.corrupt({kWhere, 1});
  EXPECT_THAT(take(1), ElementsAre("a"));
  const auto taken = feed_->take(10, 1 << 20);
  ASSERT_TRUE(taken);
  EXPECT_THAT(taken->records, IsEmpty());
  ASSERT_TRUE(taken->lost);
  EXPECT_EQ(taken->lost->offset, 1);
  EXPECT_EQ(taken->lost->error.code, log::Errc::kCorrupt);
  EXPECT_THAT(take(), ElementsAre("c"));
}

TEST_F(RecordFeedTest, BehindAMissingRecordNothingIsTaken) {
  for (const char* value : {"a", "b"}) append(value);
  log_.trim(kWhere, 1);
  const auto taken = feed_->take(10, 1 << 20);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, log::Errc::kNotFound);
  EXPECT_EQ(taken.error().context.substr(0, 13), "accepted at 0");
  EXPECT_THAT(take(), IsEmpty());
  append("c");
  EXPECT_FALSE(woken());
}

TEST_F(RecordFeedTest, TheEndOfTheOwnershipIsAnError) {
  log_.close();
  const auto taken = feed_->take(10, 1 << 20);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, log::Errc::kClosed);
  EXPECT_THAT(take(), IsEmpty());
}

}  // namespace
}  // namespace godwit::role
