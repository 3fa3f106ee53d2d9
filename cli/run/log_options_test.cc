#include "cli/run/log_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "common/base/test_directory.h"
#include "common/log/errc.h"

namespace godwit::cli::run {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class MadeSegmentsTest : public testing::Test {
 protected:
  MadeSegmentsTest() { config_.data_dir = directory_.path(); }

  void make_log(std::uint64_t segment_bytes) {
    log::EmbeddedConfig made = embedded_config(config_, nullptr, {});
    made.segment_bytes = segment_bytes;
    made.reserve_segments = 1;
    const auto log = log::open_embedded(made, system_clock());
    ASSERT_TRUE(log) << log.error().to_string();
    (*log)->close();
  }

  TestDirectory directory_;
  Config config_;
};

TEST_F(MadeSegmentsTest, AFreshDirectoryIsFine) {
  EXPECT_TRUE(check_made_segments(config_));
  config_.data_dir /= "not-there";
  EXPECT_TRUE(check_made_segments(config_));
}

// The configuration alone is right: the directory is what does not go with it.
TEST_F(MadeSegmentsTest, TooSmallForTheLargestMailIsToldAtTheStart) {
  make_log(16u << 20);
  const Result<void> checked = check_made_segments(config_);
  ASSERT_FALSE(checked);
  EXPECT_THAT(checked.error().to_string(),
              AllOf(HasSubstr(config_.data_dir.string()),
                    HasSubstr("16MiB is too small for ingress.max_message_bytes of 35MiB"),
                    HasSubstr("at least 48MiB, or ingress.max_message_bytes of at most 11472KiB")));
  config_.ingress.max_message_bytes = 11472u << 10;
  EXPECT_TRUE(check_made_segments(config_)) << "as it says";
  config_.ingress.limits.recipients_max = 20'000;
  EXPECT_FALSE(check_made_segments(config_));
  config_.log.kind = LogKind::kKafka;
  EXPECT_TRUE(check_made_segments(config_));
}

TEST_F(MadeSegmentsTest, WhatIsBrokenIsForOpeningToTell) {
  std::filesystem::create_directories(config_.data_dir / "log");
  std::ofstream(config_.data_dir / "log" / "identity") << "nonsense\n";
  EXPECT_TRUE(check_made_segments(config_));
  EXPECT_EQ(log::open_embedded(embedded_config(config_, nullptr, {}), system_clock()).error().code,
            log::Errc::kCorrupt);
}

}  // namespace
}  // namespace godwit::cli::run
