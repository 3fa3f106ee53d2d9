#include "common/audit/audit.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/accounting/dead_list.h"
#include "common/audit/errc.h"
#include "common/audit/salvage.h"
#include "common/base/clock.h"
#include "common/record/keys.h"
#include "common/record/records.h"

namespace godwit::audit {
namespace {

constexpr std::uint32_t kLivePasses = 3;
constexpr std::uint64_t kProgressEvery = 1 << 14;  // records

std::optional<Ending> ending_of(v1::EventType type) {
  switch (type) {
    case v1::DELIVERED: return Ending::kDelivered;
    case v1::BOUNCED: return Ending::kBounced;
    case v1::EXPIRED: return Ending::kExpired;
    case v1::SUPPRESSED: return Ending::kSuppressed;
    case v1::CANCELLED: return Ending::kCancelled;
    default: return std::nullopt;
  }
}

// What a sender has finished beyond its committed offsets (`!position`).
class Finished {
 public:
  void add(log::PartitionId partition, const v1::FinishedPositions& positions) {
    for (const auto& topic : positions.topics()) {
      Runs& runs = runs_[{static_cast<log::Topic>(topic.topic()), partition}];
      const int count = std::min(topic.run_first_size(), topic.run_length_size());
      for (int i = 0; i < count; ++i) runs[topic.run_first(i)] = topic.run_length(i);
    }
  }

  [[nodiscard]] bool contains(const log::TopicPartition& where, log::Offset offset) const {
    const auto found = runs_.find(where);
    if (found == runs_.end()) return false;
    auto run = found->second.upper_bound(offset);
    if (run == found->second.begin()) return false;
    --run;
    return offset - run->first < run->second;
  }

 private:
  using Runs = std::map<log::Offset, std::int64_t>;  // first of a run: its length
  std::map<log::TopicPartition, Runs> runs_;
};

// One reading of the log into one ledger.
class Reading {
 public:
  Reading(log::Log& log, const AuditOptions& options)
      : log_(log), options_(options), ledger_(options.limits) {}

  Result<Report> run() {
    TRY_VOID(killers());
    for (const auto topic : {log::Topic::kAcceptedUrgent, log::Topic::kAccepted}) {
      TRY_VOID(accepted(topic));
    }
    TRY_VOID(finished());
    for (const auto topic : {log::Topic::kOutboundUrgent, log::Topic::kOutbound}) {
      TRY_VOID(outbound(topic));
    }
    TRY_VOID(parked());
    TRY_VOID(dead());
    TRY_VOID(events());
    if (!progress("settling")) return fail(Errc::kCancelled);
    return std::move(ledger_).settle();
  }

 private:
  using Positions = std::vector<log::Offset>;

  // Taken before the topic is read: what moves meanwhile still counts as pending here, and is met again below.
  Result<Positions> positions(std::string_view group, log::Topic topic) {
    Positions positions;
    for (log::PartitionId p = 0; p < log_.partitions(topic); ++p) {
      TRY(auto next, log_.committed(group, {topic, p}));
      positions.push_back(next);
    }
    return positions;
  }

  // Records that killed whoever decoded them are still in their topics, and this is a process too.
  Result<void> killers() {
    return accounting::visit_dead(log_, [this](const accounting::DeadEntry& entry) {
      if (entry.dead && entry.dead->head.crashes() > 0) {
        const v1::DeadRecord& head = entry.dead->head;
        killers_.insert({{static_cast<log::Topic>(head.topic()), head.partition()}, head.offset()});
      }
      return true;
    });
  }
  [[nodiscard]] bool is_killer(const log::HistoryRecord& at) const {
    return killers_.contains({at.where, at.record.offset});
  }

  // Who was promised is all that is taken from it; `dead` says the rest.
  Result<void> accepted_killer(const Rope& value) {
    const Bytes octets = value.flatten();
    const Salvaged salvaged = salvage(octets.view());
    if (!salvaged.message || salvaged.recipients.empty()) return unreadable();
    for (const std::uint32_t index : salvaged.recipients) {
      TRY_VOID(ledger_.accepted({*salvaged.message, index}));
    }
    return {};
  }

  Result<void> accepted(log::Topic topic) {
    TRY(const auto routed, positions("router", topic));
    return read(topic, [&](const log::HistoryRecord& at) -> Result<void> {
      if (is_killer(at)) return accepted_killer(at.record.value);
      const auto message = record::decode_message(at.record.value);
      if (!message) return unreadable();
      const bool unrouted = at.record.offset >= routed.at(at.where.partition);
      for (const auto& recipient : message->envelope.recipients()) {
        const RecipientId id{message->message_id(), recipient.index()};
        TRY_VOID(ledger_.accepted(id));
        if (unrouted) TRY_VOID(ledger_.pending(id, Stage::kUnrouted));
      }
      return {};
    });
  }

  Result<void> finished() {
    return read(log::Topic::kRetries, [&](const log::HistoryRecord& at) -> Result<void> {
      if (at.record.key != record::kPositionKey) return {};
      const Bytes value = at.record.value.flatten();
      const auto positions = record::decode_finished_positions(value.view());
      if (!positions) return unreadable();
      finished_.add(at.where.partition, *positions);
      return {};
    });
  }

  Result<void> outbound(log::Topic topic) {
    TRY(const auto taken, positions("sender", topic));
    return read(topic, [&](const log::HistoryRecord& at) -> Result<void> {
      if (at.record.offset < taken.at(at.where.partition)) return {};
      if (finished_.contains(at.where, at.record.offset)) return {};
      if (is_killer(at)) return {};  // `dead` says whose it is
      const auto delivery = record::decode_delivery(at.record.value);
      // The sender, when it gets there, moves what it cannot read to `dead`.
      if (!delivery) return held_unread(at.record.value, {});
      return pending(*delivery, Stage::kOutbound);
    });
  }

  Result<void> parked() {
    return read(log::Topic::kRetries, [&](const log::HistoryRecord& at) -> Result<void> {
      const auto id = record::delivery_of_key(at.record.key);
      if (!id) return {};
      const auto delivery = record::decode_delivery(at.record.value);
      if (delivery) return pending(*delivery, Stage::kParked);
      // Not understood, and not lost either: whoever it names is in there.
      return held_unread(at.record.value, at.record.key);
    });
  }

  Result<void> dead() {
    if (!progress(log::topic_name(log::Topic::kDead))) return fail(Errc::kCancelled);
    Result<void> taken;
    TRY_VOID(accounting::visit_dead(log_, [&](const accounting::DeadEntry& entry) {
      ++records_;
      taken = entry.dead ? dead(*entry.dead) : unreadable();
      return taken.has_value();
    }));
    return taken;
  }

  Result<void> dead(const record::Dead& dead) {
    // What killed the process that decoded it is not decoded here either.
    if (dead.head.crashes() > 0) return held_undecoded(dead);
    switch (static_cast<log::Topic>(dead.head.topic())) {
      case log::Topic::kAccepted:
      case log::Topic::kAcceptedUrgent:
        if (const auto message = record::decode_message(dead.value)) return held(*message);
        break;
      case log::Topic::kOutbound:
      case log::Topic::kOutboundUrgent:
      case log::Topic::kRetries:
        if (const auto delivery = record::decode_delivery(dead.value)) return held(*delivery);
        break;
      default: return {};  // holds no recipient of ours
    }
    return held_unread(dead.value, dead.head.key());
  }

  // The message is known without looking into the envelope: all of it is held that nothing else
  // says more about.
  Result<void> held_undecoded(const record::Dead& dead) {
    const Bytes octets = dead.value.flatten();
    auto message = salvage_message(octets.view());
    if (!message) message = message_of_key(dead.head.key());
    return message ? ledger_.held_all(*message) : unreadable();
  }

  Result<void> events() {
    return read(log::Topic::kEvents, [&](const log::HistoryRecord& at) -> Result<void> {
      const auto event = record::decode_event(at.record.value);
      if (!event) return unreadable();
      const v1::Event& head = event->head;
      const auto message = MessageId::from_octets(head.message_id());
      const auto ending = ending_of(head.type());
      if (!message || !ending) return {};
      if (head.late()) {
        ledger_.late_bounce();
        return {};
      }
      return ledger_.ended({*message, head.index()}, {.ending = *ending,
                                                      .attempt = head.attempt(),
                                                      .origin = head.node(),
                                                      .time = from_unix_ms(head.time_unix_ms())});
    });
  }

  // Recipients that wait for an operator are held, wherever they are.
  Result<void> pending(const record::Delivery& delivery, Stage stage) {
    for (const auto& recipient : delivery.envelope.recipients()) {
      if (recipient.held() != 0) {
        TRY_VOID(ledger_.held({delivery.message_id(), recipient.index()}));
        continue;
      }
      TRY_VOID(ledger_.pending({delivery.message_id(), recipient.index()}, stage));
    }
    return {};
  }

  template <class Carrier>
  Result<void> held(const Carrier& carrier) {
    for (const auto& recipient : carrier.envelope.recipients()) {
      TRY_VOID(ledger_.held({carrier.message_id(), recipient.index()}));
    }
    return {};
  }

  // The record cannot be decoded; its head, or else its key, may still say whose it is.
  Result<void> held_unread(const Rope& value, std::string_view key) {
    TRY_VOID(unreadable());
    const Bytes octets = value.flatten();
    const Salvaged salvaged = salvage(octets.view());
    if (salvaged.message && !salvaged.recipients.empty()) {
      for (const std::uint32_t index : salvaged.recipients) {
        TRY_VOID(ledger_.held({*salvaged.message, index}));
      }
      return {};
    }
    if (const auto message = salvaged.message ? salvaged.message : message_of_key(key)) {
      return ledger_.held_all(*message);
    }
    return {};
  }

  static std::optional<MessageId> message_of_key(std::string_view key) {
    if (const auto delivery = record::delivery_of_key(key)) return delivery->message;
    if (const auto message = MessageId::from_text(key)) return message;
    return MessageId::from_octets(key);
  }

  Result<void> unreadable() {
    ledger_.unreadable();
    return {};
  }

  bool progress(std::string_view stage) {
    return !options_.progress || options_.progress(stage, records_);
  }

  Result<void> read(log::Topic topic,
                    const std::function<Result<void>(const log::HistoryRecord&)>& take) {
    const std::string_view stage = log::topic_name(topic);
    if (!progress(stage)) return fail(Errc::kCancelled);
    Result<void> taken;
    TRY_VOID(log_.history(topic, Timestamp{}, [&](const log::HistoryRecord& at) {
      if (++records_ % kProgressEvery == 0 && !progress(stage)) {
        taken = fail(Errc::kCancelled);
      } else {
        taken = take(at);
      }
      return taken.has_value();
    }));
    return taken;
  }

  log::Log& log_;
  const AuditOptions& options_;
  Ledger ledger_;
  Finished finished_;
  std::set<log::RecordPosition> killers_;
  std::uint64_t records_ = 0;
};

}  // namespace

Result<Report> audit(log::Log& log, const AuditOptions& options) {
  const Instant begin = system_clock().instant();
  const std::uint32_t passes_max = options.live ? kLivePasses : 1;
  for (std::uint32_t pass = 1;; ++pass) {
    TRY(Report report, Reading(log, options).run());
    if (!report.clean() && pass < passes_max) continue;
    report.passes = pass;
    report.duration_ms = static_cast<std::uint64_t>(
        std::chrono::floor<std::chrono::milliseconds>(system_clock().instant() - begin).count());
    return report;
  }
}

}  // namespace godwit::audit
