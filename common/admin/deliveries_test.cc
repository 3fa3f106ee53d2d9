#include "common/admin/deliveries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/admin/convert_commands.h"
#include "common/commands/errc.h"
#include "godwit/admin/v1/admin.pb.h"

namespace godwit::admin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

DeliveryRow row(int minute, std::uint32_t index = 0) {
  return {.id = {MessageId{}, index},
          .recipients = 2,
          .bytes = 100,
          .accepted = from_unix_ms(1'000'000 + minute * 60'000)};
}

std::vector<std::uint32_t> indexes(const DeliveryList& list) {
  std::vector<std::uint32_t> out;
  out.reserve(list.rows.size());
  for (const DeliveryRow& one : list.rows) out.push_back(one.id.index);
  return out;
}

TEST(DeliveryList, KeepsTheOldestAndCountsAll) {
  DeliveryList list;
  for (const int minute : {5, 1, 4, 2, 3}) list.add(row(minute, minute), 3);
  EXPECT_EQ(list.deliveries, 5U);
  EXPECT_EQ(list.recipients, 10U);
  EXPECT_EQ(list.bytes, 500U);
  EXPECT_EQ(list.oldest_accepted, row(1).accepted);
  EXPECT_THAT(indexes(merge({list}, 3)), ElementsAre(1, 2, 3));
  DeliveryList other;
  other.add(row(0, 9), 3);
  const DeliveryList both = merge({list, other, {}}, 3);
  EXPECT_THAT(indexes(both), ElementsAre(9, 1, 2));
  EXPECT_EQ(both.deliveries, 6U);
  EXPECT_EQ(both.oldest_accepted, row(0).accepted);
}

TEST(DeliveryList, ForCountsAloneKeepsNone) {
  DeliveryList list;
  list.add(row(1), 0);
  EXPECT_THAT(list.rows, IsEmpty());
  EXPECT_EQ(list.deliveries, 1U);
}

TEST(Deliveries, AreReadAsTheyWereSent) {
  DeliveryDetails details{.row = row(1, 7)};
  details.row.state = DeliveryState::kSuspended;
  details.row.tags = {"a", "b"};
  details.row.urgent = true;
  details.row.due = from_unix_ms(5'000);
  details.sender = "s@acme.example";
  details.recipients = {{"r@example.net", 7, 2}};
  details.expires = from_unix_ms(9'000);
  details.attempts = 3;
  details.last_reply = "450 later";
  details.last_class = "c";
  details.throttled = true;
  details.command = "suspend 1: r";
  details.history = {"moved"};
  v1::DeliveryShowResponse shown;
  to_message(details, shown);
  EXPECT_EQ(from_message(shown), details);

  DeliveryList list;
  list.add(details.row, 5);
  v1::DeliveriesResponse response;
  to_message(list, response);
  response.add_rows()->set_id("none");
  const DeliveryList read = from_message(response);
  EXPECT_THAT(read.rows, ElementsAre(details.row));
  EXPECT_EQ(read.bytes, 100U);
  EXPECT_EQ(read.oldest_accepted, list.oldest_accepted);
}

TEST(Commands, OrdersThatAreNoneAreRefused) {
  v1::CommandIssueRequest request;
  EXPECT_EQ(from_message(request).error().code, commands::Errc::kBadCommand);
  request.set_kind(static_cast<godwit::v1::Command::Kind>(9));
  EXPECT_EQ(from_message(request).error().code, commands::Errc::kBadCommand);
  request.set_kind(godwit::v1::Command::CANCEL);
  EXPECT_TRUE(from_message(request)) << "the filter is looked at by the book";
  request.mutable_filter()->set_message_id("short");
  EXPECT_EQ(from_message(request).error().code, commands::Errc::kBadCommand);
}

}  // namespace
}  // namespace godwit::admin
