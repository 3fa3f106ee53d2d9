#include "cli/run/archive.h"

#include <gtest/gtest.h>

#include <string>

#include "common/base/test_directory.h"
#include "common/poison/fake_death.h"
#include "common/record/records.h"

namespace godwit::cli::run {
namespace {

struct Case {
  log::Topic topic;
  bool kept;
};

TEST(ArchivePolicy, KeepsWhatAnAuditNeeds) {
  const log::ArchivePolicy policy = archive_policy();
  const log::Record record{.key = "k", .value = Bytes::copy_of("not a record")};
  for (const auto& [topic, kept] :
       {Case{log::Topic::kEvents, true}, Case{log::Topic::kAudit, true},
        Case{log::Topic::kAccepted, true}, Case{log::Topic::kAcceptedUrgent, true},
        Case{log::Topic::kOutbound, false}, Case{log::Topic::kOutboundUrgent, false},
        Case{log::Topic::kBodies, false}, Case{log::Topic::kReports, false},
        Case{log::Topic::kAuth, false}}) {
    const auto value = policy({topic, 0}, record);
    ASSERT_EQ(value.has_value(), kept) << log::topic_name(topic);
    if (kept) EXPECT_EQ(value->to_string(), "not a record") << "unreadable: kept whole";
  }
}

TEST(ArchivePolicy, WhatKilledItsReaderIsKeptWholeAndNotDecoded) {
  const TestDirectory directory;
  const auto file = directory.path() / poison::kFileName;
  const log::TopicPartition where{log::Topic::kAccepted, 3};
  poison::fake_deaths(file, {{{where, 7}, poison::Step::kDecode}});
  poison::Slots slots(file, 1);
  const log::ArchivePolicy policy = archive_policy([&]() -> poison::Slot& { return slots.at(0); });

  record::Message message;
  message.head.set_message_id(std::string(16, 'm'));
  message.envelope.add_recipients()->set_address("a@example.net");
  message.content.set_size(4);
  message.data = Rope(Bytes::of_static("text"));
  log::Record record{.offset = 7, .value = *record::encode(message)};
  EXPECT_EQ(policy(where, record)->to_string(), record.value.to_string());
  record.offset = 8;
  EXPECT_LT(policy(where, record)->size(), record.value.size());
}

}  // namespace
}  // namespace godwit::cli::run
