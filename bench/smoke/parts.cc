// Parts that every message passes, each alone.
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "bench/smoke/counts.h"
#include "bench/smoke/mail.h"
#include "bench/smoke/scenario.h"
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/manual_clock.h"
#include "common/base/random.h"
#include "common/log/batch_encoder.h"
#include "common/mail/header.h"
#include "common/record/records.h"

namespace godwit::bench {
namespace {

constexpr std::size_t kMessages = 20;  // of a round

// A part of the work on one message, done for kMessages of them.
class Part : public Scenario {
 public:
  void round() final {
    const Counted counted;
    for (std::size_t i = 0; i < kMessages; ++i) work();
  }
  [[nodiscard]] std::size_t messages() const final { return kMessages; }

 protected:
  virtual void work() = 0;
  const std::string content_ = mail_of(5 * 1024);
  ManualClock clock_;
  const MessageId id_ = MessageId::generate(clock_, system_random());
};

class HeaderPart final : public Part {
  void work() override {
    const mail::Header header = mail::Header::scan(rope_);
    const mail::HeaderFacts facts = mail::facts_of(header);
    CHECK(facts.fields == 12 && facts.from, "{} fields", facts.fields);
  }
  const Rope rope_{Bytes::copy_of(content_)};
};

template <class Record>
Record carrier(const MessageId& id, const std::string& content) {
  Record record;
  record.head.set_message_id(std::string(id.octets()));
  record.head.set_tenant("default");
  record.head.set_accepted_unix_ms(1'767'225'600'000);
  record.envelope.set_sender("news@shop.example");
  v1::Recipient* recipient = record.envelope.add_recipients();
  recipient->set_address("ann@d1.example");
  record.content.set_size(content.size());
  record.content.set_size_unstuffed(content.size());
  record.content.set_crc32c(crc32c(content));
  record.content.set_dot_stuffed(true);
  return record;
}

// Encodes and decodes what `accepted` holds; like a role, into a value that is kept.
class AcceptedPart final : public Part {
 public:
  AcceptedPart() : message_(carrier<record::Message>(id_, content_)) {
    message_.head.set_total(1);
    message_.head.mutable_origin()->set_listener("relay");
    message_.head.mutable_origin()->set_protocol("ESMTP");
    message_.head.mutable_origin()->set_address("192.0.2.7");
    message_.head.mutable_origin()->set_helo("client.example");
    message_.head.mutable_origin()->set_node("node1");
    message_.data = Rope(Bytes::copy_of(content_));
  }

 private:
  void work() override {
    const auto octets = record::encode(message_);
    CHECK(octets.has_value(), "{}", octets.error().to_string());
    CHECK(record::decode(Rope(octets->flatten()), read_) && read_.data.size() == content_.size(),
          "it does not come back");
  }
  record::Message message_;
  record::Message read_;
};

// The same of `outbound`, whose content is elsewhere.
class OutboundPart final : public Part {
 public:
  OutboundPart() : delivery_(carrier<record::Delivery>(id_, content_)) {
    delivery_.head.set_pool("default");
    delivery_.head.set_site("d1.example");
    delivery_.head.set_domain("d1.example");
    auto* position = delivery_.content.mutable_position();
    position->set_topic(static_cast<std::uint32_t>(log::Topic::kAccepted));
    position->set_offset(4711);
  }

 private:
  void work() override {
    const auto octets = record::encode(delivery_);
    CHECK(octets.has_value(), "{}", octets.error().to_string());
    CHECK(record::decode(Rope(octets->flatten()), read_) && read_.head.site() == "d1.example",
          "it does not come back");
  }
  record::Delivery delivery_;
  record::Delivery read_;
};

class EventPart final : public Part {
 public:
  EventPart() {
    event_.head.set_type(v1::DELIVERED);
    event_.head.set_message_id(std::string(id_.octets()));
    event_.head.set_time_unix_ms(1'767'225'600'000);
    event_.head.set_tenant("default");
    event_.head.set_node("node1");
    event_.head.set_attempt(1);
    event_.head.set_site("d1.example");
    event_.head.set_pool("default");
    event_.head.set_source("default");
    event_.head.mutable_remote()->set_host("mx.d1.example");
    event_.head.mutable_remote()->set_address("192.0.2.1:25");
    event_.head.mutable_reply()->set_code(250);
    event_.head.mutable_reply()->set_enhanced("2.0.0");
    event_.head.mutable_reply()->set_text("taken as 0123456789abcdef");
    event_.addresses.set_sender("news@shop.example");
    event_.addresses.set_recipient("ann@d1.example");
  }

 private:
  void work() override {
    const auto octets = record::encode(event_);
    CHECK(octets.has_value(), "{}", octets.error().to_string());
    CHECK(record::decode(*octets, read_) && read_.head.attempt() == 1, "it does not come back");
  }
  record::Event event_;
  record::Event read_;
};

// A batch of the embedded log: what its commit thread does with appends, but for the disk.
class LogBatch final : public Scenario {
 public:
  void round() override {
    std::vector<log::WritePtr> writes;
    for (std::size_t i = 0; i < kMessages; ++i) {
      auto write = std::make_unique<log::Write>();
      log::Append append;
      append.where = {log::Topic::kAccepted, static_cast<log::PartitionId>(i % 4)};
      append.key = "0123456789abcdef";
      append.value = Rope(head_);
      append.value.append(content_);
      write->batch.appends.push_back(std::move(append));
      writes.push_back(std::move(write));
    }
    const Counted counted;
    log::BatchEncoder encoder(writes);
    encoder.encode(
        [this](log::TopicPartition where) -> log::Offset& { return next_.at(where.partition); },
        clock_.now(), ++sequence_, 0);
    const auto& pieces = encoder.place({1, log::kPageBytes}, 7, {1, 0});
    CHECK(!pieces.empty() && encoder.record_count() == kMessages, "not encoded");
  }
  [[nodiscard]] std::size_t messages() const override { return kMessages; }

 private:
  ManualClock clock_;
  const Bytes head_ = Bytes::adopt(std::string(200, 'h'));
  const Bytes content_ = Bytes::adopt(mail_of(5 * 1024));
  std::array<log::Offset, 4> next_{};
  std::uint64_t sequence_ = 0;
};

template <class Kind>
std::unique_ptr<Scenario> make() {
  return std::make_unique<Kind>();
}

}  // namespace

std::span<const NamedScenario> part_scenarios() {
  static constexpr auto kScenarios = std::to_array<NamedScenario>({
      {"header", make<HeaderPart>},
      {"record-accepted", make<AcceptedPart>},
      {"record-outbound", make<OutboundPart>},
      {"record-event", make<EventPart>},
      {"log-batch", make<LogBatch>},
  });
  return kScenarios;
}

}  // namespace godwit::bench
