#include "common/record/event_series.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "common/record/errc.h"

namespace godwit::record {
namespace {

MessageId some_id() {
  return MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e").value();
}

Event plain() {
  Event event;
  event.head.set_version(kVersion);
  event.head.set_type(v1::ACCEPTED);
  event.head.set_message_id(std::string(some_id().octets()));
  return event;
}

// With a field on either side of each one that is a recipient's own.
Event rich() {
  Event event = plain();
  event.head.set_type(v1::DEFERRED);
  event.head.set_time_unix_ms(1'795'374'644'123);
  event.head.set_tenant("acme");
  event.head.set_attempt(12);
  event.head.set_site(
      "b\xc3\xbc"
      "cher.example");
  event.head.mutable_reply()->set_code(450);
  event.head.mutable_reply()->set_text("later");
  event.head.add_tags("one");
  event.head.add_tags("two");
  event.head.set_node("node1");
  event.head.set_queued_ms(77);
  event.seal.set_key_id("key");
  event.addresses.set_sender("a@acme.example");
  return event;
}

// What encode() makes of it: no field differs, not even one this version does not know.
void expect_same(const std::string& octets, const Event& expected) {
  const auto decoded = decode_event(Rope(Bytes::copy_of(octets)));
  ASSERT_TRUE(decoded) << decoded.error().to_string();
  const auto encoded = encode(*decoded);
  ASSERT_TRUE(encoded) << encoded.error().to_string();
  EXPECT_EQ(encoded->to_string(), encode(expected)->to_string());
}

TEST(EventSeries, MakesTheEventOfEachRecipient) {
  Event other = plain();
  other.head.set_message_id("0123456789abcdef");
  EventSeries series;  // one, so that what it keeps would show
  for (const Event& common : {plain(), rich(), rich(), plain(), other}) {
    ASSERT_TRUE(series.begin(common));
    for (const std::uint32_t index : {0U, 1U, 300U, std::numeric_limits<std::uint32_t>::max()}) {
      for (const std::string& recipient :
           {std::string("b@example.net"), std::string(), std::string(1'000, 'x') + "@\xc3\xbc"}) {
        std::string octets = "before";
        ASSERT_TRUE(series.append_event(index, recipient, octets));
        ASSERT_TRUE(octets.starts_with("before"));
        Event expected = common;
        expected.head.set_index(index);
        expected.addresses.set_recipient(recipient);
        expect_same(octets.substr(6), expected);
      }
    }
  }
}

TEST(EventSeries, AVersionIsWrittenWhereThereIsNone) {
  Event common = plain();
  common.head.clear_version();
  EventSeries series;
  std::string octets;
  ASSERT_TRUE(series.begin(common));
  ASSERT_TRUE(series.append_event(1, "b@example.net", octets));
  EXPECT_EQ(decode_event(Rope(Bytes::copy_of(octets)))->head.version(), kVersion);
}

TEST(EventSeries, RefusesWhatEncodeRefuses) {
  EventSeries series;
  Event nameless = plain();
  nameless.head.set_message_id("short");
  EXPECT_EQ(series.begin(nameless).error().code, Errc::kMalformed);
  Event site = plain();
  site.head.set_site("\xff");
  EXPECT_EQ(series.begin(site).error().code, Errc::kNotUtf8);
  Event sender = plain();
  sender.addresses.set_sender("\xff");
  EXPECT_EQ(series.begin(sender).error().code, Errc::kNotUtf8);

  ASSERT_TRUE(series.begin(plain()));
  std::string octets = "before";
  EXPECT_EQ(series.append_event(0, "\xff", octets).error().code, Errc::kNotUtf8);
  EXPECT_EQ(octets, "before");
}

}  // namespace
}  // namespace godwit::record
