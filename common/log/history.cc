#include "common/log/history.h"

#include <unordered_map>

#include "common/log/counters.h"
#include "common/log/partition_reader.h"
#include "common/log/table_state.h"

namespace godwit::log {
namespace {

constexpr std::size_t kRecordsAtOnce = 256;
constexpr std::size_t kBytesAtOnce = 4 << 20;

}  // namespace

Result<void> visit_topic(const Archive& archive, const PartitionTable& partitions, Topic topic,
                         Timestamp since, const VisitHistory& visit) {
  std::unordered_map<PartitionId, Offset> next;  // behind what the archive had
  bool more = true;
  TRY_VOID(archive.visit(
      topic, since,
      [&](const HistoryRecord& record) {
        next[record.where.partition] = record.record.offset + 1;
        return visit(record);
      },
      more));
  Counters counters;  // a tool's reads are not a reader's
  for (PartitionId partition = 0; more && partition < partitions.count(topic); ++partition) {
    const TopicPartition where{topic, partition};
    PartitionLog& log = partitions.at(where);
    const Offset end = log.durable_end();
    PartitionReader reader(log, counters, next[partition]);
    while (more && reader.next() < end) {
      if (const auto behind = log.hole_end(reader.next())) {  // `dead` has what was there
        reader.skip_to(*behind);
        continue;
      }
      TRY(const std::vector<Record> records, reader.take(kRecordsAtOnce, kBytesAtOnce));
      if (records.empty()) break;
      for (const Record& record : records) {
        if (record.offset >= end || record.time < since) continue;
        more = visit({where, record});
        if (!more) break;
      }
    }
  }
  return {};
}

bool visit_row(Topic topic, std::string_view row, std::string_view value,
               const VisitHistory& visit) {
  const std::size_t prefix_bytes = table_prefix({topic, 0}).size();
  if (row.size() < prefix_bytes) return true;
  TopicPartition where{topic, 0};
  for (const char octet : row.substr(1, prefix_bytes - 1)) {
    where.partition = where.partition << 8 | static_cast<unsigned char>(octet);
  }
  return visit({where,
                {.offset = 0,
                 .time = {},
                 .key = std::string(row.substr(prefix_bytes)),
                 .value = Rope(Bytes::copy_of(value))}});
}

Result<void> visit_rows(const store::Store& store, Topic topic, const VisitHistory& visit) {
  const std::string prefix(1, static_cast<char>(topic));
  const auto scanned = store.scan(store::Space::kTables, prefix, prefix_end(prefix),
                                  [&](std::string_view row, std::string_view value) {
                                    return visit_row(topic, row, value, visit);
                                  });
  if (!scanned) return fail(from_store(scanned.error()));
  return {};
}

}  // namespace godwit::log
