#include "common/log/segment_scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/crc32c.h"

namespace godwit::log {
namespace {

Error as_log_error(const Error& error) {
  return {Errc::kIo, error.to_string()};
}

Error corrupt(const Segment& segment, std::uint32_t offset, std::string_view what) {
  return {Errc::kCorrupt,
          fmt::format("{}: {}: {}", segment.file_name, to_string({segment.number, offset}), what)};
}

class Scanner {
 public:
  Scanner(const ScanOptions& options, const VisitBatch& visit) : options_(options), visit_(visit) {}

  Result<Scan> run() {
    TRY_VOID(open_files());
    TRY_VOID(order_segments());
    TRY_VOID(drop_empty_tail());
    for (std::size_t i = 0; i < scan_.live.size(); ++i) TRY_VOID(scan_segment(i));
    if (scan_.end < options_.checkpoint) {
      return fail(Errc::kCorrupt,
                  fmt::format("the log ends at {}, but the tables reflect it up to {}",
                              to_string(scan_.end), to_string(options_.checkpoint)));
    }
    TRY_VOID(free_dropped());
    return std::move(scan_);
  }

 private:
  Result<void> open_files() {
    const auto names = options_.files.list(options_.directory);
    if (!names) return fail(as_log_error(names.error()));
    for (const std::string& name : *names) {
      if (name.ends_with(".segment")) TRY_VOID(open_file(name));
    }
    return {};
  }

  Result<void> open_file(const std::string& name) {
    const std::filesystem::path path = options_.directory / name;
    auto file =
        options_.files.open(path, options_.writes ? store::Mode::kWrite : store::Mode::kRead);
    if (!file) return fail(as_log_error(file.error()));
    std::string page(kPageBytes, '\0');
    const auto count = (*file)->read(0, page);
    if (!count) return fail(as_log_error(count.error()).within(name));
    const auto size = (*file)->size();
    if (!size) return fail(as_log_error(size.error()).within(name));

    SegmentHeader header;
    switch (decode_segment_header(page, header)) {
      case SegmentState::kDamaged:
        return fail(Errc::kCorrupt, name + ": the segment's header cannot be read");
      case SegmentState::kFree:
        free_.emplace_back(FreeSegment{name, *std::move(file)}, *size);
        return {};
      case SegmentState::kInUse: break;
    }
    auto segment = std::make_shared<Segment>();
    segment->number = header.segment;
    segment->nonce = header.nonce;
    segment->capacity = header.capacity;
    segment->file_name = name;
    segment->file = *std::move(file);
    used_.push_back(std::move(segment));
    return {};
  }

  // One segment a number, no number missing.
  Result<void> order_segments() {
    std::ranges::sort(used_, {}, &Segment::number);
    for (const auto& segment : used_) {
      if (!scan_.live.empty() && scan_.live.back()->number == segment->number) {
        // Begun twice, because the first write into one of them failed: that one has no batch.
        TRY(const bool first_used, has_first_batch(*scan_.live.back()));
        TRY(const bool second_used, has_first_batch(*segment));
        if (first_used && second_used) {
          return fail(corrupt(*segment, 0, "the number of " + scan_.live.back()->file_name));
        }
        dropped_.push_back(first_used ? segment : scan_.live.back());
        if (!first_used) scan_.live.back() = segment;
        continue;
      }
      if (!scan_.live.empty() && scan_.live.back()->number + 1 != segment->number) {
        return fail(Errc::kCorrupt,
                    fmt::format("segment {} is missing", scan_.live.back()->number + 1));
      }
      scan_.live.push_back(segment);
    }
    if (!scan_.live.empty() && options_.needed_from != 0 &&
        scan_.live.front()->number > options_.needed_from) {
      return fail(Errc::kCorrupt, fmt::format("segment {} is missing", options_.needed_from));
    }
    return {};
  }

  Result<bool> has_first_batch(const Segment& segment) {
    BatchHeader header;
    TRY(const Decoded decoded, read_batch_header(segment, kPageBytes, header, buffer_));
    return decoded == Decoded::kOk;
  }

  // A segment whose first batch never reached the disk was begun and not used.
  Result<void> drop_empty_tail() {
    while (!scan_.live.empty()) {
      const auto& last = scan_.live.back();
      TRY(const bool used, has_first_batch(*last));
      if (used) return {};
      TRY(const StreamPosition mark, highest_mark(*last, kPageBytes));
      if (std::max(mark, options_.checkpoint) > StreamPosition{last->number, kPageBytes}) {
        return fail(unreadable(*last, kPageBytes, "the first one"));
      }
      dropped_.push_back(last);
      scan_.live.pop_back();
    }
    return {};
  }

  // The highest position that any batch header at `from` or behind it says was synced.
  Result<StreamPosition> highest_mark(const Segment& segment, std::uint32_t from) {
    StreamPosition highest;
    BatchHeader header;
    for (std::uint32_t at = from; at + kPageBytes <= segment.capacity; at += kPageBytes) {
      TRY(const Decoded decoded, read_batch_header(segment, at, header, buffer_));
      if (decoded != Decoded::kNone) scan_.clean = false;
      if (decoded == Decoded::kOk) highest = std::max(highest, header.synced);
    }
    return highest;
  }

  Error unreadable(const Segment& segment, std::uint32_t offset, std::string_view what) {
    if (options_.damage != nullptr) *options_.damage = {segment.number, offset};
    return corrupt(segment, offset,
                   fmt::format("a batch that was synced cannot be read: {}", what));
  }

  // Where the segment ends, when a later one says so: what was synced before its first batch was written.
  Result<std::optional<std::uint32_t>> end_by_successor(std::size_t index) {
    if (index + 1 == scan_.live.size()) return std::nullopt;
    const Segment& segment = *scan_.live[index];
    const Segment& next = *scan_.live[index + 1];
    BatchHeader header;
    TRY(const Decoded decoded, read_batch_header(next, kPageBytes, header, buffer_));
    if (decoded != Decoded::kOk) {
      return fail(unreadable(next, kPageBytes, "the first one"));
    }
    if (header.synced.segment < segment.number)
      return kPageBytes;  // its sync failed: nothing counts
    if (header.synced.segment > segment.number || header.synced.offset > segment.capacity) {
      return fail(corrupt(next, kPageBytes, "it says that more was synced than was written"));
    }
    return header.synced.offset;
  }

  Result<void> scan_segment(std::size_t index) {
    const std::shared_ptr<Segment>& segment = scan_.live[index];
    TRY(const std::optional<std::uint32_t> known_end, end_by_successor(index));
    const bool last = !known_end;
    BatchHeader header;
    while (last ? segment->end + kPageBytes <= segment->capacity : segment->end < *known_end) {
      TRY(const Decoded decoded, read_batch_header(*segment, segment->end, header, buffer_));
      if (decoded != Decoded::kOk ||
          std::uint64_t{segment->end} + header.length > segment->capacity) {
        if (last) return end_of_log(*segment, "its header");
        return fail(unreadable(*segment, segment->end, "its header"));
      }
      const bool whole = last || header.position >= options_.verify_from;
      Result<std::string> octets;
      if (whole) {
        octets = read_batch(*segment, header);
        if (!octets && octets.error().code == Errc::kCorrupt && last) {
          return end_of_log(*segment, octets.error().context);
        }
        if (!octets && octets.error().code == Errc::kCorrupt) {
          return fail(unreadable(*segment, segment->end, octets.error().context));
        }
        if (!octets) return fail(octets.error());
      }
      TRY_VOID(check_sequence(*segment, header));
      segment->refer_to(header.oldest_reference);
      segment->content.add(header);
      segment->end += header.length_padded();
      scan_.end = segment->position();
      TRY_VOID(
          visit_(segment, header, whole ? std::optional<std::string_view>(*octets) : std::nullopt));
    }
    if (!last && segment->end != *known_end) {
      return fail(corrupt(*segment, *known_end, "batches do not end where they were synced to"));
    }
    return {};
  }

  // What lies at the end of the last segment is not a batch: torn, or corrupt?
  Result<void> end_of_log(const Segment& segment, std::string_view what) {
    const StreamPosition here = segment.position();
    TRY(const StreamPosition mark, highest_mark(segment, segment.end));
    if (std::max(mark, options_.checkpoint) > here) {
      return fail(unreadable(segment, segment.end, what));
    }
    return {};
  }

  Result<void> check_sequence(const Segment& segment, const BatchHeader& header) {
    const bool gap = (header.flags & kBatchGap) != 0;
    const bool free = std::exchange(first_, false) || after_gap_ || gap;
    after_gap_ = gap;
    if (!free && header.sequence != scan_.next_sequence) {
      return fail(corrupt(
          segment, segment.end,
          fmt::format("batch {} stands where {} should", header.sequence, scan_.next_sequence)));
    }
    if (!gap) scan_.next_sequence = header.sequence + 1;
    return {};
  }

  // Only now is anything changed: files that were begun and not used are free again.
  Result<void> free_dropped() {
    if (!options_.writes) return {};
    for (auto& [segment, size] : free_) {
      if (size == options_.capacity) {
        scan_.free.push_back(std::move(segment));
      } else {  // its zeros were being written when the process ended
        (void)options_.files.remove(options_.directory / segment.file_name);
      }
    }
    for (const auto& segment : dropped_) {
      const std::string page = encode_free_header();
      const std::string_view piece = page;
      auto freed = segment->file->write(0, std::span(&piece, 1));
      if (freed) freed = segment->file->sync();
      if (!freed) return fail(as_log_error(freed.error()).within(segment->file_name));
      scan_.free.push_back({segment->file_name, std::move(segment->file)});
    }
    return {};
  }

  const ScanOptions& options_;
  const VisitBatch& visit_;
  Scan scan_;
  std::vector<std::pair<FreeSegment, std::uint64_t>> free_;  // with the file's size
  std::vector<std::shared_ptr<Segment>> used_;
  std::vector<std::shared_ptr<Segment>> dropped_;
  std::string buffer_;
  bool first_ = true;
  bool after_gap_ = false;
};

}  // namespace

Result<Decoded> read_batch_header(const Segment& segment, std::uint32_t offset, BatchHeader& header,
                                  std::string& buffer) {
  std::size_t wanted = kPageBytes;
  while (true) {
    buffer.resize(wanted);
    const auto count = segment.file->read(offset, buffer);
    if (!count) return fail(as_log_error(count.error()).within(segment.file_name));
    const std::string_view octets(buffer.data(), *count);
    const Decoded decoded =
        decode_batch_header(octets, segment.nonce, {segment.number, offset}, header);
    if (decoded != Decoded::kNeedMore) return decoded;
    const std::size_t more = batch_header_bytes_wanted(octets);
    if (*count < buffer.size() || more <= wanted) return Decoded::kNone;  // the file ends here
    wanted = more;
  }
}

Result<std::string> read_batch(const Segment& segment, const BatchHeader& header) {
  std::string octets(header.length, '\0');
  const auto count = segment.file->read(header.position.offset, octets);
  if (!count) return fail(as_log_error(count.error()).within(segment.file_name));
  octets.resize(*count);
  for (const Run& run : header.runs) {
    if (run.offset + run.length > octets.size() ||
        crc32c(std::string_view(octets).substr(run.offset, run.length)) != run.crc) {
      return fail(corrupt(segment, header.position.offset,
                          fmt::format("records at {} do not have their checksum", run.offset)));
    }
  }
  return octets;
}

Result<Scan> scan_segments(const ScanOptions& options, const VisitBatch& visit) {
  return Scanner(options, visit).run();
}

}  // namespace godwit::log
