#include "common/poison/whole_record.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <string>

#include "common/async/gate.h"
#include "common/async/shard.h"
#include "common/base/crc32c.h"
#include "common/base/test_directory.h"
#include "common/log/fake_log.h"
#include "common/poison/fake_death.h"
#include "common/record/records.h"

namespace godwit::poison {
namespace {

constexpr std::string_view kContent = "Subject: x\r\n\r\nbody\r\n";
constexpr log::RecordPosition kPlace{{log::Topic::kOutbound, 0}, 7};

class WholeRecord : public testing::Test {
 protected:
  WholeRecord() { shards_.start(); }
  ~WholeRecord() override { shards_.stop(); }

  void append(log::Topic topic, std::string_view octets) {
    std::vector<log::Append> records;
    records.push_back({{topic, 0}, "key", Rope(Bytes::copy_of(octets)), {}});
    log_.producer()->append(std::move(records), [](Result<log::Written>) {});
  }
  // A delivery whose content is that of record 0 of `accepted`, or in two chunks of `bodies`.
  [[nodiscard]] static record::Delivery delivery() {
    record::Delivery delivery;
    delivery.head.set_message_id(std::string(16, 'm'));
    delivery.head.set_tenant("acme");
    delivery.envelope.add_recipients()->set_address("one@a.example");
    delivery.content.set_size(kContent.size());
    delivery.content.set_crc32c(crc32c(kContent));
    delivery.content.mutable_position()->set_topic(
        static_cast<std::uint32_t>(log::Topic::kAccepted));
    return delivery;
  }
  [[nodiscard]] Rope whole(const Rope& record, Slots& slots, std::size_t bytes_max = 1000) {
    std::promise<Rope> done;
    shards_.at(0).spawn(run(log_, slots.at(0), record, bytes_max, done), gate_);
    Rope result = done.get_future().get();
    gate_.close_and_wait();
    return result;
  }
  [[nodiscard]] Rope whole(const Rope& record, std::size_t bytes_max = 1000) {
    Slots slots(1);
    return whole(record, slots, bytes_max);
  }

  log::FakeLog log_{system_clock()};

 private:
  static async::Task<void> run(log::Log& log, Slot& slot, Rope record, std::size_t bytes_max,
                               std::promise<Rope>& done) {
    done.set_value(co_await whole_record(log, slot, kPlace, std::move(record), bytes_max));
  }
  async::Shards shards_{1};
  async::Gate gate_;
};

TEST_F(WholeRecord, TakesInWhatItRefersToByPosition) {
  append(log::Topic::kAccepted, "whatever stands before" + std::string(kContent));
  const auto read = record::decode_delivery(whole(record::encode(delivery()).value()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->data.to_string(), kContent);
  EXPECT_EQ(read->head.tenant(), "acme");
  EXPECT_EQ(read->envelope.recipients(0).address(), "one@a.example");
}

TEST_F(WholeRecord, TakesInABody) {
  append(log::Topic::kBodies, kContent.substr(0, 5));
  append(log::Topic::kBodies, kContent.substr(5));
  record::Delivery of_body = delivery();
  of_body.content.clear_position();
  of_body.content.mutable_body()->set_chunks(2);
  const auto read = record::decode_delivery(whole(record::encode(of_body).value()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->data.to_string(), kContent);
}

TEST_F(WholeRecord, TakesInABodyWithAnothersRecordInIt) {
  log_.interleave(log::Topic::kBodies);
  append(log::Topic::kBodies, kContent.substr(0, 5));
  append(log::Topic::kBodies, kContent.substr(5));
  record::Delivery of_body = delivery();
  of_body.content.clear_position();
  of_body.content.mutable_body()->set_chunks(2);
  of_body.content.mutable_body()->add_gaps(1);
  const auto read = record::decode_delivery(whole(record::encode(of_body).value()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->data.to_string(), kContent);
}

TEST_F(WholeRecord, IsNotDecoded) {
  append(log::Topic::kAccepted, kContent);
  const std::string odd = "\x42\x01\xff";  // a domain that is no text: no Delivery
  Rope record(Bytes::copy_of(odd));
  record.append(record::encode(delivery()).value());
  ASSERT_FALSE(record::decode_delivery(record));
  const std::string kept = whole(record).to_string();
  EXPECT_TRUE(kept.ends_with(kContent));
  EXPECT_TRUE(kept.starts_with(odd));
}

struct Case {
  std::string name;
  std::string accepted;  // what stands there
  std::function<void(v1::Content&)> change;
};
void PrintTo(const Case& test, std::ostream* out) {
  *out << test.name;
}
class StaysAsItIs : public WholeRecord, public testing::WithParamInterface<Case> {};

TEST_P(StaysAsItIs, WhenItsContentCannotBeTold) {
  append(log::Topic::kAccepted, GetParam().accepted);
  record::Delivery changed = delivery();
  if (GetParam().change) GetParam().change(changed.content);
  const Rope record = record::encode(changed).value();
  EXPECT_EQ(whole(record).to_string(), record.to_string());
}

INSTANTIATE_TEST_SUITE_P(
    Each, StaysAsItIs,
    testing::Values(Case{"other_octets", "Subject: y\r\n\r\nbody\r\n", {}},
                    Case{"short", "body\r\n", {}},
                    Case{"gone", std::string(kContent),
                         [](auto& c) { c.mutable_position()->set_offset(9); }},
                    Case{"no_topic", std::string(kContent),
                         [](auto& c) { c.mutable_position()->set_topic(99); }},
                    Case{"no_partition", std::string(kContent),
                         [](auto& c) { c.mutable_position()->set_partition(99); }},
                    Case{"too_large", std::string(kContent), [](auto& c) { c.set_size(1001); }}),
    [](const auto& info) { return info.param.name; });

TEST_F(WholeRecord, IsNotLookedAtWhenThatHasKilledThreeTimes) {
  append(log::Topic::kAccepted, kContent);
  const TestDirectory directory;
  const auto file = directory.path() / kFileName;
  fake_deaths(file, {{kPlace, Step::kSalvage}});
  Slots slots(file, 1);
  const Rope record = record::encode(delivery()).value();
  EXPECT_EQ(whole(record, slots).to_string(), record.to_string());
}

}  // namespace
}  // namespace godwit::poison
