#include "common/log/log_conformance.h"

#include "common/base/check.h"
#include "common/base/manual_clock.h"
#include "common/base/test_directory.h"
#include "common/log/embedded.h"
#include "common/log/fake_log.h"

namespace godwit::log {
namespace {

class FakeUnderTest final : public ConformanceLog {
 public:
  Log& log() override { return log_; }
  void restart() override { log_.crash(); }

 private:
  ManualClock clock_;
  FakeLog log_{clock_};
};

class EmbeddedUnderTest final : public ConformanceLog {
 public:
  EmbeddedUnderTest() { open(); }
  Log& log() override { return *log_; }
  void restart() override {
    log_.reset();
    open();
  }

 private:
  void open() {
    EmbeddedConfig config;
    config.directory = directory_.path();
    config.partitions = 4;
    config.segment_bytes = 2 << 20;
    config.reserve_table_bytes = 1 << 20;
    config.commit_sync_delay_max = std::chrono::milliseconds(5);
    auto opened = open_embedded(config, clock_);
    CHECK(opened.has_value(), "{}", opened.error().to_string());
    log_ = *std::move(opened);
  }

  ManualClock clock_;
  TestDirectory directory_;
  std::unique_ptr<Log> log_;
};

template <class T>
std::unique_ptr<ConformanceLog> make() {
  return std::make_unique<T>();
}

INSTANTIATE_TEST_SUITE_P(Fake, LogConformance,
                         testing::Values(ConformanceCase{"fake", make<FakeUnderTest>}));
INSTANTIATE_TEST_SUITE_P(Embedded, LogConformance,
                         testing::Values(ConformanceCase{"embedded", make<EmbeddedUnderTest>}));

}  // namespace
}  // namespace godwit::log
