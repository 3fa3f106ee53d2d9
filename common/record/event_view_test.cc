#include "common/record/event_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace godwit::record {
namespace {

MessageId some_id() {
  return MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e").value();
}

Event some_event(v1::EventType type) {
  Event event;
  event.head.set_type(type);
  event.head.set_time_unix_ms(1'795'374'644'123);
  event.head.set_message_id(std::string(some_id().octets()));
  event.head.set_index(2);
  if (type != v1::ACCEPTED) event.head.set_attempt(1);
  event.head.set_tenant("acme");
  event.addresses.set_sender("a@acme.example");
  event.addresses.set_recipient("b@example.net");
  return event;
}

TEST(EventId, IsTheSameForTheSameThingAndNoOther) {
  std::set<std::string> ids;
  v1::Event event = some_event(v1::ACCEPTED).head;
  for (const std::uint32_t index : {0U, 1U, 11U}) {
    for (const std::uint32_t attempt : {0U, 1U, 12U}) {
      for (int type = 1; type <= 30; ++type) {  // some that this version does not know
        event.set_index(index);
        event.set_attempt(attempt);
        event.set_type(static_cast<v1::EventType>(type));
        ids.insert(event_id(event));
        event.set_node(std::to_string(ids.size()));  // whoever writes it again
        event.set_time_unix_ms(event.time_unix_ms() + 1);
        EXPECT_TRUE(ids.contains(event_id(event)));
      }
    }
  }
  EXPECT_EQ(ids.size(), 3U * 3U * 30U);
  EXPECT_EQ(event_id(some_event(v1::DELIVERED).head),
            "0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/2/delivered/1");
}

TEST(EventType, EveryTypeOfTheProtoHasAName) {
  const google::protobuf::EnumDescriptor* types = v1::EventType_descriptor();
  for (int i = 0; i < types->value_count(); ++i) {
    const auto type = static_cast<v1::EventType>(types->value(i)->number());
    EXPECT_EQ(event_type_name(type).empty(), type == v1::EVENT_UNSET) << types->value(i)->name();
  }
}

TEST(Terminal, ALateBounceIsNot) {
  EXPECT_TRUE(is_terminal(some_event(v1::BOUNCED).head));
  Event late = some_event(v1::BOUNCED);
  late.head.set_late(true);
  EXPECT_FALSE(is_terminal(late.head));
  for (const auto type : {v1::DELIVERED, v1::EXPIRED, v1::SUPPRESSED, v1::CANCELLED}) {
    EXPECT_TRUE(is_terminal(some_event(type).head));
  }
  for (const auto type :
       {v1::ACCEPTED, v1::ROUTED, v1::DEFERRED, v1::TRANSFERRED, v1::COMPLAINED}) {
    EXPECT_FALSE(is_terminal(some_event(type).head));
  }
}

TEST(EventJson, AcceptedHasNoAttempt) {
  EXPECT_EQ(
      event_json(some_event(v1::ACCEPTED)),
      R"({"id":"0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/2/accepted/0","type":"accepted",)"
      R"("time":"2026-11-22T19:10:44.123Z","message_id":"0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e",)"
      R"("tenant":"acme","sender":"a@acme.example","recipient":"b@example.net","index":2})");
}

TEST(EventJson, AnAttemptTellsEverything) {
  Event event = some_event(v1::DEFERRED);
  event.head.set_attempt(3);
  event.head.set_site("google");
  event.head.set_pool("default");
  event.head.set_source("a");
  event.head.mutable_remote()->set_host("mx1.example.net");
  event.head.mutable_remote()->set_address("192.0.2.1");
  event.head.mutable_reply()->set_code(451);
  event.head.mutable_reply()->set_enhanced("4.7.1");
  event.head.mutable_reply()->set_text("try \"later\"\x01");
  event.head.mutable_reply()->set_command("RCPT");
  event.head.set_tls("TLSv1.3 TLS_AES_256_GCM_SHA384");
  event.head.set_class_("greylisted");
  event.head.set_outcome(v1::Event::OUTCOME_UNKNOWN);
  event.head.set_due_unix_ms(1'795'374'645'000);
  event.head.set_queued_ms(7);
  event.head.add_tags("welcome");
  const auto json = nlohmann::json::parse(event_json(event));
  EXPECT_EQ(json["attempt"], 3);
  EXPECT_EQ(json["site"], "google");
  EXPECT_EQ(json["pool"], "default");
  EXPECT_EQ(json["source"], "a");
  EXPECT_EQ(json["remote"]["host"], "mx1.example.net");
  EXPECT_EQ(json["remote"]["address"], "192.0.2.1");
  EXPECT_EQ(json["reply"]["code"], 451);
  EXPECT_EQ(json["reply"]["enhanced"], "4.7.1");
  EXPECT_EQ(json["reply"]["text"], "try \"later\"\x01");
  EXPECT_EQ(json["tls"], "TLSv1.3 TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(json["class"], "greylisted");
  EXPECT_EQ(json["outcome"], "unknown");
  EXPECT_EQ(json["due"], "2026-11-22T19:10:45.000Z");
  EXPECT_EQ(json["queued_ms"], 7);
  EXPECT_EQ(json["tags"][0], "welcome");
  EXPECT_EQ(json["delivery"], some_id().to_text() + "/0");
  EXPECT_EQ(event_json(event).find('\n'), std::string::npos);
}

TEST(EventJson, IsValidWhateverTheRecordSays) {
  Event event = some_event(v1::UNSUBSCRIBED);
  event.head.set_type(static_cast<v1::EventType>(99));
  event.head.set_message_id("x");
  event.head.set_time_unix_ms(-5);
  event.addresses.set_recipient("\xff\n");
  const auto json = nlohmann::json::parse(event_json(event));
  EXPECT_EQ(json["type"], "unknown");
  EXPECT_EQ(json["time"], "1970-01-01T00:00:00.000Z");
}

TEST(Rfc3339, KeepsToFourDigitsOfYear) {
  EXPECT_EQ(format_rfc3339(from_unix_ms(951'782'400'000)), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(format_rfc3339(Timestamp::max()), "9999-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace godwit::record
