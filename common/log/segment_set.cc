#include "common/log/segment_set.h"

#include <fmt/format.h>

#include <charconv>
#include <random>
#include <utility>

#include "common/base/check.h"
#include "common/log/errc.h"

namespace godwit::log {
namespace {

// Not to be guessed by who writes message bodies: from the kernel.
std::uint64_t draw_nonce() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

std::uint32_t number_of_file(std::string_view name) {
  std::uint32_t number = 0;
  std::from_chars(name.data(), name.data() + name.size(), number);
  return number;
}

Error as_log_error(const Error& error) {
  const bool full = error.code == store::Errc::kNoSpace;
  return {full ? log::Errc::kNoSpace : log::Errc::kIo, error.to_string()};
}

}  // namespace

SegmentSet::SegmentSet(store::FileSystem& files, std::filesystem::path directory,
                       std::uint32_t capacity, Counters& counters)
    : files_(files), directory_(std::move(directory)), capacity_(capacity), counters_(counters) {}

void SegmentSet::count_locked() {
  counters_.segments_live = live_.size();
  counters_.segments_free = free_.size();
}

void SegmentSet::add_live(std::shared_ptr<Segment> segment) {
  const std::lock_guard lock(mutex_);
  CHECK(live_.empty() || segment->number == last_number_ + 1);
  last_number_ = segment->number;
  next_file_ = std::max(next_file_, number_of_file(segment->file_name) + 1);
  live_.push_back(std::move(segment));
  count_locked();
}

void SegmentSet::add_free(FreeSegment segment) {
  const std::lock_guard lock(mutex_);
  next_file_ = std::max(next_file_, number_of_file(segment.file_name) + 1);
  free_.push_back(std::move(segment));
  count_locked();
}

Result<void> SegmentSet::make() {
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    name = fmt::format("{:08}.segment", next_file_);
  }
  const std::filesystem::path path = directory_ / name;
  const auto made = [&]() -> Result<std::unique_ptr<store::File>> {
    TRY(auto file, files_.open(path, store::Mode::kCreate));
    static const std::string zeros(256 * 1024, '\0');
    for (std::uint32_t offset = 0; offset < capacity_; offset += zeros.size()) {
      const std::string_view piece = std::string_view(zeros).substr(
          0, std::min<std::size_t>(zeros.size(), capacity_ - offset));
      TRY_VOID(file->write(offset, std::span(&piece, 1)));
    }
    TRY_VOID(file->sync());
    TRY_VOID(files_.sync_directory(directory_));
    return file;
  };
  auto file = made();
  if (!file) {
    (void)files_.remove(path);  // what was taken goes back to the disk
    return fail(as_log_error(file.error()).within(name));
  }
  add_free({name, *std::move(file)});
  return {};
}

Result<std::shared_ptr<Segment>> SegmentSet::begin() {
  FreeSegment taken;
  auto segment = std::make_shared<Segment>();
  {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return nullptr;
    taken = std::move(free_.front());
    free_.erase(free_.begin());
    segment->number = last_number_ + 1;
  }
  segment->nonce = draw_nonce();
  segment->capacity = capacity_;
  segment->file_name = std::move(taken.file_name);
  segment->file = std::move(taken.file);
  const std::string page =
      encode_segment_header({segment->number, segment->nonce, segment->capacity});
  const std::string_view piece = page;
  if (const auto written = segment->file->write(0, std::span(&piece, 1)); !written) {
    (void)files_.remove(directory_ / segment->file_name);
    return fail(as_log_error(written.error()).within(segment->file_name));
  }
  const std::lock_guard lock(mutex_);
  last_number_ = segment->number;
  live_.push_back(segment);
  count_locked();
  return segment;
}

Result<void> SegmentSet::recycle_oldest() {
  std::shared_ptr<Segment> segment;
  {
    const std::lock_guard lock(mutex_);
    CHECK(live_.size() > 1, "the segment in use is not free");
    segment = live_.front();
  }
  const std::string page = encode_free_header();
  const std::string_view piece = page;
  auto freed = segment->file->write(0, std::span(&piece, 1));
  if (freed) freed = segment->file->sync();
  if (!freed) {
    segment->suspect = true;
    return fail(as_log_error(freed.error()).within(segment->file_name));
  }
  const std::lock_guard lock(mutex_);
  live_.pop_front();
  if (segment->suspect) {
    (void)files_.remove(directory_ / segment->file_name);
  } else {
    free_.push_back({segment->file_name, std::move(segment->file)});
  }
  counters_.segments_recycled_total.fetch_add(1, std::memory_order_relaxed);
  count_locked();
  return {};
}

bool SegmentSet::give_back(std::size_t keep) {
  FreeSegment taken;
  {
    const std::lock_guard lock(mutex_);
    if (free_.size() <= keep) return false;
    taken = std::move(free_.back());
    free_.pop_back();
    count_locked();
  }
  taken.file.reset();
  return files_.remove(directory_ / taken.file_name).has_value();
}

std::size_t SegmentSet::free() const {
  const std::lock_guard lock(mutex_);
  return free_.size();
}

std::vector<std::shared_ptr<Segment>> SegmentSet::live() const {
  const std::lock_guard lock(mutex_);
  return {live_.begin(), live_.end()};
}

std::shared_ptr<Segment> SegmentSet::oldest() const {
  const std::lock_guard lock(mutex_);
  return live_.empty() ? nullptr : live_.front();
}

std::uint64_t SegmentSet::newest_number() const {
  const std::lock_guard lock(mutex_);
  return last_number_;
}

}  // namespace godwit::log
