#include "common/admin/audit_trail.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "common/admin/waiting.h"
#include "common/text/escape.h"
#include "godwit/v1/audit_entry.pb.h"

namespace godwit::admin {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kTextBytesMax = 1024;

std::string encode(const AuditEntry& entry) {
  godwit::v1::AuditEntry message;
  message.set_version(kVersion);
  message.set_time_unix_ms(to_unix_ms(entry.time));
  message.set_actor(entry.actor);
  message.set_client(text::printable(entry.client, kTextBytesMax));
  message.set_node(entry.node);
  message.set_action(entry.action);
  message.set_subject(entry.subject);
  message.set_reason(text::printable(entry.reason, kTextBytesMax));
  message.set_failure(text::printable(entry.failure, kTextBytesMax));
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < entry.changes.size(); ++i) {
    std::string text = text::printable(entry.changes[i], kTextBytesMax);
    bytes += text.size();
    if (bytes > AuditTrail::kEntryBytesMax) {
      message.add_changes(fmt::format("and {} more", entry.changes.size() - i));
      break;
    }
    message.add_changes(std::move(text));
  }
  return message.SerializeAsString();
}

AuditEntry decode(const log::Record& record) {
  godwit::v1::AuditEntry message;
  if (!message.ParseFromString(record.value.to_string()) || message.version() > kVersion)
    return {.time = record.time, .actor = record.key, .action = "cannot be read"};
  return {.time = from_unix_ms(message.time_unix_ms()),
          .actor = message.actor(),
          .client = message.client(),
          .node = message.node(),
          .action = message.action(),
          .subject = message.subject(),
          .changes = {message.changes().begin(), message.changes().end()},
          .reason = message.reason(),
          .failure = message.failure()};
}

}  // namespace

AuditTrail::AuditTrail(log::Log& log, const Clock& clock, std::string node)
    : log_(log), clock_(clock), node_(std::move(node)), producer_(log.producer()) {}

Result<void> AuditTrail::write(AuditEntry entry) {
  entry.time = clock_.now();
  entry.node = node_;
  entry.actor = text::printable(entry.actor, 200);
  const auto partition = static_cast<log::PartitionId>(std::hash<std::string>{}(entry.actor) %
                                                       log_.partitions(log::Topic::kAudit));
  std::vector<log::Append> records;
  records.push_back({.where = {log::Topic::kAudit, partition},
                     .key = entry.actor,
                     .value = Rope(Bytes::adopt(encode(entry))),
                     .refers_to = {}});
  TRY_VOID(await_log(
      [&](log::WriteDone done) { producer_->append(std::move(records), std::move(done)); },
      kPatience));
  return {};
}

Result<AuditLog> AuditTrail::list(Timestamp since, std::size_t entries_max) {
  AuditLog found;
  // A heap whose front is the oldest entry kept.
  const auto newer = [](const AuditEntry& a, const AuditEntry& b) { return a.time > b.time; };
  TRY_VOID(log_.history(log::Topic::kAudit, since, [&](const log::HistoryRecord& at) {
    AuditEntry entry = decode(at.record);
    if (entry.time < since) return true;
    ++found.total;
    found.entries.push_back(std::move(entry));
    std::ranges::push_heap(found.entries, newer);
    if (found.entries.size() > entries_max) {
      std::ranges::pop_heap(found.entries, newer);
      found.entries.pop_back();
    }
    return true;
  }));
  std::ranges::sort(found.entries, newer);
  return found;
}

}  // namespace godwit::admin
