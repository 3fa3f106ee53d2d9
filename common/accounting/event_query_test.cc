#include "common/accounting/event_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "common/base/manual_clock.h"
#include "common/log/fake_log.h"
#include "common/record/records.h"

namespace godwit::accounting {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

MessageId id(int number) {
  std::string octets(16, '\0');
  octets[0] = static_cast<char>(number);
  return *MessageId::from_octets(octets);
}

// Its node tells it apart: "e1".
record::Event delivered(int number, std::string recipient) {
  record::Event event;
  event.head.set_node("e" + std::to_string(number));
  event.head.set_type(v1::DELIVERED);
  event.head.set_message_id(std::string(id(number).octets()));
  event.head.set_tenant("acme");
  event.head.set_site("example.net");
  event.addresses.set_recipient(std::move(recipient));
  return event;
}

struct FilterCase {
  const char* name;
  EventQuery query;
  bool matches;
};

class Filters : public testing::TestWithParam<FilterCase> {};

TEST_P(Filters, Match) {
  EXPECT_EQ(GetParam().query.matches(delivered(1, "Ann@Example.NET")), GetParam().matches);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, Filters,
    testing::Values(FilterCase{"None", {}, true},
                    FilterCase{"Type", {.types = {v1::BOUNCED, v1::DELIVERED}}, true},
                    FilterCase{"OtherType", {.types = {v1::BOUNCED}}, false},
                    FilterCase{"Tenant", {.tenant = "acme"}, true},
                    FilterCase{"OtherTenant", {.tenant = "acm"}, false},
                    FilterCase{"Message", {.message = id(1)}, true},
                    FilterCase{"OtherMessage", {.message = id(2)}, false},
                    FilterCase{"Recipient", {.recipient = "ann@example.net"}, true},
                    FilterCase{"OtherRecipient", {.recipient = "an@example.net"}, false},
                    FilterCase{"Domain", {.recipient = "@example.net"}, true},
                    FilterCase{"DomainBelow", {.recipient = "@ample.net"}, false},
                    FilterCase{"Site", {.site = "example.net"}, true},
                    FilterCase{"OtherSite", {.site = "example.com"}, false},
                    FilterCase{"AllButOne", {.tenant = "acme", .site = "x"}, false}),
    [](const auto& info) { return info.param.name; });

class ReadEvents : public testing::Test {
 protected:
  void write(int number, log::PartitionId partition, std::string recipient = "a@example.net") {
    std::vector<log::Append> records;
    records.push_back({.where = {log::Topic::kEvents, partition},
                       .key = {},
                       .value = *record::encode(delivered(number, std::move(recipient)))});
    log_.producer()->append(std::move(records),
                            [](Result<log::Written> done) { EXPECT_TRUE(done); });
  }
  std::vector<std::string> read(const EventQuery& query) {
    std::vector<std::string> ids;
    EXPECT_TRUE(read_events(
        log_, query,
        [&](const EventAt& at) {
          ids.push_back(at.event.head.node());
          return true;
        },
        [] { return false; }));
    return ids;
  }

  ManualClock clock_;
  log::FakeLog log_{clock_, 2};
};

TEST_F(ReadEvents, GivesWhatIsRetained) {
  EXPECT_THAT(read({}), IsEmpty());
  write(1, 0);
  write(2, 1);
  write(3, 0);
  EXPECT_THAT(read({}), UnorderedElementsAre("e1", "e2", "e3"));
  EXPECT_THAT(read({.message = id(2)}), ElementsAre("e2"));
  EXPECT_THAT(read({.only_new = true}), IsEmpty());
}

TEST_F(ReadEvents, BeginsAtATime) {
  write(1, 0);
  clock_.advance(std::chrono::seconds(10));
  const Timestamp since = clock_.now();
  write(2, 0);
  EXPECT_THAT(read({.since = since}), ElementsAre("e2"));
}

TEST_F(ReadEvents, PassesOverWhatIsNoEvent) {
  std::vector<log::Append> records;
  records.push_back(
      {.where = {log::Topic::kEvents, 0}, .key = {}, .value = Bytes::of_static("\xff")});
  log_.producer()->append(std::move(records), [](Result<log::Written> done) { EXPECT_TRUE(done); });
  write(1, 0);
  EXPECT_THAT(read({}), ElementsAre("e1"));
}

TEST_F(ReadEvents, StopsWhenTheVisitorHasEnough) {
  for (int i = 0; i < 10; ++i) write(i, 0);
  int seen = 0;
  EXPECT_TRUE(read_events(
      log_, {.follow = true}, [&](const EventAt&) { return ++seen < 3; }, [] { return false; }));
  EXPECT_EQ(seen, 3);
}

TEST_F(ReadEvents, ReportsALogThatIsClosed) {
  log_.close();
  const auto read =
      read_events(log_, {}, [](const EventAt&) { return true; }, [] { return false; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, log::Errc::kClosed);
}

// Writers before, while and after the reader begins; it gets every event once.
TEST_F(ReadEvents, FollowsWithoutGapOrRepeat) {
  constexpr int kEvents = 400;
  for (int i = 0; i < 100; ++i) write(i, static_cast<log::PartitionId>(i % 2));

  std::mutex mutex;
  std::vector<std::string> ids;
  std::atomic<bool> cancelled{false};
  std::thread reader([&] {
    EXPECT_TRUE(read_events(
        log_, {.follow = true},
        [&](const EventAt& at) {
          const std::lock_guard lock(mutex);
          ids.push_back(at.event.head.node());
          return ids.size() < kEvents;
        },
        [&] { return cancelled.load(); }));
  });
  for (int i = 100; i < kEvents; ++i) write(i, static_cast<log::PartitionId>(i % 2));
  reader.join();

  std::vector<std::string> expected;
  for (int i = 0; i < kEvents; ++i) expected.push_back("e" + std::to_string(i));
  EXPECT_THAT(ids, testing::UnorderedElementsAreArray(expected));
}

TEST_F(ReadEvents, OnlyWhatIsNewMeansNothingOfBefore) {
  write(1, 0);
  std::vector<std::string> ids;
  EXPECT_TRUE(read_events(
      log_, {.only_new = true, .follow = true},
      [&](const EventAt& at) {
        ids.push_back(at.event.head.node());
        return false;
      },
      // Asked when reading has begun and nothing has come: only now something does.
      [&, first = true]() mutable {
        if (std::exchange(first, false)) write(2, 0);
        return false;
      }));
  EXPECT_THAT(ids, ElementsAre("e2"));
}

TEST_F(ReadEvents, FollowingEndsWhenCancelled) {
  std::atomic<bool> cancelled{false};
  std::thread reader([&] {
    EXPECT_TRUE(read_events(
        log_, {.only_new = true, .follow = true}, [](const EventAt&) { return true; },
        [&] { return cancelled.load(); }));
  });
  cancelled = true;
  reader.join();
}

}  // namespace
}  // namespace godwit::accounting
