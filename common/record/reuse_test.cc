// One value that record after record is read into: nothing of one may show in the next.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "common/record/errc.h"
#include "common/record/records.h"

namespace godwit::record {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Reflection;

// Sets some of a message's fields, and of those of its parts, to anything.
class Filler {
 public:
  explicit Filler(unsigned seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t end) { return static_cast<std::uint32_t>(random_() % end); }

  std::string text() {
    // Some fit into the string itself, some need memory, some are not ASCII.
    static constexpr std::array kTexts = {"", "a", "fifteen octets.", "sixteen octets..",
                                          "g\xc3\xb6teborg"};
    return kTexts.at(below(kTexts.size())) + std::string(below(8) == 0 ? below(300) : 0, 'x');
  }

  void fill(google::protobuf::Message& message) {
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor* field = message.GetDescriptor()->field(i);
      if (below(2) == 0) continue;
      for (std::uint32_t times = field->is_repeated() ? below(4) : 1; times > 0; --times) {
        set(message, *message.GetReflection(), field);
      }
    }
    if (below(8) == 0) {
      message.GetReflection()->MutableUnknownFields(&message)->AddLengthDelimited(100, text());
    }
  }

 private:
  template <class Value, class... Arguments>
  void put(google::protobuf::Message& message, const Reflection& on, const FieldDescriptor* field,
           void (Reflection::*set)(google::protobuf::Message*, const FieldDescriptor*, Value) const,
           void (Reflection::*add)(google::protobuf::Message*, const FieldDescriptor*, Value) const,
           Arguments&&... value) {
    (on.*(field->is_repeated() ? add : set))(&message, field, Value(value...));
  }

  void set(google::protobuf::Message& message, const Reflection& on, const FieldDescriptor* field) {
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        fill(*(field->is_repeated() ? on.AddMessage(&message, field)
                                    : on.MutableMessage(&message, field)));
        return;
      case FieldDescriptor::CPPTYPE_STRING:
        put<std::string>(message, on, field, &Reflection::SetString, &Reflection::AddString,
                         text());
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        put<bool>(message, on, field, &Reflection::SetBool, &Reflection::AddBool, true);
        return;
      case FieldDescriptor::CPPTYPE_UINT32:
        put<std::uint32_t>(message, on, field, &Reflection::SetUInt32, &Reflection::AddUInt32,
                           random_());
        return;
      case FieldDescriptor::CPPTYPE_UINT64:
        put<std::uint64_t>(message, on, field, &Reflection::SetUInt64, &Reflection::AddUInt64,
                           random_());
        return;
      case FieldDescriptor::CPPTYPE_INT64:
        put<std::int64_t>(message, on, field, &Reflection::SetInt64, &Reflection::AddInt64,
                          random_());
        return;
      case FieldDescriptor::CPPTYPE_ENUM:
        put<int>(message, on, field, &Reflection::SetEnumValue, &Reflection::AddEnumValue,
                 below(5));
        return;
      default: FAIL() << "a field of a kind that no record had: " << field->full_name();
    }
  }

  std::mt19937 random_;
};

template <class Head>
void make(Filler& filler, Carrier<Head>& out) {
  filler.fill(out.head);
  out.head.clear_envelope();
  out.head.clear_content();
  out.head.set_version(kVersion);
  out.head.set_message_id(std::string(16, static_cast<char>('a' + filler.below(26))));
  if constexpr (requires { out.head.has_decision(); }) {
    if (out.head.has_decision()) out.head.set_version(kDecisionVersion);
    if (out.head.domain().empty()) out.head.set_domain(out.head.site());  // as it is read
  } else {
    out.head.set_total(0);
  }
  filler.fill(out.seal);
  out.seal.clear_data();
  out.seal.clear_enc();
  filler.fill(out.envelope);
  // More than stay in memory, sometimes.
  for (std::uint32_t more = filler.below(20) == 0 ? 100 : 1; more > 0; --more) {
    out.envelope.add_recipients()->set_address(filler.text());
  }
  std::uint32_t index = 0;
  for (v1::Recipient& recipient : *out.envelope.mutable_recipients()) recipient.set_index(index++);
  filler.fill(out.content);
  out.content.clear_data();
  out.content.set_enc(v1::Sealed::CLEAR);
  const std::uint32_t way = filler.below(4);
  if (way != 0) out.content.clear_body();
  if (way != 1) out.content.clear_position();
  if (way != 2) out.content.clear_parked();
  if (way == 3) {
    out.data = Rope(Bytes::adopt(filler.text()));
    out.content.set_size(out.data.size());
  }
}

void make(Filler& filler, Event& out) {
  filler.fill(out.head);
  out.head.clear_addresses();
  out.head.set_version(kVersion);
  out.head.set_message_id(std::string(16, static_cast<char>('a' + filler.below(26))));
  filler.fill(out.seal);
  out.seal.clear_data();
  out.seal.clear_enc();
  filler.fill(out.addresses);
}

template <class Head>
std::string all_of(const Carrier<Head>& value) {
  return value.head.SerializeAsString() + "|" + value.seal.SerializeAsString() + "|" +
         value.envelope.SerializeAsString() + "|" + value.content.SerializeAsString() + "|" +
         value.data.to_string();
}
std::string all_of(const Event& value) {
  return value.head.SerializeAsString() + "|" + value.seal.SerializeAsString() + "|" +
         value.addresses.SerializeAsString();
}

template <class Record>
class ReusedValue : public testing::Test {};
using Kinds = testing::Types<Message, Delivery, Event>;
TYPED_TEST_SUITE(ReusedValue, Kinds);

TYPED_TEST(ReusedValue, ShowsWhatANewValueWouldShow) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Filler filler(seed);
  TypeParam reused;
  for (int round = 0; round < 1'000; ++round) {
    TypeParam made;
    make(filler, made);
    const Result<Rope> encoded = encode(made);
    ASSERT_TRUE(encoded) << encoded.error().to_string();
    std::string octets = encoded->to_string();
    const bool broken = filler.below(4) == 0;
    if (broken) {
      octets[filler.below(static_cast<std::uint32_t>(octets.size()))] ^= 0x41;
      octets.resize(octets.size() - filler.below(2));
    }
    TypeParam fresh;
    const Rope record(Bytes::adopt(std::move(octets)));
    const Result<void> first = decode(record, fresh);
    const Result<void> again = decode(record, reused);
    ASSERT_EQ(first.has_value(), again.has_value());
    ASSERT_TRUE(broken || again) << again.error().to_string();
    ASSERT_EQ(all_of(reused), all_of(fresh));
    if (broken) continue;
    ASSERT_EQ(all_of(reused), all_of(made));
    ASSERT_EQ(encode(reused).value().to_string(), encoded->to_string());
  }
}

TYPED_TEST(ReusedValue, IsEmptyAfterAnError) {
  Filler filler(1);
  TypeParam made;
  make(filler, made);
  const std::string good = encode(made).value().to_string();
  for (const std::string& bad : {good.substr(0, good.size() / 2), std::string(), good + "\x0b",
                                 "\x08\x09" + good.substr(2)}) {
    TypeParam value;
    ASSERT_TRUE(decode(Rope(Bytes::copy_of(good)), value));
    EXPECT_FALSE(decode(Rope(Bytes::copy_of(bad)), value));
    EXPECT_EQ(all_of(value), all_of(TypeParam()));
  }
}

TEST(ReusedEvent, PartsThatARecordDoesNotHaveAreAbsent) {
  Event full;
  full.head.set_message_id(std::string(16, 'a'));
  full.head.mutable_remote()->set_host("mx.example.net");
  full.head.mutable_reply()->set_code(250);
  full.head.mutable_notice();
  Event bare;
  bare.head.set_message_id(std::string(16, 'b'));
  Event value;
  ASSERT_TRUE(decode(encode(full).value(), value));
  EXPECT_TRUE(value.head.has_remote() && value.head.has_reply() && value.head.has_notice());
  ASSERT_TRUE(decode(encode(bare).value(), value));
  EXPECT_FALSE(value.head.has_remote() || value.head.has_reply() || value.head.has_notice());
}

// The memory of texts and parts stays, and so do their addresses.
TEST(ReusedDelivery, KeepsItsMemory) {
  Filler filler(2);
  Delivery made;
  make(filler, made);
  made.head.set_site("a-site-of-more-than-fifteen.example");
  made.head.mutable_last_reply()->set_text("a text of more than fifteen octets");
  const Rope record = encode(made).value();
  Delivery value;
  ASSERT_TRUE(decode(record, value));
  const char* site = value.head.site().data();
  const char* text = value.head.last_reply().text().data();
  const v1::Recipient* recipient = &value.envelope.recipients(0);
  ASSERT_TRUE(decode(record, value));
  EXPECT_EQ(value.head.site().data(), site);
  EXPECT_EQ(value.head.last_reply().text().data(), text);
  EXPECT_EQ(&value.envelope.recipients(0), recipient);
}

}  // namespace
}  // namespace godwit::record
