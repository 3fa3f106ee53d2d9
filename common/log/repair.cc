#include "common/log/repair.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/log/identity.h"
#include "common/log/recovery.h"

namespace godwit::log {
namespace {

constexpr std::size_t kPartBytes = 256 * 1024;

Error as_log_error(const Error& error) {
  const bool full = error.code == store::Errc::kNoSpace;
  return {full ? Errc::kNoSpace : Errc::kIo, error.to_string()};
}

class NoSink final : public ReplaySink {
 public:
  Result<void> change(const TableChange&) override { return {}; }
  Result<void> position(std::string_view, const PositionChange&) override { return {}; }
  Result<void> batch_end() override { return {}; }
};

class Repair {
 public:
  Repair(store::FileSystem& files, Layout layout, const Identity& identity,
         store::FileSystem* store_files, const EncodeUnreadable& encode)
      : files_(files),
        layout_(std::move(layout)),
        identity_(identity),
        store_files_(store_files),
        encode_(encode) {}

  Result<std::vector<Unreadable>> run() {
    auto opened = store::Store::open({.directory = layout_.tables, .file_system = store_files_});
    if (!opened) {
      return fail(Errc::kCorrupt, "the tables do not open: " + opened.error().to_string());
    }
    store_ = *std::move(opened);
    TRY(stored_, read_stored_state(*store_));
    while (true) {
      StreamPosition damage;
      auto scanned = scan(damage);
      if (scanned) return std::move(found_);
      const bool again = !found_.empty() && damage <= found_.back().from;
      if (scanned.error().code != Errc::kCorrupt || damage.segment == 0 || again) {
        return fail(std::move(scanned).error());
      }
      TRY_VOID(mend(damage, scanned.error().context));
    }
  }

 private:
  Result<Scan> scan(StreamPosition& damage) {
    PartitionTable partitions(identity_.partitions);
    NoSink sink;
    return recover({.files = files_,
                    .directory = layout_.segments,
                    .capacity = identity_.segment_bytes,
                    .checkpoint = stored_.checkpoint,
                    .needed_from = stored_.needed_from,
                    .verify_from = {},
                    .writes = false,
                    .damage = &damage},
                   stored_, partitions, sink);
  }

  // The segment of that number, opened for writing; nullptr: there is none.
  Result<std::unique_ptr<Segment>> open_segment(std::uint64_t number) {
    const auto names = files_.list(layout_.segments);
    if (!names) return fail(as_log_error(names.error()));
    for (const std::string& name : *names) {
      auto file = files_.open(layout_.segments / name, store::Mode::kWrite);
      if (!file) return fail(as_log_error(file.error()));
      std::string page(kPageBytes, '\0');
      const auto count = (*file)->read(0, page);
      if (!count) return fail(as_log_error(count.error()));
      SegmentHeader header;
      if (decode_segment_header(page, header) != SegmentState::kInUse || header.segment != number) {
        continue;
      }
      auto segment = std::make_unique<Segment>();
      segment->number = number;
      segment->nonce = header.nonce;
      segment->capacity = header.capacity;
      segment->file_name = name;
      segment->file = *std::move(file);
      return segment;
    }
    return nullptr;
  }

  Result<void> mend(StreamPosition damage, const std::string& cause) {
    TRY(const auto segment, open_segment(damage.segment));
    if (!segment) return fail(Errc::kCorrupt, cause);
    TRY(const std::uint32_t end, end_of_damage(*segment, damage.offset));
    found_.push_back({segment->file_name, damage, end - damage.offset, cause});
    TRY_VOID(keep(*segment, found_.back()));
    TRY(const StreamPosition mark, mark_before(*segment, damage.offset));
    return write_gap(*segment, damage.offset, end, mark);
  }

  // Where the next batch that can be read begins, or the segment's part that was synced ends.
  Result<std::uint32_t> end_of_damage(const Segment& segment, std::uint32_t from) {
    std::string buffer;
    BatchHeader header;
    TRY(const Decoded here, read_batch_header(segment, from, header, buffer));
    // A batch with a header says itself how long it is.
    if (here == Decoded::kOk) {
      return std::min<std::uint32_t>(from + header.length_padded(), segment.capacity);
    }
    for (std::uint32_t at = from + kPageBytes; at < segment.capacity; at += kPageBytes) {
      TRY(const Decoded decoded, read_batch_header(segment, at, header, buffer));
      if (decoded == Decoded::kOk) return at;
    }
    std::uint32_t end = from + kPageBytes;
    if (stored_.checkpoint.segment == segment.number)
      end = std::max(end, stored_.checkpoint.offset);
    TRY(const auto next, open_segment(segment.number + 1));
    if (next) {
      TRY(const Decoded decoded, read_batch_header(*next, kPageBytes, header, buffer));
      if (decoded == Decoded::kOk && header.synced.segment == segment.number) {
        end = std::max(end, header.synced.offset);
      }
    }
    return std::min(end, segment.capacity);
  }

  Result<void> keep(const Segment& segment, const Unreadable& unreadable) {
    std::string octets(unreadable.bytes, '\0');
    const auto count = segment.file->read(unreadable.from.offset, octets);
    if (!count) return fail(as_log_error(count.error()));
    octets.resize(*count);
    store::StoreBatch rows(*store_);
    for (std::size_t at = 0, part = 0; at < octets.size(); at += kPartBytes, ++part) {
      const std::string key = fmt::format("repair/{:016x}/{:08x}/{:04}", unreadable.from.segment,
                                          unreadable.from.offset, part);
      rows.put(store::Space::kTables, table_prefix({Topic::kDead, 0}) + key,
               encode_(unreadable, std::string_view(octets).substr(at, kPartBytes)));
    }
    auto kept = store_->write(rows);
    if (kept) kept = store_->flush();
    if (!kept) return fail(from_store(kept.error()));
    return {};
  }

  // The first batch of a segment says where the one before ends.
  Result<StreamPosition> mark_before(const Segment& segment, std::uint32_t offset) {
    if (offset > kPageBytes) return StreamPosition{segment.number, offset};
    TRY(const auto before, open_segment(segment.number - 1));
    if (!before) return StreamPosition{};
    std::string buffer;
    BatchHeader header;
    while (before->end < before->capacity) {
      TRY(const Decoded decoded, read_batch_header(*before, before->end, header, buffer));
      if (decoded != Decoded::kOk) break;
      before->end += header.length_padded();
    }
    return before->position();
  }

  Result<void> write_gap(const Segment& segment, std::uint32_t from, std::uint32_t end,
                         StreamPosition mark) {
    for (std::uint32_t at = from; at < end; at += kPageBytes) {
      const BatchHeader gap{.nonce = segment.nonce,
                            .position = {segment.number, at},
                            .length = batch_header_bytes(0),
                            .synced = mark,
                            .oldest_reference = segment.number,
                            .flags = kBatchGap};
      std::string page = encode_batch_header(gap);
      page.resize(kPageBytes);
      const std::string_view piece = page;
      if (const auto written = segment.file->write(at, std::span(&piece, 1)); !written) {
        return fail(as_log_error(written.error()));
      }
    }
    if (const auto synced = segment.file->sync(); !synced)
      return fail(as_log_error(synced.error()));
    return {};
  }

  store::FileSystem& files_;
  const Layout layout_;
  const Identity identity_;
  store::FileSystem* const store_files_;
  const EncodeUnreadable& encode_;
  std::unique_ptr<store::Store> store_;
  StoredState stored_;
  std::vector<Unreadable> found_;
};

}  // namespace

Result<std::vector<Unreadable>> repair(const EmbeddedConfig& config,
                                       const EncodeUnreadable& encode) {
  store::FileSystem& files =
      config.file_system != nullptr ? *config.file_system : store::posix_file_system();
  const Layout layout(config.directory);
  const auto held = files.lock(layout.lock, /*shared=*/false);
  if (!held) {
    const bool locked = held.error().code == store::Errc::kLocked;
    return fail(locked ? Errc::kUnavailable : Errc::kIo, held.error().to_string());
  }
  TRY(const std::optional<Identity> identity, read_identity(files, layout.root));
  if (!identity) return fail(Errc::kNotFound, "no log in " + config.directory.string());
  return Repair(files, layout, *identity, config.file_system, encode).run();
}

}  // namespace godwit::log
