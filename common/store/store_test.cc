#include "common/store/store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>

#include "common/base/test_eventually.h"
#include "common/observe/metrics.h"
#include "common/observe/test_sample.h"
#include "common/store/fake_file_system.h"

namespace godwit::store {
namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    auto opened = Store::open({.directory = "/store", .create = true, .file_system = &files_});
    EXPECT_TRUE(opened) << opened.error().to_string();
    store_ = *std::move(opened);
  }
  // As content of parked mail: each value in a file of large values, hard to compress.
  [[nodiscard]] Result<void> put(int rows) {
    StoreBatch batch(*store_);
    for (int row = 0; row < rows; ++row) {
      std::string value(20'000, '\0');
      for (char& octet : value) octet = static_cast<char>(seed_ = seed_ * 1'103'515'245 + 12'345);
      batch.put(Space::kTables, std::to_string(row), value);
    }
    return store_->write(batch);
  }
  [[nodiscard]] Result<void> erase(int rows) {
    StoreBatch batch(*store_);
    for (int row = 0; row < rows; ++row) batch.erase(Space::kTables, std::to_string(row));
    return store_->write(batch);
  }
  [[nodiscard]] std::uint64_t free_bytes() { return files_.free_bytes("/store").value(); }

  FakeFileSystem files_{1};
  std::unique_ptr<Store> store_;
  unsigned seed_ = 1;
};

TEST_F(StoreTest, GoesOnWithLessRoomThanAWriteBuffer) {
  files_.set_capacity(kMebibyte);
  ASSERT_TRUE(put(100));
  const auto flushed = store_->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, Errc::kNoSpace);
  files_.set_capacity(8 * kMebibyte);  // a write buffer has 64
  const auto resumed = store_->resume();
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  EXPECT_TRUE(put(1));
  EXPECT_TRUE(store_->flush());
}

TEST_F(StoreTest, ADiskWithoutRoomForAnOctetIsAnErrorUntilThereIsRoom) {
  ASSERT_TRUE(put(1));
  ASSERT_TRUE(store_->flush());
  files_.set_capacity(0);
  ASSERT_TRUE(put(100));
  const auto flushed = store_->flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, Errc::kNoSpace);
  store_.reset();
  for (int i = 0; i < 2; ++i) {
    const auto opened =
        Store::open({.directory = "/store", .create = true, .file_system = &files_});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kNoSpace) << opened.error().to_string();
  }
  files_.set_capacity(8 * kMebibyte);
  auto opened = Store::open({.directory = "/store", .create = true, .file_system = &files_});
  ASSERT_TRUE(opened) << opened.error().to_string();
  store_ = *std::move(opened);
  EXPECT_TRUE(store_->get(Space::kTables, "0").value().has_value());
  ASSERT_TRUE(put(100));
  EXPECT_TRUE(store_->flush());
}

TEST_F(StoreTest, CompactionGivesBackWhatWasErased) {
  std::atomic<bool> cancelled = false;
  const std::uint64_t empty = free_bytes();
  ASSERT_TRUE(put(200));
  EXPECT_GT(store_->unflushed_bytes(), 200U * 20'000);
  ASSERT_TRUE(store_->flush());
  EXPECT_LT(store_->unflushed_bytes(), kMebibyte);
  ASSERT_TRUE(erase(200));
  EXPECT_LT(free_bytes(), empty - 3 * kMebibyte) << "by itself it gives nothing back";
  const auto compacted = store_->compact(cancelled);
  ASSERT_TRUE(compacted) << compacted.error().to_string();
  // RocksDB removes files after the compaction, on a thread of its own.
  EXPECT_TRUE(eventually([&] { return free_bytes() > empty - kMebibyte / 4; })) << free_bytes();
  EXPECT_TRUE(store_->get(Space::kTables, "0").has_value());
}

TEST_F(StoreTest, ACancelledCompactionIsDoneLater) {
  std::atomic<bool> cancelled = true;
  const std::uint64_t empty = free_bytes();
  ASSERT_TRUE(put(200));
  ASSERT_TRUE(store_->flush());
  ASSERT_TRUE(erase(200));
  EXPECT_FALSE(store_->compact(cancelled));
  cancelled = false;
  EXPECT_TRUE(store_->compact(cancelled));
  EXPECT_TRUE(eventually([&] { return free_bytes() > empty - kMebibyte / 4; })) << free_bytes();
}

// What checkpoints of a few rows write, compactions above all, with `cold` rows of 1,000 octets between them. The few are
// the first and the last of their space, and end and come back, as positions do.
std::uint64_t written_by_checkpoints(int checkpoints, int cold, std::uint64_t write_buffer) {
  FakeFileSystem files(1);
  observe::Metrics metrics;
  const auto store = Store::open({.directory = "/store",
                                  .create = true,
                                  .write_buffer_bytes = write_buffer,
                                  .file_system = &files,
                                  .metrics = &metrics})
                         .value();
  const auto none = [&](std::string_view gauge) {
    return observe::sample_of(metrics, gauge).value_or(-1) == 0;
  };
  const auto checkpoint = [&](const StoreBatch& batch) {
    EXPECT_TRUE(store->write(batch));
    EXPECT_TRUE(store->flush());
    // What is pending begins to run, and then something else may be pending.
    EXPECT_TRUE(eventually([&] {
      return none("godwit_store_pending_compaction_bytes") && none("godwit_store_compactions") &&
             none("godwit_store_pending_compaction_bytes");
    }));
  };
  std::mt19937 random(1);
  for (int row = 0; row < cold;) {
    StoreBatch batch(*store);
    for (; batch.bytes() < write_buffer / 2 && row < cold; ++row) {
      std::string value(1000, '\0');
      std::ranges::generate(value, [&] { return static_cast<char>(random()); });
      batch.put(Space::kTables, "m" + std::to_string(row), value);
    }
    checkpoint(batch);
  }
  const std::uint64_t before = files.written();
  for (int turn = 0; turn < checkpoints; ++turn) {
    StoreBatch batch(*store);
    for (const std::string_view row : {"a", "b", "y", "z"}) {
      if ((turn + row.front()) % 2 == 0) {
        batch.put(Space::kTables, row, std::to_string(turn));
      } else {
        batch.erase(Space::kTables, row);
      }
    }
    checkpoint(batch);
  }
  return files.written() - before;
}

TEST(StoreCost, OfACheckpointIsBoundedHoweverMuchLiesThere) {
  constexpr int kCheckpoints = 64;
  for (const int cold : {1'000, 16'000}) {
    EXPECT_LT(written_by_checkpoints(kCheckpoints, cold, kMebibyte), kCheckpoints * kMebibyte / 8)
        << cold;
  }
}

TEST_F(StoreTest, ShowsItsFiguresForAsLongAsItIsOpen) {
  observe::Metrics metrics;
  const auto metric = [&](std::string_view series) {
    return observe::sample_of(metrics, series).value_or(-1);
  };
  store_ = Store::open(
               {.directory = "/other", .create = true, .file_system = &files_, .metrics = &metrics})
               .value();
  const double empty = metric("godwit_store_memtable_bytes");
  ASSERT_TRUE(put(100));
  EXPECT_GT(metric("godwit_store_memtable_bytes"), empty + 1'000'000);
  EXPECT_EQ(metric("godwit_store_blob_files_bytes"), 0);
  ASSERT_TRUE(store_->flush());
  EXPECT_GT(metric("godwit_store_blob_files_bytes"), 1'000'000);
  EXPECT_GT(metric("godwit_store_files_bytes"), 0);
  EXPECT_EQ(metric("godwit_store_keys"), 100);
  EXPECT_EQ(metric("godwit_store_writes_stopped"), 0);
  store_.reset();
  EXPECT_EQ(metrics.text(), "");
}

}  // namespace
}  // namespace godwit::store
