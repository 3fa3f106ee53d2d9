#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/manual_clock.h"
#include "common/log/embedded.h"
#include "common/log/log_test_support.h"
#include "common/store/fake_file_system.h"

// For tests: an embedded log on files in memory, small enough to fill, that can be killed and opened again.
namespace godwit::log {

inline constexpr std::uint32_t kSegmentBytes = 64 * 1024;

class EmbeddedTest : public testing::Test {
 protected:
  EmbeddedTest() {
    config_.directory = "/data";
    config_.partitions = 2;
    config_.segment_bytes = kSegmentBytes;
    config_.reserve_segments = 2;
    config_.reserve_table_bytes = 0;
    config_.tail_cache_bytes = 0;
    config_.commit_sync_delay_max = std::chrono::milliseconds(1);
    config_.file_system = &files_;
  }

  Result<void> open() {
    config_.counters = std::make_shared<Counters>();
    auto opened = open_embedded(config_, clock_);
    if (!opened) return fail(opened.error());
    log_ = *std::move(opened);
    return {};
  }
  void must_open() {
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().to_string();
  }
  void close() { log_.reset(); }
  // Ends without a word, as a killed process whose page cache survives does.
  void kill() {
    files_.freeze();
    log_.reset();
    files_.thaw();
  }

  Result<Written> append(std::string value, TopicPartition where = kAccepted0) {
    return append_now(*log_->producer(), {append_of(where, "key", std::move(value))});
  }
  std::vector<std::string> accepted() {
    const auto reader = *log_->read_from(kAccepted0, 0);
    std::vector<std::string> values;
    while (reader->next() < log_->end(kAccepted0)) {
      auto taken = reader->take(100, 1 << 20);
      if (!taken) {
        values.push_back(taken.error().to_string());
        return values;
      }
      for (const Record& record : *taken) values.push_back(record.value.to_string());
    }
    return values;
  }

  // The segment file that holds `text`, and where.
  std::pair<std::string, std::size_t> find(const std::string& text) {
    for (const std::string& path : files_.paths()) {
      if (!path.ends_with(".segment")) continue;
      if (const auto at = files_.contents(path).find(text); at != std::string::npos) {
        return {path, at};
      }
    }
    ADD_FAILURE() << text << " is in no segment";
    return {};
  }

  ManualClock clock_;
  store::FakeFileSystem files_{1};
  EmbeddedConfig config_;
  std::unique_ptr<Log> log_;
};

}  // namespace godwit::log
