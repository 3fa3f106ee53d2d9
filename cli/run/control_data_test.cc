#include "cli/run/control_data.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "common/base/manual_clock.h"
#include "common/base/test_directory.h"
#include "common/log/fake_log.h"

namespace godwit::cli::run {
namespace {

class ControlDataTest : public testing::Test {
 protected:
  Result<std::unique_ptr<control::Authority>> open() {
    return open_control(config_, {log_, clock_, node_, trail_}, [](std::string_view) {
      std::this_thread::yield();  // the table is read on a thread of its own
      return false;
    });
  }
  void configure(ControlMode mode, const std::string& yaml) {
    config_.control.mode = mode;
    config_.control.file = directory_.write("control.yaml", yaml);
  }
  static std::string pools(const control::Authority& control) {
    std::string names;
    for (const auto& [name, pool] : control.current()->pools) names += name + " ";
    return names;
  }

  TestDirectory directory_;
  ManualClock clock_;
  log::FakeLog log_{clock_};
  const std::string node_ = "mta1";
  admin::AuditTrail trail_{log_, clock_, node_};
  Config config_;
};

TEST_F(ControlDataTest, WithoutAFileThereAreDefaults) {
  config_.control.mode = ControlMode::kFile;
  EXPECT_EQ(pools(**open()), "default ");
}

TEST_F(ControlDataTest, AFileIsTheTruth) {
  configure(ControlMode::kFile, "pools: {bulk: [{source: default}]}\n");
  EXPECT_EQ(pools(**open()), "bulk default ");
  configure(ControlMode::kFile, "pools: {other: [{source: default}]}\n");
  EXPECT_EQ(pools(**open()), "default other ");
  EXPECT_TRUE(log_.records(log::Topic::kAudit).empty());
}

TEST_F(ControlDataTest, AFileThatIsWrongIsAnError) {
  for (const ControlMode mode : {ControlMode::kFile, ControlMode::kSeed}) {
    configure(mode, "pools: 7\n");
    const auto control = open();
    ASSERT_FALSE(control);
    EXPECT_NE(control.error().to_string().find("control.yaml"), std::string::npos)
        << control.error().to_string();
  }
}

TEST_F(ControlDataTest, AFileFillsAnEmptyTableOnce) {
  configure(ControlMode::kSeed, "pools: {bulk: [{source: default}]}\n");
  EXPECT_EQ(pools(**open()), "bulk default ");
  EXPECT_EQ(log_.records(log::Topic::kAudit).size(), 1U) << "who did it";
  configure(ControlMode::kSeed, "pools: {other: [{source: default}]}\n");
  EXPECT_EQ(pools(**open()), "bulk default ") << "what is in force stays";
  EXPECT_EQ(log_.records(log::Topic::kAudit).size(), 1U);
}

}  // namespace
}  // namespace godwit::cli::run
