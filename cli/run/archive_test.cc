#include "cli/run/archive.h"

#include <gtest/gtest.h>

#include <string>

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

}  // namespace
}  // namespace godwit::cli::run
