#include "common/accounting/event_query.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "common/record/records.h"
#include "common/text/idna.h"

namespace godwit::accounting {
namespace {

constexpr std::size_t kTakeRecords = 64;
constexpr std::size_t kTakeBytes = 1 << 20;
constexpr std::chrono::milliseconds kLookUp{
    250};  // how often `cancelled` is asked while nothing comes

bool is_recipient(std::string_view wanted, std::string_view recipient) {
  if (!wanted.starts_with('@')) return text::equals_ignoring_case(wanted, recipient);
  const std::size_t at = recipient.rfind('@');
  return at != std::string_view::npos && text::equals_ignoring_case(wanted, recipient.substr(at));
}

// Wakes the thread that follows. Shared with the log, which may call after that thread has gone.
class Bell {
 public:
  void ring() {
    {
      const std::lock_guard lock(mutex_);
      rung_ = true;
    }
    wake_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kLookUp, [&] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool rung_ = false;
};

class EventReading {
 public:
  EventReading(log::Log& log, const EventQuery& query, const VisitEvent& visit,
               const std::function<bool()>& cancelled)
      : log_(log), query_(query), visit_(visit), cancelled_(cancelled) {}

  Result<void> run() {
    // Where following begins: at the end as it is now, or behind what the history still brings.
    for (log::PartitionId p = 0; p < log_.partitions(log::Topic::kEvents); ++p) {
      next_.push_back(log_.end({log::Topic::kEvents, p}));
    }
    if (!query_.only_new) TRY_VOID(retained());
    if (!query_.follow || enough_) return {};
    return follow();
  }

 private:
  Result<void> retained() {
    return log_.history(log::Topic::kEvents, query_.since, [&](const log::HistoryRecord& at) {
      log::Offset& next = next_.at(at.where.partition);
      next = std::max(next, at.record.offset + 1);
      return take(at.where.partition, at.record);
    });
  }

  Result<void> follow() {
    std::vector<std::unique_ptr<log::Reader>> readers;
    for (log::PartitionId p = 0; p < next_.size(); ++p) {
      TRY(auto reader, log_.read_from({log::Topic::kEvents, p}, next_[p]));
      readers.push_back(std::move(reader));
    }
    const auto bell = std::make_shared<Bell>();
    while (!enough_ && !cancelled_()) {
      bool idle = true;
      for (log::PartitionId p = 0; p < readers.size() && !enough_; ++p) {
        TRY(const auto records, readers[p]->take(kTakeRecords, kTakeBytes));
        idle = idle && records.empty();
        for (const log::Record& record : records) {
          if (!take(p, record)) break;
        }
      }
      if (!idle) continue;
      for (auto& reader : readers) reader->when_ready([bell] { bell->ring(); });
      bell->wait();
    }
    return {};
  }

  // False: enough.
  bool take(log::PartitionId partition, const log::Record& record) {
    if (record.time < query_.since) return true;
    const auto event = record::decode_event(record.value);
    if (!event || !query_.matches(*event)) {
      if (++passed_over_ % kTakeRecords == 0 && cancelled_()) enough_ = true;
      return !enough_;
    }
    enough_ = cancelled_() || !visit_({partition, record.offset, *event});
    return !enough_;
  }

  log::Log& log_;
  const EventQuery& query_;
  const VisitEvent& visit_;
  const std::function<bool()>& cancelled_;
  std::vector<log::Offset> next_;  // of each partition
  std::uint64_t passed_over_ = 0;
  bool enough_ = false;
};

}  // namespace

bool EventQuery::matches(const record::Event& event) const {
  const v1::Event& head = event.head;
  if (!types.empty() && std::ranges::find(types, static_cast<int>(head.type())) == types.end()) {
    return false;
  }
  if (!tenant.empty() && tenant != head.tenant()) return false;
  if (message && message->octets() != head.message_id()) return false;
  if (!site.empty() && site != head.site()) return false;
  return recipient.empty() || is_recipient(recipient, event.addresses.recipient());
}

Result<void> read_events(log::Log& log, const EventQuery& query, const VisitEvent& visit,
                         const std::function<bool()>& cancelled) {
  return EventReading(log, query, visit, cancelled).run();
}

}  // namespace godwit::accounting
