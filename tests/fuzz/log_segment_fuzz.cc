// The decoder of segment files against arbitrary octets: what a disk may hand us.
//
// The input is the file behind its first page. Octets 0 and 1 decide whether checksums are made to fit, so that
// the fuzzer gets behind them; the rest is scanned as the only segment of a log.

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/log/segment_scan.h"
#include "common/log/table_keys.h"

namespace {

using namespace godwit;

constexpr std::uint64_t kNonce = 0x0123456789abcdef;

class MemoryFile final : public store::File {
 public:
  explicit MemoryFile(const std::string& data) : data_(data) {}
  Result<std::size_t> read(std::uint64_t offset, std::span<char> into) const override {
    if (offset >= data_.size()) return 0;
    const std::size_t count = std::min<std::size_t>(into.size(), data_.size() - offset);
    std::memcpy(into.data(), data_.data() + offset, count);
    return count;
  }
  Result<void> write(std::uint64_t, std::span<const std::string_view>) override { return {}; }
  Result<void> sync() override { return {}; }
  Result<void> truncate(std::uint64_t) override { return {}; }
  Result<std::uint64_t> size() const override { return data_.size(); }

 private:
  const std::string& data_;
};

class OneFile final : public store::FileSystem {
 public:
  explicit OneFile(const std::string& data) : data_(data) {}
  Result<std::unique_ptr<store::File>> open(const Path&, store::Mode) override {
    return std::make_unique<MemoryFile>(data_);
  }
  bool exists(const Path&) const override { return true; }
  Result<std::vector<std::string>> list(const Path&) const override {
    return std::vector<std::string>{"00000000.segment"};
  }
  Result<void> remove(const Path&) override { return {}; }
  Result<void> rename(const Path&, const Path&) override { return {}; }
  Result<void> create_directory(const Path&) override { return {}; }
  Result<void> sync_directory(const Path&) override { return {}; }
  Result<std::uint64_t> free_bytes(const Path&) const override { return 0; }
  Result<std::unique_ptr<store::FileLock>> lock(const Path&, bool) override {
    return fail(store::Errc::kLocked);
  }

 private:
  const std::string& data_;
};

// Makes the header at `at` one that passes: magic, nonce, place and checksums.
void make_fit(std::string& file, std::size_t at) {
  const auto put = [&](std::size_t offset, auto value) {
    std::memcpy(file.data() + at + offset, &value, sizeof value);
  };
  const auto get32 = [&](std::size_t offset) {
    std::uint32_t value;
    std::memcpy(&value, file.data() + at + offset, sizeof value);
    return value;
  };
  if (at + 80 > file.size()) return;
  put(0, std::uint32_t{0x31425747});
  put(8, kNonce);
  put(16, std::uint64_t{1});
  put(24, static_cast<std::uint32_t>(at));
  const std::uint32_t runs = get32(44) % 8;
  put(44, runs);
  const std::size_t header = log::batch_header_bytes(runs);
  if (at + header > file.size()) return;
  for (std::uint32_t run = 0; run < runs; ++run) {
    const std::size_t entry = 80 + run * 32;
    const std::uint64_t offset = get32(entry + 20);
    const std::uint64_t length = get32(entry + 24);
    if (at + offset + length > file.size()) continue;
    put(entry + 28, crc32c(std::string_view(file).substr(at + offset, length)));
  }
  put(4, crc32c(std::string_view(file).substr(at + 8, header - 8)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 256 * 1024) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  (void)log::decode_checkpoint(input);
  (void)log::decode_group(input, input.substr(0, 8));
  (void)log::decode_next_offsets(input);
  log::RunReader records(input);
  log::RawRecord record;
  while (records.next(record)) {
  }
  log::RunReader positions(input);
  std::string_view group;
  log::PositionChange change;
  while (positions.next(group, change)) {
  }

  std::string file = log::encode_segment_header({1, kNonce, 512 * 1024});
  file.append(input.substr(2));
  for (std::size_t at = log::kPageBytes, page = 0; at < file.size();
       at += log::kPageBytes, page = (page + 1) % 8) {
    if ((data[0] >> page & 1) != 0) make_fit(file, at);
  }
  OneFile files(file);
  const auto scan = log::scan_segments(
      {.files = files,
       .directory = "/",
       .capacity = 512 * 1024,
       .checkpoint = {},
       .verify_from = (data[1] & 1) != 0 ? log::StreamPosition{9, 0} : log::StreamPosition{},
       .writes = false},
      [](const std::shared_ptr<log::Segment>&, const log::BatchHeader& header,
         std::optional<std::string_view> octets) -> Result<void> {
        for (const log::Run& run : header.runs) {
          if (!octets) continue;
          CHECK(run.offset + run.length <= octets->size());
          log::RunReader reader(octets->substr(run.offset, run.length));
          log::RawRecord raw;
          while (reader.next(raw)) {
          }
        }
        return {};
      });
  if (scan) CHECK(scan->end.offset <= 512 * 1024);
  return 0;
}
