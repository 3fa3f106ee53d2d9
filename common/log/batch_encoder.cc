#include "common/log/batch_encoder.h"

#include <algorithm>
#include <array>

#include "common/base/check.h"
#include "common/base/crc32c.h"

namespace godwit::log {
namespace {

// Below this a copy is cheaper than one more piece of a vectored write.
constexpr std::size_t kCopiedValueBytes = 512;
constexpr std::array<char, kPageBytes> kPadding{};

std::uint64_t order_of(RunKind kind, TopicPartition where) {
  return std::uint64_t{static_cast<std::uint8_t>(kind)} << 40 |
         std::uint64_t{static_cast<std::uint8_t>(where.topic)} << 32 | where.partition;
}
RunKind kind_of(std::uint64_t order) {
  return static_cast<RunKind>(order >> 40);
}
TopicPartition where_of(std::uint64_t order) {
  return {static_cast<Topic>(order >> 32 & 0xff), static_cast<PartitionId>(order)};
}

std::size_t copied(std::size_t value_bytes) {
  return value_bytes <= kCopiedValueBytes ? value_bytes : 0;
}

}  // namespace

BatchEncoder::BatchEncoder(std::vector<WritePtr>& writes) {
  std::uint32_t arrival = 0;
  for (const WritePtr& write : writes) {
    const Batch& batch = write->batch;
    for (std::uint32_t i = 0; i < batch.appends.size(); ++i) {
      items_.push_back(
          {order_of(RunKind::kRecords, batch.appends[i].where), write.get(), i, arrival++});
    }
    for (std::uint32_t i = 0; i < batch.changes.size(); ++i) {
      items_.push_back(
          {order_of(RunKind::kChanges, batch.changes[i].where), write.get(), i, arrival++});
    }
    for (std::uint32_t i = 0; i < batch.positions.size(); ++i) {
      items_.push_back({order_of(RunKind::kPositions, {}), write.get(), i, arrival++});
    }
    record_count_ += batch.appends.size();
    change_count_ += batch.changes.size();
  }
  std::ranges::sort(items_, [](const Item& a, const Item& b) {
    return a.order != b.order ? a.order < b.order : a.arrival < b.arrival;
  });
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (i == 0 || items_[i].order != items_[i - 1].order) ++run_count_;
    length_ += bytes_of(items_[i]);
  }
  length_ += batch_header_bytes(run_count_);
}

std::size_t BatchEncoder::bytes_of(const Item& item) const {
  const Batch& batch = item.write->batch;
  switch (kind_of(item.order)) {
    case RunKind::kRecords: {
      const Append& append = batch.appends[item.index];
      return record_bytes(append.key.size(), append.value.size());
    }
    case RunKind::kChanges: {
      const TableChange& change = batch.changes[item.index];
      return record_bytes(change.key.size(), change.value ? change.value->size() : 0);
    }
    default: {
      std::string sized;
      encode_position(sized, item.write->group, batch.positions[item.index]);
      return sized.size();
    }
  }
}

void BatchEncoder::encode(const std::function<Offset&(TopicPartition)>& next_offset, Timestamp time,
                          std::uint64_t sequence, std::uint64_t oldest_reference) {
  CHECK(header_.length == 0, "a batch is encoded once");
  header_.length = static_cast<std::uint32_t>(length_);
  header_.time = time;
  header_.sequence = sequence;
  header_.oldest_reference = oldest_reference;
  header_.runs.reserve(run_count_);

  std::size_t buffer_bytes = 0;
  for (const Item& item : items_) {
    if (kind_of(item.order) == RunKind::kRecords) {
      const Append& append = item.write->batch.appends[item.index];
      buffer_bytes += record_bytes(append.key.size(), copied(append.value.size()));
    } else if (kind_of(item.order) == RunKind::kChanges) {
      const TableChange& change = item.write->batch.changes[item.index];
      buffer_bytes +=
          record_bytes(change.key.size(), change.value ? copied(change.value->size()) : 0);
    } else {
      buffer_bytes += bytes_of(item);
    }
  }
  // Pieces point into it: it must not move.
  buffer_.reserve(buffer_bytes);
  buffer_bytes_ = buffer_bytes;
  pieces_.push_back({});  // the header, once it is placed

  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (i == 0 || items_[i].order != items_[i - 1].order) {
      run_begin_.push_back(i);
      begin_run(items_[i], next_offset);
    }
    encode_item(items_[i]);
  }
  close_piece();
  CHECK(buffer_.size() == buffer_bytes_);

  // Checksums, run by run, over the pieces; a piece never crosses the end of a run.
  auto piece = pieces_.begin() + 1;
  for (Run& run : header_.runs) {
    std::uint32_t left = run.length;
    while (left > 0) {
      run.crc = crc32c(*piece, run.crc);
      CHECK(piece->size() <= left);
      left -= static_cast<std::uint32_t>(piece->size());
      ++piece;
    }
  }
  const std::uint64_t padding = bytes_padded() - length_;
  if (padding > 0) pieces_.emplace_back(kPadding.data(), padding);
}

void BatchEncoder::begin_run(const Item& item,
                             const std::function<Offset&(TopicPartition)>& next_offset) {
  close_piece();
  Run run;
  run.kind = kind_of(item.order);
  if (run.kind != RunKind::kPositions) {
    run.where = where_of(item.order);
    run.first = next_offset(run.where);
  }
  run.offset = header_.runs.empty() ? batch_header_bytes(run_count_)
                                    : header_.runs.back().offset + header_.runs.back().length;
  header_.runs.push_back(run);
  // Offsets are given here, so that encode_item() only counts.
  std::size_t count = 0;
  for (const Item* at = &item; at != items_.data() + items_.size() && at->order == item.order;
       ++at) {
    ++count;
  }
  header_.runs.back().count = static_cast<std::uint32_t>(count);
  if (run.kind != RunKind::kPositions) next_offset(run.where) += static_cast<Offset>(count);
}

void BatchEncoder::encode_item(const Item& item) {
  Run& run = header_.runs.back();
  run.length += static_cast<std::uint32_t>(bytes_of(item));
  Batch& batch = item.write->batch;
  if (run.kind == RunKind::kRecords) {
    const Append& append = batch.appends[item.index];
    item.write->offsets.resize(batch.appends.size());
    item.write->offsets[item.index] =
        run.first + static_cast<Offset>(&item - &items_[run_begin_.back()]);
    encode_record_head(buffer_, append.key, append.value.size(), /*tombstone=*/false);
    buffer_.append(append.key);
    encode_value(append.value);
  } else if (run.kind == RunKind::kChanges) {
    const TableChange& change = batch.changes[item.index];
    encode_record_head(buffer_, change.key, change.value ? change.value->size() : 0,
                       /*tombstone=*/!change.value);
    buffer_.append(change.key);
    if (change.value) encode_value(*change.value);
  } else {
    encode_position(buffer_, item.write->group, batch.positions[item.index]);
  }
}

void BatchEncoder::encode_value(const Rope& value) {
  if (value.size() <= kCopiedValueBytes) {
    for (const Bytes& piece : value.pieces()) buffer_.append(piece.view());
    return;
  }
  close_piece();
  for (const Bytes& piece : value.pieces()) pieces_.push_back(piece.view());
}

void BatchEncoder::close_piece() {
  if (buffer_.size() > piece_begin_) {
    pieces_.push_back(std::string_view(buffer_).substr(piece_begin_));
  }
  piece_begin_ = buffer_.size();
}

const std::vector<std::string_view>& BatchEncoder::place(StreamPosition position,
                                                         std::uint64_t nonce,
                                                         StreamPosition synced) {
  header_.position = position;
  header_.nonce = nonce;
  header_.synced = synced;
  head_ = encode_batch_header(header_);
  pieces_.front() = head_;
  return pieces_;
}

std::vector<Record> BatchEncoder::records_of(const Run& run, bool move) {
  const auto index = static_cast<std::size_t>(&run - header_.runs.data());
  CHECK(index < run_begin_.size() && run.kind == RunKind::kRecords);
  std::vector<Record> records;
  records.reserve(run.count);
  for (std::uint32_t i = 0; i < run.count; ++i) {
    const Item& item = items_[run_begin_[index] + i];
    Append& append = item.write->batch.appends[item.index];
    Record record{.offset = run.first + i, .time = header_.time, .key = {}, .value = {}};
    if (move) {
      record.key = std::move(append.key);
      record.value = std::move(append.value);
    } else {
      record.key = append.key;
      record.value = append.value;
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace godwit::log
