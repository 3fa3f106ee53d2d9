#include "common/record/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/base/manual_clock.h"
#include "common/record/content_field.h"
#include "common/record/errc.h"
#include "common/record/keys.h"

namespace godwit::record {
namespace {

const std::string kBody = "Subject: hi\r\n\r\nHello,\r\nworld.\r\n";

MessageId some_id() {
  return MessageId::from_text("0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e").value();
}

Message some_message(const Rope& data = Rope(Bytes::of_static(kBody))) {
  Message message;
  message.head.set_message_id(std::string(some_id().octets()));
  message.head.set_accepted_unix_ms(1'767'225'600'000);
  message.head.set_tenant("acme");
  message.head.set_total(2);
  message.head.mutable_origin()->set_helo("client.example");
  message.envelope.set_sender("a@acme.example");
  for (std::uint32_t i = 0; i < 2; ++i) {
    v1::Recipient* recipient = message.envelope.add_recipients();
    recipient->set_index(i);
    recipient->set_address("r" + std::to_string(i) + "@example.net");
  }
  message.content.set_size(data.size());
  message.content.set_crc32c(0x1234);
  message.data = data;
  return message;
}

Delivery some_delivery() {
  Delivery delivery;
  delivery.head.set_message_id(std::string(some_id().octets()));
  delivery.head.set_index(1);
  delivery.head.set_site("example.net");
  delivery.head.set_throttled(true);  // a field behind 15
  delivery.envelope.add_recipients()->set_address("r1@example.net");
  delivery.content.mutable_position()->set_offset(77);
  return delivery;
}

// The same octets in pieces of `size`.
Rope cut(const Rope& rope, std::size_t size) {
  Rope out;
  for (std::size_t at = 0; at < rope.size(); at += size) {
    out.append(Bytes::adopt(rope.slice(at, size).to_string()));
  }
  return out;
}

std::error_code decode_error(const Rope& record) {
  const Result<Message> message = decode_message(record);
  return message ? std::error_code{} : message.error().code;
}

// The whole record through the generated code, as another program would read it.
v1::Message by_protobuf(const Rope& record) {
  v1::Message message;
  EXPECT_TRUE(message.ParseFromString(record.to_string()));
  return message;
}

// Field 100, when it is the one unknown field.
std::string unknown_field(const google::protobuf::Message& message) {
  const auto& fields = message.GetReflection()->GetUnknownFields(message);
  return fields.field_count() == 1 && fields.field(0).number() == 100
             ? fields.field(0).length_delimited()
             : "none";
}

TEST(Records, RefusesOctetsThatAreNoRecord) {
  EXPECT_EQ(decode_error({}), Errc::kMalformed);
  EXPECT_EQ(decode_error(Bytes::of_static("\x00\x01")), Errc::kMalformed);
  EXPECT_EQ(decode_error(Bytes::of_static("hello")), Errc::kMalformed);
  EXPECT_EQ(decode_error(Bytes::of_static("\x08\x01\x7a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
            Errc::kMalformed);  // a content longer than everything
  EXPECT_EQ(decode_error(Bytes::of_static("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
            Errc::kMalformed);  // a varint without end
  EXPECT_EQ(decode_error(Bytes::of_static("\x08\x01\x0b\x0c")), Errc::kMalformed);  // a group
  EXPECT_EQ(decode_error(Bytes::of_static("\x08\x01\x7d\x01\x02\x03\x04")),
            Errc::kMalformed);  // fixed32 content
}

TEST(Records, RefusesAnotherVersionBeforeAnythingElse) {
  Message message = some_message();
  message.head.set_version(kVersion + 1);
  EXPECT_EQ(decode_error(encode(message).value()), Errc::kUnknownVersion);
  EXPECT_EQ(decode_error(Bytes::of_static("\x08\x02")), Errc::kUnknownVersion);
  EXPECT_EQ(decode_error(Bytes::of_static("\x10\x02")), Errc::kMalformed);  // none
}

// Who does not know decisions must refuse one, and a delivery must not look like one.
TEST(Records, ADecisionHasAVersionOfItsOwn) {
  Delivery delivery;
  delivery.head.set_message_id(std::string(16, 'm'));
  delivery.envelope.add_recipients()->set_address("a@b.example");
  EXPECT_EQ(decode_delivery(encode(delivery).value()).value().head.version(), kVersion);
  delivery.head.set_version(kDecisionVersion);
  EXPECT_EQ(encode(delivery).error().code, Errc::kMalformed);
  delivery.head.mutable_decision()->set_what(v1::Decision::RETRY);
  EXPECT_TRUE(decode_delivery(encode(delivery).value()));
  delivery.head.set_version(kVersion);
  EXPECT_EQ(encode(delivery).error().code, Errc::kMalformed);
  delivery.head.set_version(kDecisionVersion + 1);
  EXPECT_EQ(encode(delivery).error().code, Errc::kMalformed);
}

TEST(Records, RefusesWhatItCannotOpen) {
  Message message = some_message();
  message.seal.set_enc(static_cast<v1::Sealed::Encryption>(1));
  EXPECT_EQ(decode_error(encode(message).value()), Errc::kUnknownEncryption);
  message = some_message();
  message.content.set_enc(static_cast<v1::Sealed::Encryption>(9));
  EXPECT_EQ(decode_error(encode(message).value()), Errc::kUnknownEncryption);
}

TEST(Records, ChecksTheSameRulesOnBothSides) {
  const struct {
    const char* what;
    void (*break_it)(Message&);
  } cases[] = {
      {"short id", [](Message& m) { m.head.set_message_id("short"); }},
      {"no recipients", [](Message& m) { m.envelope.clear_recipients(); }},
      {"equal indexes", [](Message& m) { m.envelope.mutable_recipients(1)->set_index(0); }},
      {"index at the total", [](Message& m) { m.head.set_total(1); }},
      {"wrong size", [](Message& m) { m.content.set_size(1); }},
      {"two places", [](Message& m) { m.content.set_parked(true); }},
      {"two other places",
       [](Message& m) {
         m.data = {};
         m.content.mutable_position();
         m.content.mutable_body();
       }},
  };
  for (const auto& [what, break_it] : cases) {
    Message message = some_message();
    break_it(message);
    const Result<Rope> encoded = encode(message);
    ASSERT_FALSE(encoded) << what;
    EXPECT_EQ(encoded.error().code, Errc::kMalformed) << what;

    // The same record by a program that does not check.
    v1::Message proto = message.head;
    proto.set_version(kVersion);
    proto.mutable_envelope()->set_data(message.envelope.SerializeAsString());
    *proto.mutable_content() = message.content;
    proto.mutable_content()->set_data(message.data.to_string());
    EXPECT_EQ(decode_error(Bytes::adopt(proto.SerializeAsString())), Errc::kMalformed) << what;
  }
}

TEST(Records, NeverWritesTextItCouldNotReadBack) {
  const struct {
    const char* what;
    void (*break_it)(Message&);
  } cases[] = {
      {"helo", [](Message& m) { m.head.mutable_origin()->set_helo("\xff"); }},
      {"tag", [](Message& m) { m.head.add_tags("\xff"); }},
      {"sender", [](Message& m) { m.envelope.set_sender("\xc3(@example.net"); }},
      {"recipient",
       [](Message& m) { m.envelope.mutable_recipients(1)->set_address("\xe9@example.net"); }},
      {"orcpt", [](Message& m) { m.envelope.mutable_recipients(1)->set_orcpt("\xe9"); }},
  };
  for (const auto& [what, break_it] : cases) {
    Message message = some_message();
    break_it(message);
    const Result<Rope> encoded = encode(message);
    ASSERT_FALSE(encoded) << what;
    EXPECT_EQ(encoded.error().code, Errc::kNotUtf8) << what;
  }
  Delivery delivery = some_delivery();
  delivery.head.mutable_last_reply()->set_text("\xff");
  EXPECT_EQ(encode(delivery).error().code, Errc::kNotUtf8);
  Event event;
  event.head.set_message_id(std::string(16, 'a'));
  event.head.mutable_reply()->set_text("\xff");
  EXPECT_EQ(encode(event).error().code, Errc::kNotUtf8);
}

TEST(Records, AMessageGoesThereAndBackInAnyPieces) {
  const Message message = some_message();
  const Rope record = encode(message).value();
  for (const std::size_t size : {1, 2, 3, 7, 50, 1'000'000}) {
    const Result<Message> back = decode_message(cut(record, size));
    ASSERT_TRUE(back) << back.error().to_string();
    EXPECT_EQ(back->message_id(), some_id());
    EXPECT_EQ(back->head.tenant(), "acme");
    EXPECT_EQ(back->head.version(), kVersion);
    ASSERT_EQ(back->envelope.recipients_size(), 2);
    EXPECT_EQ(back->envelope.recipients(1).address(), "r1@example.net");
    EXPECT_EQ(back->content.crc32c(), 0x1234U);
    EXPECT_EQ(back->where(), Message::Where::kInline);
    EXPECT_EQ(back->data.to_string(), kBody);
  }
}

TEST(Records, TheContentIsNeverCopied) {
  const Bytes body = Bytes::copy_of(kBody);
  const Rope record = encode(some_message(Rope(body))).value();
  EXPECT_EQ(record.pieces().back().view().data(), body.view().data());

  const Bytes whole = record.flatten();
  const Message back = decode_message(Rope(whole)).value();
  ASSERT_EQ(back.data.pieces().size(), 1U);
  EXPECT_EQ(back.data.pieces()[0].view().data(), whole.view().data() + whole.size() - kBody.size());
}

TEST(Records, AreOrdinaryProtobuf) {
  const v1::Message message = by_protobuf(encode(some_message()).value());
  EXPECT_EQ(message.content().data(), kBody);
  EXPECT_EQ(message.content().size(), kBody.size());
  v1::Envelope envelope;
  ASSERT_TRUE(envelope.ParseFromString(message.envelope().data()));
  EXPECT_EQ(envelope.sender(), "a@acme.example");

  // And what the generated code writes is read, whatever the order of its fields.
  Delivery delivery = some_delivery();
  v1::Delivery proto = delivery.head;
  proto.set_version(kVersion);
  proto.mutable_envelope()->set_data(delivery.envelope.SerializeAsString());
  proto.mutable_content()->set_data(kBody);
  proto.mutable_content()->set_size(kBody.size());
  const Delivery back = decode_delivery(Bytes::adopt(proto.SerializeAsString())).value();
  EXPECT_TRUE(back.head.throttled());
  EXPECT_EQ(back.data.to_string(), kBody);
}

// The worked example of docs/formats/records.md: this and every later version reads and writes
// these octets.
TEST(Records, TheDocumentedOctetsAreForEver) {
  using std::string_literals::operator""s;
  const std::string octets =
      "\x08\x01\x12\x10\x01\x90\xa6\xd8\x5b\x3f\x7c\x41\x9d\x2e\x0f\x6a"
      "\x1b\x2c\x3d\x4e\x18\x80\xd0\xea\xb6\xb7\x33\x22\x04\x61\x63\x6d"
      "\x65\x48\x01\x72\x23\x7a\x21\x0a\x0e\x61\x40\x61\x63\x6d\x65\x2e"
      "\x65\x78\x61\x6d\x70\x6c\x65\x22\x0f\x12\x0d\x62\x40\x65\x78\x61"
      "\x6d\x70\x6c\x65\x2e\x6e\x65\x74\x7a\x20\x18\x17\x25\x95\xb4\x4d"
      "\x51\x7a\x17"
      "Subject: hi\r\n\r\nHello.\r\n"s;
  const Message message = decode_message(Bytes::copy_of(octets)).value();
  EXPECT_EQ(message.message_id(), some_id());
  EXPECT_EQ(message.head.tenant(), "acme");
  EXPECT_EQ(message.envelope.sender(), "a@acme.example");
  EXPECT_EQ(message.envelope.recipients(0).address(), "b@example.net");
  EXPECT_EQ(message.content.crc32c(), 1'364'046'997U);
  EXPECT_EQ(message.data.to_string(), "Subject: hi\r\n\r\nHello.\r\n");
  EXPECT_EQ(encode(message).value().to_string(), octets);
}

TEST(Records, UnknownFieldsSurviveARewrite) {
  const std::string later = "\xa2\x06\x03new";  // field 100, "new"
  v1::Message proto = some_message().head;
  proto.set_version(kVersion);
  ASSERT_TRUE(proto.MergeFromString(later));
  v1::Envelope envelope = some_message().envelope;
  ASSERT_TRUE(envelope.MergeFromString(later));
  proto.mutable_envelope()->set_data(envelope.SerializeAsString());
  ASSERT_TRUE(proto.mutable_envelope()->MergeFromString(later));
  proto.mutable_content()->set_data(kBody);
  proto.mutable_content()->set_size(kBody.size());
  ASSERT_TRUE(proto.mutable_content()->MergeFromString(later));

  const Message read = decode_message(Bytes::adopt(proto.SerializeAsString())).value();
  const v1::Message again = by_protobuf(encode(read).value());
  EXPECT_EQ(unknown_field(again), "new");
  EXPECT_EQ(unknown_field(again.envelope()), "new");
  EXPECT_EQ(unknown_field(again.content()), "new");
  ASSERT_TRUE(envelope.ParseFromString(again.envelope().data()));
  EXPECT_EQ(unknown_field(envelope), "new");
}

TEST(Records, ADeliveryGoesThereAndBack) {
  const Delivery delivery = some_delivery();
  const Delivery back = decode_delivery(encode(delivery).value()).value();
  EXPECT_EQ(back.where(), Delivery::Where::kPosition);
  EXPECT_EQ(back.content.position().offset(), 77);
  EXPECT_EQ(delivery_id(back).to_text(), some_id().to_text() + "/1");
  EXPECT_EQ(back.head.domain(), "example.net") << "its site's name, when none was written";
  EXPECT_TRUE(back.head.throttled());
}

TEST(Records, StrippedContentKeepsWhatAnAuditNeeds) {
  const Rope record = encode(some_message()).value();
  for (const std::size_t size : {1, 9, 1'000'000}) {
    const Rope stripped = strip_content(cut(record, size)).value();
    EXPECT_EQ(stripped.size() + 2 + kBody.size(), record.size());  // 2: tag and length of data
    const Message back = decode_message(stripped).value();
    EXPECT_EQ(back.where(), Message::Where::kNone);
    EXPECT_EQ(back.content.size(), kBody.size());
    EXPECT_EQ(back.envelope.recipients_size(), 2);
    EXPECT_EQ(strip_content(stripped).value().to_string(), stripped.to_string());
  }
  EXPECT_EQ(strip_content(Bytes::of_static("nonsense")).error().code, Errc::kMalformed);
}

TEST(Records, DeadRecordsHoldTheWholeRecord) {
  Dead dead;
  dead.head.set_topic(1);
  dead.head.set_cause("malformed");
  dead.value = Rope(Bytes::of_static("anything\xff at all"));
  const Rope record = encode(dead);
  EXPECT_EQ(record.pieces().back().view().data(), dead.value.pieces()[0].view().data());
  const Dead back = decode_dead(record).value();
  EXPECT_EQ(back.head.cause(), "malformed");
  EXPECT_EQ(back.value.to_string(), "anything\xff at all");
}

TEST(Records, PositionsAndLanesGoThereAndBack) {
  v1::FinishedPositions positions;
  positions.add_topics()->set_next(9);
  positions.mutable_topics(0)->add_run_first(11);
  EXPECT_EQ(decode_finished_positions(encode(positions).to_string()).error().code,
            Errc::kMalformed);
  positions.mutable_topics(0)->add_run_length(2);
  EXPECT_EQ(decode_finished_positions(encode(positions).to_string())->topics(0).run_first(0), 11);
  v1::LaneState lane;
  lane.set_site("google");
  EXPECT_EQ(decode_lane_state(encode(lane).to_string())->site(), "google");
  EXPECT_FALSE(decode_lane_state("\x0a\x01g"));  // no version
}

TEST(Records, InlineContentIsCheckedAsByDecoding) {
  const struct {
    const char* what;
    void (*break_it)(v1::Message&);
    std::error_code error;
  } cases[] = {
      {"version 0", [](v1::Message& message) { message.set_version(0); }, Errc::kMalformed},
      {"version 2", [](v1::Message& message) { message.set_version(2); }, Errc::kUnknownVersion},
      {"sealed",
       [](v1::Message& message) {
         message.mutable_content()->set_enc(static_cast<v1::Sealed::Encryption>(9));
       },
       Errc::kUnknownEncryption},
      {"two places", [](v1::Message& message) { message.mutable_content()->set_parked(true); },
       Errc::kMalformed},
      {"another size", [](v1::Message& message) { message.mutable_content()->set_size(7); },
       Errc::kMalformed},
  };
  const Rope good = encode(some_message()).value();
  EXPECT_EQ(inline_content(good).value().to_string(), kBody);
  for (const auto& test : cases) {
    v1::Message message = by_protobuf(good);
    test.break_it(message);
    const Rope record(Bytes::adopt(message.SerializeAsString()));
    const Result<Rope> content = inline_content(record);
    ASSERT_FALSE(content) << test.what;
    EXPECT_EQ(content.error().code, test.error) << test.what;
    EXPECT_EQ(decode_error(record), test.error) << test.what;
  }
}

TEST(Records, NoChangedOctetIsACrash) {
  const std::string good = encode(some_message()).value().to_string();
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  for (int round = 0; round < 20'000; ++round) {
    std::string octets = good;
    for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
      octets[random() % octets.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) octets.resize(1 + random() % octets.size());
    const Rope record = cut(Bytes::adopt(octets), 1 + random() % octets.size());
    if (const Result<Message> message = decode_message(record)) {
      EXPECT_LE(message->data.size(), octets.size());
      EXPECT_TRUE(encode(*message)) << "read, and not written again";
      const Result<Rope> content = inline_content(record);
      EXPECT_TRUE(content && content->to_string() == message->data.to_string());
    }
    std::ignore = strip_content(record);
    std::ignore = decode_event(record);
    std::ignore = decode_dead(record);
  }
}

TEST(Keys, GoThereAndBack) {
  const DeliveryId id{some_id(), 3};
  EXPECT_EQ(delivery_key(id), "d/0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/3");
  EXPECT_EQ(delivery_of_key(delivery_key(id)), id);
  EXPECT_EQ(content_of_key(content_key(some_id())), some_id());
  const LaneId lane{SiteName("google"), PoolName("default")};
  EXPECT_EQ(lane_key(lane), std::string("l/google\0default", 16));
  EXPECT_EQ(lane_of_key(lane_key(lane)), lane);
  EXPECT_FALSE(lane_of_key("l/google"));
  EXPECT_FALSE(delivery_of_key("c/0190a6d8-5b3f-7c41-9d2e-0f6a1b2c3d4e/3"));
  EXPECT_FALSE(content_of_key("c/x"));
  EXPECT_EQ(dead_key("accepted", 3, 12), "accepted/3/12");
  EXPECT_EQ(dead_key("accepted", 3, 12, 1), "accepted/3/12/1");
}

}  // namespace
}  // namespace godwit::record
